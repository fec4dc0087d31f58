"""Sanity checks: does a map depend on the network that it claims to explain?"""
