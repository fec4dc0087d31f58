"""All pages in a browser: one server shows a lake with answers, and one browser looks at it."""

import io
import re

import polars as pl
import pytest

OF_THE_LAKE = {
    "home": "",
    "explorer": "explorer",
    "layers": "explorer?view=all+layers",
    "models": "explorer?view=all+models",
    "two-images": "explorer?view=two+images&other=Grace_Hopper",
    "regions": "regions",
    "sql": "sql",
}
OF_ANSWERS = {
    name: name
    for name in ("recognition", "similarity", "person", "people", "occlusion", "demographics")
}


@pytest.mark.parametrize(
    ("pages", "width", "theme"),
    [
        (OF_THE_LAKE, 1280, "dark"),
        (OF_THE_LAKE, 390, "light"),
        (OF_ANSWERS, 1280, "light"),
        (OF_ANSWERS, 390, "dark"),
    ],
)
def test_every_page_fits_and_makes_no_complaint(new_tab, screenshots, pages, width, theme):
    tab = new_tab(width, theme)
    for name, path in pages.items():
        tab.page.set_viewport_size({"width": width, "height": 900})
        tab.open(path)
        main = tab.page.locator('[data-testid="stMain"]')
        height = main.evaluate("element => element.scrollHeight")
        tab.page.set_viewport_size({"width": width, "height": min(max(900, height), 6000)})
        tab.settle()
        tab.page.screenshot(path=screenshots / f"{name}-{width}-{theme}.png")
        assert tab.page.locator('[data-testid="stException"]').count() == 0, name
        assert main.evaluate("element => element.scrollWidth <= element.clientWidth"), name
        assert tab.complaints == [], name


def test_homes_numbers_are_those_of_sql(new_tab, answered):
    page = new_tab().open("").page
    metrics = page.locator('[data-testid="stMetric"]').all_inner_texts()
    kept, pairs = answered.sql(
        "SELECT (SELECT count(*) FROM images WHERE status = 'kept'), (SELECT count(*) FROM pairs)"
    ).row(0)
    assert [text.split() for text in metrics if "kept" in text] == [["Images", "kept", str(kept)]]
    assert [text.split()[-1] for text in metrics if "pairs" in text] == [str(pairs)]


def test_the_slider_is_moved_by_keys_and_recounts_as_the_lake_has_counted(new_tab, answered):
    tab = new_tab().open("explorer?percent=1.0")
    tab.page.get_by_role("slider", name="% of all pixels").press("ArrowRight")
    tab.page.get_by_text("3,277 of 262,144 pixels").wait_for()
    tab.settle()
    assert "percent=1.25" in tab.page.url
    found = pl.read_csv(io.BytesIO(tab.download("CSV", "downloads-region-counts")))
    stored = answered.sql(
        "SELECT nose, face, left_eye FROM image_regions JOIN images USING (image_id) "
        "WHERE layer = 'conv1' AND percent = 1.25 ORDER BY path LIMIT 1"
    ).row(0, named=True)
    pixels = dict(found.select("region", "pixels").iter_rows())
    assert {region: pixels.get(region, 0) for region in stored} == stored
    assert tab.complaints == []


def test_a_chart_downloads_as_png_and_as_svg(new_tab):
    tab = new_tab().open("explorer")
    assert tab.download("PNG", "downloads-overlay").startswith(b"\x89PNG")
    svg = tab.download("SVG", "downloads-overlay")
    assert svg.startswith(b"<svg")
    assert b"<image" in svg
    assert tab.complaints == []


def test_pictures_side_by_side_download_as_png_and_as_svg(new_tab):
    tab = new_tab().open("explorer?view=all+layers")
    assert tab.download("PNG", "downloads-layers").startswith(b"\x89PNG")
    svg = tab.download("SVG", "downloads-layers")
    assert svg.count(b"<image") == 2
    assert b"layer1.0.conv2</text>" in svg


def test_a_view_sent_to_a_colleague_restores(new_tab):
    mine = new_tab().open("explorer")
    mine.choose("Person", "Grace_Hopper")
    mine.choose("Colours", "cividis")
    mine.page.get_by_text("Region outlines").click()
    mine.settle()
    theirs = new_tab().open(mine.page.url)
    assert theirs.page.url == mine.page.url
    caption = mine.page.get_by_text("cells), on the model's chip").inner_text()
    assert "Grace_Hopper" in caption
    assert theirs.page.get_by_text("cells), on the model's chip").inner_text() == caption
    overlays = [tab.page.locator(".st-key-chart-overlay image").first for tab in (mine, theirs)]
    seen = [overlay.get_attribute("href") for overlay in overlays]
    assert seen[0] == seen[1]


def test_filters_and_selections_stay_across_pages(new_tab):
    tab = new_tab().open("explorer")
    tab.choose("Layer", "layer1.0.conv2")
    tab.choose("Colours", "cividis")
    tab.page.get_by_role("link", name="Regions").click()
    tab.page.get_by_role("heading", name="Regions").wait_for()
    tab.settle()
    assert "colours" not in tab.page.url
    tab.page.get_by_role("link", name="Explorer").click()
    tab.page.get_by_role("heading", name="Explorer").wait_for()
    tab.settle()
    assert "layer=layer1.0.conv2" in tab.page.url
    assert "colours=cividis" in tab.page.url
    assert tab.complaints == []


def test_regions_are_those_of_sql(new_tab, answered):
    tab = new_tab().open("regions?activation=full")
    shares = pl.read_csv(io.BytesIO(tab.download("CSV", "downloads-shares")))
    expected = answered.sql(
        "SELECT avg(100.0 * nose / pixels) FROM pair_regions "
        "WHERE activation = 'full' AND layer = 'conv1'"
    ).item()
    shown = shares.filter(region="nose", layer="conv1")["share"].item()
    assert shown == pytest.approx(expected, abs=1e-4)
    tab.page.get_by_text("absolute", exact=True).click()
    tab.settle()
    assert "measure=absolute" in tab.page.url


def test_a_query_is_typed_run_and_downloaded(new_tab, answered):
    query = "SELECT identity, count(*) AS n FROM images GROUP BY identity ORDER BY identity"
    tab = new_tab().open("sql")
    tab.page.get_by_role("textbox", name="Query").fill(query)
    tab.page.get_by_role("textbox", name="Query").press("Control+Enter")
    tab.page.get_by_text("Rows: 3. Time: ").wait_for()
    tab.settle()
    answer = pl.read_parquet(io.BytesIO(tab.download("Parquet", "downloads-answer")))
    assert answer.equals(answered.sql(query))
    tab.page.get_by_role("tab", name="Chart").click()
    tab.settle()
    assert tab.page.locator(".st-key-chart-answer-chart .bars .point").count() == 3
    assert tab.complaints == []


def test_a_refused_query_is_a_sentence(new_tab):
    tab = new_tab().open("sql?query=DROP+TABLE+images")
    assert tab.page.get_by_text("Write one query that reads").count() == 1
    assert tab.page.locator('[data-testid="stException"]').count() == 0


def test_a_click_on_a_point_shows_its_two_maps(new_tab):
    tab = new_tab().open("similarity?maps=image&pair=0-1")
    before = tab.page.url
    points = tab.page.locator(".st-key-chart-pairs .scatterlayer .trace").last.locator(".point")
    points.last.scroll_into_view_if_needed()
    points.last.click(force=True)
    tab.page.wait_for_url(lambda url: url != before)
    tab.settle()
    assert "pair=0-1" not in tab.page.url
    caption = tab.page.get_by_text("seen in everybody's pose").inner_text()
    assert caption.startswith("strangers: ")
    assert tab.complaints == []


def test_a_view_of_an_answer_sent_to_a_colleague_restores_and_downloads(new_tab, answered):
    mine = new_tab().open("similarity")
    mine.page.get_by_text("centred", exact=True).click()
    mine.settle()
    assert "relevance=centred" in mine.page.url
    theirs = new_tab().open(mine.page.url)
    assert theirs.page.url == mine.page.url
    found = pl.read_csv(io.BytesIO(theirs.download("CSV", "downloads-groups")))
    assert set(found["relevance"]) == {"centred"}
    expected = answered.sql(
        "SELECT estimate FROM result_similarity WHERE layer = 'conv1' AND frame = 'canonical' "
        "AND maps = 'pair' AND relevance = 'centred' AND matching = 'all' AND measure = 'bc' "
        "AND \"group\" = 'identity'"
    ).item()
    own = found.filter(layer="conv1", group="identity")["estimate"].item()
    assert own == pytest.approx(expected)
    assert theirs.download("PNG", "downloads-aucs").startswith(b"\x89PNG")


def test_a_selection_stays_on_a_next_page_that_shows_it_too(new_tab):
    tab = new_tab().open("explorer?person=Grace_Hopper")
    tab.page.get_by_role("link", name="Is it the person?").click()
    # The address follows a moment after the page.
    tab.page.wait_for_url(re.compile(r"/person\?.*person="))
    assert "person=Grace_Hopper" in tab.page.url
