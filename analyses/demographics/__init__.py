"""Comparison of demographic groups, and of photographs taken years apart (RQ7)."""
