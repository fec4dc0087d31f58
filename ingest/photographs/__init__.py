"""Photographs: data sets, and decoding to upright RGB pixels."""
