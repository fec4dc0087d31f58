"""What is decided beside the workers; `tests.robustness.test_cluster` runs whole ingests."""

import io
import time

import pytest
from distributed import Client, LocalCluster
from rich.console import Console
from rich.progress import Progress

from ingest.run import dask_cluster
from leamstore.errors import LeamError


def done(seconds, size):
    return dask_cluster._Task((), size, time.monotonic() - seconds)


def test_the_first_tasks_may_take_long():
    assert dask_cluster._Pace().limit(done(0, 1)) == dask_cluster._FIRST_LIMIT_SECONDS


def test_a_task_may_take_ten_times_as_long_as_the_slowest_of_its_size():
    pace = dask_cluster._Pace()
    pace.learn(done(seconds=100, size=10))
    pace.learn(done(seconds=100, size=1000))
    assert pace.limit(done(0, 20)) == pytest.approx(2000, rel=0.01)


def test_short_tasks_may_take_some_minutes():
    pace = dask_cluster._Pace()
    pace.learn(done(seconds=0.1, size=10))
    assert pace.limit(done(0, 10)) == dask_cluster._LEAST_LIMIT_SECONDS


def test_no_scheduler_at_the_address_is_one_sentence(monkeypatch):
    monkeypatch.setattr("leamstore.dask_client._CONNECT_SECONDS", 0.2)
    with (
        pytest.raises(LeamError, match="no dask scheduler answers"),
        dask_cluster.on_cluster("tcp://127.0.0.1:9", "cpu"),
    ):
        pass


def test_it_says_when_the_last_worker_has_left_and_only_then():
    said = io.StringIO()
    progress = Progress(console=Console(file=said, width=200))
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as workers,
        Client(workers) as client,
    ):
        executor = dask_cluster.ClusterExecutor(client, "order", progress)
        executor.gather()
        executor._count_workers()
        assert "no worker" not in said.getvalue()
        workers.scale(0)
        deadline = time.monotonic() + 30
        while "no worker" not in said.getvalue() and time.monotonic() < deadline:
            executor._count_workers()
            time.sleep(0.05)
        assert said.getvalue().count("It has no worker any more: waiting for one.") == 1
        executor._count_workers()
        assert said.getvalue().count("no worker") == 1
