import polars as pl


def test_a_lake_without_the_answer_says_what_computes_it(lake, open_page):
    shown = open_page("person", lake)
    assert not shown.exception
    assert "python -m analyses person --lake" in shown.info[0].value


def test_the_verdict_and_the_claims_are_those_of_the_answer(answered, open_page):
    shown = open_page("person", answered)
    assert not shown.exception
    verdict = answered.sql("SELECT verdict FROM result_person WHERE layer = 'conv1'").item()
    assert f"conv1: {verdict}" in [one.value for one in shown.subheader]
    table = pl.from_pandas(shown.dataframe[0].value)
    assert table["verdict"].to_list() == answered.sql("FROM result_person")["verdict"].to_list()
    assert table.filter(layer="conv1")["person"].item() == "shown"


def test_a_layer_that_was_not_occluded_names_one_that_was(answered, open_page):
    shown = open_page("person", answered, layer="layer1.0.conv2")
    assert not shown.exception
    assert any("not occluded; choose one of conv1" in one.value for one in shown.info)


def test_drops_stand_under_the_masks(answered, open_page):
    shown = open_page("person", answered)
    own = answered.sql(
        "SELECT estimate FROM result_occlusion WHERE guiding = judged AND mask = 'own' AND "
        "fill = 'black' AND percent = 1 AND measure = 'centred cosine'"
    ).item()
    captions = [one.caption for pictures in shown.get("image") for one in pictures.proto.imgs]
    assert any(caption.startswith(f"own: {own:.3f} [") for caption in captions)
