"""Whether the models of a lake recognise people at all, measured within a second of an ingest.

A network that is fed the wrong chips still gives embeddings and maps, but of nothing. The question
`recognition` of the analyses measures more, with intervals.
"""

from typing import Final

import numpy as np
import polars as pl

from leamstore.lake import Lake
from leamstore.verification import ScoreCounts, cosines, draw_comparisons

NEAR_CHANCE: Final = 0.75
"""AUC below which the summary warns. On LFW, recognisers reach 0.99, and dlib's network 0.60 with
random weights and 0.61 with chips from 0 to 255 that should be centred and scaled."""

_MOST_IMAGES: Final = 1000
_MOST_OF_ONE: Final = 50
_MOST_COMPARISONS: Final = 20_000


def measure_recognition(lake: Lake) -> dict[str, float]:
    """Return the AUC of each model's cosines: of one person's images against two people's.

    It is measured on whole people, in the order of a checksum of their names, up to 1,000 images.
    A model of which there are no two people, or no two images of one, is not listed.
    """
    vectors = lake.sql(
        f"""
        WITH drawn AS (
            SELECT image_id, identity FROM images WHERE status = 'kept'
            QUALIFY row_number() OVER (PARTITION BY identity ORDER BY image_id) <= {_MOST_OF_ONE}
            ORDER BY md5(identity), image_id LIMIT {_MOST_IMAGES}
        )
        SELECT model, identity, vector FROM embeddings JOIN drawn USING (image_id)
        ORDER BY model, image_id
        """
    )
    areas = {
        str(model): _area(own) for (model,), own in vectors.group_by("model", maintain_order=True)
    }
    return {model: area for model, area in areas.items() if area is not None}


def _area(own: pl.DataFrame) -> float | None:
    people = own["identity"].rank("dense").to_numpy().astype(np.int64)
    compared = draw_comparisons(people, _MOST_COMPARISONS, seed=0)
    if compared.genuine.all() or not compared.genuine.any():
        return None
    embeddings = own["vector"].explode().to_numpy().reshape(own.height, -1).astype(np.float64)
    scores = cosines(embeddings, embeddings)[compared.first, compared.second]
    counts = ScoreCounts.of(scores[compared.genuine], scores[~compared.genuine])
    return float(counts.area_under_curve)
