import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from leamstore.lake import Lake
from tests.commandlines import run_command
from tests.docs.blocks import PAGES, ROOT, RUN, Block, blocks_of
from tests.docs.photographs import make_photographs

TUTORIAL = ROOT / "docs" / "tutorial.md"
OTHERS = [page for page in PAGES if page != TUTORIAL]
ELSEWHERE = re.compile(r"\b(s3|gs|az|tcp|https?)://")
COMMAND = re.compile(r"^(uv|pip|python|mkdocs|streamlit|dask|export|source) ", re.MULTILINE)
OURS = ("ingest", "leamstore", "analyses")


def run(words, place, block):
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    settings = {"PATH": os.pathsep.join(paths), "PYTHONPATH": str(ROOT), "LEAM_OFFLINE": "1"}
    done = subprocess.run(
        words, cwd=place, env=os.environ | settings | {"LEAM_CACHE": str(place / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    require_success(done, block)


def require_success(done, block):
    assert done.returncode == 0, f"{block.place}\n{block.text}\n{done.stdout}\n{done.stderr}"


def commands_of(text):
    """The words of each command, or None where a shell does more than to pass words on."""
    commands, open_lines = [], ""
    for line in text.splitlines(keepends=True):
        open_lines += line
        if open_lines.endswith("\\\n"):  # as a shell does, which joins such lines
            open_lines = open_lines.removesuffix("\\\n")
            continue
        lexer = shlex.shlex(open_lines, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # a quotation that goes on in the next line
            continue
        if any("$" in word or set(word) <= set("();<>|&") for word in words):
            return None
        open_lines = ""
        if words:
            commands.append(words)
    return commands


def run_shell(text, place, block):
    """Run a block as a shell does; what it asks of our programs, in this process."""
    commands = commands_of(text)
    ours = [["python", "-m", name] for name in OURS]
    if commands is None or any(words[:3] not in ours for words in commands):
        run(["bash", "-euo", "pipefail", "-c", text], place, block)
        return
    for words in commands:
        with contextlib.chdir(place):
            require_success(run_command(*words[2:], LEAM_CACHE=place / "cache"), block)


def run_blocks(page, place):
    """Run the blocks of a page in their order, and then its Python, as one program."""
    runnable = [one for one in blocks_of(page) if one.language in RUN and one.not_run is None]
    # A test asks no other machine, and no library of it looks for credentials.
    outside = [one.place for one in runnable if ELSEWHERE.search(one.text)]
    assert not outside, f"say not_run: {', '.join(outside)}"
    python = [one.text for one in runnable if one.language == "python"]
    for block in runnable:
        if block.language == "sql":
            Lake(place / "demo.lake").sql(block.text)
        elif block.language != "python":
            # The environment that uv would make is the one that runs this.
            run_shell(block.text.replace("uv run ", ""), place, block)
    if python:
        whole = "\n".join(python)
        run([sys.executable, "-c", whole], place, Block(page, 1, "python", whole, None))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with photographs, and all that the tutorial makes."""
    folder = tmp_path_factory.mktemp("docs")
    for name in ("photographs", "lfw"):
        make_photographs(folder / name, folder / "scratch")
    run_blocks(TUTORIAL, folder)
    return folder


def test_the_tutorial_leaves_a_lake_with_answers_and_a_report(place):
    lake = Lake(place / "demo.lake")
    assert lake.sql("SELECT count(*) FROM result_regions_by_model").item() > 0
    assert "DLIB_R29" in (place / "demo-report" / "index.html").read_text()


def test_the_answer_in_the_readme_is_the_lakes(place):
    blocks = list(blocks_of(ROOT / "README.md"))
    command = next(one.text for one in blocks if "-m leamstore sql" in one.text)
    query = command.split('"')[1]
    printed = next(one.text for one in blocks if "nose_percent" in one.text and not one.language)
    rows = [line.strip("│").split("│") for line in printed.splitlines() if line.startswith("│")]
    answer = Lake(place / "demo.lake").sql(query)
    assert answer["layer"].to_list() == [layer.strip() for layer, _ in rows]
    # Kinds of processors round differently, which moves a few pixels across the threshold.
    assert answer["nose_percent"].to_list() == pytest.approx([float(n) for _, n in rows], abs=0.5)


@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.name)
def test_every_block_of_a_page_runs(page, place):
    run_blocks(page, place)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("python -m a 'b c'  # why\n\npython -m b \\\n  --c\n",
         [["python", "-m", "a", "b c"], ["python", "-m", "b", "--c"]]),
        ('python -m leamstore sql "\n  FROM a\n  WHERE b > 1"\n',
         [["python", "-m", "leamstore", "sql", "\n  FROM a\n  WHERE b > 1"]]),
        ("python -m a | head\n", None),
        ("python -m a --to $HOME\n", None),
        ("for a in b; do python -m $a; done\n", None),
    ],
)  # fmt: skip
def test_commands_of_a_block_are_those_that_a_shell_would_run(text, commands):
    assert commands_of(text) == commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_in_a_block_without_a_language(page):
    hidden = [
        one.place for one in blocks_of(page) if one.language not in RUN and COMMAND.search(one.text)
    ]
    assert not hidden, f"say bash after the backticks: {', '.join(hidden)}"
