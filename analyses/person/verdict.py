"""The rule that decides whose a pattern is, declared before any number was computed.

A map may find what matters in a face and still show nothing of the person. So five things are
claimed, each as a number that is above 0 if the claim holds:

- *finds sensitive pixels*: hiding by the own map costs more than hiding at random.
- *fits its image*: the own map costs more than the map of any stranger.
- *any face's does as well*: a stranger's map finds at least 80 % of what the own one finds
  beyond chance.
- *fits its person*: the map of another image of the same person costs more than that of a
  stranger in the same pose.
- *more alike than by the control*: maps tell one person's pairs from strangers' in the same pose
  better than each control does: maps of the same network that don't ask about the person (norm,
  impostor), maps of random weights, the image's edges and its pixels.

A claim holds where its interval lies above 0 and p < 0.05, adjusted by Holm over all that is
asked of the lake. The cost of hiding depends on what replaces the pixels, so a claim by
occlusion is *shown* only if it holds in black (the paper's) and in another fill and is reversed
in none. Then, the first that fits:

1. *undecided: too few people*, if no p could pass Holm even if all people pointed one way;
2. *undecided: layer not occluded*, as likeness alone is no evidence for a person;
3. *the person's*, if *fits its person* is shown and maps are more alike than by every control;
   *undecided: controls are missing*, if only the lake lacks one of `REQUIRED`;
4. *the image's, not shown to be the person's*, if *fits its image* is shown;
5. *any face's*, if sensitive pixels are shown and any face's map is shown to do as well, and
   neither occlusion nor likeness is evidence for the person;
6. *undecided: the fills disagree*, if a claim on image or person holds in one fill and is
   reversed in another;
7. *not shown*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from analyses.person.controls import RANDOM
from analyses.similarity.baselines import BASELINES
from analyses.statistics import smallest_signed_rank_p

SENSITIVE: Final = "finds sensitive pixels"
IMAGE: Final = "fits its image"
ANY_FACE: Final = "any face's does as well"
PERSON: Final = "fits its person"
ALIKE: Final = "more alike than by the control"

AS_WELL: Final = 0.8
"""Share of the own map's effect beyond chance that a stranger's map needs to do "as well"."""

CLAIMS: Final[Mapping[str, Mapping[str, float]]] = {
    SENSITIVE: {"own": 1, "random": -1},
    IMAGE: {"own": 1, "swap": -1},
    ANY_FACE: {"swap": 1, "own": -AS_WELL, "random": AS_WELL - 1},
    PERSON: {"same person": 1, "matched stranger": -1},
}
"""Claims by occlusion: the weight of the drop under each mask."""

COLUMNS: Final[Mapping[str, str]] = {
    SENSITIVE: "sensitive",
    IMAGE: "image",
    ANY_FACE: "any_face",
    PERSON: "person",
    ALIKE: "alike",
}
"""The columns of a result table with the outcome of each claim."""

REQUIRED: Final = ("norm", "impostor", RANDOM, *BASELINES)
"""Controls without which nothing is called the person's."""

ALPHA: Final = 0.05

PERSONS: Final = "the person's"
IMAGES: Final = "the image's, not shown to be the person's"
ANY_FACES: Final = "any face's"
NOT_SHOWN: Final = "not shown"
TOO_FEW: Final = "undecided: too few people"
NOT_OCCLUDED: Final = "undecided: layer not occluded"
CONTROLS_MISSING: Final = "undecided: controls are missing"
FILLS_DISAGREE: Final = "undecided: the fills disagree"

VERDICTS: Final = (
    PERSONS, IMAGES, ANY_FACES, NOT_SHOWN, TOO_FEW, NOT_OCCLUDED, CONTROLS_MISSING, FILLS_DISAGREE
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """The verdict on one model and layer.

    Attributes
    ----------
    words : str
        One of `VERDICTS`.
    claims : dict of str to str
        Outcome of each claim: shown, reversed, fills disagree, not shown, or not asked; of
        the likeness: shown, not shown, or not asked.
    missing : tuple of str
        Required controls without evidence.
    """

    words: str
    claims: Mapping[str, str]
    missing: tuple[str, ...]


def decide(evidence: pl.DataFrame, asked: int) -> Verdict:
    """Judge the evidence on one model and layer by the rule above.

    Parameters
    ----------
    evidence : polars.DataFrame
        claim, fill, control, low, high, p_holm, identities: a row for each test.
    asked : int
        Tests in the whole family, all models and layers.
    """
    claims = {claim: _by_fills(evidence.filter(claim=claim)) for claim in CLAIMS}
    compared = evidence.filter(claim=ALIKE)
    alike = "shown" if compared.select(_HOLDS.all()).item() else "not shown"
    claims[ALIKE] = "not asked" if compared.is_empty() else alike
    missing = tuple(name for name in REQUIRED if name not in compared["control"])
    people = int(evidence["identities"].to_numpy().max(initial=0))
    enough = smallest_signed_rank_p(people) * asked < ALPHA
    return Verdict(_words(claims, missing, enough), claims, missing)


def _words(claims: Mapping[str, str], missing: tuple[str, ...], enough: bool) -> str:
    fits_person = claims[PERSON] == "shown"
    persons = fits_person and claims[ALIKE] != "not shown"
    common = claims[SENSITIVE] == claims[ANY_FACE] == "shown"
    rule = (
        (TOO_FEW, not enough),
        (NOT_OCCLUDED, claims[PERSON] == "not asked"),
        (PERSONS, persons and not missing),
        (CONTROLS_MISSING, persons),
        (IMAGES, claims[IMAGE] == "shown"),
        (ANY_FACES, common and not fits_person and claims[ALIKE] != "shown"),
        (FILLS_DISAGREE, "fills disagree" in (claims[IMAGE], claims[PERSON])),
        (NOT_SHOWN, True),
    )
    return next(words for words, fits in rule if fits)


_IS_CLEAR: Final = pl.col("p_holm") < ALPHA
_HOLDS: Final = ((pl.col("low") > 0) & _IS_CLEAR).fill_null(False)
_IS_REVERSED: Final = ((pl.col("high") < 0) & _IS_CLEAR).fill_null(False)


def _by_fills(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return "not asked"
    above, below = (set(rows.filter(side)["fill"]) for side in (_HOLDS, _IS_REVERSED))
    if above and below:
        return "fills disagree"
    for fills, word in ((above, "shown"), (below, "reversed")):
        if "black" in fills and len(fills) > 1:
            return word
    return "not shown"
