"""The readers of the product, each as a function whose answer is words."""

import dataclasses
import io
from pathlib import Path

from rich.console import Console

from dashboards.bounded_query import ask_bounded, read_first_rows
from ingest.downloads.downloader import POLICY, Downloader
from ingest.downloads.http import Client, NoFileError, Policy
from ingest.faces.survey import look_at
from ingest.networks.weights import read_state_dict
from ingest.photographs.datasets import Photograph, open_dataset
from ingest.photographs.datasets.archive import unpack
from ingest.photographs.datasets.host_answers import Answers
from ingest.photographs.datasets.imdb_face import read_links
from leamstore.catalog import RemoteFile, read_catalog
from leamstore.lake import Lake
from leamstore.safety.verify import verify
from tests.commandlines import run_command
from tests.robustness.hostile.case import Room
from tests.weight_host import WeightHost

CONTENT = bytes(range(256)) * 64


def photograph(_room: Room, path: Path) -> str:
    row = look_at(Photograph(path, "Ada", "test"))
    return f"{row['reason']}: {row['detail']}"


def folder(_room: Room, root: Path) -> str:
    return _described(open_dataset("folder", root))


def lfw(_room: Room, root: Path) -> str:
    return _described(open_dataset("lfw", root))


def fgnet(_room: Room, root: Path) -> str:
    return _described(open_dataset("fgnet", root))


def imdb(_room: Room, root: Path) -> str:
    links, unusable = read_links(root)
    return f"{len(links)} links, {unusable} rows that can't be used"


def ledger(_room: Room, path: Path) -> str:
    return str(Answers(path).failed())


def archive(room: Room, path: Path) -> str:
    unpack(path, room.folder / "unpacked")
    return "unpacked"


def catalog(_room: Room, path: Path) -> str:
    read_catalog(path)
    return "read"


def weights(_room: Room, path: Path) -> str:
    return f"tensors {', '.join(read_state_dict(path))}"


def host(_room: Room, behaviour: str) -> str:
    """Fetch 16 KiB from a host that behaves so; the cache folder is the room's."""
    with WeightHost({"w.pth": CONTENT}) as running:
        file = RemoteFile(
            file="zoo/w.pth", addresses=(running.address(behaviour, "w.pth"),), size=len(CONTENT),
            page="http://example.org/zoo", licence="none",
        )  # fmt: skip
        haste = dataclasses.replace(POLICY, attempts=2, pause=0.0, timeout=0.2)
        return str(Downloader(Console(file=io.StringIO()), haste).fetch(file))


def image_host(_room: Room, behaviour: str) -> str:
    """Ask a host of images for one of at most a mebibyte."""
    policy = Policy(timeout=0.3, deadline=1.0, max_bytes=2**20, attempts=1)
    with WeightHost({"a.jpg": CONTENT}) as running:
        try:
            return f"{len(Client(policy).get(running.address(behaviour, 'a.jpg')))} bytes"
        except NoFileError as error:
            return f"{error.reason}: {error}"


def opened(_room: Room, path: Path) -> str:
    return str(Lake(path).settings)


def verified(_room: Room, path: Path) -> str:
    found = verify(Lake(path))
    return "; ".join(f"{fault.place}: {fault.problem}" for fault in found)


def cube(_room: Room, path: Path) -> str:
    return str(Lake(path).cube().shape)


def tree(_room: Room, path: Path) -> str:
    return str(list(Lake(path).maps.groups))


def command(room: Room, arguments: list[str]) -> str:
    """``python -m leamstore sql`` in this process: what it says, and nothing of its answer."""
    done = run_command("leamstore", "sql", *arguments, "--lake", room.lake)
    return done.stderr.strip() or f"printed {done.stdout.strip()}"


def dashboard(room: Room, query: str) -> str:
    return str(read_first_rows(str(room.lake), query, seconds=0.5).shape)


def dashboard_process(room: Room, query: str) -> str:
    return str(ask_bounded(str(room.lake), query, seconds=40).rows.shape)


def _described(dataset) -> str:
    photographs = [repr((photo.identity, photo.path.name)) for photo in dataset.photographs]
    return " ".join([*photographs, *dataset.notes])
