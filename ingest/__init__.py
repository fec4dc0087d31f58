"""Ingest: photographs to a lake, by way of faces, networks, LEAM maps and region counts."""
