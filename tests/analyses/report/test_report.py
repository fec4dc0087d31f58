import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from analyses.__main__ import app
from leamstore.errors import LeamError
from leamstore.tables import results
from tests.analyses.conftest import give_faces, plant, shares

# A panel of a figure is a region, and takes a third of a second to draw.
SEEN = ("face", "nose")
EVIL = "<script>alert(1)</script>"
PEOPLE = {EVIL: {}, "A$B$C": {}, "Cyd_Ärö": {}}
QUESTIONS = ("regions", "individuals", "thresholds", "demographics")


class Page(HTMLParser):
    """What a page consists of: its tags, what it loads, what it links to, its ids, its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.links, self.ids, self.text = [], [], [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.loads += [values[name] for name in ("src", "srcset", "poster") if name in values]
        if "href" in values:
            (self.links if tag == "a" else self.loads).append(values["href"])
        if "id" in values:
            self.ids.add(values["id"])

    def handle_data(self, data):
        self.text += data


def planted(identity, number, layer, activation):
    return shares(nose=10.0 + number + len(identity))


def run(lake, folder, *names):
    return CliRunner().invoke(
        app,
        ["report", *names, "--lake", str(lake.path), "--to", str(folder), "--draws", "100"],
        catch_exceptions=False, env={"COLUMNS": "200"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake like that of the demo set: stand-ins for parser, weights and people."""
    return give_faces(
        plant(
            tmp_path_factory.mktemp("report") / "planted.lake", PEOPLE, planted,
            parser="landmarks", dataset="demo", weights="random, seed 0", seen=SEEN,
            models=("NET@random",), layers=("conv1",),
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def report(lake, tmp_path_factory):
    """A report, written once and only read by the tests."""
    folder = tmp_path_factory.mktemp("written") / "report"
    assert run(lake, folder, *QUESTIONS).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def page(report):
    return Page((report / "index.html").read_text(encoding="utf-8"))


def test_the_page_asks_for_nothing_over_the_network(page):
    assert page.loads
    assert all(address.startswith("data:") for address in page.loads)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)


def test_style_sheets_ask_for_nothing_either(report):
    text = (report / "index.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert "url(" not in text


def test_links_lead_to_files_of_the_report_or_places_on_the_page(report, page):
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif not link.startswith("https://"):
            assert (report / unquote(link)).is_file()


def test_names_from_outside_stay_text(report, page):
    assert "script" not in page.tags
    assert EVIL in page.text
    for path in (report / "figures").glob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8")


def test_each_csv_is_the_result_table(lake, report):
    tables = {
        name: rows
        for question in QUESTIONS
        for name, rows in results.read_results(lake, question).items()
    }
    assert {path.stem for path in (report / "csv").iterdir()} == set(tables)
    for name, rows in tables.items():
        written = pl.read_csv(report / "csv" / f"{name}.csv", schema=rows.schema)
        assert written.equals(rows)


def test_each_figure_is_on_the_page_as_png_and_as_svg(report, page):
    shown = {name.removeprefix("figure-") for name in page.ids if name.startswith("figure-")}
    for kind in ("png", "svg"):
        assert {path.stem for path in (report / "figures").glob(f"*.{kind}")} == shown
    wanted = {
        "regions_by_model", "regions_by_layer_top", "thresholds", "individuals_NET@random",
        "overlays_NET@random", "overlays_NET@random_conv1", "top_percent_NET@random",
        "aligned_NET@random", "relevance_NET@random",
    }  # fmt: skip
    assert wanted <= shown


def test_each_image_of_the_page_opens(page):
    for address in page.loads:
        kind, encoded = re.fullmatch(r"data:image/([\w+]+);base64,(.*)", address).groups()
        image = base64.b64decode(encoded)
        if kind == "svg+xml":
            assert b"<svg" in image[:1000]
        else:
            assert Image.open(io.BytesIO(image)).format == "WEBP"


def test_stand_ins_are_named_at_the_top_at_each_table_and_in_each_figure(lake, report, page):
    tables = sum(text.count('class="table"') for text in [(report / "index.html").read_text()])
    provenance = 3
    for brand in ("Landmark parser:", "Random weights, no recogniser:", "Demo set:"):
        assert page.text.count(brand) == 1 + tables - provenance
    for path in (report / "figures").glob("*.svg"):
        assert 'id="brands"' in path.read_text(encoding="utf-8")


def test_findings_are_on_the_page_and_say_when_people_are_too_few(page):
    assert "This is 3 identities, fewer than 10" in page.text
    assert "the most relevant 1 % of pixels lie on" in page.text


def test_what_is_missing_is_said_with_its_reason(page):
    missing = page.text[page.text.index("What is missing", 400) :]
    assert "no two genders or ethnicities" in missing
    assert "Of the paper's 9 models the lake lacks 9" in missing
    assert "The parser can't see background" in missing


def test_made_again_over_itself_a_report_has_what_was_asked_now_and_the_same_figures(
    lake, report, tmp_path
):
    shutil.copytree(report, tmp_path / "report")
    assert run(lake, tmp_path / "report", "thresholds").exit_code == 0
    assert [path.stem for path in (tmp_path / "report" / "csv").iterdir()] == ["thresholds"]
    for path in (tmp_path / "report" / "figures").iterdir():
        assert path.read_bytes() == (report / "figures" / path.name).read_bytes()


def test_a_lake_without_crops_has_a_report_that_says_so(make_lake, tmp_path):
    lake = make_lake({"Ada": {}, "Bea": {}}, planted, seen=SEEN)
    run(lake, tmp_path / "report", "regions")
    page = Page((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    assert "holds no face crops" in page.text
    assert "figure-regions_by_model" in page.ids


def test_a_folder_of_something_else_is_refused_before_anything_is_computed(make_lake, tmp_path):
    lake = make_lake({"Ada": {}, "Bea": {}}, planted)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(LeamError, match="is no report"):
        run(lake, tmp_path / "thesis", "regions")
    assert not results.read_provenance(lake)


def test_programs_can_read_what_a_report_is_made_of(lake, report):
    facts = json.loads((report / "report.json").read_text())
    assert facts["questions"] == dict.fromkeys(QUESTIONS[:3], "answered") | {
        "demographics": "not answered"
    }
    assert set(facts["files"]) == {
        path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file()
    }


ODD_GROUPS = ("../a $x^$ {", "a b", "女" * 300)


def test_names_of_groups_and_models_become_safe_names_of_files(tmp_path):
    people = {
        f"{group}{n}": {"ethnicity": group, "gender": group} for group in ODD_GROUPS for n in (0, 1)
    }
    lake = plant(
        tmp_path / "odd.lake",
        people,
        lambda _, number, *__: shares(nose=10.0 + number),
        models=("NET", "N E $T ü"),
        layers=("conv 1",),
        seen=SEEN,
    )
    folder = tmp_path / "report"
    assert run(lake, folder, "demographics", "regions", "individuals").exit_code == 0
    figures = [path.name for path in (folder / "figures").iterdir()]
    pairs = len(ODD_GROUPS) * (len(ODD_GROUPS) - 1) // 2
    of_groups = [name for name in figures if name.startswith("demographics_") and ".svg" in name]
    assert len(of_groups) == 2 * 2 * pairs
    assert all(re.fullmatch(r"[\w@-][\w.@-]*\.(png|svg)", name, re.ASCII) for name in figures)
    page = Page((folder / "index.html").read_text(encoding="utf-8"))
    links = [link for link in page.links if not link.startswith(("#", "https://"))]
    assert len([link for link in links if link.endswith(".svg")]) == len(figures) / 2
    assert all((folder / unquote(link)).is_file() for link in links)
