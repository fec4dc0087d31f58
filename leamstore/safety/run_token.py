"""The token of a run: a file by which workers on other machines know that the run continues.

A worker that hung, or that the network cut off, may wake up long after its run. Within a run that
does no harm: a unit done twice writes the same bytes to the same shards. But a later run may have
given the places of images that changed to others. So each run on a cluster leaves a token of its
own, a worker looks for it right before it writes a unit's arrays, and the run takes it away at its
end, or else the next one before it begins. What is left open is one worker's write that itself
hangs from before the next run's beginning to after it.

A token also shows a worker that it sees the same lake as the one that sent it.
"""

import uuid
from typing import Final

from leamstore.errors import LakeError
from leamstore.storage import Location, read_bytes, remove, write_bytes

RUN_TOKEN_FILE: Final = "ingest.token"


def grant(lake: Location, run_id: str) -> None:
    """Permit the workers of a run to write to a lake, whose lock the caller holds."""
    write_bytes(lake / RUN_TOKEN_FILE, run_id.encode())


def withdraw(lake: Location) -> None:
    """Revoke the permission of the workers of all earlier runs to write to a lake."""
    remove(lake / RUN_TOKEN_FILE)


def require(lake: Location, run_id: str) -> None:
    """Raise an error if a run has no token.

    Raises
    ------
    LakeError
        If it has ended, or this is another place of the same name as the run's.
    """
    if read_bytes(lake / RUN_TOKEN_FILE) != run_id.encode():
        raise LakeError(
            f"{lake} is not the lake of the run that sent this work, or that run has ended: see "
            "that all machines have the lake under the same path."
        )


def try_to_write(lake: Location) -> None:
    """Write a file to a lake and remove it; a `LakeError` if that can't be done from here."""
    trial = lake / f"{RUN_TOKEN_FILE}.{uuid.uuid4().hex}"
    try:
        write_bytes(trial, b"")
        remove(trial)
    except OSError as error:
        raise LakeError(f"{lake} can't be written: {error.strerror}.") from error
