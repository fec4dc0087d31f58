"""Settings of the C allocator for memory that a process frees."""

import ctypes
import platform
from typing import Final

_M_TRIM_THRESHOLD: Final = -1  # names and numbers of glibc's malloc.h
_M_MMAP_THRESHOLD: Final = -3


def keep_freed_memory() -> None:
    """Make this process keep the memory that it frees, up to a gigabyte, for its next use.

    The C library of most Linux systems hands large freed blocks back to the system, so that
    every backward pass has its memory mapped again, page by page: an eighth of LEAM's time on a
    processor. A program decides this for all its parts, a library does not: a command or a worker
    calls it first thing. Under other C libraries it does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            ctypes.CDLL(None).mallopt(option, 2**30)
