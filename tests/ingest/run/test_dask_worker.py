from dataclasses import replace
from types import SimpleNamespace

import pytest
import skimage.data
from PIL import Image

from ingest.photographs.datasets import Photograph, open_dataset
from ingest.photographs.fingerprint import fingerprint
from ingest.run.block import Todo
from ingest.run.dask_worker import Job, JobPlugin
from ingest.run.environment import observe
from leamstore.arrays.blocks import blocks_of
from leamstore.catalog import read_catalog
from leamstore.errors import LeamError
from leamstore.safety import run_token
from leamstore.tables import ledger
from tests.ingest.run.test_pipeline import new_lake, run
from tests.small_network import NAME, small_request


@pytest.fixture(scope="module")
def photographs(demo_photographs):
    every = open_dataset("folder", demo_photographs).photographs
    return [photograph for photograph in every if photograph.path.stem[-1] in "12"]


@pytest.fixture
def job(photographs, tmp_path):
    """What a worker is sent for a lake whose run has a token."""
    lake = new_lake(tmp_path / "a.lake")
    run_token.grant(lake.path, "this run")
    catalog, requests = read_catalog(), (small_request(layers=("conv2",)),)
    return Job(
        run_id="this run", lake=lake.path, maps=lake.maps_path, faces=lake.faces_path,
        settings=lake.settings, catalog=catalog, requests=requests, device="cpu", batch_size=16,
        readers=1, environment=observe(catalog, requests, "landmarks"),
        photograph=photographs[0].path, fingerprint=fingerprint(photographs[0].path),
    )  # fmt: skip


def plugin(job):
    place = JobPlugin(job)
    place.setup(SimpleNamespace(address="tcp://10.0.0.2:4711"))
    return place


def test_a_worker_that_is_like_the_others_passes(job):
    plugin(job).check()


def test_another_version_is_a_sentence_that_names_the_worker(job):
    other = replace(job, environment=job.environment | {"torch": "1.0.0"})
    with pytest.raises(LeamError, match=r"tcp://10.0.0.2:4711 on .*: it has another torch \(.*, "):
        plugin(other).check()


def test_another_photograph_at_the_path_is_a_sentence(job, tmp_path):
    other = replace(job, fingerprint=replace(job.fingerprint, sha256="another"))
    with pytest.raises(LeamError, match=r"10.0.0.2.* is another file there"):
        plugin(other).check()


def test_no_photograph_at_the_path_is_a_sentence(job, tmp_path):
    with pytest.raises(LeamError, match=r"10.0.0.2.*need the photographs at the same path"):
        plugin(replace(job, photograph=tmp_path / "gone.jpg")).check()


def test_another_lake_at_the_path_is_a_sentence(job):
    run_token.withdraw(job.lake)
    with pytest.raises(LeamError, match=r"10.0.0.2.*is not the lake of the run"):
        plugin(job).check()


def test_a_worker_finds_faces_with_the_detector_of_the_lake(job, tmp_path):
    small = Image.fromarray(skimage.data.astronaut()[40:190, 145:295]).resize((40, 40))
    small.save(tmp_path / "small.png")
    other = replace(job, settings=replace(job.settings, detector="mtcnn"))
    (row,) = plugin(other).look_at([Photograph(tmp_path / "small.png", "Eileen", "folder")])
    assert row["status"] == "pending"


def test_a_worker_looks_at_photographs_as_this_process_does(job, photographs, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("not an image")
    rows = plugin(job).look_at([photographs[0], Photograph(broken, "Nobody", "folder")])
    assert [row["status"] for row in rows] == ["pending", "rejected"]


def test_a_worker_whose_run_has_ended_writes_nothing(job, photographs, tmp_path):
    other = new_lake(tmp_path / "placed.lake")
    run(other, photographs, *job.requests)
    (block,) = blocks_of(other.images)
    place = plugin(job)
    place.check()
    run_token.grant(job.lake, "a later run")
    before = set(job.lake.rglob("*"))
    with pytest.raises(LeamError, match="that run has ended"):
        place.finish(Todo(block, other.images, (ledger.FACES, NAME)), {})
    assert set(job.lake.rglob("*")) == before


def test_an_error_that_nobody_foresaw_is_a_sentence_that_names_the_worker(job):
    with pytest.raises(LeamError, match=r"10.0.0.2:4711 on .* failed: AttributeError"):
        plugin(job).look_at(["not a photograph"])
