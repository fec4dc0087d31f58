"""Region shares computed from the lake's pixel counts.

SQL sums the shares of each identity, so that no more than identities x groups x regions ever
leaves the database; means and intervals are taken from those sums.
"""

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from analyses.estimates import grouped_ratio
from analyses.question import LackingError, Settings
from leamstore.lake import Lake
from leamstore.schema import REGION_NAMES

_IMAGE_COLUMN: Final = {"pair_regions": "anchor", "image_regions": "image_id"}

_LACKING: Final = {
    "pair_regions": "region counts of ordered pairs: run `python -m ingest` with "
    "`--positives all` and a target that looks at the positives",
    "image_regions": "region counts of images: run `python -m ingest`",
}


def sum_shares(
    lake: Lake,
    table: str,
    by: Sequence[str],
    where: str = "TRUE",
    parameters: Sequence[Any] = (),
    whole: str = "pixels",
) -> pl.DataFrame:
    """Sum the region shares of each identity and group.

    Parameters
    ----------
    lake : Lake
    table : str
        ``pair_regions`` (a map is an ordered pair's) or ``image_regions`` (an image's).
    by : sequence of str
        Columns of that table or of layers that form the groups.
    where : str
        SQL condition on the rows.
    parameters : sequence
        Values of its question marks.
    whole : str
        Number of pixels, in SQL, of which shares are: by default that of the activated ones.

    Returns
    -------
    polars.DataFrame
        Columns `by`, identity, maps (how many shares were summed) and one column of sums for
        each region that the lake's parser sees. All-zero maps have no shares and don't count.

    Raises
    ------
    LackingError
        If the lake holds no such rows.
    """
    image = _IMAGE_COLUMN[table]
    sums = lake.sql(
        f"""
        SELECT {", ".join(by)}, identity, count(*) AS maps,
               {sums_of_shares(whole)}
        FROM {table} {"JOIN layers USING (model, layer)" if "position" in by else ""}
        JOIN images ON images.image_id = {table}.{image}
        WHERE pixels > 0 AND {where} GROUP BY ALL ORDER BY ALL
        """,
        list(parameters),
    )
    if sums.is_empty():
        raise LackingError(f"{lake.path} has no {_LACKING[table]}.")
    unseen = [name for name in REGION_NAMES if sums[name].null_count() == sums.height]
    return sums.drop(unseen)


def sums_of_shares(whole: str = "pixels") -> str:
    """Return the SQL that sums each region's share, in % of `whole`, under the region's name."""
    # Without a decimal point: 100.0 would be a decimal number, which takes twice as long or more.
    return ", ".join(f"sum(100 * {name} / {whole}) AS {name}" for name in REGION_NAMES)


def regions_in(frame: pl.DataFrame) -> list[str]:
    """Return the regions that are columns of a frame, in the order of `REGIONS`."""
    return [name for name in REGION_NAMES if name in frame.columns]


def means_of(sums: pl.DataFrame) -> pl.DataFrame:
    """Return the mean shares of each identity and group, from their sums."""
    return sums.with_columns(pl.col(name) / pl.col("maps") for name in regions_in(sums))


def mean_shares(sums: pl.DataFrame, by: Sequence[str], settings: Settings) -> pl.DataFrame:
    """Average shares over all maps of each group, with intervals that redraw identities.

    Parameters
    ----------
    sums : polars.DataFrame
        As `sum_shares` gives them, possibly by more columns than `by`.
    by : sequence of str
        Columns that form the groups.

    Returns
    -------
    polars.DataFrame
        Columns `by`, region, share, low, high (% of the activated pixels), identities, maps; a
        row for each group and region.
    """
    shares = grouped_ratio(sums, by, regions_in(sums), ["maps"], settings, named="region")
    return shares.select(
        *by,
        "region",
        pl.col("estimate").fill_nan(None).alias("share"),
        "low",
        "high",
        pl.col("identities").cast(pl.Int64),
        "maps",
    )
