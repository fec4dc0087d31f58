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


def test_models_whose_norms_are_folded_are_branded_by_name(lake):
    change(lake, "UPDATE layers SET folded_norm = false")
    assert not any("Norms folded" in brand for brand in brands(lake))
    change(lake, "UPDATE layers SET folded_norm = true WHERE position = 0")
    assert any(brand.startswith("Norms folded into convolutions: NET;") for brand in brands(lake))
    change(lake, "ALTER TABLE layers DROP COLUMN folded_norm")
    assert not any("Norms folded" in brand for brand in brands(lake))


def test_the_demo_set_is_branded(lake):
    change(lake, "UPDATE images SET dataset = 'demo' WHERE image_id = 0")
    assert any(brand.startswith("Demo set") for brand in brands(lake))
