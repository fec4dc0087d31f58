import pytest
from distributed import LocalCluster

from analyses.work import Work
from leamstore.errors import LeamError


def _square(number):
    return number * number


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_outcomes_come_in_the_order_of_the_items(scheduler):
    assert Work(scheduler).map(_square, [3, 1, 2], "Squares") == [9, 1, 4]


def test_a_cluster_does_the_same_work():
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        assert Work(cluster.scheduler_address).map(_square, [3, 1, 2], "Squares") == [9, 1, 4]


def test_an_error_of_an_item_is_raised():
    with pytest.raises(ZeroDivisionError):
        Work().map(lambda number: 1 / number, [1, 0], "Quotients")


def test_no_scheduler_at_the_address_is_one_sentence(monkeypatch):
    monkeypatch.setattr("leamstore.dask_client._CONNECT_SECONDS", 0.2)
    with pytest.raises(LeamError, match="no dask scheduler answers"):
        Work("tcp://127.0.0.1:9").map(_square, [1], "Squares")


def test_tracked_items_pass_through():
    assert list(Work().track(iter([1, 2]), "Items", total=2)) == [1, 2]
