"""A dask worker that dies or hangs in mid-write where a test asks for it; workers preload this.

A test asks by a file: ``die`` or ``hang``, in the folder named by HINDRANCES. The first worker
that writes maps of the third block takes the file away. One that hangs goes on when the file
``hangs``, which it leaves, is gone.
"""

# ruff: noqa: I001 - scenarios sets the size of shards before other modules are imported
from tests.robustness import scenarios  # noqa: F401

import os
import signal
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["HINDRANCES"])
THIRD_BLOCK = "/c/2/"


def hinder(event, arguments):
    if event != "open" or THIRD_BLOCK not in str(arguments[0]) or "maps" not in str(arguments[0]):
        return
    if int(arguments[2]) & (os.O_WRONLY | os.O_RDWR):
        if take("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if take("hang", "hangs"):
            while (FOLDER / "hangs").exists():
                time.sleep(0.1)


def take(name, then="taken"):
    try:
        (FOLDER / name).rename(FOLDER / then)
    except FileNotFoundError:
        return False
    return True


sys.addaudithook(hinder)
