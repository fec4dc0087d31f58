"""Provenance shown in a report: data sets, models with their weights, runs and gaps."""

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import polars as pl

from analyses.findings import in_words
from analyses.layouts import Listing, listing
from analyses.paper import read_table
from leamstore.lake import Lake
from leamstore.schema import REGION_NAMES, REJECTIONS
from leamstore.stand_ins import brands

_PACKAGES: Final = (
    "leam-lake", "numpy", "polars", "duckdb", "scipy", "zarr", "pot", "matplotlib",
)  # fmt: skip


@dataclass(frozen=True)
class LakeFacts:
    """The contents and the provenance of a lake.

    Attributes
    ----------
    brands : tuple of str
        Warnings about stand-ins, which a reader has to see first.
    counts : mapping of str to str
        Images found and kept, identities, data sets, parser and other settings.
    models : Listing
        A column a model, since what is said of one is long.
    gaps : tuple of str
        What else the lake lacks, besides what the questions say, a sentence each.
    """

    path: str
    brands: tuple[str, ...]
    counts: dict[str, str]
    rejected: Listing
    models: Listing
    layers: Listing
    runs: Listing
    gaps: tuple[str, ...]


def lake_facts(lake: Lake) -> LakeFacts:
    """Read the contents and the provenance of a lake."""
    return LakeFacts(
        path=str(lake.path),
        brands=tuple(brands(lake)),
        counts=_counts(lake),
        rejected=listing("Rejected images", rejections(lake)),
        models=_models(lake),
        layers=listing("Layers", lake.sql("FROM layers ORDER BY model, position")),
        runs=listing("Runs of ingest", _runs(lake)),
        gaps=tuple(_gaps(lake)),
    )  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of the packages that shape answers; a checkout may not be installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _counts(lake: Lake) -> dict[str, str]:
    row = lake.sql(
        "SELECT count(*) AS found, count(*) FILTER (status = 'kept') AS kept, "
        "count(DISTINCT identity) FILTER (status = 'kept') AS identities, "
        "list(DISTINCT dataset ORDER BY dataset) AS datasets FROM images"
    ).row(0, named=True)
    share = f" ({100 * row['kept'] / row['found']:.1f} %)" if row["found"] else ""
    settings = lake.settings
    return {
        "Images": f"{row['found']:,} found, {row['kept']:,} kept{share}",
        "Identities": f"{row['identities']:,}",
        "Data sets": ", ".join(row["datasets"] or ["none"]),
        "Detector of faces": settings.detector,
        "Parser": settings.parser,
        "Kept pairs of an anchor": str(settings.keep_pairs),
        "Face crops": "kept" if settings.crops else "not kept",
        "Seed of the lake": str(settings.seed),
    }


def _models(lake: Lake) -> Listing:
    rows = lake.sql(
        "SELECT model, network, loss, trained_on, weights, weights_sha256, licence, target, "
        "positives, precision FROM models ORDER BY model"
    )
    names = rows["model"].to_list()
    described = rows.drop("model").transpose(include_header=True, header_name="")
    laid_out = listing("Models", described)
    return Listing(
        laid_out.title,
        (("", False), *((name, False) for name in names)),
        tuple((in_words(line[0]), *line[1:]) for line in laid_out.lines),
    )


def rejections(lake: Lake) -> pl.DataFrame:
    """Return the reasons for which images were rejected: reason, images and meaning."""
    rows = lake.sql(
        "SELECT reason, count(*) AS images FROM images WHERE status = 'rejected' "
        "GROUP BY reason ORDER BY images DESC, reason"
    )
    meaning = pl.col("reason").replace_strict(REJECTIONS, default="", return_dtype=pl.String)
    return rows.with_columns(meaning=meaning)


def _runs(lake: Lake) -> pl.DataFrame:
    rows = lake.sql("SELECT command, started, ended, versions FROM runs ORDER BY started")
    return rows.with_columns(
        pl.col("started", "ended").dt.strftime("%Y-%m-%d %H:%M:%S %Z"),
        pl.col("versions").map_elements(_in_a_line, return_dtype=pl.String),
    )


def _in_a_line(versions: str) -> str:
    known: dict[str, Any] = json.loads(versions)
    return ", ".join(f"{name} {number}" for name, number in known.items())


def _gaps(lake: Lake) -> list[str]:
    models = lake.sql("SELECT model FROM models")["model"].to_list()
    papers = read_table(10)["column"].unique(maintain_order=True).to_list()
    absent = [name for name in papers if name not in models]
    gaps = []
    if absent:
        gaps.append(
            f"Of the paper's {len(papers)} models the lake lacks {len(absent)}: "
            f"{', '.join(absent)}. `python -m leamstore catalog NAME` says how to get weights. "
            "Where the lake lacks a model, the paper's numbers have none of ours next to them."
        )
    unseen = _unseen_regions(lake)
    if unseen:
        gaps.append(
            f"The parser can't see {', '.join(unseen)}: these regions have no shares, which is "
            "not the same as shares of zero."
        )
    if not lake.settings.keep_pairs:
        gaps.append("The lake keeps no pair maps: they are made by `--keep-pairs`.")
    return gaps


def _unseen_regions(lake: Lake) -> list[str]:
    counts = ", ".join(f"count({name})" for name in REGION_NAMES)
    (counted,) = lake.sql(f"SELECT count(*), {counts} FROM image_regions").rows()
    unseen = [name for name, count in zip(REGION_NAMES, counted[1:], strict=True) if not count]
    return [in_words(name) for name in unseen] if counted[0] else []
