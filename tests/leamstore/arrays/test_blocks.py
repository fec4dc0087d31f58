from leamstore.arrays import SHARD_IMAGES
from leamstore.arrays.blocks import Block, blocks_of, place


def test_identities_lie_one_after_the_other():
    placements = place({"a": 10, "b": 20}, first_shard=0)
    assert placements["a"].first_image == 0
    assert placements["b"].first_image == 10


def test_no_identity_crosses_the_border_of_a_shard():
    placements = place({"a": SHARD_IMAGES - 4, "b": 5, "c": 4}, first_shard=0)
    assert placements["b"].block == Block(1, 1)
    assert placements["b"].first_image == SHARD_IMAGES
    assert placements["c"].first_image == SHARD_IMAGES + 5


def test_an_identity_too_large_for_a_shard_gets_several():
    placements = place({"a": 1, "b": 2 * SHARD_IMAGES + 1, "c": 1}, first_shard=3)
    assert placements["b"].block == Block(4, 3)
    assert placements["c"].block == Block(4, 3), "what is left of the last shard is used"


def test_blocks_are_read_off_the_images():
    sizes = {"a": 1, "b": 2 * SHARD_IMAGES + 1, "c": SHARD_IMAGES}
    placements = place(sizes, first_shard=0)
    ids, identities = [], []
    for identity, size in sizes.items():
        first = placements[identity].first_image
        ids += range(first, first + size)
        identities += [identity] * size
    assert blocks_of(ids, identities) == [Block(0, 1), Block(1, 3), Block(4, 1)]


def test_identities_in_the_last_shard_of_a_large_one_belong_to_its_block():
    ids, identities = range(SHARD_IMAGES + 30), ["a"] * (SHARD_IMAGES + 20) + ["b"] * 10
    assert blocks_of(ids, identities) == [Block(0, 2)]
