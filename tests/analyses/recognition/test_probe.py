import numpy as np
import pytest
import torch
from torch import nn

from analyses.question import Settings
from analyses.recognition.findings import better
from analyses.recognition.probe import OWN, SEPARATION, probe_models, variants_of
from analyses.rerun.lake_models import RunnableModels
from ingest.faces.chips import ALIGNMENTS
from ingest.run.recorded import RecordedModel
from leamstore.catalog import Model, read_catalog
from tests.analyses.conftest import silent
from tests.analyses.planted_faces import IMAGES, Faces, entry_of, make_faces_lake

PEOPLE = 16
SETTINGS = Settings(draws=200)
RIGHT = {"colour_order": "RGB", "mean": (127.5,) * 3, "std": (127.5,) * 3}


class RedAroundGrey(nn.Module):
    """Embeds whether each 4 x 4 patch is more or less red than 0."""

    def forward(self, chips):
        red = nn.functional.avg_pool2d(chips[:, :1], 4).flatten(1)
        return torch.tanh(20 * red)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Faces of people known by which patches are red; which are blue is a weaker hint."""
    generator = np.random.default_rng(0)
    people = np.arange(PEOPLE).repeat(IMAGES)
    own = generator.choice([-1, 1], (PEOPLE, 4, 4, 3))[people]
    seen = own + generator.normal(0, [0.6, 1, 1.2], own.shape)
    chips = (127.5 + 40 * seen).clip(0, 255).repeat(4, 1).repeat(4, 2).astype(np.uint8)
    maps = np.zeros((len(chips), 16, 16), np.float16)
    return make_faces_lake(
        tmp_path_factory.mktemp("probe"), Faces(chips, maps, RedAroundGrey, models=("NET",))
    )


def probe(lake, **wrong):
    entry = Model.model_validate_json(entry_of("NET", RedAroundGrey)).model_copy(
        update=RIGHT | wrong
    )
    models = RunnableModels({"NET": RecordedModel("NET", entry, None, 0)}, {})
    return probe_models(lake, models, SETTINGS, silent)


def test_no_other_input_is_called_better_than_the_right_one(lake):
    rows = probe(lake)
    assert better(rows).is_empty()
    assert (rows["images"][0], rows["chips"][0]) == (PEOPLE * IMAGES, "crops")
    assert rows.filter(variant="BGR", measure=SEPARATION)["difference_high"].item() < 0


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"colour_order": "BGR"}, ("colour_order", "RGB")),
        ({"mean": (0.0,) * 3, "std": (1.0,) * 3}, ("mean, std", "-1 to 1")),
    ],
)
def test_a_wrong_entry_is_found_with_what_is_right(lake, wrong, found):
    rows = better(probe(lake, **wrong))
    assert rows.filter(changed=found[0], variant=found[1]).height == 1
    assert set(rows["changed"]) == {found[0]}


def test_what_is_tried_differs_from_the_entry():
    for entry in read_catalog().models.values():
        own, *others = variants_of(entry, "photographs")
        assert own.name == OWN
        kinds = [one.changed for one in others]
        assert {"colour_order", "mean, std", "alignment", "margin"} == set(kinds)
        for one in others:
            other_template = ALIGNMENTS[one.alignment] is not ALIGNMENTS[entry.alignment]
            assert other_template == (one.changed == "alignment")


def test_values_that_are_nearly_the_entrys_are_not_tried():
    names = {one.name for one in variants_of(read_catalog().model("IR_VGG"), "photographs")}
    assert "-1 to 1" not in names  # its std is 128, not 127.5
    assert {"0 to 1", "0 to 255"} <= names


def test_no_wider_margin_is_cut_from_crops():
    tried = variants_of(read_catalog().model("DLIB_R29"), "crops")
    assert min(one.zoom for one in tried) == 1
