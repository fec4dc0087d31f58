import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from tests.docs.blocks import ROOT


class Fetched(HTMLParser):
    """The addresses that a browser fetches by itself when it shows a page."""

    def __init__(self, text):
        super().__init__()
        self.addresses = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        by_itself = ("src", "srcset", "data", "poster", *(("href",) if tag == "link" else ()))
        self.addresses += [value for name, value in attrs if name in by_itself and value]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet",
         "-f", ".mkdocs.yml", "-d", folder],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_built(site):
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert pages <= {page.stem for page in site.glob("*.html")}


def test_commands_and_docstrings_are_on_the_site(site):
    assert "--keep-pairs" in (site / "commands.html").read_text()
    assert "leamstore.lake.Lake.cube" in (site / "api.html").read_text()


def test_no_page_fetches_anything_from_another_host(site):
    pages = list(site.glob("*.html"))
    fetched = {address for page in pages for address in Fetched(page.read_text()).addresses}
    assert fetched
    assert not [one for one in fetched if re.match(r"(\w+:)?//", one)]
    # The theme would fetch the program that draws these.
    assert not [page.name for page in pages if 'class="mermaid"' in page.read_text()]


def test_no_style_fetches_anything_from_another_host(site):
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", sheet.read_text()), sheet.name
