from collections import Counter
from pathlib import Path

import pytest

from ingest.photographs.datasets import Photograph
from ingest.photographs.datasets.selection import NO_LIMITS, Limits, select
from leamstore.errors import LeamError


def photographs(**images):
    return [
        Photograph(Path(f"root/{identity}/{number}.jpg"), identity, "folder")
        for identity, count in images.items()
        for number in range(count)
    ]


PEOPLE = photographs(**{f"P{number}": number for number in range(1, 21)})


def counts(chosen):
    return Counter(photograph.identity for photograph in chosen)


def test_without_limits_everything_is_taken_in_its_order():
    assert select(PEOPLE, NO_LIMITS) == PEOPLE


def test_no_identity_keeps_more_images_than_allowed():
    assert counts(select(PEOPLE, Limits(max_images=5))) == {
        f"P{n}": min(n, 5) for n in range(1, 21)
    }


def test_identities_with_too_few_images_are_left_out():
    assert counts(select(PEOPLE, Limits(min_images=18))) == {"P18": 18, "P19": 19, "P20": 20}


def test_the_minimum_is_counted_before_images_are_taken_away():
    assert counts(select(PEOPLE, Limits(max_images=2, min_images=19))) == {"P19": 2, "P20": 2}


def test_identities_are_drawn_among_those_with_enough_images():
    chosen = counts(select(PEOPLE, Limits(min_images=11, max_identities=4)))
    assert len(chosen) == 4
    assert min(chosen.values()) >= 11


def test_the_choice_keeps_the_order_of_what_was_offered():
    chosen = select(PEOPLE, Limits(max_images=3, max_identities=7))
    assert chosen == [photograph for photograph in PEOPLE if photograph in set(chosen)]


def test_a_seed_draws_the_same_again_whatever_the_order():
    again = select(reversed(PEOPLE), Limits(max_images=3, max_identities=7, seed=5))
    assert set(again) == set(select(PEOPLE, Limits(max_images=3, max_identities=7, seed=5)))


def test_another_seed_draws_others():
    draws = {
        frozenset(counts(select(PEOPLE, Limits(max_identities=5, seed=seed)))) for seed in range(10)
    }
    assert len(draws) > 5


def test_every_image_and_identity_has_the_same_chance():
    people = photographs(A=4, B=4, C=4, D=4)
    drawn = Counter()
    for seed in range(400):
        drawn.update(photo.path for photo in select(people, Limits(1, None, 2, seed)))
    # 800 draws of 16 images: 50 each, standard deviation 6.8.
    assert len(drawn) == 16
    assert min(drawn.values()) > 50 - 4 * 6.8
    assert max(drawn.values()) < 50 + 4 * 6.8


def test_images_drawn_for_one_identity_do_not_depend_on_the_others():
    alone = photographs(P20=20)
    together = [photo for photo in select(PEOPLE, Limits(max_images=6)) if photo.identity == "P20"]
    assert select(alone, Limits(max_images=6)) == together


def test_a_grown_data_set_keeps_what_newcomers_do_not_displace():
    before = counts(select(PEOPLE, Limits(max_identities=10)))
    newcomers = photographs(N1=3, N2=3)
    after = counts(select(PEOPLE + newcomers, Limits(max_identities=10)))
    displaced = before.keys() - after.keys()
    assert len(displaced) == len(after.keys() & {"N1", "N2"})


def test_the_choice_does_not_depend_on_where_the_folder_lies():
    moved = [Photograph(Path("elsewhere") / p.path, p.identity, p.dataset) for p in PEOPLE]
    chosen = select(moved, Limits(max_images=2))
    assert [p.path.relative_to("elsewhere") for p in chosen] == [
        p.path for p in select(PEOPLE, Limits(max_images=2))
    ]


@pytest.mark.parametrize("limit", ["max_images", "min_images", "max_identities"])
def test_a_limit_below_one_is_an_error(limit):
    with pytest.raises(LeamError, match="must be 1 or more"):
        select(PEOPLE, Limits(**{limit: 0}))


def test_a_minimum_that_nobody_reaches_is_an_error_that_tells_the_most():
    with pytest.raises(LeamError, match="No identity has 21 images, the most is 20 images"):
        select(PEOPLE, Limits(min_images=21))
