"""Evidence, controls and rule that decide whose the pattern is (the paper's title question)."""
