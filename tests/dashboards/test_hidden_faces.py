import numpy as np
import polars as pl

from analyses.rerun.chips import read_chips
from analyses.rerun.lake_models import embedded_images, kind_of
from analyses.rerun.masks import SOURCES, draw_sources
from dashboards.context import open_context
from dashboards.faces import FaceImage, layers_of
from dashboards.hidden_faces import hide_pixels, mean_colour, orders_of, sources_of


def test_masks_come_from_the_person_and_from_strangers(lake):
    context = open_context(str(lake.path))
    images = lake.sql("SELECT image_id, identity FROM images WHERE status = 'kept'")
    identity_of = dict(images.iter_rows())
    image_id, identity = next(iter(identity_of.items()))
    sources = sources_of(context, "DLIB_R29", FaceImage(image_id, identity, "face"))
    assert sources["own"].image_id == image_id
    assert sources["same person"].identity == identity
    assert sources["same person"].image_id != image_id
    assert sources["matched stranger"].identity != identity
    assert sources["swap"].identity != identity


def test_as_many_pixels_are_hidden_as_were_asked_for(lake):
    context = open_context(str(lake.path))
    layer = layers_of(context, "DLIB_R29")[0]
    row = lake.sql("SELECT image_id, identity FROM images WHERE status = 'kept' LIMIT 1").row(0)
    orders = orders_of(context, layer, FaceImage(*row, "face"))
    size = layer.grid.input_size
    whole = pl.Series([200]).cast(pl.UInt8).to_numpy().repeat(size * size * 3)
    whole = whole.reshape(size, size, 3)
    for mask, order in orders.items():
        hidden = hide_pixels(context, layer, whole, order, 10.0, "black")
        assert (hidden == 0).all(-1).sum() == round(size * size / 10), mask


def test_the_strangers_of_a_small_lake_are_those_that_the_analyses_draw(lake):
    context = open_context(str(lake.path))
    images = embedded_images(lake, {"DLIB_R29"})
    image_ids = images["image_id"].to_numpy()
    identities = images["identity"].to_numpy()
    drawn = draw_sources(identities, images["landmarks"].to_numpy(), 0)
    for place, (image_id, identity) in enumerate(zip(image_ids, identities, strict=True)):
        sources = sources_of(context, "DLIB_R29", FaceImage(image_id, identity, "face"))
        assert {mask: source.image_id for mask, source in sources.items()} == {
            mask: image_ids[drawn[mask][place]] for mask in SOURCES
        }


def test_a_person_that_the_model_has_not_seen_has_the_own_map_only(lake):
    context = open_context(str(lake.path))
    nobody = FaceImage(10_000, "Nobody", "face")
    assert sources_of(context, "DLIB_R29", nobody) == {"own": nobody}


def test_the_mean_colour_is_that_of_the_models_chips(lake):
    context = open_context(str(lake.path))
    kind = kind_of(lake, "DLIB_R29")
    images = embedded_images(lake, {"DLIB_R29"})
    chips = [block.chips[kind].pixels for block in read_chips(lake, images, {kind}, "crops")]
    expected = np.concatenate(chips).mean((0, 1, 2))
    found = mean_colour(context, layers_of(context, "DLIB_R29")[0])
    np.testing.assert_allclose(found, expected, atol=1)
