"""A clock that runs backwards: times are written down, and nothing is decided by them."""

import datetime
import time
from itertools import count

import pytest

from ingest.photographs.datasets import open_dataset
from ingest.run import pipeline
from leamstore.safety import lock
from leamstore.safety.verify import verify
from leamstore.tables import ledger
from tests.ingest.run.test_pipeline import new_lake, run
from tests.robustness.contents import contents, differences
from tests.small_network import small_request


@pytest.fixture
def photographs(demo_photographs):
    every = open_dataset("folder", demo_photographs).photographs
    return [photograph for photograph in every if photograph.path.stem[-1] in "12"]


def test_a_lake_made_while_the_clock_runs_backwards_is_the_same(photographs, tmp_path, monkeypatch):
    model = small_request(layers=("conv2",))
    whole = new_lake(tmp_path / "whole.lake")
    run(whole, photographs[:2], model)
    run(whole, photographs, model)

    hours = count()

    class Backwards(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) - datetime.timedelta(hours=next(hours))

    for module in (pipeline, ledger, lock):
        monkeypatch.setattr(module, "datetime", Backwards)
    monkeypatch.setattr(time, "time", lambda: Backwards.now().timestamp())
    lake = new_lake(tmp_path / "a.lake")
    run(lake, photographs[:2], model)
    run(lake, photographs, model)
    assert lake.sql("SELECT count(*) FROM runs WHERE ended < started").item() == 2
    assert differences(contents(lake), contents(whole)) == []
    assert verify(lake) == []
    assert run(lake, photographs, model).units == 0
