"""Work done in forked children of a process that has everything loaded.

Loading torch takes seconds, a fork none. The parent itself runs neither torch nor Zarr nor DuckDB,
so that its children start with no threads but their own.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def begin(work: Callable[[], object], errors: Path) -> int:
    """Start `work` in a child that leads a process group of its own, and return its pid."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        with errors.open("w") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # nothing leaves the child but its exit code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def ended(child: int, seconds: float | None = None) -> int | None:
    """Wait for a child and return its exit code, negative for a signal; None if it still runs."""
    if seconds is None:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(min(left, 0.02))
    return None


def answer_of(work: Callable[[], Any], folder: Path) -> Any:
    """Return what `work` returns in a child; it must be JSON."""
    answer, errors = folder / "answer.json", folder / "errors.txt"
    status = ended(begin(lambda: answer.write_text(json.dumps(work())), errors))
    if status:
        raise RuntimeError(f"a child ended with {status}:\n{errors.read_text()}")
    return json.loads(answer.read_text())
