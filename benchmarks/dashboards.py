"""The dashboards' pages over a lake of the paper's size: first view, and a changed selection."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, Final

import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.benchmark import Measured, Settings
from benchmarks.material import answer_of, ingest
from benchmarks.paper_lake import IMAGES, repeat_lake
from dashboards.views import PAGES
from leamstore.errors import LeamError
from leamstore.lake import Lake

PATIENCE_SECONDS: Final = 120

CHANGES: Final[dict[str, Callable[[AppTest], Any]]] = {
    "Explorer": lambda page: page.select_slider(key="percent").set_value(2.0),
    "Regions": lambda page: page.radio(key="by").set_value("model"),
    "Similarity": lambda page: page.radio(key="relevance").set_value("centred"),
    "Is it the person?": lambda page: page.select_slider(key="hidden").set_value(2.0),
    "People": lambda page: page.selectbox(key="person").select_index(1),
    "Occlusion": lambda page: page.select_slider(key="hidden").set_value(2.0),
    "SQL": lambda page: page.text_area(key="query").set_value("FROM models"),
}
"""A selection of each page that has one, by the page's title."""


def pages(settings: Settings) -> Iterator[Measured]:
    """Measure every page as its first visitor sees it, and after a selection.

    What counts is the page's own run on the server, with nothing remembered: neither imports nor
    Streamlit's test browser, which looks through all installed packages for each page it opens.
    """
    small = _answered(_ingested(settings), "all")
    large = repeat_lake(small, settings.scratch / "pages.lake", settings.size(IMAGES, 1))
    # Of the other questions the small lake's answers stay: these pages ask for nothing more.
    lake = _answered(large, "regions")
    rows = lake.sql("SELECT count(*) FROM pair_regions").item()
    size = f"{lake.images.height:,} images, {rows:,} rows of pair_regions"
    seen, changed = {}, {}
    for page in PAGES:
        # The first time, modules are loaded; it doesn't count.
        _seconds_of_page(page.address, lake, page.title)
        rounds = [_seconds_of_page(page.address, lake, page.title) for _ in range(settings.repeats)]
        seen[page.title], changed[page.title] = map(median, zip(*rounds, strict=True))
    for case, taken in (("slowest page, seen first", seen), ("slowest selection", changed)):
        told = ", ".join(f"{title} {seconds:.2f} s" for title, seconds in taken.items() if seconds)
        yield Measured(case, max(taken.values()), f"{size}: {told}")


def _seconds_of_page(address: str, lake: Lake, title: str) -> tuple[float, float]:
    """Return how long a page takes that nobody has seen, and then a selection on it; 0 for none."""
    st.cache_data.clear()
    st.cache_resource.clear()
    taken: list[float] = []
    page = AppTest.from_function(
        _show_page, default_timeout=PATIENCE_SECONDS, args=(address, str(lake.path), taken)
    ).run()
    change = CHANGES.get(title)
    if change is not None:
        change(page).run()
    if page.exception or page.error:
        raise LeamError(f"{title} can't be shown: {[*page.exception, *page.error]}")
    return taken[0], taken[1] if change is not None else 0.0


def _ingested(settings: Settings) -> Lake:
    """Return a lake of the demo set, of a single shard."""
    path = settings.scratch / "answered.lake"
    answer_of(ingest(settings, path, "--max-images", str(settings.size(8, 2))))
    return Lake(path)


def _answered(lake: Lake, question: str) -> Lake:
    """Return a lake with the answer to a question, or to all."""
    subprocess.run(
        [sys.executable, "-m", "analyses", question, "--lake", str(lake.path)],
        capture_output=True, check=True,
    )  # fmt: skip
    return lake


def _show_page(address: str, lake: str, taken: list[float]) -> None:
    from time import perf_counter  # noqa: PLC0415 - AppTest runs this function's text

    from dashboards.shell import show_page  # noqa: PLC0415
    from dashboards.views import PAGES  # noqa: PLC0415

    begun = perf_counter()
    try:
        show_page(next(page for page in PAGES if page.address == address), lake)
    finally:  # a page without an answer to show stops here
        taken.append(perf_counter() - begun)
