import pytest

from analyses.question import LackingError
from analyses.rerun.experiment import Experiment
from analyses.rerun.occluded_faces import plan_tasks, split_identities
from tests.analyses.planted_faces import Faces, make_faces_lake, planted


def test_a_task_has_whole_identities_and_no_more_than_a_batch_unless_one_identity_has():
    identities = ["A"] * 20 + ["B"] * 12 + ["C"] * 40 + ["D"]
    parts = split_identities(identities)
    assert [len(part) for part in parts] == [32, 40, 1]
    assert [{identities[place] for place in part} for part in parts] == [{"A", "B"}, {"C"}, {"D"}]


def test_identities_that_do_not_lie_together_stay_together():
    assert split_identities(["A", "B", "A"]) == [[0, 1, 2]]


def test_a_lake_without_crops_whose_photographs_are_gone_is_lacking(tmp_path):
    chips, maps = planted(lambda person, _: person)
    lake = make_faces_lake(tmp_path, Faces(chips, maps, crops=False))
    with pytest.raises(LackingError, match="no crops, and some of its photographs have gone"):
        plan_tasks(lake, Experiment(), seed=0)


def test_a_layer_that_the_lake_has_no_maps_of_is_lacking(tmp_path):
    lake = make_faces_lake(tmp_path, Faces(*planted(lambda person, _: person)))
    with pytest.raises(LackingError, match="no maps of layer 7 of IR_CASIA"):
        plan_tasks(lake, Experiment(layer=7), seed=0)
