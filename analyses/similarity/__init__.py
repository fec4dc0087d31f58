"""Likeness of maps of one anchor, of one person and of strangers (RQ3): pairs, measures, tests."""
