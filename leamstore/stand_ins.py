"""Warnings about stand-ins: parsers, weights, layers and data that are not the paper's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from leamstore.lake import Lake


@dataclass(frozen=True)
class Variant:
    """A model that is one of the paper's but for one thing."""

    paper_model: str
    """Name of the paper's model, with whose numbers this one's are compared."""
    differs_by: str


VARIANTS: Final = {"IR_VGG_INT8": Variant("IR_VGG", "8-bit weights")}
"""Variants of the paper's models by their names in the catalog."""


def is_random(row: Mapping[str, Any]) -> bool:
    """Return whether a model, by its row of the table models, was run with random weights."""
    return row["weights"].startswith("random") and row["weights_sha256"] is None


def brands(lake: Lake) -> list[str]:
    """Return a sentence for each stand-in in a lake: parser, weights, variants, the demo set.

    A model whose norms are folded into its convolutions is one, too.
    """
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
    found += _variants(models["model"].to_list())
    found += _folded_norms(lake)
    if lake.sql("SELECT 'demo' IN (SELECT dataset FROM images WHERE status = 'kept')").item():
        found.append("Demo set: variations of a few photographs, not a sample of people.")
    return found


def _variants(models: Sequence[str]) -> list[str]:
    return [
        f"{name} is the paper's {variant.paper_model} with {variant.differs_by}: where the paper's "
        f"numbers stand beside it, they are {variant.paper_model}'s."
        for name, variant in VARIANTS.items()
        if name in models
    ]


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
