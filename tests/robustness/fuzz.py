"""Damage real files at random, and hold that every reader answers or refuses in its own words.

``python -m tests.robustness.fuzz --examples 2000`` damages each kind of file so many times, by bits
that flip, bytes that are cut out, doubled or put in, and takes some minutes. Whatever a reader
raises that is no error of ours is shrunk to the smallest file that does it, and printed.
"""

import argparse
import gzip
import io
import json
import shutil
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import safetensors.torch
import skimage.data
import torch
from hypothesis import strategies
from PIL import Image

from dashboards.bounded_query import read_first_rows
from ingest.faces.survey import look_at
from ingest.networks.dlib_resnet import read_dlib_resnet
from ingest.networks.weights import find_weights, read_state_dict
from ingest.photographs.datasets import Photograph, open_dataset
from ingest.photographs.datasets.archive import unpack
from ingest.photographs.datasets.host_answers import Answers
from ingest.photographs.datasets.imdb_face import read_links
from leamstore import arrays
from leamstore.catalog import read_catalog
from leamstore.errors import LeamError
from leamstore.lake import Lake
from leamstore.safety.fault import Owners
from leamstore.safety.verify_arrays import ArrayCheck
from leamstore.schema import REJECTIONS
from tests.leamstore.conftest import small_lake

STATE = {"conv1.weight": torch.arange(27.0).reshape(1, 3, 3, 3), "bn1.steps": torch.tensor(7)}
FACE = skimage.data.astronaut()[60:188, 160:288]

PEOPLE = "identity,gender,ethnicity\nAda,female,\nBea,f,“x”\n"
LINKS = """name,index,image,rect,height width,url
Ada,FaceId-0,a.jpg,10 20 30 40,100 80,http://example.org/a.jpg
Bea,FaceId-0,b.jpg,1 2 3 4,10 8,http://example.org/b.jpg
"""
CATALOG = """models:
  NET: &net
    network: package.module:build
    family: IResNet
    loss: ArcFace
    trained_on: MS1MV3
    weights: {file: zoo/w.pth, size: 12, page: "https://example.org/zoo", licence: none}
    input_size: 112
    alignment: arcface
    colour_order: RGB
    mean: [127.5, 127.5, 127.5]
    std: [1.0e+2, 127.5, 127.5]
    embedding_size: 512
    layers: [conv1, layer1.0.conv1]
    citation: !!str 2020-01-02
  OTHER: {<<: *net, loss: CosFace}
metadata: {made: 2020-01-02 03:04:05}
"""
ANSWERS = """{"image": "Ada/a.jpg", "url": "http://a", "reason": "gone", "detail": "404"}
{"image": "Ada/b.jpg", "url": "http://b", "reason": null, "detail": null}
"""
QUERY = """WITH kept AS (SELECT * FROM images WHERE status = 'kept') SELECT identity, count(*) AS n,
avg(cosine)::FLOAT, list(positive), max(now()) FROM kept JOIN pairs ON image_id = anchor GROUP BY 1
"""


@dataclass(frozen=True)
class Target:
    """A kind of file, whole, and its reader: None for an answer, or what it refuses it with."""

    name: str
    whole: bytes
    read: Callable[[Path], str | None]


def main() -> None:
    """Damage every kind of file, print the counts as JSON, and fail if a reader broke."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun, counts, failed = time.monotonic(), {}, []
    with tempfile.TemporaryDirectory() as folder:
        for target in targets(Path(folder)):
            try:
                counts[target.name] = damage(target, Path(folder), options.examples, options.seed)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the panics of polars are no Exception
                failed.append({"target": target.name, "error": repr(error), "by": error.__notes__})
            print(target.name, counts.get(target.name), file=sys.stderr, flush=True)
    print(json.dumps({
        "damaged": sum(sum(count.values()) for count in counts.values()),
        "refused": sum(count["refused"] for count in counts.values()),
        "seconds": round(time.monotonic() - begun),
        "failed": failed,
    }, indent=2))  # fmt: skip
    sys.exit(bool(failed))


def damage(target: Target, folder: Path, examples: int, seed: int) -> Counter[str]:
    """Let a reader read so many damaged files, and count what it answered and what it refused."""
    counts: Counter[str] = Counter()
    path = folder / "damaged"

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(damaged(target.whole))
    def read(content: bytes) -> None:
        path.write_bytes(content)
        try:
            counts["refused" if target.read(path) else "answered"] += 1
        except LeamError:
            counts["refused"] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read()
    return counts


@strategies.composite
def damaged(draw: Callable[..., Any], whole: bytes) -> bytes:
    """Draw what is left of a file after one to four accidents."""
    content = bytearray(whole)
    for _ in range(draw(strategies.integers(1, 4))):
        start = draw(strategies.integers(0, len(content)))
        stop = min(len(content), start + draw(strategies.integers(1, 64)))
        match draw(strategies.sampled_from(["flip", "put", "cut", "double", "end"])):
            case "flip" if start < len(content):
                content[start] ^= 1 << draw(strategies.integers(0, 7))
            case "put":
                content[start:start] = draw(strategies.binary(min_size=1, max_size=8))
            case "cut":
                del content[start:stop]
            case "double":
                content[start:start] = content[start:stop]
            case "end":
                del content[start:]
    return bytes(content)


def targets(folder: Path) -> list[Target]:
    """Return every kind of file that strangers give, small and whole."""
    dlib = find_weights(read_catalog().model("DLIB_R29").weights)
    return [
        *(Target(kind, photograph(kind), look) for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP")),
        Target("csv of identities", PEOPLE.encode(), lambda file: identities(file, folder)),
        Target("csv of IMDb-Face", LINKS.encode(), lambda file: links(file, folder)),
        Target("answers of hosts", ANSWERS.encode(), answers),
        Target("catalog", CATALOG.encode(), catalog),
        Target("safetensors", safetensors.torch.save(STATE), state),
        Target("torch, new format", checkpoint(new_format=True), state),
        Target("torch, old format", checkpoint(new_format=False), state),
        Target("dlib", dlib.read_bytes()[:4000], dlib_state),
        Target("zip", zipped(), lambda file: archive(file, folder)),
        Target("tar.gz", gzip.compress(tarred(), mtime=0), lambda file: archive(file, folder)),
        *of_a_lake(small_lake(folder / "small.lake")),
    ]


def of_a_lake(lake: Lake) -> list[Target]:
    """Return the files of an array, and a query."""
    name = "NET/conv1/relevance"
    check = ArrayCheck(lake.maps_path, name, "NET", (4, 4), "float16", 64, np.arange(4))
    owners = Owners(lake)

    def array(damaged: Path, place: Path) -> str | None:
        whole = place.read_bytes()
        shutil.copyfile(damaged, place)
        try:
            found = list(check.faults(owners))
            arrays.open_tree(lake.maps_path)
            return found[0].problem if found else None
        finally:
            place.write_bytes(whole)

    def query(damaged: Path) -> None:
        read_first_rows(str(lake.path), damaged.read_text(errors="replace"), seconds=0.5)

    return [
        *(
            Target(
                f"Zarr, {place.name}", place.read_bytes(), lambda file, at=place: array(file, at)
            )
            for place in (lake.maps_path / name / "zarr.json", lake.maps_path / name / "c/0/0/0")
        ),
        Target("SQL", QUERY.encode(), query),
    ]


def photograph(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(FACE).save(stream, kind, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    return stream.getvalue()


def checkpoint(new_format: bool) -> bytes:
    stream = io.BytesIO()
    torch.save({"state_dict": STATE}, stream, _use_new_zipfile_serialization=new_format)
    return stream.getvalue()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("Ada/1.jpg", b"hello" * 100)
        file.writestr("Bea/1.jpg", b"")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        member = tarfile.TarInfo("Ada/1.jpg")
        member.size = 500
        file.addfile(member, io.BytesIO(b"hello" * 100))
    return stream.getvalue()


def look(file: Path) -> str | None:
    row = look_at(Photograph(file, "Ada", "test"))
    assert row["status"] == "pending" or (row["reason"] in REJECTIONS and row["detail"])
    return row["reason"]


def identities(file: Path, folder: Path) -> None:
    root = folder / "people"
    (root / "Ada").mkdir(parents=True, exist_ok=True)
    (root / "Ada" / "1.jpg").touch()
    shutil.copyfile(file, root / "identities.csv")
    open_dataset("folder", root)


def links(file: Path, folder: Path) -> None:
    root = folder / "imdb"
    root.mkdir(exist_ok=True)
    shutil.copyfile(file, root / "IMDb-Face.csv")
    read_links(root)


def answers(file: Path) -> None:
    reasons = Answers(file).failed().values()
    assert all(isinstance(reason, str) for reason in reasons)


def catalog(file: Path) -> None:
    read_catalog(file)


def state(file: Path) -> None:
    assert all(isinstance(tensor, torch.Tensor) for tensor in read_state_dict(file).values())


def dlib_state(file: Path) -> None:
    read_dlib_resnet(file)


def archive(file: Path, folder: Path) -> None:
    root = folder / "unpacked"
    shutil.rmtree(root, ignore_errors=True)
    unpack(file, root)


if __name__ == "__main__":
    main()
