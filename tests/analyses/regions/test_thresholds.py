import pytest

from analyses.question import Settings
from analyses.regions import thresholds
from tests.analyses.conftest import shares, silent

PEOPLE = {"Ada": {}, "Bea": {}}


def planted(identity, number, layer, percent):
    """At 0.1 % all is nose; at 1 % half of it in conv1 and none after; at 100 % its area."""
    if percent == 1.0:
        return shares(nose=50.0 if layer == "conv1" else 0.0)
    return shares(nose={0.1: 100.0, 100.0: 3.0}.get(percent, 7.0))


def answer(lake):
    return thresholds.answer(lake, Settings(draws=100), silent)["thresholds"]


def test_planted_shares_come_back_by_percent_as_means_over_layers(make_lake):
    rows = answer(make_lake(PEOPLE, planted)).filter(region="nose")
    assert dict(rows.select("percent", "share").iter_rows()) == pytest.approx(
        {0.1: 100.0, 1.0: 25.0, 100.0: 3.0}
    )


def test_each_model_stands_beside_its_own_table(make_lake):
    rows = answer(make_lake(PEOPLE, planted, models=("AF_R18", "VGG_16"))).filter(region="nose")
    paper = {(model, percent): value for model, percent, value in
             rows.select("model", "percent", "paper").iter_rows()}  # fmt: skip
    assert paper["AF_R18", 0.1] == 26.99
    assert paper["VGG_16", 0.1] == 28.99


def test_the_papers_full_activation_is_not_taken_for_all_pixels(make_lake):
    rows = answer(make_lake(PEOPLE, planted, models=("AF_R18", "VGG_16")))
    all_pixels = rows.filter(region="nose", percent=100.0).select("model", "paper")
    assert dict(all_pixels.iter_rows()) == {"AF_R18": None, "VGG_16": 2.36}


def test_images_count_where_no_pair_was_kept(make_lake):
    assert answer(make_lake(PEOPLE, planted, pairs=False)).height == 3 * 19
