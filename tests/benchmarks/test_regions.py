from benchmarks.regions import drawn_classes
from leamstore import schema


def test_drawn_faces_have_a_patch_of_every_class_and_no_two_are_alike():
    grid = drawn_classes(images=2, seed=0)
    regions = len(schema.REGIONS)
    assert grid.classes.shape == (2, schema.GRID, schema.GRID)
    assert (grid.pixels[:, :regions] > 0).all()
    assert grid.pixels.sum(1).tolist() == [schema.GRID**2] * 2
    assert (grid.classes[0] != grid.classes[1]).any()
