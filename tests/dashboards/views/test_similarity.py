import numpy as np
import polars as pl
import pytest

from analyses.similarity import groups
from dashboards.context import open_context
from dashboards.faces import layers_of
from dashboards.views.similarity import Asked, _compare, _sample


def asked(**other):
    return Asked(**({"frame": "chip", "maps": "image", "relevance": "as it is", "matching": "all",
                     "measure": "bc"} | other))  # fmt: skip


def sample(lake, layer, **other):
    context = open_context(str(lake.path))
    chosen = next(one for one in layers_of(context, "DLIB_R29") if one.name == layer)
    return _sample(context, chosen, asked(**other))


def test_a_lake_without_the_answer_says_what_computes_it(lake, open_page):
    shown = open_page("similarity", lake)
    assert not shown.exception
    assert f"python -m analyses similarity --lake {lake.path}" in shown.info[0].value


def test_the_findings_and_aucs_are_those_of_the_answer(answered, open_page):
    shown = open_page("similarity", answered)
    assert not shown.exception
    assert "2 identities are too few" in " ".join(one.value for one in shown.markdown)
    table = pl.from_pandas(shown.dataframe[0].value)
    expected = answered.sql("SELECT round(auc, 4) AS auc FROM result_similarity_auc ORDER BY ALL")
    assert table["auc"].sort().to_list() == pytest.approx(expected["auc"].to_list())


def test_selections_stand_in_the_address(answered, open_page):
    shown = open_page("similarity", answered, relevance="centred", alike_by="correlation")
    assert not shown.exception
    assert shown.query_params["relevance"] in ("centred", ["centred"])
    assert shown.query_params["alike-by"] in ("correlation", ["correlation"])


def test_the_samples_pairs_are_all_pairs_of_a_small_lake(lake):
    pairs = sample(lake, "conv1")
    counts = dict(pairs.group_by("group").len().iter_rows())
    assert counts == {"identity": 6, "strangers": 9}


def test_the_samples_coefficients_are_those_of_the_answer(answered):
    pairs = sample(answered, "layer1.0.conv2", frame="canonical")
    means = dict(pairs.group_by("group").agg(pl.mean("likeness")).iter_rows())
    expected = answered.sql(
        "SELECT \"group\", estimate FROM result_similarity WHERE layer = 'layer1.0.conv2' AND "
        "frame = 'canonical' AND maps = 'image' AND relevance = 'as it is' AND matching = 'all' "
        "AND measure = 'bc'"
    )
    assert means == pytest.approx(dict(expected.iter_rows()), rel=1e-6)


def test_pair_maps_of_one_image_are_a_group_of_their_own(lake):
    pairs = sample(lake, "conv1", maps="pair")
    assert set(pairs["group"]) == set(groups.GROUPS)
    anchors = pairs.filter(group="anchor")
    assert anchors["first_image"].to_list() == anchors["second_image"].to_list()
    assert np.all(anchors["first_map"].to_numpy() != anchors["second_map"].to_numpy())


def test_the_sample_is_centred_as_the_analysis_does_each_person_counting_the_same():
    maps = np.random.default_rng(0).random((5, 8, 8)).astype(np.float32)
    people = np.array([0, 1, 1, 1, 1])
    centred = (maps - (maps[0] + maps[1:].mean(0)) / 2).reshape(5, -1)

    wanted = asked(relevance="centred", measure="correlation")
    found = _compare(maps, people, {"identity": np.array([[1, 2]])}, wanted)["identity"]

    lengths = np.linalg.norm(centred, axis=1)
    assert found == pytest.approx(centred[1] @ centred[2] / lengths[1] / lengths[2], rel=1e-4)
