"""Nothing is there without a word about it."""

import re
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from analyses.question import Settings
from analyses.questions import QUESTIONS
from analyses.work import Work
from dashboards.views import PAGES as VIEWS
from leamstore import catalog, schema
from leamstore.lake import Lake
from tests.commandlines import run_command
from tests.docs.blocks import PAGES, ROOT
from tests.docs.photographs import make_photographs

DOCS = ROOT / "docs"
ENTRIES = (
    *(catalog.Catalog, catalog.Model, catalog.Tokens, catalog.Parser, catalog.Dataset),
    *(catalog.RemoteFile, catalog.Member),
)


def load_hooks():
    spec = spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = load_hooks()
COMMANDS = HOOKS.all_commands()


def sections(page):
    """The text under each heading of the second level."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def named_in_code(text):
    return set(re.findall(r"`([\w.@-]+)`", text))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_each_of_its_options_says_what_it_does(name):
    command = COMMANDS[name]
    assert command.help
    unsaid = [one.name for one in HOOKS.parameters_of(command) if not one.help]
    assert not unsaid


def test_the_page_of_commands_names_every_option_of_every_command():
    page = HOOKS.on_page_markdown((DOCS / "commands.md").read_text())
    described = sections(DOCS / "commands.md") | dict(
        part.split("\n", 1) for part in page.split("\n## ")[1:]
    )
    for name, command in COMMANDS.items():
        for parameter in HOOKS.parameters_of(command):
            assert f"`{HOOKS.written(parameter)}`" in described[name]


def test_no_page_speaks_of_an_option_that_is_not_there():
    known = {
        option
        for command in COMMANDS.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= {"--help", "--strict", "--extra"}  # of click, mkdocs and uv
    known |= {"--examples"}  # of tests.robustness.fuzz
    known |= {"--times", "--signal"}  # of tests.robustness.kills
    known |= {
        "--nthreads",
        "--memory-limit",
        "--lifetime",
        "--lifetime-stagger",
        "--name",
        "--scheduler-file",
        "--dashboard",
        "--dashboard-address",
    }  # of dask
    known |= {"--gres", "--nodes", "--time", "--cpus-per-task"}  # of SLURM
    known |= {"--repo", "--create-namespace", "--generate-name"}  # of helm
    for page in PAGES:
        spoken = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text()))
        assert spoken <= known, f"{page.name}: {spoken - known}"


def test_whatever_page_is_cited_is_there_for_its_reader():
    parts = ("leamstore", "ingest", "analyses", "dashboards", "benchmarks", "tests", "docs", ".")
    files = [file for part in parts for kind in ("*.py", "*.md", "*.yaml", "*.toml", "*.html")
             for file in (ROOT / part).glob(kind if part == "." else f"**/{kind}")]  # fmt: skip
    there = {page.name for page in PAGES}
    cited = {
        (name, file.name)
        for file in files
        for name in re.findall(r"\b[\w-]+\.md\b", file.read_text(encoding="utf-8"))
    }
    assert len(cited) > len(PAGES)
    assert not [(name, file) for name, file in cited if name not in there]


def test_every_variable_of_the_environment_is_documented():
    code = [file for part in ("leamstore", "ingest", "analyses", "dashboards")
            for file in (ROOT / part).rglob("*.py")]  # fmt: skip
    used = {name for file in code for name in re.findall(r"\bLEAM_[A-Z]+\b", file.read_text())}
    assert used <= named_in_code((DOCS / "commands.md").read_text())


def test_every_table_column_and_array_of_a_lake_is_documented():
    page = (DOCS / "schema.md").read_text()
    by_table = dict(part.split("\n", 1) for part in page.split("\n### ")[1:])
    for table in schema.TABLES:
        described = set(re.findall(r"^\| (\w+) \|", by_table[table.name], re.MULTILINE))
        assert {column.name for column in table.columns} <= described, table.name
    for array in (*schema.MAP_ARRAYS, *schema.FACE_ARRAYS):
        assert f"`{array.path}`" in page


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_every_field_of_a_catalog_is_documented(entry):
    section = sections(DOCS / "catalog.md")[entry.__name__]
    assert set(entry.model_fields) <= named_in_code(section)


def test_the_fields_that_weights_add_are_documented():
    own = set(catalog.Weights.model_fields) - set(catalog.RemoteFile.model_fields)
    assert own <= named_in_code(sections(DOCS / "catalog.md")["Weights"])


@pytest.mark.parametrize("page", VIEWS, ids=lambda page: page.title)
def test_every_page_of_the_dashboards_has_its_section(page):
    assert page.title in sections(DOCS / "dashboards.md")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_every_question_has_its_section_with_what_its_tables_are(question):
    section = sections(DOCS / "questions.md")[question.name]
    assert {f"result_{name}" for name in question.layouts} <= named_in_code(section)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake of four people with genders and ages, of which every question can be asked."""
    folder = tmp_path_factory.mktemp("documented")
    make_photographs(folder / "photographs", folder / "scratch")
    done = run_command(
        "ingest", "--images", folder / "photographs", "--quiet", "--workers", "1",
        "--models", "DLIB_R29", "--layers", "0", "--lake", folder / "lake",
        LEAM_CACHE=folder / "cache",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Lake(folder / "lake")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_every_column_of_an_answer_is_documented(question, lake):
    page = sections(DOCS / "questions.md")
    said = named_in_code(page["Reading any of them"]) | named_in_code(page[question.name])
    tables = question.answer(lake, Settings(draws=100), Work())
    assert {f"result_{name}" for name in tables} <= said
    for name, table in tables.items():
        assert set(table.columns) <= said, f"result_{name}: {set(table.columns) - said}"
