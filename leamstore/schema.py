"""The schema of a lake as data: regions, percents, tables and arrays.

The tables' DDL and comments, the arrays' metadata, validation, the column lists of region
counts and ``docs/schema.md`` all come from the specifications in this module.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

FORMAT_VERSION: Final = 1

GRID: Final = 512
"""Side in pixels of the grid on which maps and labels meet, as in arXiv 2509.17457, section 4.2."""

UNLABELLED: Final = 255
"""Label of a pixel that the parser doesn't label."""

FULL_THRESHOLD: Final = 0.01
"""Relevance above which a pixel belongs to the full activation."""

PAIR_TOP_PERCENT: Final = 1.0
"""The percentage of most relevant pixels that is counted for every pair."""

TOP_PERCENTS: Final = (
    0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0, 5.0, 10.0, 100.0,
)  # fmt: skip
"""The fifteen percents counted for every image (arXiv 2509.17457, section 4.6)."""


@dataclass(frozen=True)
class Region:
    """One of FaRL's 19 classes; its label is its position in `REGIONS`."""

    name: str
    farl_name: str
    meaning: str


REGIONS: Final = (
    Region("background", "background", "neither the person nor anything worn"),
    Region("neck", "neck", "neck"),
    Region("face", "face", "skin of the face outside the other classes"),
    Region("clothes", "cloth", "clothes"),
    Region("right_ear", "rr", "the person's own right ear"),
    Region("left_ear", "lr", "the person's own left ear"),
    Region("right_eyebrow", "rb", "the person's own right eyebrow"),
    Region("left_eyebrow", "lb", "the person's own left eyebrow"),
    Region("right_eye", "re", "the person's own right eye"),
    Region("left_eye", "le", "the person's own left eye"),
    Region("nose", "nose", "nose"),
    Region("inner_mouth", "imouth", "between the lips"),
    Region("lower_lip", "llip", "lower lip"),
    Region("upper_lip", "ulip", "upper lip"),
    Region("hair", "hair", "hair"),
    Region("eyeglasses", "eyeg", "eyeglasses"),
    Region("hat", "hat", "hat"),
    Region("earrings", "earr", "earrings"),
    Region("necklace", "neck_l", "necklace"),
)

REGION_NAMES: Final = tuple(region.name for region in REGIONS)
LABELS: Final = {region.name: label for label, region in enumerate(REGIONS)}

REJECTIONS: Final = {
    "not-an-image": "the file is not an image that Pillow reads",
    "no-decoder": "Pillow reads the file's format by a plugin that isn't installed",
    "truncated": "the image file ends before the image does",
    "too-large": "the image has more pixels than is safe to decode",
    "unreadable": "the file cannot be opened",
    "no-face": "no face was found",
    "several-faces": "more than one face was found",
    "duplicate": "the same file as another photograph of this person",
    "duplicate-of-another-person": "the same file as a photograph of another person",
    "lone-image": "no other usable image of this identity, so no positive",
    "departed": "its file is no longer there, and the lake holds no crop of it",
}
"""Reasons for the rejection of an image: the values of ``images.reason``."""


@dataclass(frozen=True)
class Column:
    """A column: its name, DuckDB type, meaning, and whether it may be NULL.

    One that was `added` to a table later may be lacking in a lake until the next ingest adds it.
    """

    name: str
    type: str
    meaning: str
    nullable: bool = False
    added: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its name, what a row is, its columns and the columns that name a row."""

    name: str
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """A view: its name, what a row is, and the query behind it."""

    name: str
    row: str
    query: str


@dataclass(frozen=True)
class Array:
    """A Zarr array: its path (names in <> vary), dimensions, dtype, units and meaning."""

    path: str
    dims: tuple[str, ...]
    dtype: str
    units: str
    meaning: str


_nullable = partial(Column, nullable=True)

_REGION_COLUMNS = tuple(
    _nullable(
        region.name,
        "INTEGER",
        f"activated pixels on {region.name.replace('_', ' ')} ({region.meaning}); "
        "NULL where the parser can't see it",
    )
    for region in REGIONS
)
_PIXELS = _nullable(
    "pixels",
    "INTEGER",
    f"activated pixels of the {GRID} x {GRID} grid, labelled or not; NULL for an all-zero map",
)
_MODEL = Column("model", "VARCHAR", "name in models")
_LAYER = Column("layer", "VARCHAR", "name of the layer in the network")
_AFFINE = "DOUBLE[3][2]"


def _affine(name: str, between: str) -> Column:
    return _nullable(name, _AFFINE, f"rows of the affine from {between}")


TABLES: Final = (
    Table(
        "settings",
        "a setting that holds for the whole lake",
        (
            Column("name", "VARCHAR", "format_version, parser, detector, keep_pairs, crops, seed"),
            Column("value", "VARCHAR", "its value as text"),
        ),
        ("name",),
    ),
    Table(
        "images",
        "an input image, kept or rejected",
        (
            _nullable("image_id", "INTEGER", "position on the Zarr axis, if kept"),
            Column("identity", "VARCHAR", "whose face it is"),
            Column("dataset", "VARCHAR", "data set it was read from"),
            Column("path", "VARCHAR", "absolute path of the file"),
            _nullable("sha256", "VARCHAR", "sha256 of the file's bytes"),
            _nullable("gender", "VARCHAR", "as stated, in one spelling"),
            _nullable("ethnicity", "VARCHAR", "as stated, in one spelling"),
            _nullable("age", "DOUBLE", "years, as the data set states it"),
            _nullable("bytes", "BIGINT", "size of the file"),
            _nullable("modified", "BIGINT", "its modification time in ns since 1970"),
            _nullable("width", "INTEGER", "pixels, upright (after EXIF orientation)"),
            _nullable("height", "INTEGER", "pixels, upright"),
            _nullable("box", "DOUBLE[4]", "x0, y0, x1, y1 of the face in image pixels"),
            _nullable("landmarks", "DOUBLE[2][68]", "dlib's 68 points (x, y) in image pixels"),
            _affine("crop_to_image", f"{GRID} x {GRID} crop pixels to image pixels"),
            _affine("crop_to_identity", "crop pixels into the identity's reference frame"),
            _affine("crop_to_canonical", "crop pixels into the frame common to everybody"),
            Column("status", "VARCHAR", "kept, rejected, or pending (face found, no unit yet)"),
            _nullable("reason", "VARCHAR", "why it was rejected"),
            _nullable("detail", "VARCHAR", "the rejection in a sentence"),
        ),
        ("path",),
    ),
    Table(
        "models",
        "a model as it was run",
        (
            Column("model", "VARCHAR", "catalog name, with @random, @target, @mean where due"),
            Column("catalog_name", "VARCHAR", "name in the catalog"),
            Column("network", "VARCHAR", "architecture"),
            Column("loss", "VARCHAR", "loss it was trained with"),
            Column("trained_on", "VARCHAR", "data it was trained on"),
            Column("weights", "VARCHAR", "file of the weights, or random"),
            _nullable("weights_sha256", "VARCHAR", "sha256 of that file"),
            _nullable("licence", "VARCHAR", "licence of the weights"),
            Column("input_size", "INTEGER", "side of the chip in pixels"),
            Column("alignment", "VARCHAR", "how the chip is cut from the photograph"),
            Column("embedding_size", "INTEGER", "length of the embedding"),
            Column("target", "VARCHAR", "what the gradient is taken of (see method.md)"),
            Column(
                "positives",
                "VARCHAR",
                "all (a map per pair), mean (a map per image, towards the mean of its positives) "
                "or none (a control that ignores them)",
            ),
            _nullable(
                "compared_with",
                "VARCHAR",
                "sha256 over all images, where the target compares with other people's",
            ),
            Column("precision", "VARCHAR", "float32, tf32 or bfloat16"),
            _nullable("entry", "VARCHAR", "its entry of the catalog, as JSON", added=True),
            _nullable(
                "weights_path",
                "VARCHAR",
                "absolute path of the file of the weights when it was last run",
                added=True,
            ),
        ),
        ("model",),
    ),
    Table(
        "layers",
        "a layer of a model",
        (
            _MODEL,
            _LAYER,
            Column("position", "INTEGER", "0 is the layer nearest to the input"),
            Column("height", "INTEGER", "cells"),
            Column("width", "INTEGER", "cells"),
            Column("channels", "INTEGER", "channels of the layer's output"),
            Column("stride", "DOUBLE", "chip pixels from one cell to the next"),
            Column("offset", "DOUBLE", "chip pixel of the first cell (quote the name in SQL)"),
            _nullable(
                "folded_norm",
                "BOOLEAN",
                "whether the norm that follows the convolution is folded into its weights, so that "
                "maps are those of the norm's output; NULL: not known",
                added=True,
            ),
        ),
        ("model", "layer"),
    ),
    Table(
        "embeddings",
        "image x model; no row where the embedding is zero or not finite, or that of all other "
        "images of the identity: then there are no pairs and no maps",
        (
            _MODEL,
            Column("image_id", "INTEGER", "image"),
            Column("vector", "FLOAT[]", "embedding as the network gives it, not normalised"),
            Column(
                "chip_to_crop", _AFFINE, "rows of the affine from the model's chip to crop pixels"
            ),
        ),
        ("model", "image_id"),
    ),
    Table(
        "pairs",
        "ordered pair x model",
        (
            _MODEL,
            Column("anchor", "INTEGER", "image_id of the anchor"),
            Column("positive", "INTEGER", "image_id of the positive"),
            Column("cosine", "FLOAT", "cosine similarity of the embeddings"),
            _nullable(
                "pair_id",
                "INTEGER",
                "position on the pair axis; NULL when the pair's map was not kept",
            ),
        ),
        ("model", "anchor", "positive"),
    ),
    Table(
        "pair_regions",
        "ordered pair x model x layer x activation",
        (
            _MODEL,
            _LAYER,
            Column("anchor", "INTEGER", "image_id of the anchor"),
            Column("positive", "INTEGER", "image_id of the positive"),
            Column(
                "activation",
                "VARCHAR",
                f"full (relevance > {FULL_THRESHOLD}) or top (the most relevant percent)",
            ),
            _nullable("percent", "DOUBLE", "percent of the grid; NULL for full"),
            Column("peak", "FLOAT", "the map's maximum before it was normalised"),
            *_REGION_COLUMNS,
            _PIXELS,
        ),
        ("model", "layer", "anchor", "positive", "activation"),
    ),
    Table(
        "image_regions",
        "image x model x layer x percent",
        (
            _MODEL,
            _LAYER,
            Column("image_id", "INTEGER", "image"),
            Column("percent", "DOUBLE", "percent of the grid that is most relevant"),
            *_REGION_COLUMNS,
            _PIXELS,
        ),
        ("model", "layer", "image_id", "percent"),
    ),
    Table(
        "runs",
        "a run of ingest",
        (
            Column("run_id", "VARCHAR", "random name of the run"),
            Column("command", "VARCHAR", "the command line"),
            Column("versions", "JSON", "versions of Python and of the packages that matter"),
            Column("settings", "JSON", "settings of the run"),
            Column("started", "TIMESTAMPTZ", "when it began"),
            _nullable("ended", "TIMESTAMPTZ", "when it ended; NULL while it runs"),
            _nullable("summary", "JSON", "what it kept, rejected and took"),
        ),
        ("run_id",),
    ),
    Table(
        "units",
        "a unit of work that is done: a model and a block of whole identities",
        (
            Column("model", "VARCHAR", "name in models, or faces for crops and labels"),
            Column("block", "INTEGER", "first shard of the block on the image axis"),
            Column("state", "VARCHAR", "done, or retiring: images have left, their maps have not"),
            Column("checksum", "VARCHAR", "sha256 over what the unit was made from"),
            Column("shards", "INTEGER", "shards of the image axis that it owns"),
            Column("images", "INTEGER", "images in it that the model was run on"),
            Column("pairs", "INTEGER", "ordered pairs in it"),
            Column("run_id", "VARCHAR", "run that made it"),
            Column("finished", "TIMESTAMPTZ", "when its rows were committed"),
        ),
        ("model", "block"),
    ),
)

VIEWS: Final = (
    View(
        "region_shares",
        "image x model x layer x percent x region that the parser can see",
        f"""
        SELECT model, layer, image_id, percent, region,
               100 * region_pixels / {GRID * GRID} AS absolute_percent,
               100 * region_pixels / nullif(pixels, 0) AS relative_percent
        FROM (UNPIVOT image_regions ON {", ".join(REGION_NAMES)}
              INTO NAME region VALUE region_pixels)
        """,
    ),
)

MAP_ARRAYS: Final = (
    Array(
        "<model>/<layer>/relevance",
        ("image", "y", "x"),
        "float16",
        "1",
        "mean over the positives of the pair maps, each scaled to maximum 1; NaN: no such image",
    ),
    Array(
        "<model>/<layer>/peak",
        ("image",),
        "float32",
        "target per unit of activation, times activation",
        "mean over the positives of the maps' maxima before they were scaled",
    ),
    Array(
        "<model>/<layer>/pair_relevance",
        ("pair", "y", "x"),
        "float16",
        "1",
        "map of a kept pair, scaled to maximum 1; NaN: no such pair",
    ),
    Array(
        "<model>/<layer>/pair_peak",
        ("pair",),
        "float32",
        "target per unit of activation, times activation",
        "the pair map's maximum before it was scaled",
    ),
    Array("<model>/<layer>/anchor", ("pair",), "int32", "image_id", "anchor of a kept pair, or -1"),
    Array(
        "<model>/<layer>/positive", ("pair",), "int32", "image_id", "positive of a kept pair, or -1"
    ),
)

FACE_ARRAYS: Final = (
    Array(
        "crop",
        ("image", "y", "x", "rgb"),
        "uint8",
        "1",
        "the upright face crop, 0 to 255; all zero: no such image",
    ),
    Array(
        "labels/<parser>",
        ("image", "y", "x"),
        "uint8",
        "1",
        f"region of each crop pixel as its position in REGIONS; {UNLABELLED}: unlabelled",
    ),
)


def table(name: str) -> Table:
    """Return the specification of a table by its name."""
    return {spec.name: spec for spec in TABLES}[name]
