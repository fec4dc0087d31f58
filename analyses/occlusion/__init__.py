"""Occlusion experiments on faces (RQ6): masks from maps, fills, and the drop in likeness."""
