import numpy as np
import pytest

from analyses.figures.overlays import pictures
from leamstore import arrays, schema, tables
from tests.analyses.planted import grey_chips, maps_at, plant_lake
from tests.analyses.planted_faces import Colours


@pytest.mark.filterwarnings("error:invalid value:RuntimeWarning")
def test_a_face_that_a_model_was_not_run_on_stands_in_grey_on_its_sheets(tmp_path):
    maps = maps_at(range(6)).astype(np.float16)
    maps[5] = np.nan
    chips = grey_chips(6, np.random.default_rng(0))
    lake = plant_lake(tmp_path / "a.lake", Colours, chips, {"NET": maps})
    arrays.require_faces(lake.faces_path, ["labels/landmarks"], shards=1)
    labels = np.zeros((arrays.SHARD_IMAGES, schema.GRID, schema.GRID), np.uint8)
    arrays.write_shards(lake.faces_path, "labels/landmarks", 0, labels)
    with tables.writing(lake.tables_path) as connection:
        connection.execute("DELETE FROM embeddings WHERE image_id = 5")

    sheet = next(one for one in pictures(lake, seed=0) if one.title == "Maps of NET, conv1")

    # Two people, three images each; between tiles lie six pixels of paper.
    drawn = sheet.figure.axes[0].images[0].get_array()
    tiles = [drawn[row : row + 168, column : column + 168].astype(int)
             for row in (0, 174) for column in (0, 174, 348)]  # fmt: skip
    assert [np.ptp(tile, axis=-1).any() for tile in tiles] == [True] * 5 + [False]
