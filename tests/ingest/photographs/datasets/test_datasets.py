import pytest

from ingest.photographs.datasets import open_dataset
from leamstore.catalog import read_catalog
from leamstore.errors import LeamError


@pytest.mark.parametrize("name", ["fgnet", "FG-NET", "fg_net"])
def test_a_data_set_is_found_by_its_name_however_it_is_spelled(tmp_path, name):
    (tmp_path / "001A02.JPG").write_bytes(b"")
    dataset = open_dataset(name, str(tmp_path))
    assert (dataset.name, dataset.root) == ("fgnet", tmp_path)


def test_every_reader_refuses_a_missing_folder_in_one_sentence(tmp_path):
    for name in read_catalog().datasets.keys() - {"demo"}:
        with pytest.raises(LeamError, match="There is no folder"):
            open_dataset(name, tmp_path / "nowhere")


def test_an_unknown_name_gets_the_known_ones_listed():
    with pytest.raises(LeamError, match="no data set named 'celeba': choose one of demo, folder"):
        open_dataset("celeba", ".")
