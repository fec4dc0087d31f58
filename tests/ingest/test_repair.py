import json
import shutil

import pytest
import torch
from rich.progress import Progress

from ingest.faces.parsers import open_parser
from ingest.photographs.datasets import open_dataset
from ingest.repair import repair
from ingest.run.pipeline import ingest_photographs
from ingest.run.plan import Plan
from leamstore import tables
from leamstore.errors import LeamError
from leamstore.lake import Lake, LakeSettings
from leamstore.safety.verify import remove_broken, verify
from tests.commandlines import run_command
from tests.robustness.contents import contents, differences
from tests.small_network import SmallNetwork, small_request


@pytest.fixture(scope="module")
def whole(demo_photographs, tmp_path_factory):
    """A lake of two models, and of two blocks, since one person came later."""
    folder = tmp_path_factory.mktemp("whole")
    photographs = [
        photograph
        for photograph in open_dataset("folder", demo_photographs).photographs
        if photograph.path.stem[-1] in "12"
    ]
    torch.save(SmallNetwork().state_dict(), folder / "small.pth")
    requests = [
        small_request(weights=weights, layers=("conv2",))
        for weights in (folder / "small.pth", "random")
    ]
    lake = Lake.create(folder / "whole.lake", LakeSettings("landmarks", 1, crops=True, seed=0))
    for come in (photographs[:2], photographs):
        plan = Plan(come, requests, open_parser("landmarks"), torch.device("cpu"), 32, 1)
        ingest_photographs(lake, plan, Progress(disable=True))
    return lake


@pytest.fixture
def lake(whole, tmp_path):
    shutil.copytree(whole.path, tmp_path / "a.lake")
    return Lake(tmp_path / "a.lake")


def repair_all(lake):
    remove_broken(lake, verify(lake))
    repair(lake=str(lake.path), device="cpu", workers=1, quiet=True)


def times(lake):
    files = (file for file in lake.path.rglob("*") if file.is_file() and ".zarr" in str(file))
    return {str(file.relative_to(lake.path)): file.stat().st_mtime_ns for file in files}


def break_shard(lake):
    """Flip a bit in a map of the model with random weights, on the second block."""
    name = "SMALL@random/conv2"
    shard = lake.maps_path / name / "relevance/c/1/0/0"
    content = bytearray(shard.read_bytes())
    content[20] ^= 4
    shard.write_bytes(content)
    return f"maps.zarr/{name}/", "/c/1"


def lose_rows(lake):
    """Lose rows of the model with weights of a file."""
    with tables.writing(lake.tables_path) as connection:
        connection.execute("DELETE FROM pair_regions WHERE model = 'SMALL' AND anchor = 0")
    return "maps.zarr/SMALL/", "/c/0"


def lose_labels(lake):
    """Lose a shard of the labels."""
    (lake.faces_path / "labels/landmarks/c/1/0/0").unlink()
    return "faces.zarr/", "/c/1"


@pytest.mark.parametrize("damage", [break_shard, lose_rows, lose_labels])
def test_a_repair_does_just_that_again_and_the_lake_is_the_unbroken_one(whole, lake, damage):
    store, shard = damage(lake)
    before = times(lake)
    repair_all(lake)
    assert differences(contents(lake), contents(whole)) == []
    assert verify(lake) == []
    after = times(lake)
    written = {name for name, time in after.items() if before.get(name) != time}
    assert written
    assert all(name.startswith(store) and shard in name for name in written)


def test_a_repair_looks_at_no_photograph(lake):
    break_shard(lake)
    repair_all(lake)
    summary = json.loads(lake.sql("SELECT summary FROM runs ORDER BY rowid DESC LIMIT 1").item())
    assert (summary["looked_at"], summary["units"]) == (0, 1)


def test_photographs_that_are_gone_are_read_from_their_crops(lake):
    break_shard(lake)
    with tables.writing(lake.tables_path) as connection:
        connection.execute(
            "UPDATE images SET path = '/nowhere/' || image_id || '.jpg' WHERE image_id IS NOT NULL"
        )
    repair_all(lake)
    assert verify(lake) == []
    assert lake.sql("SELECT DISTINCT images FROM units WHERE pairs > 0").height == 1


def test_weights_that_no_catalog_names_are_asked_for_by_a_sentence(lake):
    lose_rows(lake)
    with tables.writing(lake.tables_path) as connection:
        connection.execute("UPDATE models SET weights_sha256 = 'ab' WHERE model = 'SMALL'")
    with pytest.raises(LeamError, match="type the ingest that made it again"):
        repair_all(lake)


def test_verify_repairs_by_one_command(whole, lake):
    break_shard(lake)
    done = run_command("leamstore", "verify", "--repair", "--lake", lake.path)
    assert done.returncode == 0, done.stderr
    assert "SMALL@random/conv2/relevance, shard 1: it can't be read" in done.stdout
    assert "Units removed, to be recomputed now: 1." in done.stderr
    assert differences(contents(lake), contents(whole)) == []
