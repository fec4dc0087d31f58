from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ingest.leam import maps
from ingest.leam.identity import Identity, RunModel, draw_kept_pairs, submit_identity
from ingest.leam.region_counts import CLASSES, ClassGrid, count_regions
from ingest.leam.targets import find_target, mean_of_positives
from ingest.leam.threads import Threads
from leamstore import schema
from leamstore.errors import LeamError
from leamstore.geometry import scaling
from leamstore.layers import CellGrid

SIZE = 16


def explain_identity(run, identity, threads=1):
    with ThreadPoolExecutor(threads) as pool:
        return submit_identity(Threads(pool), run, identity)()


def model(by_pair=True, target="cosine", keep_pairs=1):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, 6)
    )
    return RunModel(
        name="NET",
        network=network.eval().requires_grad_(False),
        layers={"0": CellGrid.of_chip(SIZE)},
        layouts={},
        alignment="crop",
        input_size=SIZE,
        target=find_target(target),
        by_pair=by_pair,
        precision="float32",
        batch_size=8,
        keep_pairs=keep_pairs,
        seed=0,
        visible=schema.REGION_NAMES,
    )


@pytest.fixture
def identity():
    random = np.random.default_rng(5)
    return Identity(
        image_ids=np.array([7, 8, 9]),
        names=["a", "b", "c"],
        paths=["a.jpg", "b.jpg", "c.jpg"],
        chips=random.integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.uint8),
        chip_to_crop=np.stack([scaling(SIZE, schema.GRID)] * 3),
        labels=random.integers(0, 19, (3, schema.GRID, schema.GRID)).astype(np.uint8),
        references=None,
    )


def chips(identity):
    return torch.from_numpy(identity.chips).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("by_pair", [True, False])
def test_parts_of_an_identity_and_any_number_of_threads_give_the_same(identity, by_pair):
    run = replace(model(by_pair=by_pair), batch_size=2)
    alone = explain_identity(run, identity, threads=1)
    whole = explain_identity(replace(run, batch_size=8), identity)
    for threads in (2, 5):
        shared = explain_identity(run, identity, threads)
        for name in ("images", "embeddings", "pairs", "kept_pairs"):
            np.testing.assert_array_equal(getattr(shared, name), getattr(alone, name))
            np.testing.assert_allclose(getattr(shared, name), getattr(whole, name), atol=1e-6)
        for name, found in vars(shared.layers["0"]).items():
            np.testing.assert_array_equal(found, getattr(alone.layers["0"], name))
    np.testing.assert_allclose(alone.layers["0"].relevance, whole.layers["0"].relevance, atol=1e-3)
    np.testing.assert_allclose(alone.layers["0"].kept, whole.layers["0"].kept, atol=1e-3)


def test_an_images_map_is_the_mean_over_its_positives(identity):
    run = model()
    shown = explain_identity(run, identity).layers["0"]
    pairs = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    explained = maps.explain(run.network, chips(identity), pairs, ["0"])
    expected = explained.maps["0"].view(3, 2, SIZE, SIZE).mean(1)
    np.testing.assert_allclose(shown.relevance, expected, atol=1e-3)
    np.testing.assert_allclose(shown.peak, explained.peaks["0"].view(3, 2).mean(1), rtol=1e-5)
    np.testing.assert_allclose(shown.pair_peak, explained.peaks["0"], rtol=1e-5)


def test_counts_are_those_of_the_stored_maps(identity):
    run = model(keep_pairs=2)
    result = explain_identity(run, identity)
    shown = result.layers["0"]
    anchors = result.pairs[result.kept_pairs, 0]
    cells = run.layers["0"]
    grid = ClassGrid.of(identity.labels)
    by_pair = count_regions(shown.kept, cells, grid, anchors, (1.0,))
    assert (shown.pair_counts[:, 0] == by_pair.full).all()
    assert (shown.pair_counts[:, 1] == by_pair.top[:, 0]).all()
    by_image = count_regions(shown.relevance, cells, grid, np.arange(3), schema.TOP_PERCENTS)
    assert (shown.image_counts == by_image.top).all()
    assert shown.image_counts.shape == (3, len(schema.TOP_PERCENTS), CLASSES)


def test_maps_by_image_go_towards_the_mean_of_the_positives(identity):
    run = model(by_pair=False)
    result = explain_identity(run, identity)
    expected = maps.relevance_maps(
        run.network,
        chips(identity),
        [(0, 0), (1, 1), (2, 2)],
        ["0"],
        counterparts=lambda embeddings: mean_of_positives(embeddings, ["x"] * 3),
    )
    np.testing.assert_allclose(result.layers["0"].relevance, expected["0"], atol=1e-3)
    assert len(result.pairs) == len(result.kept_pairs) == 0


def test_a_control_that_ignores_positives_needs_one_map_an_image(identity):
    run = model(by_pair=False, target="norm")
    shown = explain_identity(run, identity).layers["0"]
    expected = maps.relevance_maps(
        run.network, chips(identity), [(0, 1), (1, 2), (2, 0)], ["0"], "norm"
    )
    np.testing.assert_allclose(shown.relevance, expected["0"], atol=1e-3)


def test_embeddings_are_the_networks(identity):
    run = model()
    embeddings = explain_identity(run, identity).embeddings
    np.testing.assert_allclose(embeddings, run.network(chips(identity)), rtol=1e-5)


PAIRS = np.array([(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)])


def test_each_anchor_keeps_as_many_pairs_as_asked():
    kept = draw_kept_pairs(PAIRS, ["a", "b", "c"], keep=1, seed=0)
    assert PAIRS[kept, 0].tolist() == [0, 1, 2]
    assert draw_kept_pairs(PAIRS, ["a", "b", "c"], keep=5, seed=0).tolist() == list(range(6))
    assert len(draw_kept_pairs(PAIRS, ["a", "b", "c"], keep=0, seed=0)) == 0


def test_the_draw_of_kept_pairs_follows_the_images_and_not_their_order():
    def drawn(names):
        kept = PAIRS[draw_kept_pairs(PAIRS, names, keep=1, seed=3)]
        return {(names[anchor], names[positive]) for anchor, positive in kept}

    assert drawn(["a", "b", "c"]) == drawn(["c", "a", "b"])


def test_another_seed_draws_other_pairs():
    names = ["a", "b", "c"]
    drawn = {tuple(draw_kept_pairs(PAIRS, names, keep=1, seed=seed)) for seed in range(8)}
    assert len(drawn) > 1


class Sieve(nn.Module):
    """Divides the embedding of a black chip by 0."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x) / (x.amax((1, 2, 3)) > 0)[:, None]


def sieving(**settings):
    run = model(**settings)
    layers = {"network.0": run.layers["0"]}
    return replace(run, network=Sieve(run.network).eval(), layers=layers)


@pytest.mark.parametrize("by_pair", [True, False])
def test_an_image_without_direction_is_as_if_it_were_not_there(identity, by_pair):
    run = sieving(by_pair=by_pair)
    identity.chips[1] = 0
    shown = explain_identity(run, identity)
    alone = explain_identity(run, identity.at(np.array([0, 2])))
    assert shown.images.tolist() == [0, 2]
    assert alone.images.tolist() == [0, 1]
    for found, expected in zip(
        (shown.embeddings, *vars(shown.layers["network.0"]).values()),
        (alone.embeddings, *vars(alone.layers["network.0"]).values()),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)
        assert np.isfinite(found).all()


def test_an_image_that_is_left_alone_has_nothing_to_show(identity):
    identity.chips[1:] = 0
    shown = explain_identity(sieving(), identity)
    assert (len(shown.images), len(shown.embeddings), shown.layers) == (0, 0, {})


@pytest.mark.parametrize("batch_size", [1, 2])
def test_in_parts_too_an_image_without_direction_is_as_if_it_were_not_there(identity, batch_size):
    run = replace(sieving(), batch_size=batch_size)
    identity.chips[1] = 0
    shown = explain_identity(run, identity, threads=2)
    alone = explain_identity(run, identity.at(np.array([0, 2])), threads=2)
    assert (shown.images.tolist(), alone.images.tolist()) == ([0, 2], [0, 1])
    assert shown.pairs.tolist() == [[0, 1], [1, 0]]
    np.testing.assert_allclose(
        shown.layers["network.0"].relevance, alone.layers["network.0"].relevance, atol=1e-3
    )
    left_alone = replace(
        identity, chips=np.concatenate([identity.chips[:1], 0 * identity.chips[1:]])
    )
    assert len(explain_identity(run, left_alone, threads=2).images) == 0


def test_a_map_with_nan_is_refused_by_model_layer_and_image(identity):
    class Root(nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, x):
            embedding = self.network(x)
            return embedding + (embedding * 0).pow(2).sqrt()

    run = model()
    layers = {"network.0": run.layers["0"]}
    run = replace(run, network=Root(run.network).eval(), layers=layers)
    with pytest.raises(LeamError, match=r"^NET makes maps with NaN .*network\.0 and image a\.jpg"):
        explain_identity(run, identity)
