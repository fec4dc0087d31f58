"""The pages of answered questions; `address` shows the lake with answers in this module."""

import io
import re

import polars as pl
import pytest

PAGES = ["similarity", "person", "people", "occlusion", "demographics"]


@pytest.fixture(scope="module")
def address(serve, answered):
    with serve(answered) as address:
        yield address


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_every_page_fits_and_makes_no_complaint(new_tab, screenshots, width, theme):
    tab = new_tab(width, theme)
    for name in PAGES:
        tab.open(name)
        main = tab.page.locator('[data-testid="stMain"]')
        height = main.evaluate("element => element.scrollHeight")
        tab.page.set_viewport_size({"width": width, "height": min(max(900, height), 6000)})
        tab.settle()
        tab.page.screenshot(path=screenshots / f"{name}-{width}-{theme}.png")
        assert tab.page.locator('[data-testid="stException"]').count() == 0, name
        assert main.evaluate("element => element.scrollWidth <= element.clientWidth"), name
        assert tab.complaints == [], name


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


def test_a_view_sent_to_a_colleague_restores_and_downloads(new_tab, answered):
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
