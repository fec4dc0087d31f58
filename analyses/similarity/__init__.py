"""How alike maps of one anchor, of one person, of strangers are (RQ3): pairs, measures, tests."""
