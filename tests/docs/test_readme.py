import re

from PIL import Image

from tests.docs.blocks import ROOT

README = (ROOT / "README.md").read_text()
LINES = 120
"""Two screens."""


def test_every_file_that_the_readme_links_is_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert len(links) > 10
    assert not [link for link in links if not (ROOT / link).is_file()]


def test_the_readme_fits_two_screens():
    assert len(README.splitlines()) <= LINES


def test_the_readme_shows_maps_and_the_dashboards_in_small_pictures():
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert shown == ["docs/images/overlays.jpg", "docs/images/dashboard.jpg"]
    for name, most in zip(shown, (200_000, 300_000), strict=True):
        assert (ROOT / name).stat().st_size < most
        with Image.open(ROOT / name) as picture:
            picture.load()
