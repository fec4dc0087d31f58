"""LEAM: maps, targets, the fast backward pass, region counts, the work per identity."""
