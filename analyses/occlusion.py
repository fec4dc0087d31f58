"""Whether hiding what a map calls relevant makes a face less like itself (RQ6), and whose map.

Pixels of an anchor are hidden in the order of a guiding model's map, the chip is embedded again
by a judged model, and the drop of its likeness to its positives is taken. Own against random
shows only that the map finds sensitive pixels, own against swap that it fits this image; that it
fits the person would show in the same person's other image against a stranger matched in pose.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import polars as pl
import torch
import zarr
from numpy.typing import NDArray
from scipy.stats import wilcoxon
from torch import Tensor, nn

from analyses.chips import ChipBlock, Source, chip_source, read_chips
from analyses.fills import FILLS, hide
from analyses.masks import (
    SOURCES,
    Order,
    carry_maps,
    cut_masks,
    draw_sources,
    mirror,
    order_pixels,
    random_order,
)
from analyses.question import LackingError, Layout, Progress, Question, Settings
from analyses.statistics import bootstrap_mean, holm
from analyses.verification import MEASURES, Judge, likeness, make_judge
from ingest import networks
from ingest.leam import embed
from ingest.loading import ChipKind
from leamstore import arrays, geometry
from leamstore.errors import LeamError
from leamstore.lake import Lake

MASKS: Final = (*SOURCES, "mean map", "mirrored", "gradient x input", "random")
"""The masks by name."""

CONTRASTS: Final = (("own", "random"), ("own", "swap"), ("same person", "matched stranger"))
"""Masks compared: that maps find sensitive pixels, fit their image, and fit their person."""

PAPERS_GUIDE: Final = "IR_CASIA"
"""The model whose maps guide the paper's occlusions of all models."""

BATCH: Final = 32
"""Chips in a forward pass."""

_SAME_NETWORK: Final = 0.95
"""Mean cosine to the lake's own embeddings of the same chips that tells the network is the same;
chips cut from crops are not the same to the bit."""

_KEYS: Final = ("guiding", "judged", "layer", "percent", "mask", "fill", "chips")


@dataclass(frozen=True)
class Experiment:
    """What is hidden, and how.

    Attributes
    ----------
    layer : int
        Position of the guiding layer; the paper's is the first convolution, 0.
    percents, curve_masks, curve_fills : tuple
        Hidden shares of the chip in %, with the masks and fills that are tried at all of them.
    percent : float
        The share at which all of `masks` and `fills` are tried.
    random_draws : int
        Random masks over which the drop is averaged.
    whole_matrix : bool
        Whether every model guides for every other; else each guides for itself and
        `PAPERS_GUIDE` for all.
    """

    layer: int = 0
    percents: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 5, 10)
    curve_masks: tuple[str, ...] = ("own", "random")
    curve_fills: tuple[str, ...] = ("black",)
    percent: float = 1
    masks: tuple[str, ...] = MASKS
    fills: tuple[str, ...] = tuple(FILLS)
    random_draws: int = 3
    whole_matrix: bool = False

    @property
    def conditions(self) -> list[tuple[float, str, str]]:
        """Percent, mask and fill of everything that is tried."""
        curve = product(self.percents, self.curve_masks, self.curve_fills)
        return sorted({*curve, *product((self.percent,), self.masks, self.fills)})

    def guides_of(self, judged: str, models: Sequence[str]) -> list[str]:
        """Return the models that guide the occlusions judged by one of them."""
        return [
            guide
            for guide in models
            if self.whole_matrix or guide in (judged, PAPERS_GUIDE)
        ]  # fmt: skip


EXPERIMENT: Final = Experiment()
"""The experiment that `answer` makes."""


def answer(lake: Lake, settings: Settings, progress: Progress) -> dict[str, pl.DataFrame]:
    """Return the drops by condition and measure, and the contrasts between masks."""
    drops = measure_drops(lake, EXPERIMENT, settings.seed, progress)
    return {
        "occlusion": average(drops, settings),
        "occlusion_contrasts": contrast(drops, settings),
    }


def average(drops: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return each condition's mean drop with its interval over identities.

    Parameters
    ----------
    drops : polars.DataFrame
        As `measure_drops` gives it.

    Returns
    -------
    polars.DataFrame
        guiding, judged, layer, percent, mask, fill, chips, measure, estimate, low, high, images.
    """
    return pl.concat(
        _estimates(dict(zip(_KEYS, key, strict=True)), part, settings).drop("p")
        for key, part in drops.group_by(_KEYS, maintain_order=True)
    )


def contrast(drops: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return the differences between the drops of masks, image by image, of `CONTRASTS`.

    Returns
    -------
    polars.DataFrame
        As `average`, with first and second for mask, p of a two-sided Wilcoxon signed-rank test
        of the identities' means, and p_holm, adjusted over the whole table.
    """
    on = [key for key in _KEYS if key != "mask"]
    tables = []
    for first, second in CONTRASTS:
        firsts, seconds = (drops.filter(mask=mask).drop("mask") for mask in (first, second))
        both = firsts.join(
            seconds, on=[*on, "image_id", "identity"], how="inner", maintain_order="left"
        )
        differences = both.with_columns(
            pl.col(measure) - pl.col(f"{measure}_right") for measure in MEASURES
        )
        for key, part in differences.group_by(on, maintain_order=True):
            facts = {**dict(zip(on, key, strict=True)), "first": first, "second": second}
            tables.append(_estimates(facts, part, settings))
    table = pl.concat(tables)
    adjusted = pl.Series("p_holm", holm(table["p"].fill_null(float("nan")).to_numpy()))
    return table.with_columns(adjusted.fill_nan(None))


def _estimates(facts: Mapping[str, Any], part: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return a row for each measure: mean, interval and signed-rank test over identities."""
    values = part.select(MEASURES).to_numpy()
    mean = bootstrap_mean(
        values, part["identity"].to_numpy(), seed=settings.seed, draws=settings.draws
    )
    people = part.group_by("identity").agg(pl.col(MEASURES).mean())
    with np.errstate(invalid="ignore"):  # where no identity differs, there is no test: NaN
        p_values = wilcoxon(people.select(MEASURES).to_numpy(), axis=0).pvalue
    table = pl.DataFrame({
        "measure": MEASURES,
        **mean._asdict(),
        "images": pl.repeat(part.height, len(MEASURES), dtype=pl.Int32, eager=True),
        "p": p_values,
    })  # fmt: skip
    named = (pl.lit(value).alias(name) for name, value in facts.items())
    return table.select(*named, pl.all()).with_columns(pl.col("low", "high", "p").fill_nan(None))


def measure_drops(
    lake: Lake, experiment: Experiment, seed: int, progress: Progress
) -> pl.DataFrame:
    """Occlude every image under every condition and return the drops of its likeness.

    Returns
    -------
    polars.DataFrame
        guiding, judged, layer, percent, mask, fill, chips (photographs or crops: what they were
        cut from), image_id, identity, and a column for each of `MEASURES`: likeness to the
        positives before minus after, so that more is always a stronger occlusion.

    Raises
    ------
    LackingError
        If there are no embeddings or one identity only, or a network or its chips can't be had.
    """
    names = lake.sql("SELECT DISTINCT model FROM embeddings ORDER BY model")["model"].to_list()
    if not names:
        raise LackingError(f"{lake.path} holds no embeddings: run `python -m ingest` first.")
    runs = [(judged, experiment.guides_of(judged, names)) for judged in names]
    if lake.images["identity"].n_unique() < 2:
        raise LackingError(
            f"{lake.path} holds fewer than two identities: occlusion needs strangers."
        )
    blocks = lake.sql("SELECT count(DISTINCT block) FROM units WHERE model <> 'faces'").item()
    total = sum(len(guides) for _, guides in runs) * len(experiment.conditions) * blocks
    steps = (
        table
        for judged, guides in runs
        for table in _occlude_model(lake, judged, guides, experiment, seed)
    )
    return pl.concat(progress(steps, "Occlusion", total))


@dataclass(frozen=True)
class _Model:
    """A model as the lake holds it: its network, its chip, its embeddings of all images."""

    name: str
    network: nn.Module
    kind: ChipKind
    embeddings: NDArray[np.float64]


@dataclass(frozen=True)
class _Guide:
    """A model whose maps guide: its maps, where their cells lie, and their mean."""

    model: _Model
    layer: str
    stride: float
    offset: float
    maps: zarr.Array
    mean_map: NDArray[np.float64]


@dataclass(frozen=True)
class _DataSet:
    """What holds for all images: their rows, their chips' source, whose maps hide them."""

    images: pl.DataFrame
    source: Source
    sources: Mapping[str, NDArray[np.int64]]
    seed: int


def _occlude_model(
    lake: Lake, name: str, guide_names: Sequence[str], experiment: Experiment, seed: int
) -> Iterator[pl.DataFrame]:
    """Yield the drops that one model judges, by block, guide and condition."""
    images = _images_of(lake, {name, *guide_names})
    landmarks = images["landmarks"].to_numpy()
    sources = draw_sources(images["identity"].to_numpy(), landmarks, seed)
    data = _DataSet(images, chip_source(lake, images), sources, seed)
    judged = _open_model(lake, name, images)
    guides = [_open_guide(lake, guide, experiment.layer, judged, images) for guide in guide_names]
    judge = make_judge(judged.embeddings, images["identity"].to_numpy(), seed)
    colour = _mean_colour(lake, judged, data)
    kinds = {judged.kind, *(guide.model.kind for guide in guides)}
    for block in read_chips(lake, images, kinds, data.source):
        subject = _Subject.of(block, judged, data, judge, colour)
        for guide in guides:
            orders = _orders(guide, judged, block, data, experiment)
            for percent, mask, fill in experiment.conditions:
                drops = [subject.drops(order, percent, fill) for order in orders[mask]]
                yield _table(np.mean(drops, axis=0), data, block).select(
                    pl.lit(guide.model.name).alias("guiding"),
                    pl.lit(name).alias("judged"),
                    pl.lit(guide.layer).alias("layer"),
                    pl.lit(float(percent)).alias("percent"),
                    pl.lit(mask).alias("mask"),
                    pl.lit(fill).alias("fill"),
                    pl.lit(data.source).alias("chips"),
                    pl.all(),
                )


def _table(drops: NDArray[np.float64], data: _DataSet, block: ChipBlock) -> pl.DataFrame:
    own = data.images.select("image_id", "identity")[block.places]
    return own.with_columns(pl.Series(measure, drops[:, i]) for i, measure in enumerate(MEASURES))


@dataclass(frozen=True)
class _Subject:
    """A block's faces before a judged model: their chips and likenesses, not occluded."""

    model: _Model
    judge: Judge
    chips: NDArray[np.float32]
    fillings: Mapping[str, NDArray[np.float32]]
    gallery: NDArray[np.float64]
    positives: NDArray[np.bool_]
    before: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        block: ChipBlock,
        model: _Model,
        data: _DataSet,
        judge: Judge,
        colour: NDArray[np.float64],
    ) -> "_Subject":
        # A block holds whole identities, so all positives are in it.
        chips = block.chips[model.kind].pixels.astype(np.float32)
        gallery = model.embeddings[block.places]
        positives = _positives(data, block)
        embeddings = _embed(model, chips)
        _check_network(model, embeddings, gallery)
        before = likeness(embeddings, gallery, positives, judge)
        fillings = {name: fill(chips, colour) for name, fill in FILLS.items()}
        return cls(model, judge, chips, fillings, gallery, positives, before)

    def drops(self, order: Order, percent: float, fill: str) -> NDArray[np.float64]:
        """Return the drops (image, measure) when `percent` is hidden under a fill."""
        hidden = hide(self.chips, cut_masks(order, percent), self.fillings[fill])
        after = likeness(_embed(self.model, hidden), self.gallery, self.positives, self.judge)
        return self.before - after


def _check_network(
    model: _Model, embeddings: NDArray[np.float64], stored: NDArray[np.float64]
) -> None:
    """Raise `LackingError` if the network is another than the one that filled the lake."""
    lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(stored, axis=1)
    if ((embeddings * stored).sum(1) / lengths).mean() < _SAME_NETWORK:
        raise LackingError(
            f"{model.name} embeds faces otherwise than it did for the lake: its weights are not "
            "those of the catalog; ingest with these to ask again."
        )


def _positives(data: _DataSet, block: ChipBlock) -> NDArray[np.bool_]:
    identities = data.images["identity"].to_numpy()[block.places]
    return (identities[:, None] == identities) & ~np.eye(len(identities), dtype=bool)


def _embed(model: _Model, chips: NDArray[np.float32]) -> NDArray[np.float64]:
    batch = torch.from_numpy(np.ascontiguousarray(chips)).permute(0, 3, 1, 2)
    return embed(model.network, batch, BATCH).double().cpu().numpy()


def _orders(
    guide: _Guide, judged: _Model, block: ChipBlock, data: _DataSet, experiment: Experiment
) -> dict[str, list[Order]]:
    """Return each mask's orders of the judged chips' pixels; several for random masks."""
    size = judged.kind[1]
    if guide.model.kind == judged.kind:
        to_guide = np.eye(2, 3)
    else:
        chips_to_crop = (block.chips[kind].to_crop for kind in (guide.model.kind, judged.kind))
        guide_to_crop, judged_to_crop = chips_to_crop
        to_guide = geometry.compose(geometry.invert(guide_to_crop), judged_to_crop)

    def order_by(maps: NDArray[Any], stride: float, offset: float) -> Order:
        return order_pixels(carry_maps(maps, stride, offset, to_guide, size))

    image_ids = data.images["image_id"].to_numpy()
    orders = {}
    for mask, source in data.sources.items():
        maps = _read_maps(guide.maps, image_ids[source[block.places]])
        orders[mask] = [order_by(maps, guide.stride, guide.offset)]
    mean_maps = np.broadcast_to(guide.mean_map, (len(block.places), *guide.mean_map.shape))
    orders["mean map"] = [order_by(mean_maps, guide.stride, guide.offset)]
    orders["mirrored"] = [mirror(order) for order in orders["own"]]
    if "gradient x input" in experiment.masks:
        orders["gradient x input"] = [order_by(_gradient_maps(guide.model, block, data), 1, 0)]
    orders["random"] = [
        random_order(image_ids[block.places].tolist(), size, data.seed, draw)
        for draw in range(experiment.random_draws)
    ]
    return orders


def _gradient_maps(model: _Model, block: ChipBlock, data: _DataSet) -> NDArray[np.float64]:
    positives = torch.from_numpy(_positives(data, block)).float()
    units = nn.functional.normalize(torch.from_numpy(model.embeddings[block.places]).float())
    directions = positives @ units / positives.sum(1, keepdim=True)
    chips = torch.from_numpy(block.chips[model.kind].pixels).permute(0, 3, 1, 2).float()
    parts = [
        gradient_times_input(model.network, some, towards)
        for some, towards in zip(chips.split(BATCH), directions.split(BATCH), strict=True)
    ]
    return torch.cat(parts).double().numpy()


@torch.enable_grad()
def gradient_times_input(network: nn.Module, chips: Tensor, directions: Tensor) -> Tensor:
    """Return ReLU(gradient x input) of the mean cosine to the positives, summed over colours.

    To the first order it is what a black pixel takes from that cosine.

    Parameters
    ----------
    network : Module
        From chips (n, 3, h, w) of 0 to 255 to embeddings (n, d).
    chips : Tensor
        (n, 3, h, w).
    directions : Tensor
        (n, d) mean unit embedding of each chip's positives.

    Returns
    -------
    Tensor
        (n, h, w), not below 0.
    """
    chips = chips.detach().clone().requires_grad_()
    units = nn.functional.normalize(network(chips))
    (gradient,) = torch.autograd.grad((units * directions).sum(), chips)
    return (gradient * chips.detach()).sum(1).clamp_min(0)


def _images_of(lake: Lake, models: set[str]) -> pl.DataFrame:
    """Return the images on which all of these models were run."""
    run = lake.sql(
        "SELECT image_id FROM embeddings WHERE model IN (SELECT unnest(?)) "
        "GROUP BY image_id HAVING count(*) = ?",
        [sorted(models), len(models)],
    )
    return lake.images.join(run, on="image_id", how="semi").sort("image_id")


def _open_model(lake: Lake, name: str, images: pl.DataFrame) -> _Model:
    row = lake.sql("SELECT * FROM models WHERE model = ?", [name]).row(0, named=True)
    weights, _, seed = row["weights"].partition(", seed ")
    is_random = weights == "random"
    try:
        network = networks.load(
            row["catalog_name"], "random" if is_random else None, seed=int(seed or 0)
        )
    except LeamError as error:
        raise LackingError(f"{name} can't be run again on occluded faces: {error}") from error
    vectors = lake.sql("SELECT image_id, vector FROM embeddings WHERE model = ?", [name])
    ordered = images.select("image_id").join(vectors, on="image_id", maintain_order="left")
    embeddings = np.array(ordered["vector"].to_list(), dtype=np.float64)
    return _Model(name, network, (row["alignment"], row["input_size"]), embeddings)


def _open_guide(lake: Lake, name: str, layer: int, judged: _Model, images: pl.DataFrame) -> _Guide:
    rows = lake.sql("SELECT * FROM layers WHERE model = ? AND position = ?", [name, layer])
    if rows.is_empty():
        raise LackingError(f"{lake.path} holds no maps of layer {layer} of {name}.")
    row = rows.row(0, named=True)
    model = judged if name == judged.name else _open_model(lake, name, images)
    maps = arrays.open_array(lake.maps_path, f"{name}/{row['layer']}/relevance")
    mean_map = _mean_map(maps, images["image_id"].to_numpy())
    return _Guide(model, row["layer"], row["stride"], row["offset"], maps, mean_map)


def _mean_map(maps: zarr.Array, image_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    total = np.zeros(maps.shape[1:])
    for start in range(0, len(image_ids), arrays.SHARD_IMAGES):
        some = image_ids[start : start + arrays.SHARD_IMAGES]
        total += _read_maps(maps, some).sum(0, dtype=np.float64)
    return total / len(image_ids)


def _read_maps(maps: zarr.Array, image_ids: NDArray[np.int64]) -> NDArray[Any]:
    wanted, places = np.unique(image_ids, return_inverse=True)
    return np.asarray(maps.oindex[wanted])[places]


def _mean_colour(lake: Lake, model: _Model, data: _DataSet) -> NDArray[np.float64]:
    """Return the mean colour (3,) of all chips."""
    total = np.zeros(3)
    for block in read_chips(lake, data.images, {model.kind}, data.source):
        chips = block.chips[model.kind].pixels
        total += chips.mean((1, 2)).sum(0)
    return total / data.images.height


QUESTION: Final = Question(
    name="occlusion",
    asks="Does hiding what a map calls relevant make a face less like itself, and whose map does?",
    papers_tables=(9, 21),
    answer=answer,
    layouts={
        "occlusion": Layout(
            "drop of the likeness to the positives",
            per=("guiding", "judged", "measure", "fill"),
            rows=("percent",),
            columns=("mask",),
            estimate="estimate",
            decimals=4,
        ),
    },
    settings=asdict(EXPERIMENT),
    notes=(
        "Drops are means over images and positives; euclidean is the growth of the distance, "
        "true accepts the share of pairs lost at the threshold of equal errors. own - random "
        "shows that maps find sensitive pixels, own - swap that they fit their image, same "
        "person - matched stranger that they fit the person; the sign can hang on the fill.",
    ),
)
