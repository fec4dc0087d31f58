import polars as pl
import pytest

from analyses.person import verdict
from analyses.person.verdict import ALIKE, ANY_FACE, IMAGE, PERSON, REQUIRED, SENSITIVE, decide

FILLS = ("black", "mean colour", "blur")
UP, DOWN, NULL = (0.1, 0.3, 0.001), (-0.3, -0.1, 0.001), (-0.1, 0.1, 0.9)


def rows(claim, found, column="fill", names=FILLS, identities=40):
    low, high, p = zip(*found, strict=True)
    names = list(names)[: len(found)]
    table = pl.DataFrame({"claim": claim, column: names, "low": low, "high": high, "p_holm": p})
    return table.with_columns(identities=pl.lit(identities))


def evidence(person=NULL, image=NULL, any_face=NULL, sensitive=UP, controls=REQUIRED, alike=UP):
    """Each claim's intervals by fill, or one for all of them."""
    tables = [
        rows(claim, found if isinstance(found[0], tuple) else [found] * 3)
        for claim, found in (
            (PERSON, person), (IMAGE, image), (ANY_FACE, any_face), (SENSITIVE, sensitive)
        )
    ]  # fmt: skip
    if controls:
        tables.append(rows(ALIKE, [alike] * len(controls), "control", controls))
    return pl.concat(tables, how="diagonal")


def words(**claims):
    return decide(evidence(**claims), asked=50).words


def test_the_persons_needs_occlusion_and_every_control():
    assert words(person=UP, image=UP) == verdict.PERSONS
    assert words(person=UP, image=UP, alike=NULL) == verdict.IMAGES
    assert words(person=NULL, image=UP) == verdict.IMAGES


@pytest.mark.parametrize("missing", REQUIRED)
def test_one_missing_control_leaves_the_person_undecided(missing):
    held = [name for name in REQUIRED if name != missing]
    found = decide(evidence(person=UP, image=UP, controls=held), asked=50)
    assert found.words == verdict.CONTROLS_MISSING
    assert found.missing == (missing,)


@pytest.mark.parametrize(
    ("by_fill", "state"),
    [
        ((UP, UP, NULL), "shown"),
        ((UP, NULL, NULL), "not shown"),
        ((NULL, UP, UP), "not shown"),
        ((UP, UP, DOWN), "fills disagree"),
        ((DOWN, DOWN, NULL), "reversed"),
        ((NULL, NULL, NULL), "not shown"),
    ],
)
def test_a_claim_must_hold_in_black_and_another_fill_and_be_reversed_in_none(by_fill, state):
    assert decide(evidence(person=by_fill), asked=50).claims[PERSON] == state


def test_an_interval_above_0_is_not_enough_without_holm():
    uncorrected = (0.1, 0.3, 0.06)
    assert decide(evidence(person=uncorrected), asked=50).claims[PERSON] == "not shown"


def test_any_faces_needs_sensitive_pixels_and_nothing_for_the_person():
    assert words(any_face=UP, alike=NULL) == verdict.ANY_FACES
    assert words(any_face=UP, alike=NULL, sensitive=NULL) == verdict.NOT_SHOWN
    assert words(any_face=UP, alike=UP) == verdict.NOT_SHOWN


def test_fills_that_contradict_each_other_are_said_to():
    assert words(image=(DOWN, UP, UP)) == verdict.FILLS_DISAGREE


def test_likeness_alone_decides_nothing():
    alone = evidence().filter(claim=ALIKE).with_columns(fill=pl.lit(None, pl.String))
    assert decide(alone, asked=50).words == verdict.NOT_OCCLUDED


def test_people_are_too_few_where_holm_lets_no_p_pass():
    # Ten people give 2 / 1024 at best: times 20 it is below 0.05, times 26 it is not.
    clear = evidence(person=UP, image=UP).with_columns(identities=pl.lit(10))
    assert decide(clear, asked=20).words == verdict.PERSONS
    assert decide(clear, asked=26).words == verdict.TOO_FEW


def test_every_verdict_is_one_of_the_declared():
    assert words() in verdict.VERDICTS
    assert len(set(verdict.VERDICTS)) == 8
