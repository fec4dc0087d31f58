import subprocess
import sys

import pytest

from leamstore import arrays
from leamstore.errors import LakeError


def test_the_attributes_are_those_that_zarr_reads(tmp_path):
    arrays.create_store(tmp_path / "a.zarr", {"regions": ["nose", "hair"], "unlabelled": 255})
    found = arrays.root_attributes(tmp_path / "a.zarr")
    assert found == dict(arrays.open_root(tmp_path / "a.zarr").attrs)


def test_a_store_that_is_missing_is_told_from_one_that_is_broken(tmp_path):
    with pytest.raises(FileNotFoundError):
        arrays.root_attributes(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"zarr_format": 2, "node_type": "group"}', "[" * 100_000,
                '{"zarr_format": 3, "node_type": "group", "attributes": 3}']
)  # fmt: skip
def test_metadata_that_cannot_be_read_is_a_sentence(tmp_path, content):
    (tmp_path / "zarr.json").write_text(content)
    with pytest.raises(LakeError, match=r"can't be opened: its metadata can't be read \(.+\)\."):
        arrays.root_attributes(tmp_path)


def test_a_lake_is_asked_by_sql_without_loading_zarr(demo_ingest):
    asked = (
        "import sys; from leamstore.lake import Lake; Lake(sys.argv[1]).sql('FROM images'); "
        "sys.exit('zarr' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", asked, demo_ingest.lake], check=True)
