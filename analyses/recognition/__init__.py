"""Question: whether models recognise, and whether their input is right."""
