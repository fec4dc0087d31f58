"""Faces hidden where maps say, and embedded again (RQ6): masks, fills, the models' drops."""
