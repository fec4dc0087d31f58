"""Photographs for the commands of the documentation: the demo set's, under four names."""

import shutil
from pathlib import Path
from typing import Final

from ingest.photographs.datasets import demo

PEOPLE: Final = {
    "Ada": ("female", "Eileen_Collins", (1, 2)),
    "Bea": ("female", "Grace_Hopper", (1, 2)),
    "Carl": ("male", "Eileen_Collins", (3, 4)),
    "Dan": ("male", "Grace_Hopper", (3, 4)),
}


def make_photographs(folder: Path, scratch: Path) -> None:
    """Write a folder of four identities, two genders and some ages."""
    demo.read(scratch)
    genders, ages = ["identity,gender"], ["path,age"]
    for identity, (gender, shown, numbers) in PEOPLE.items():
        (folder / identity).mkdir(parents=True)
        genders.append(f"{identity},{gender}")
        for number in numbers:
            name = f"{identity}/{identity}_{number:04d}.jpg"
            shutil.copy(scratch / shown / f"{shown}_{number:04d}.jpg", folder / name)
            ages.append(f"{name},{20 + 10 * number}")
    (folder / "identities.csv").write_text("\n".join(genders))
    (folder / "images.csv").write_text("\n".join(ages))
