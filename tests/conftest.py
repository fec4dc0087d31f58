import os
import shutil
from pathlib import Path

# Files run beside each other; more threads than cores would only wait for one another.
for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Lakes wait for the disk at every commit: where memory has room, pytest's folders lie there.
_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 4 * 2**30
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

from dataclasses import dataclass  # noqa: E402

import pytest  # noqa: E402

from tests.made_once import made_once  # noqa: E402

DEMO_OPTIONS = (
    "--models", "DLIB_R29", "--layers", "0,layer1.0.conv2", "--max-images", "3", "--workers", "1"
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    """No test depends on how the shell that runs it is set."""
    for name in ("LEAM_OFFLINE", "LEAM_CACHE", "LEAM_LAKE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def demo_photographs(tmp_path_factory):
    """The folder of the demo set, to be read only: eight photographs of each of two women."""
    from ingest.photographs.datasets import demo

    return made_once(tmp_path_factory, "demo-photographs", demo.read)


@dataclass(frozen=True)
class DemoIngest:
    """What the command line made of the demo set by DEMO_OPTIONS, to be read only.

    Two women with three images each, two layers of one model.
    """

    folder: Path

    @property
    def lake(self) -> Path:
        return self.folder / "demo.lake"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout.txt").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr.txt").read_text()


@pytest.fixture(scope="session")
def demo_ingest(tmp_path_factory):
    return DemoIngest(made_once(tmp_path_factory, "demo", _ingest_demo))


def _ingest_demo(folder):
    from tests.commandlines import run_command

    made = DemoIngest(folder)
    done = run_command("ingest", *DEMO_OPTIONS, "--lake", made.lake, LEAM_CACHE=made.cache)
    assert done.returncode == 0, done.stderr
    (folder / "stdout.txt").write_text(done.stdout)
    (folder / "stderr.txt").write_text(done.stderr)
