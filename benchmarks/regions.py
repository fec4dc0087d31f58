"""Region counts of all pairs, as a share of the time that LEAM takes to make their maps."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.benchmark import Measured, Settings
from benchmarks.maps import explain_pairs
from benchmarks.material import Study, studies
from benchmarks.timing import medians
from ingest.leam.maps import backward_passes
from ingest.leam.region_counts import ClassGrid, count_regions
from ingest.leam.threads import computing_threads
from ingest.networks.cell_geometry import layer_geometry
from leamstore import schema
from leamstore.catalog import read_catalog
from leamstore.layers import CellGrid


class _Maps(NamedTuple):
    """Maps (n, y, x) of a layer that LEAM makes in one backward pass, and their anchors (n,)."""

    layer: str
    maps: NDArray[np.float16]
    anchors: NDArray[np.int64]


def share_of_leam(settings: Settings) -> Iterator[Measured]:
    """Measure the region counts of the passes that LEAM makes, layer by layer as ingest does."""
    for study in studies(settings):
        count = partial(
            _count_all,
            _made_maps(study),
            _cells(study),
            drawn_classes(len(study.chips), settings.seed),
        )
        leam = partial(explain_pairs, *study.leam)
        # As in an ingest, where an identity is the work of one thread.
        with computing_threads(1, torch.device("cpu")) as threads:
            sides = {
                "leam": lambda leam=leam: threads.explaining.submit(leam).result(),
                "regions": lambda count=count: threads.explaining.submit(count).result(),
            }
            seconds = medians(sides, settings.repeats)
        per_map = seconds["regions"] / len(study.pairs) / len(study.layers)
        note = f"{1e3 * per_map:.2f} ms a map of {schema.GRID} x {schema.GRID} pixels"
        yield Measured(study.family, 100 * seconds["regions"] / seconds["leam"], note)


def drawn_classes(images: int, seed: int) -> ClassGrid:
    """Return the classes of faces that nobody has: 19 patches around drawn points, an image."""
    random = np.random.default_rng(seed)
    centres = random.integers(0, schema.GRID, (images, len(schema.REGIONS), 2, 1, 1))
    grid = np.indices((schema.GRID, schema.GRID))
    return ClassGrid.of(
        np.stack([((grid - own) ** 2).sum(1).argmin(0).astype(np.uint8) for own in centres])
    )


def _made_maps(study: Study) -> list[_Maps]:
    anchors = np.array(study.pairs)[:, 0]
    return [
        _Maps(layer, part.maps[layer].half().numpy(), anchors[part.pairs])
        for part in backward_passes(*study.leam)
        for layer in study.layers
    ]


def _count_all(made: list[_Maps], cells: dict[str, CellGrid], grid: ClassGrid) -> None:
    for one in made:
        count_regions(one.maps, cells[one.layer], grid, one.anchors, (schema.PAIR_TOP_PERCENT,))


def _cells(study: Study) -> dict[str, CellGrid]:
    size = read_catalog().model(study.model).input_size
    geometry = layer_geometry(study.network, study.layers, size)
    return {name: layer.cells for name, layer in geometry.items()}
