import pandas
import pytest

from benchmarks.sql import TABLES, fill, shares, shares_by_pandas, write_csv
from leamstore.lake import Lake, LakeSettings
from leamstore.schema import REGION_NAMES


@pytest.fixture
def lake(tmp_path):
    lake = Lake.create(tmp_path / "paper.lake", LakeSettings("farl", 0, False, 0))
    fill(lake, pairs=20, seed=3)
    return lake


def test_a_lake_has_nine_models_nine_layers_and_two_activations_of_every_pair(lake):
    counts = lake.sql(
        "SELECT model, layer, activation, count(*) AS n FROM pair_regions GROUP BY ALL"
    )
    assert counts.height == 9 * 9 * 2
    assert set(counts["n"]) == {20}


def test_pixels_are_more_than_those_of_the_regions(lake):
    odd = f"SELECT count(*) FROM pair_regions WHERE pixels <> {' + '.join(REGION_NAMES)} + 1"
    assert lake.sql(odd).item() == 0


@pytest.mark.parametrize("activation", TABLES.values())
def test_sql_and_pandas_find_the_same_shares(lake, tmp_path, activation):
    write_csv(lake, tmp_path / "rows.csv")
    theirs = shares_by_pandas(pandas.read_csv(tmp_path / "rows.csv"), activation)
    ours = shares(lake, activation)
    assert ours["model"].to_list() == theirs.index.to_list()
    for name in REGION_NAMES:
        assert ours[name].to_list() == pytest.approx(theirs[name].to_list())
