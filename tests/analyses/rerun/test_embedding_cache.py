import numpy as np
import pytest
from torch import nn

from analyses.rerun.drops import measure_drops
from analyses.rerun.embedding_cache import digest_of, recall
from analyses.rerun.experiment import Experiment
from analyses.rerun.lake_models import runnable_models
from tests.analyses.conftest import silent
from tests.analyses.planted_faces import Faces, Patches, make_faces_lake, planted


class Counting(Patches):
    """`Patches` that counts the batches it is shown, all of its kind together."""

    batches = 0

    def forward(self, chips):
        Counting.batches += 1
        return super().forward(chips)


class Otherwise(Counting):
    """Embeds the same chips otherwise."""

    def forward(self, chips):
        return super().forward(chips) ** 2


@pytest.fixture(autouse=True)
def _empty_cache():
    """No test finds what those before it in this process have embedded."""
    recall.cache.clear()


@pytest.fixture
def measure(tmp_path):
    """Measure drops in a lake of a network's own, and count the batches that takes."""
    chips, maps = planted(lambda person, _: person)

    def measured(network: type[nn.Module], experiment: Experiment, name: str = "one"):
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir()
            lakes[name] = make_faces_lake(folder, Faces(chips, maps, network, models=("NET",)))
        runnable = runnable_models(lakes[name])
        before = Counting.batches
        drops = measure_drops(lakes[name], experiment, 0, silent, runnable)
        return drops, Counting.batches - before

    lakes = {}
    return measured


def test_pixels_that_were_hidden_before_are_not_embedded_again(measure):
    first, batches = measure(Counting, Experiment(percents=(5,), percent=5))
    again, batches_again = measure(Counting, Experiment(percents=(5,), percent=5))
    assert again.equals(first)
    # What remains is the faces as they are, and the gradients.
    assert batches_again == 2 < batches


def test_what_another_question_hid_is_embedded_once(measure):
    asked = Experiment(percents=(), percent=10, masks=("own", "random"), fills=("black",))
    more = Experiment(percents=(2.5,), percent=10, masks=("own", "random"), fills=("black",))
    _, batches = measure(Counting, asked, "asked")
    _, batches_more = measure(Counting, more, "asked")
    assert batches_more == batches  # own and two random masks of one more percent, no others


def test_another_network_is_asked_itself(measure):
    experiment = Experiment(percents=(20,), percent=20)
    one, batches = measure(Counting, experiment, "one")
    other, other_batches = measure(Otherwise, experiment, "other")
    assert other_batches == batches
    assert not np.allclose(one["cosine"], other["cosine"])


def test_content_is_told_by_what_it_holds_and_not_by_where_it_lies():
    array = np.arange(12.0).reshape(3, 4)
    assert digest_of(b"a", array.T) == digest_of(b"a", array.T.copy())
    assert digest_of(b"a", array) != digest_of(b"a", array.T)
    assert digest_of(b"a", array) != digest_of(b"b", array)


def test_what_is_recalled_is_made_once():
    content = digest_of(b"made once by this test")
    made = recall(content, lambda: np.ones(3))
    assert recall(content, lambda: np.zeros(3)) is made
