"""Benchmarks of the project against the usual alternatives: ratios with goals."""
