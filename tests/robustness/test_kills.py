"""The short form of ``python -m tests.robustness.kills``, which kills a hundred times."""

import json
import os
import subprocess
import sys

import pytest

SIGNALS = ["SIGKILL", "SIGINT"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The counts of four kills by each signal, of the same rehearsed ingests."""
    folder = tmp_path_factory.mktemp("kills")
    done = subprocess.run(
        [sys.executable, "-m", "tests.robustness.kills", "--times", "4", "--seed", "7",
         "--signal", *SIGNALS],
        capture_output=True, text=True, check=False,
        env=os.environ | {"LEAM_OFFLINE": "1", "LEAM_CACHE": str(folder), "TMPDIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("signal", SIGNALS)
def test_an_ingest_that_was_ended_anywhere_goes_on_to_the_same_lake(signal, killed):
    counts = killed[signal]
    assert counts["survived"] == counts["kills"] == 4
    assert counts["ended before the kill"] < 4
