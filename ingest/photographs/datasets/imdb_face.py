"""IMDb-Face: addresses of 1.7 million photographs of 59 thousand people, in one csv file.

``ROOT/IMDb-Face.csv`` has the columns name, index, image, rect, height width, url. `fetch` asks
the addresses, `read` takes what is there: ``ROOT/images/<name>/<image>``.

What is saved is not the photograph but a part of it, as a JPEG file. The rect ``x0 y0 x1 y1`` of
the face is stated for the photograph resized to a stated height and width; it is scaled to the
size in which the photograph arrives and widened on each side by half of its longer side, so that
the whole head is in it and, as far as may be, nobody else. A photograph of other proportions than
stated is another one than the rect was drawn in, and is not taken.

Every answer is a line of ``ROOT/downloads.jsonl`` (image, url, reason, detail, asked): what failed
is not asked for again, unless the network was down or the host busy.

People of the same name are distinguished by their index: ``<name>_<index>``.
"""

import dataclasses
import io
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ingest.downloads.http import FAILURES, Client, NoFileError, Policy
from ingest.photographs.datasets import folder
from ingest.photographs.datasets.atomic_file import write_atomically
from ingest.photographs.datasets.host_answers import Answer, Answers
from ingest.photographs.datasets.photograph import Dataset
from ingest.photographs.datasets.selection import NO_LIMITS, Limits, select
from ingest.photographs.datasets.sentences import counted, tally
from ingest.photographs.datasets.tables import find_table, read_csv
from ingest.photographs.decoding import decode_photograph
from leamstore.catalog import files
from leamstore.errors import LeamError, UnusableImageError

NAME: Final = "imdb-face"
TABLE: Final = "IMDb-Face.csv"
IMAGES: Final = "images"
LEDGER: Final = "downloads.jsonl"

REASONS: Final = FAILURES | {
    "not-an-image": "what the host gave is not an image, but a page that says sorry, for instance",
    "changed": "the photograph has other proportions than the csv states, so it is another one",
    "bad-rect": "the rect holds nothing of the photograph",
    "bad-row": "the row of the csv has no usable name, image, rect or size",
}
"""Reasons why an address gave no image."""

ASKED_AGAIN: Final = frozenset({"unreachable", "busy", "not-asked"})
"""Reasons that concern the network, not the address."""

POLICY: Final = Policy()
"""Policy of requests to many hosts that nobody here operates."""

MARGIN: Final = 0.5
"""Margin added to each side of the rect, in units of its longer side."""

QUALITY: Final = 95
"""JPEG quality of what is saved; its colours are not subsampled."""

Rect = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, edges of pixels being whole numbers."""


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the csv: the address of a photograph and the path of its image.

    Parameters
    ----------
    images : Path
        Folder of all images.
    identity : str
        The person's name.
    name : str
        File name of the image.
    url : str
        Address of the photograph.
    rect : tuple of float
        The face in the photograph resized to `width` x `height`.
    width, height : int
        Pixels.
    """

    images: Path
    identity: str
    name: str
    url: str
    rect: Rect
    width: int
    height: int

    @property
    def path(self) -> Path:
        """Path to which the image is saved."""
        return self.images / self.identity / self.name

    @property
    def image(self) -> str:
        """Name of the image in the file of answers."""
        return f"{self.identity}/{self.name}"


def read(root: Path) -> Dataset:
    """Read the images that have been fetched."""
    images = folder.existing_folder(root) / IMAGES
    if not images.is_dir():
        raise LeamError(f"No image of IMDb-Face has been fetched to {images} yet: fetch it first.")
    fetched = folder.read(images, NAME)
    notes = fetched.notes
    failed = Answers(root / LEDGER).failed()
    if failed:
        reasons = tally(Counter(failed.values()))
        notes = (*notes, f"{counted(len(failed), 'link')} gave no image: {reasons}.")
    return dataclasses.replace(fetched, root=root, notes=notes)


def fetch(
    root: Path,
    limits: Limits = NO_LIMITS,
    *,
    policy: Policy = POLICY,
    workers: int = 8,
    console: Console | None = None,
) -> Counter[str]:
    """Fetch the images that aren't there and whose addresses haven't failed.

    Parameters
    ----------
    root : Path
        Folder that holds the csv and gets the images and the ledger.
    limits : Limits
        Which addresses to ask, as in `selection.select`, without `min_images`; as most addresses
        are dead by now, far fewer images will come.
    policy : ingest.downloads.http.Policy
        Policy of the requests.
    workers : int
        Threads.
    console : Console, optional
        Where the progress bar is drawn; by default standard error.

    Returns
    -------
    Counter
        Images that are ``saved`` now or were ``there`` before, addresses that are ``remembered``
        to have failed, and those that failed now, by reason.

    Raises
    ------
    LeamError
        If there is no csv, it is of another kind, the folder can't be written, or LEAM_OFFLINE
        is set.
    """
    if files.is_offline():
        raise LeamError("LEAM_OFFLINE forbids downloading the images of IMDb-Face: unset it.")
    links, bad_rows = read_links(root)
    links = select(links, dataclasses.replace(limits, min_images=None))
    answers = Answers(root / LEDGER)
    dead = {asked for asked, reason in answers.failed().items() if reason not in ASKED_AGAIN}
    missing = [link for link in links if not link.path.exists()]
    new = [link for link in missing if (link.image, link.url) not in dead]
    outcomes = Counter(
        {
            "there": len(links) - len(missing),
            "remembered": len(missing) - len(new),
            "bad-row": bad_rows,
        }
    )
    asking = _ask(new, policy, workers)
    try:
        with closing(asking), _bar(console or Console(stderr=True)) as progress:
            task = progress.add_task("IMDb-Face", total=len(new), tally="")
            for answer in asking:
                outcomes[answer.reason or "saved"] += 1
                progress.update(task, advance=1, tally=tally(outcomes))
                if answer.reason != "not-asked":
                    answers.remember(answer)
    except OSError as error:
        raise LeamError(f"{root} can't be written: {error}.") from error
    return +outcomes


def read_links(root: Path) -> tuple[list[Link], int]:
    """Return the rows of the csv, and how many of them can't be used.

    Of rows with the same name and image the first counts.

    Raises
    ------
    LeamError
        If there is no csv, or it is of another kind.
    """
    path = find_table(root, TABLE.lower())
    if path is None:
        raise LeamError(f"There is no {root / TABLE}: get {TABLE} of IMDb-Face and put it there.")
    rows = read_csv(path)
    columns = ("name", "index", "image", "rect", "height width", "url")
    if lacking := [column for column in columns if column not in rows.columns]:
        raise LeamError(f"{path} is not IMDb-Face's: it lacks the columns {', '.join(lacking)}.")
    images, usable = root / IMAGES, _usable(rows)
    links = [
        Link(images, identity, name, url, (x0, y0, x1, y1), width, height)
        for identity, name, url, x0, y0, x1, y1, width, height in usable.iter_rows()
    ]
    return links, len(rows) - len(usable)


def crop_face(photograph: NDArray[np.uint8], link: Link) -> NDArray[np.uint8]:
    """Return the part of a photograph that shows the face and its surroundings.

    Parameters
    ----------
    photograph : (h, w, 3) uint8
        The photograph in the size in which it arrived.
    link : Link
        Its rect, and the size in which that was drawn.

    Returns
    -------
    (h', w', 3) uint8
        A view of the photograph.

    Raises
    ------
    NoFileError
        If the photograph has other proportions than stated, or the rect holds nothing of it.
    """
    height, width = photograph.shape[:2]
    scale = width / link.width
    # Sizes are stated in whole pixels, and hosts round in their own way.
    if abs(height - scale * link.height) > scale + 0.02 * height:
        stated = f"{link.width} x {link.height}"
        raise NoFileError("changed", f"The photograph has {width} x {height} pixels, not {stated}.")
    x0, y0, x1, y1 = (scale * edge for edge in link.rect)
    margin = MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
    right, bottom = int(np.ceil(x1 + margin)), int(np.ceil(y1 + margin))
    if not (x0 < min(x1, width) and y0 < min(y1, height) and x1 > 0 and y1 > 0):
        raise NoFileError("bad-rect", f"The rect {link.rect} holds nothing of the photograph.")
    return photograph[top:bottom, left:right]


def _usable(rows: polars.DataFrame) -> polars.DataFrame:
    """Return identity, image, url, rect and size of the rows that can be used."""
    column = polars.col
    file_name = r"^[^./\\\x00][^/\\\x00]*$"
    four = r"^\s*" + r"\s+".join([r"(-?[0-9]{1,6})"] * 4) + r"\s*$"
    two = r"^\s*([0-9]{1,6})\s+([0-9]{1,6})\s*$"
    edges = [column("rect").str.extract(four, group).cast(polars.Float64) for group in range(1, 5)]
    shared_name = column("index").n_unique().over("name") > 1
    return (
        rows.select(
            polars.when(shared_name)
            .then(polars.concat_str("name", polars.lit("_"), "index"))
            .otherwise(column("name"))
            .alias("identity"),
            "image",
            column("url").str.strip_chars(),
            *(edge.alias(name) for edge, name in zip(edges, ("x0", "y0", "x1", "y1"), strict=True)),
            column("height width").str.extract(two, 2).cast(polars.Int64).alias("width"),
            column("height width").str.extract(two, 1).cast(polars.Int64).alias("height"),
        )
        .drop_nulls()
        .filter(
            column("identity").str.contains(file_name),
            column("image").str.contains(file_name),
            polars.max_horizontal(column("identity", "image").str.len_bytes()) <= 200,
            column("width") > 0,
            column("height") > 0,
        )
        .unique(["identity", "image"], keep="first", maintain_order=True)
    )


def _ask(links: Iterable[Link], policy: Policy, workers: int) -> Generator[Answer, None, None]:
    """Ask for photographs, save their faces, and yield the answers as they come."""
    client = Client(policy)

    def ask(link: Link) -> Answer:
        try:
            _save(decode_photograph(io.BytesIO(client.get(link.url)), link.url), link)
        except (NoFileError, UnusableImageError) as error:
            return Answer(link.image, link.url, error.reason, str(error))
        return Answer(link.image, link.url)

    with ThreadPoolExecutor(workers) as executor:
        try:
            yield from _as_they_come(executor, ask, links, 4 * workers)
        finally:
            # Running and queued downloads end soon, and leaving the executor waits for them.
            client.stop()


def _save(photograph: NDArray[np.uint8], link: Link) -> None:
    file = io.BytesIO()
    face = Image.fromarray(crop_face(photograph, link))
    face.save(file, "JPEG", quality=QUALITY, subsampling=0)
    link.path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(link.path, file.getvalue())


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def _as_they_come(
    executor: Executor, function: Callable[[_Item], _Result], items: Iterable[_Item], most: int
) -> Iterator[_Result]:
    """Map in threads, out of order, with at most so many items under way."""
    waiting = iter(items)
    under_way = {executor.submit(function, item) for item in islice(waiting, most)}
    while under_way:
        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        under_way |= {executor.submit(function, item) for item in islice(waiting, len(done))}
        yield from (future.result() for future in done)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[tally]}"),
        console=console,
        disable=console.quiet,
    )
