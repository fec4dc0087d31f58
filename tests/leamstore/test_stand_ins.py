from leamstore import tables
from leamstore.stand_ins import brands


def change(lake, statement):
    with tables.writing(lake.tables_path) as connection:
        connection.execute(statement)


def test_the_landmark_parser_is_branded(lake):
    assert [brand.split(":")[0] for brand in brands(lake)] == ["Landmark parser"]


def test_a_lake_of_the_real_thing_has_no_brand(lake):
    change(lake, "UPDATE settings SET value = 'farl' WHERE name = 'parser'")
    assert brands(lake) == []


def test_random_weights_are_branded_by_the_models_names(lake):
    change(lake, "UPDATE models SET weights = 'random, seed 0', weights_sha256 = NULL")
    assert "Random weights, no recogniser: NET." in brands(lake)


def test_the_demo_set_is_branded(lake):
    change(lake, "UPDATE images SET dataset = 'demo' WHERE image_id = 0")
    assert any(brand.startswith("Demo set") for brand in brands(lake))
