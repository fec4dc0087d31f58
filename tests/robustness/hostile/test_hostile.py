"""Input made to do harm: each case ends in its sentence, soon, and loses nothing."""

import hashlib
import mmap
import re
import signal
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest

from leamstore.errors import LeamError
from tests.leamstore.conftest import small_lake
from tests.robustness.hostile import files, images, lakes
from tests.robustness.hostile.case import TRACE, Room

CASES = [*images.CASES, *files.CASES, *lakes.CASES]
MOST_SECONDS = 60
MOST_KIBIBYTES = 2**20


class TooLongError(BaseException):
    """No reader may catch it."""


@contextmanager
def ended_in_time():
    def end(*_):
        raise TooLongError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def watched_memory():
    """Yield a list, which at the end holds the most KiB taken meanwhile beyond those held before.

    The peak of this process so far is forgotten first: what ran before may have taken more.
    """
    most = []
    Path("/proc/self/clear_refs").write_text("5")
    before = kibibytes("VmRSS")
    yield most
    most.append(kibibytes("VmHWM") - before)


def kibibytes(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{name}:\s*(\d+) kB$", status, re.MULTILINE)[1])


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return small_lake(tmp_path_factory.mktemp("precious") / "own.lake").path


@pytest.fixture
def room(lake, tmp_path, monkeypatch):
    """A folder with something precious in it, from which the case is played."""
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "precious.txt").write_text("nobody takes me away")
    return Room(tmp_path, lake)


def found(*folders):
    """Everything in these folders, with what it holds."""
    return {path: content(path) for folder in folders for path in folder.rglob("*")}


def content(path):
    status = path.lstat()
    if stat.S_ISREG(status.st_mode) and status.st_size < 2**30:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return status.st_mode, status.st_size if stat.S_ISREG(status.st_mode) else None


def take(mebibytes):
    """Take memory from the system itself: the heap may have room from what ran before."""
    size = mebibytes * 2**20
    with mmap.mmap(-1, size) as memory:
        memory[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)


def test_memory_is_watched_whatever_was_taken_before():
    take(96)
    with watched_memory() as most:
        take(48)
    assert 47 * 2**10 < most[0] < 80 * 2**10


def test_there_are_at_least_sixty_cases():
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what is then refused
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_input_ends_in_its_sentence_and_nothing_is_lost(case, room):
    made = case.make(room)
    before = found(room.folder, room.lake)
    with ended_in_time(), watched_memory() as most:
        try:
            answer = case.reader(room, made)
        except LeamError as error:
            answer = str(error)
    assert re.fullmatch(case.answer, answer), answer
    assert most[0] < MOST_KIBIBYTES
    assert found(room.folder, room.lake).items() >= before.items()
    assert not (room.folder / TRACE).exists()
