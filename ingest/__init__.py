"""From photographs to a lake: faces, networks, LEAM maps, region counts."""
