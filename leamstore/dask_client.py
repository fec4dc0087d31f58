"""Connection to a dask scheduler."""

from typing import Final

from distributed import Client

from leamstore.errors import LeamError

_CONNECT_SECONDS: Final = 20


def connect(address: str) -> Client:
    """Connect to the scheduler at an address, ``tcp://host:8786``.

    Raises
    ------
    LeamError
        If none answers there.
    """
    try:
        return Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise LeamError(
            f"no dask scheduler answers at {address}; start one with `dask scheduler`, or leave "
            "--scheduler out to work on this machine."
        ) from error
