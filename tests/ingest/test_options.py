import pytest

from ingest.downloads.downloader import Downloader
from ingest.options import (
    ModelSettings,
    choose_models,
    choose_parser,
    find_lake,
    open_lake,
    require_settings,
)
from leamstore.catalog import files, read_catalog
from leamstore.errors import LakeError, WeightsError
from leamstore.lake import LakeSettings

SETTINGS = LakeSettings(parser="landmarks", keep_pairs=2, crops=True, seed=0)


@pytest.fixture
def lake(tmp_path):
    return open_lake(tmp_path / "mine.lake", SETTINGS)


def test_auto_is_the_parser_of_a_lake_that_is_there_and_left_open_for_a_new_one(lake):
    assert choose_parser("auto", lake) == "landmarks"
    assert choose_parser("auto", None) == "auto"


def test_a_parser_that_is_named_is_not_replaced_and_refused_where_the_lake_has_another(lake):
    assert choose_parser("farl", lake) == "farl"
    with pytest.raises(LakeError, match="was made with --parser landmarks, not farl"):
        require_settings(lake, LakeSettings(parser="farl", keep_pairs=2, crops=True, seed=0))


def test_a_lake_that_is_not_there_is_not_found_and_made_when_it_is_opened(tmp_path):
    assert find_lake(tmp_path / "new.lake") is None
    assert open_lake(tmp_path / "new.lake", SETTINGS).settings == SETTINGS
    assert find_lake(tmp_path / "new.lake") is not None


class UnreachableHosts(Downloader):
    def look_for_hosts(self, wanted):
        self.looked_for = wanted

    def fetch(self, file):
        raise WeightsError(f"{file.file} could not be fetched.")


def test_the_hosts_of_all_missing_weights_are_looked_for_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path))
    settings = ModelSettings(None, None, "cosine", "all", "float32", 0)
    catalog, downloader = read_catalog(), UnreachableHosts()
    requests, passed_over = choose_models(catalog, "all", settings, downloader)
    missing = [catalog.model(name).weights for name in passed_over]
    assert "AF_R18" in passed_over
    assert downloader.looked_for == missing
    assert all(files.locate(request.entry.weights) for request in requests)
