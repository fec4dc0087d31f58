"""Warnings about stand-ins: parsers, weights, layers and data that are not the paper's."""

from leamstore.lake import Lake


def brands(lake: Lake) -> list[str]:
    """Return a sentence for each stand-in in a lake: its parser, random weights, the demo set.

    A model whose norms are folded into its convolutions is one, too.
    """
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
    found += _folded_norms(lake)
    if lake.sql("SELECT 'demo' IN (SELECT dataset FROM images WHERE status = 'kept')").item():
        found.append("Demo set: variations of a few photographs, not a sample of people.")
    return found


def _folded_norms(lake: Lake) -> list[str]:
    layers = lake.sql("FROM layers ORDER BY model")
    if "folded_norm" not in layers.columns:  # a lake of an earlier release
        return []
    models = layers.filter(layers["folded_norm"])["model"].unique(maintain_order=True)
    if models.is_empty():
        return []
    return [
        f"Norms folded into convolutions: {', '.join(models)}; such a layer gives what the norm "
        "gives, so that its maps are not those of the same network with norms of their own."
    ]
