"""Warnings about stand-ins: parsers, weights and data that are not the paper's."""

from collections.abc import Mapping
from typing import Any

from leamstore.lake import Lake


def is_random(row: Mapping[str, Any]) -> bool:
    """Return whether a model, by its row of the table models, was run with random weights."""
    return row["weights"].startswith("random") and row["weights_sha256"] is None


def brands(lake: Lake) -> list[str]:
    """Return a sentence for each stand-in in a lake: its parser, random weights, the demo set."""
    found = []
    if lake.settings.parser == "landmarks":
        found.append(
            "Landmark parser: regions are drawn from 68 landmarks, not by FaRL; hair, ears, neck, "
            "clothes, background and accessories are unknown, so that shares don't sum to 100."
        )
    models = lake.sql("SELECT model, weights, weights_sha256 FROM models ORDER BY model")
    random = [row["model"] for row in models.to_dicts() if is_random(row)]
    if random:
        found.append(f"Random weights, no recogniser: {', '.join(random)}.")
    if lake.sql("SELECT 'demo' IN (SELECT dataset FROM images WHERE status = 'kept')").item():
        found.append("Demo set: variations of a few photographs, not a sample of people.")
    return found
