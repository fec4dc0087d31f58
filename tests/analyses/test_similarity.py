"""Planted truth: stacks of maps of which it is known what they have in common."""

import numpy as np
import polars as pl
import pytest

from analyses.question import Settings
from analyses.similarity import Stack, compare

PEOPLE, IMAGES, SIZE = 10, 4, 24
SETTINGS = Settings(seed=0, draws=300)


def blob(x, y):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)


def stack_of(centre_of, positives=2, landmarks_of=None):
    """Noisy blobs at centre_of(person, image), one for each positive."""
    rng = np.random.default_rng(0)
    maps, images, people, landmarks = [], [], [], []
    for person in range(PEOPLE):
        for number in range(IMAGES):
            centre = centre_of(person, number)
            pose = landmarks_of(centre) if landmarks_of else rng.normal(size=2)
            for _ in range(positives):
                maps.append(blob(*centre) + rng.random((SIZE, SIZE)) * 0.1)
                images.append(person * IMAGES + number)
                people.append(person)
                landmarks.append([pose])
    return Stack(np.array(maps, np.float32), *map(np.array, (images, people, landmarks)))


def rows(table, **values):
    return table.filter(*(pl.col(name) == value for name, value in values.items()))


def planted(kind):
    rng = np.random.default_rng(1)
    places = rng.uniform(5, SIZE - 5, (PEOPLE, IMAGES, 2))
    return {
        "person": lambda person, image: places[person, 0],
        "image": lambda person, image: places[person, image],
        "everybody": lambda person, image: (SIZE / 2, SIZE / 2),
    }[kind]


@pytest.mark.parametrize("measure", ["bc", "emd", "correlation"])
def test_maps_of_a_persons_own_are_found(measure):
    _, contrasts = compare(stack_of(planted("person")), SETTINGS)

    found = rows(contrasts, measure=measure, matching="none")
    assert (found["low"] > 0).all()
    assert (found["auc"] > 0.8).all()
    assert (found["p"] < 0.05).all()


def test_a_blob_for_everybody_is_alike_and_nobodys_own():
    likeness, contrasts = compare(stack_of(planted("everybody")), SETTINGS)

    plain = rows(likeness, measure="bc", centred=False, matching="none")
    assert (plain["estimate"] > 0.5).all()
    found = rows(contrasts, measure="bc", centred=False, matching="none")
    assert found["auc"].item() == pytest.approx(0.5, abs=0.06)
    assert found["low"].item() < 0 < found["high"].item()


def test_maps_of_an_images_own_set_only_the_anchor_apart():
    likeness, contrasts = compare(stack_of(planted("image")), SETTINGS)

    bc = dict(
        rows(likeness, measure="bc", centred=False, matching="none")
        .select("group", "estimate")
        .iter_rows()
    )
    assert bc["anchor"] > 3 * bc["identity"]
    found = rows(contrasts, measure="bc", centred=False, matching="none")
    assert found["low"].item() < 0 < found["high"].item()


def test_maps_that_follow_pose_alone_are_no_persons_once_poses_are_matched():
    rng = np.random.default_rng(2)
    poses = rng.uniform(5, SIZE - 5, (PEOPLE, 1, 2)) + rng.normal(0, 2, (PEOPLE, IMAGES, 2))
    poses = poses.clip(3, SIZE - 4)

    _, contrasts = compare(
        stack_of(lambda person, image: poses[person, image], 1, landmarks_of=tuple), SETTINGS
    )

    bc = rows(contrasts, measure="bc", centred=False)
    unmatched, matched = (rows(bc, matching=name) for name in ("none", "pose"))
    assert unmatched["low"].item() > 0.05
    assert abs(matched["auc"].item() - 0.5) < 0.1 < unmatched["auc"].item() - 0.5


def test_a_stack_without_positives_has_no_group_of_one_anchor():
    likeness, _ = compare(stack_of(planted("person"), positives=1), SETTINGS)

    assert set(likeness["group"]) == {"identity", "strangers"}
