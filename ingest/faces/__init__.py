"""Faces: detection, landmarks, crops and chips, the survey of photographs, parsers."""
