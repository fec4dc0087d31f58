import pytest

from leamstore.dask_client import connect
from leamstore.errors import LeamError


def test_no_scheduler_at_the_address_is_one_sentence(monkeypatch):
    monkeypatch.setattr("leamstore.dask_client._CONNECT_SECONDS", 0.2)
    with pytest.raises(LeamError, match=r"no dask scheduler answers at tcp://127.0.0.1:9"):
        connect("tcp://127.0.0.1:9")
