import polars as pl

from leamstore.arrays import SHARD_IMAGES
from leamstore.arrays.blocks import Block, blocks_of, place


def images_of(rows):
    return pl.DataFrame(list(rows), schema=["image_id", "identity"], orient="row")


def test_identities_lie_one_after_the_other():
    assert place({"a": 10, "b": 20}, first_shard=0) == {"a": 0, "b": 10}


def test_no_identity_crosses_the_border_of_a_shard():
    first_images = place({"a": SHARD_IMAGES - 4, "b": 5, "c": 4}, first_shard=0)
    assert first_images == {"a": 0, "b": SHARD_IMAGES, "c": SHARD_IMAGES + 5}


def test_an_identity_too_large_for_a_shard_gets_several():
    first_images = place({"a": 1, "b": 2 * SHARD_IMAGES + 1, "c": 1, "d": SHARD_IMAGES}, 3)
    assert first_images["b"] == Block(4, 3).start
    assert first_images["c"] == first_images["b"] + 2 * SHARD_IMAGES + 1, "what is left is used"
    assert first_images["d"] == Block(4, 3).stop


def test_blocks_are_read_off_the_images():
    sizes = {"a": 1, "b": 2 * SHARD_IMAGES + 1, "c": SHARD_IMAGES}
    rows = [
        (image_id, identity)
        for identity, first in place(sizes, first_shard=0).items()
        for image_id in range(first, first + sizes[identity])
    ]
    assert blocks_of(images_of(rows)) == [Block(0, 1), Block(1, 3), Block(4, 1)]


def test_identities_in_the_last_shard_of_a_large_one_belong_to_its_block():
    rows = enumerate(["a"] * (SHARD_IMAGES + 20) + ["b"] * 10)
    assert blocks_of(images_of(rows)) == [Block(0, 2)]
