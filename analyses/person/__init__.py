"""Whose the pattern is: the rule, the evidence it judges, and the controls (the paper's title)."""
