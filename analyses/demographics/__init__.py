"""Groups of people compared, and the years between their photographs (RQ7)."""
