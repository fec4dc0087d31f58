from leamstore import tables
from leamstore.catalog import read_catalog
from leamstore.stand_ins import VARIANTS, brands


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


def test_a_variant_of_the_papers_model_is_branded_by_what_differs(lake):
    change(lake, "UPDATE models SET model = 'IR_VGG_INT8'")
    (brand,) = (brand for brand in brands(lake) if brand.startswith("IR_VGG_INT8 is"))
    assert "is the paper's IR_VGG with 8-bit weights: where the paper's numbers" in brand


def test_variants_are_models_of_the_catalog():
    models = read_catalog().models
    for name, variant in VARIANTS.items():
        same = {"network", "trained_on", "alignment", "layers", "mean", "std"}
        dumped = [models[one].model_dump(include=same) for one in (name, variant.paper_model)]
        assert dumped[0] == dumped[1]
