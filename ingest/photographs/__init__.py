"""Photographs: data sets, downloads, and the way from a file to upright RGB pixels."""
