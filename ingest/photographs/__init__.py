"""Photographs: data sets, downloads, and decoding to upright RGB pixels."""
