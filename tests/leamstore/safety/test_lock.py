import os
import signal
import socket
import subprocess
import sys

import pytest

from leamstore.errors import LakeError
from leamstore.safety.lock import HOLDER_FILE, holder, ingest_lock

HOLD = """
import sys, time
from pathlib import Path
from leamstore.safety.lock import ingest_lock
with ingest_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_told_who_the_first_is(tmp_path, other):
    with pytest.raises(LakeError) as error, ingest_lock(tmp_path):
        pass
    said = str(error.value)
    assert f"pid {other.pid} on {socket.gethostname()}, since 2" in said
    assert "type the same command again" in said


def test_a_killed_process_holds_nothing(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / HOLDER_FILE).exists(), "it had no time to tidy up"
    assert holder(tmp_path) is None
    with ingest_lock(tmp_path):
        assert holder(tmp_path).pid == os.getpid()


def test_after_the_first_the_second_may(tmp_path):
    for _ in range(2):
        with ingest_lock(tmp_path):
            pass
    assert not (tmp_path / HOLDER_FILE).exists()


def test_a_holder_is_known_only_while_it_holds(tmp_path, other):
    assert holder(tmp_path).pid == other.pid
    other.terminate()
    other.wait()
    assert holder(tmp_path) is None


def test_two_threads_of_one_process_shut_each_other_out(tmp_path):
    with (
        ingest_lock(tmp_path),
        pytest.raises(LakeError, match="another ingest"),
        ingest_lock(tmp_path),
    ):
        pass
