"""Two small ingests with many stages: a new lake, and one whose photographs have changed.

Shards hold four images here instead of 64, so that a dozen photographs make several blocks. That
has to be said before any other module of the lake is imported.
"""

# ruff: noqa: E402
from leamstore import arrays
from leamstore.arrays import blocks, shards

arrays.SHARD_IMAGES = blocks.SHARD_IMAGES = shards.SHARD_IMAGES = 4

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import Progress

from ingest.__main__ import choose_execution
from ingest.faces.parsers import open_parser
from ingest.options import open_lake
from ingest.photographs.datasets import demo, folder
from ingest.run import images
from ingest.run.pipeline import ingest_photographs
from ingest.run.plan import Plan
from leamstore.lake import LakeSettings
from tests.small_network import small_request

# Rows of the survey are committed every few photographs, as they are every 256 elsewhere.
images._SURVEY_COMMIT = 5


@dataclass(frozen=True)
class Scenario:
    """An ingest that can be begun again and again.

    Attributes
    ----------
    name : str
    photographs : Path
        Folder of identities.
    before : Path or None
        The lake that it starts from.
    """

    name: str
    photographs: Path
    before: Path | None

    def ingest(self, lake: Path) -> None:
        """Bring a lake up to date, as ``python -m ingest`` does."""
        ingest(self.photographs, lake)

    def place(self, lake: Path) -> None:
        """Put the lake that it starts from, if there is one, in place of what is there."""
        shutil.rmtree(lake, ignore_errors=True)
        if self.before is not None:
            shutil.copytree(self.before, lake)


def ingest(photographs: Path, lake: Path, scheduler: str | None = None) -> None:
    """Ingest a folder for the small network and for the same with random weights."""
    requests = [small_request(weights=weights, layers=("conv2",)) for weights in (None, "random")]
    settings = LakeSettings("landmarks", keep_pairs=1, crops=True, seed=0)
    with choose_execution(scheduler, "cpu") as execution:
        plan = Plan(
            photographs=folder.read(photographs).photographs,
            requests=requests,
            parser=open_parser("landmarks"),
            device=torch.device("cpu"),
            batch_size=16,
            workers=1,
            execution=execution,
        )
        ingest_photographs(open_lake(lake, settings), plan, Progress(disable=True))


def write_photographs(root: Path) -> None:
    """Write four identities of three photographs, and a file that is none."""
    demo.read(root / "demo")
    for path in sorted((root / "demo").rglob("*.jpg")):
        number = int(path.stem[-1])
        if number % 4:
            _copy(path, root / "photographs" / f"{path.parent.name}_{number // 4}")
    (root / "photographs" / "Grace_Hopper_0" / "notes.jpg").write_text("not an image")


def change_photographs(root: Path) -> None:
    """Replace one person's photograph, take a face from another, and give a third one more."""
    folder = root / "photographs"
    first, second, third, _ = sorted(folder.iterdir())
    photographs = sorted(first.iterdir())
    shutil.copyfile(photographs[1], photographs[0])
    for path in sorted(second.iterdir())[:2]:
        path.write_text("not an image any more")
    _copy(root / "demo" / "Grace_Hopper" / "Grace_Hopper_0004.jpg", third)


def _copy(path: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
