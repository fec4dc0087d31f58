"""Facial regions' shares of relevant pixels: by model, layer, person and percent (RQ2 to RQ5)."""
