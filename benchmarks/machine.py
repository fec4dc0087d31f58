"""Description of the machine that was measured."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = (
    "torch", "numpy", "numba", "zarr", "duckdb", "POT", "pandas", "torchcam", "grad-cam",
)  # fmt: skip
"""Packages whose versions decide about speed."""

_BFLOAT16_FLAGS: Final = ("amx_bf16", "avx512_bf16", "bf16")


def describe_machine(seed: int) -> dict[str, Any]:
    """Return the machine, the versions, the moment, and how busy others kept it meanwhile."""
    return {
        "processor": _cpu_fact("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "bfloat16_instructions": has_native_bfloat16(),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {"python": platform.python_version(), **_versions()},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": round(os.getloadavg()[0], 2),
        "seed": seed,
        "commit": _commit(),
    }


def has_native_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 numbers itself."""
    flags = (_cpu_fact("flags") or _cpu_fact("Features")).split()
    return any(flag in flags for flag in _BFLOAT16_FLAGS)


def _cpu_fact(name: str) -> str:
    """Return what Linux says of the first processor under a name, or an empty text."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    facts = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in facts if key.strip() == name), "")


def _versions() -> dict[str, str]:
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            installed[package] = "not installed"
    return installed


def _commit() -> str:
    """Return the commit that was measured, marked if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
