"""The short form of ``python -m tests.robustness.kills``, which kills a hundred times."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGINT"])
def test_an_ingest_that_was_ended_anywhere_goes_on_to_the_same_lake(signal, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.robustness.kills", "--times", "4", "--seed", "7",
         "--signal", signal],
        capture_output=True, text=True, check=False,
        env=os.environ | {"LEAM_OFFLINE": "1", "LEAM_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(done.stdout)
    assert counts["survived"] == counts["kills"] == 4
    assert counts["ended before the kill"] < 4
