import platform
import subprocess
import sys

import pytest

_FREED_AND_ASKED_AGAIN = """
import resource
import torch
from leamstore.commandline import run

def command():
    torch.ones(120, 1024, 1024)  # more than is asked for next: room to align
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(100, 1024, 1024)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

run(command)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries stay as they are")
def test_a_command_keeps_the_memory_that_it_frees():
    counted = subprocess.run(  # a process of its own: what ran before shapes a heap
        [sys.executable, "-c", _FREED_AND_ASKED_AGAIN], capture_output=True, text=True, check=True
    )
    assert int(counted.stdout) < 1000  # of 102,400 pages
