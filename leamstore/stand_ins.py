"""Warnings about stand-ins: parsers, weights and data that are not the paper's."""

from leamstore.lake import Lake


def brands(lake: Lake) -> list[str]:
    """Return a sentence for each stand-in in a lake: its parser, random weights, the demo set."""
    found = []
    if lake.settings.parser == "landmarks":
        found.append(
            "Landmark parser: regions are drawn from 68 landmarks, not by FaRL; hair, ears, neck, "
            "clothes, background and accessories are unknown, so that shares don't sum to 100."
        )
    random = lake.sql(
        "SELECT model FROM models WHERE starts_with(weights, 'random') AND weights_sha256 IS NULL "
        "ORDER BY model"
    )["model"]
    if len(random):
        found.append(f"Random weights, no recogniser: {', '.join(random)}.")
    if lake.sql("SELECT 'demo' IN (SELECT dataset FROM images WHERE status = 'kept')").item():
        found.append("Demo set: variations of a few photographs, not a sample of people.")
    return found
