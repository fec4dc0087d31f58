"""The project beside what a user would otherwise write, measured in one run: ratios with goals."""
