from dataclasses import replace
from types import SimpleNamespace

import pytest

from ingest.block import Todo
from ingest.datasets import Photograph, open_dataset
from ingest.surroundings import observe
from ingest.survey import fingerprint
from ingest.workers import Order, Workplace
from leamstore import ledger, permit
from leamstore.blocks import blocks_of
from leamstore.catalog import read_catalog
from leamstore.errors import LeamError
from tests.ingest.test_pipeline import new_lake, request_of, run


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    demo = open_dataset("demo", tmp_path_factory.mktemp("demo")).photographs
    return [photograph for photograph in demo if photograph.path.stem[-1] in "12"]


@pytest.fixture
def order(photographs, tmp_path):
    """What a worker is sent for a lake whose run has a permit."""
    lake = new_lake(tmp_path / "a.lake")
    permit.grant(lake.path, "this run")
    catalog, requests = read_catalog(), (request_of(layers=("layer2.0.conv2",)),)
    return Order(
        run_id="this run", lake=lake.path, maps=lake.maps_path, faces=lake.faces_path,
        settings=lake.settings, catalog=catalog, requests=requests, device="cpu", batch_size=16,
        readers=1, surroundings=observe(catalog, requests, "landmarks"),
        photograph=photographs[0].path, fingerprint=fingerprint(photographs[0].path),
    )  # fmt: skip


def workplace(order):
    place = Workplace(order)
    place.setup(SimpleNamespace(address="tcp://10.0.0.2:4711"))
    return place


def test_a_worker_that_is_like_the_others_passes(order):
    workplace(order).check()


def test_another_version_is_a_sentence_that_names_the_worker(order):
    other = replace(order, surroundings=order.surroundings | {"torch": "1.0.0"})
    with pytest.raises(LeamError, match=r"tcp://10.0.0.2:4711 on .*: it has another torch \(.*, "):
        workplace(other).check()


def test_another_photograph_at_the_path_is_a_sentence(order, tmp_path):
    other = replace(order, fingerprint=order.fingerprint | {"sha256": "another"})
    with pytest.raises(LeamError, match=r"10.0.0.2.* is another file there"):
        workplace(other).check()


def test_no_photograph_at_the_path_is_a_sentence(order, tmp_path):
    with pytest.raises(LeamError, match=r"10.0.0.2.*need the photographs at the same path"):
        workplace(replace(order, photograph=tmp_path / "gone.jpg")).check()


def test_another_lake_at_the_path_is_a_sentence(order):
    permit.withdraw(order.lake)
    with pytest.raises(LeamError, match=r"10.0.0.2.*is not the lake of the run"):
        workplace(order).check()


def test_a_worker_looks_at_photographs_as_this_process_does(order, photographs, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("not an image")
    rows = workplace(order).look_at([photographs[0], Photograph(broken, "Nobody", "folder")])
    assert [row["status"] for row in rows] == ["pending", "rejected"]


def test_a_worker_whose_run_has_ended_writes_nothing(order, photographs, tmp_path):
    other = new_lake(tmp_path / "placed.lake")
    run(other, photographs, *order.requests)
    (block,) = blocks_of(other.images["image_id"], other.images["identity"])
    place = workplace(order)
    place.check()
    permit.grant(order.lake, "a later run")
    before = set(order.lake.rglob("*"))
    with pytest.raises(LeamError, match="that run has ended"):
        place.finish(Todo(block, other.images, (ledger.FACES, "DLIB_R29")), {})
    assert set(order.lake.rglob("*")) == before


def test_an_error_that_nobody_foresaw_is_a_sentence_that_names_the_worker(order):
    with pytest.raises(LeamError, match=r"10.0.0.2:4711 on .* failed: AttributeError"):
        workplace(order).look_at(["not a photograph"])
