import math

import pytest
import torch
from torch.testing import assert_close

from ingest.leam.targets import (
    TARGETS,
    find_target,
    has_direction,
    mean_of_others,
    mean_of_positives,
    references_of,
    stranger_of_image,
    stranger_of_person,
)
from leamstore.errors import LeamError

ANCHOR = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
COUNTERPART = torch.tensor([[6.0, 0.0]], dtype=torch.float64)
REFERENCE = torch.tensor([[0.0, 2.0]], dtype=torch.float64)

# Anchor (3, 4) of length 5, counterpart (6, 0), reference (0, 2), worked out on paper.
BY_HAND = {
    "cosine": 0.6,
    "dot": 18.0,
    "centred-cosine": (3 * 6 - 2 * 2) / math.sqrt(13 * 40),
    "euclidean": -5.0,
    "contrastive": 0.6 - 1.6,
    "norm": 5.0,
    "impostor": 0.8,
    "impostor-random": 0.8,
}

EMBEDDINGS = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [0.0, -4.0], [0.0, 5.0]])
IDENTITIES = ["Ada", "Ada", "Bob", "Cid", "Cid"]


def test_every_target_is_worked_out_by_hand():
    assert set(BY_HAND) == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_score_is_the_number_worked_out_by_hand(name):
    score = TARGETS[name].score(ANCHOR, COUNTERPART, REFERENCE)
    assert_close(score, torch.tensor([BY_HAND[name]], dtype=torch.float64))


@pytest.mark.parametrize("name", TARGETS)
def test_a_gradient_agrees_with_finite_differences(name):
    generator = torch.Generator().manual_seed(0)
    anchor, counterpart, reference = torch.randn(
        3, 4, 5, generator=generator, dtype=torch.float64
    ).unbind()
    assert torch.autograd.gradcheck(
        lambda embedding: TARGETS[name].score(embedding, counterpart, reference),
        anchor.requires_grad_(),
    )


@pytest.mark.parametrize("name", ["cosine", "centred-cosine", "euclidean"])
def test_an_image_pulls_nowhere_towards_itself(name):
    embedding = torch.randn(6, 128, generator=torch.Generator().manual_seed(0))
    anchor = embedding.clone().requires_grad_()
    TARGETS[name].score(anchor, embedding, torch.full_like(embedding, 0.1)).sum().backward()
    assert torch.equal(anchor.grad, torch.zeros_like(embedding))


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_says_whether_it_uses_the_counterpart(name):
    target = TARGETS[name]
    other = COUNTERPART + torch.tensor([[0.5, 1.0]])
    same = target.score(ANCHOR, other, REFERENCE) == target.score(ANCHOR, COUNTERPART, REFERENCE)
    assert target.uses_counterpart == (not same)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_says_whether_it_needs_references(name):
    target = TARGETS[name]
    references = target.references(EMBEDDINGS, IDENTITIES, 0)
    assert target.needs_references == (references.numel() > 0)
    assert len(references) == len(EMBEDDINGS)


def test_the_mean_of_all_is_the_same_for_everybody():
    references = TARGETS["centred-cosine"].references(EMBEDDINGS, IDENTITIES, 0)
    assert_close(references, torch.tensor([[0.8, 0.6]]).expand(5, 2))


def test_the_mean_of_others_is_of_unit_vectors_of_other_people():
    expected = torch.tensor([[0, 1 / 3], [0, 1 / 3], [0.5, 0], [2 / 3, 1 / 3], [2 / 3, 1 / 3]])
    assert_close(mean_of_others(EMBEDDINGS, IDENTITIES), expected)


def test_contrastive_takes_off_the_mean_cosine_to_images_of_others():
    references = mean_of_others(EMBEDDINGS, IDENTITIES)
    score = TARGETS["contrastive"].score(EMBEDDINGS[2:3], EMBEDDINGS[3:4], references[2:3])
    to_others = torch.cosine_similarity(EMBEDDINGS[2:3], EMBEDDINGS[[0, 1, 3, 4]]).mean()
    assert_close(score[0], torch.tensor(-1.0) - to_others)


def people_drawn(prepare, seed):
    """Whose embeddings were drawn, for six people with three images each."""
    identities = [person for person in "abcdef" for _ in range(3)]
    of_image = torch.arange(18.0)[:, None]
    drawn = prepare(of_image, identities, seed)[:, 0].long()
    return identities, drawn.tolist()


@pytest.mark.parametrize("prepare", [stranger_of_person, stranger_of_image])
def test_a_stranger_is_never_the_person(prepare):
    for seed in range(20):
        identities, drawn = people_drawn(prepare, seed)
        assert all(identities[image] != own for own, image in zip(identities, drawn, strict=True))


def test_every_stranger_can_be_drawn():
    drawn = {image for seed in range(40) for image in people_drawn(stranger_of_image, seed)[1]}
    assert drawn == set(range(18))


def test_all_images_of_a_person_have_one_stranger():
    identities, drawn = people_drawn(stranger_of_person, 1)
    assert len(set(zip(identities, drawn, strict=True))) == 6


def test_the_stranger_of_an_image_is_drawn_anew():
    identities, drawn = people_drawn(stranger_of_image, 1)
    assert len(set(zip(identities, drawn, strict=True))) > 12


@pytest.mark.parametrize("prepare", [stranger_of_person, stranger_of_image])
def test_strangers_follow_from_the_seed(prepare):
    assert people_drawn(prepare, 3) == people_drawn(prepare, 3)
    assert people_drawn(prepare, 3) != people_drawn(prepare, 4)


@pytest.mark.parametrize("prepare", [mean_of_others, stranger_of_person, stranger_of_image])
def test_one_identity_alone_has_no_strangers(prepare):
    with pytest.raises(LeamError, match="at least two identities"):
        prepare(EMBEDDINGS, ["Ada"] * 5, 0)


def test_the_mean_of_positives_leaves_the_image_itself_out():
    embeddings = torch.tensor([[1.0, 0.0], [9.0, 9.0], [3.0, 0.0], [0.0, 6.0], [7.0, 8.0]])
    means = mean_of_positives(embeddings, ["Ada", "Bob", "Ada", "Ada", "Bob"])
    assert_close(means, torch.tensor([[1.5, 3], [7, 8], [0.5, 3], [2, 0], [9, 9]]))


def test_a_lone_image_has_no_mean_of_positives():
    with pytest.raises(LeamError, match="leave lone images out"):
        mean_of_positives(EMBEDDINGS, IDENTITIES)


def test_an_unknown_target_is_named_with_those_there_are():
    with pytest.raises(LeamError, match="no target 'cosin': choose one of cosine, dot"):
        find_target("cosin")


@pytest.mark.parametrize(
    ("vector", "has"),
    [
        ([3.0, 4.0], True),
        ([1e-6, 0.0], True),
        ([0.0, 0.0], False),
        ([torch.nan, 1.0], False),
        ([torch.inf, 1.0], False),
        ([-torch.inf, torch.inf], False),
        ([1e30, 1e30], False),
        ([1e-30, 1e-30], False),
    ],
)
def test_only_an_embedding_of_a_finite_length_has_a_direction(vector, has):
    assert has_direction(torch.tensor([[1.0, 0.0], vector])).tolist() == [True, has]


@pytest.mark.parametrize("name", TARGETS)
def test_references_leave_out_images_without_a_direction(name):
    target = TARGETS[name]
    broken = torch.cat([torch.full((1, 2), torch.nan), EMBEDDINGS, torch.zeros(1, 2)])
    found = references_of(target, broken, ["a", *IDENTITIES, "b"], 0)
    assert_close(found[1:-1], target.references(EMBEDDINGS, IDENTITIES, 0))
    assert found[[0, -1]].isnan().all()
