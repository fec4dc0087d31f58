import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from io import StringIO

import pytest
from rich.console import Console

from ingest.run.summary import show
from leamstore.catalog import read_catalog
from leamstore.lake import Lake
from tests.commandlines import run_command
from tests.conftest import DEMO_OPTIONS

SENTENCE_ONLY = "Traceback"

ingest = partial(run_command, "ingest")


@pytest.fixture
def again(demo_ingest, tmp_path):
    """Ingest into a copy of the demo lake."""
    shutil.copytree(demo_ingest.lake, tmp_path / "demo.lake")
    return partial(ingest, "--lake", tmp_path / "demo.lake", LEAM_CACHE=demo_ingest.cache)


def test_help_teaches():
    done = subprocess.run(
        [sys.executable, "-m", "ingest", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("--images", "--models", "--positives", "identities.csv", "demo set", "DIR/"):
        assert word in done.stdout


def test_the_summary_counts_and_names_the_next_command(demo_ingest):
    shown = demo_ingest.stdout
    for words in ("kept", "DLIB_R29", "regions", "MiB on disk", "python -m leamstore sql"):
        assert words in shown


def test_models_that_are_not_run_are_two_lines_and_their_reasons_are_for_programs(again):
    done = again(*DEMO_OPTIONS, "--models", "all", "--layers", "0,2", "--json")
    facts = json.loads(done.stdout)
    names = [model for model in read_catalog().models if model != "DLIB_R29"]
    assert list(facts["passed_over"]) == names
    assert all("pip install" in why or "by hand" in why for why in facts["passed_over"].values())
    screen = StringIO()
    show(facts, Console(file=screen, width=80))
    lines = screen.getvalue().splitlines()
    assert [line for line in lines if "AF_R18" in line] == [
        f"Not run, since their weights are not here: {', '.join(names)} ({len(names)} models)."
    ]
    assert "How to get them: python -m leamstore catalog NAME" in lines


def test_the_demo_set_and_the_landmark_parser_are_branded(demo_ingest):
    said = demo_ingest.stderr + demo_ingest.stdout
    assert "variations of" in said
    assert "labelled by landmarks, not by FaRL" in said
    assert "how to get them: python -m leamstore catalog farl" in said


def test_layers_are_chosen_by_name_or_position(demo_ingest):
    lake = Lake(demo_ingest.lake)
    rows = lake.sql("SELECT position, layer FROM layers ORDER BY 1").rows()
    assert rows == [(0, "conv1"), (2, "layer1.0.conv2")]


def test_doing_it_again_says_that_there_is_nothing_to_do(again):
    done = again(*DEMO_OPTIONS)
    assert done.returncode == 0
    assert "Nothing to do" in done.stdout


def test_json_is_for_programs_and_quiet_is_quiet(again):
    facts = json.loads(again(*DEMO_OPTIONS, "--json").stdout)
    assert facts["images"] == {"kept": 6}
    assert facts["run"]["units"] == 0
    assert facts["brands"]
    quiet = again(*DEMO_OPTIONS, "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_a_lake_of_another_parser_or_seed_is_not_mixed(again):
    done = again("--models", "DLIB_R29", "--seed", 1)
    assert done.returncode == 1
    assert "was made with --seed 0, not 1" in done.stderr
    assert SENTENCE_ONLY not in done.stderr


def test_a_lake_of_another_detector_is_not_mixed(again):
    done = again("--models", "DLIB_R29", "--detector", "mtcnn")
    assert done.returncode == 1
    assert "was made with --detector hog, not mtcnn" in done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--models", "DLIB_29"], "did you mean DLIB_R29"),
        (["--models", "AF_R18"], "backbone.pth"),
        (["--models", "DLIB_R29", "--target", "love"], "There is no target 'love'"),
        (["--models", "DLIB_R29", "--layers", "conv77"], "has no layer conv77"),
        (["--models", "DLIB_R29", "--parser", "farl"], "by hand from"),
        (["--models", "DLIB_R29", "--detector", "eyes"], "choose one of hog, cnn, mtcnn"),
        (["--models", "DLIB_R29", "--keep-pairs", "some"], "takes none, all or a number"),
        (["--models", "DLIB_R29", "--device", "cuda"], "no CUDA device"),
        (["--models", "DLIB_R29", "--weights", "nowhere.pt"], "no file nowhere.pt"),
        (["--weights", "weights.pt"], "name it by --models"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_lake(
    options, sentence, demo_photographs, tmp_path
):
    assert_refused(["--images", demo_photographs, *options], sentence, tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--images", "nowhere"], "no folder nowhere"),
        (["--images", "nowhere", "--dataset", "lfw"], "leave --dataset out"),
        (["--dataset", "lfw"], "needs --root"),
        (["--dataset", "moon", "--root", "."], "no data set named"),
        (["--catalog", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_files_that_are_not_there_are_one_sentence_and_leave_no_lake(options, sentence, tmp_path):
    assert_refused(options, sentence, tmp_path)


def assert_refused(options, sentence, folder):
    done = ingest(*options, "--lake", folder / "none.lake", LEAM_CACHE=folder / "cache")
    assert done.returncode == 1
    assert sentence in " ".join(done.stderr.split())
    assert SENTENCE_ONLY not in done.stderr
    assert not (folder / "none.lake").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--models", "DLIB_R29", "--layers", "0,conv77"], "DLIB_R29 has no layer conv77"),
        (["--models", "DLIB_R29", "--layers", " , "], "DLIB_R29 is to run no layer"),
        (["--layers", "conv77"], "has no layer conv77"),
        (["--models", "DLIB_29"], "did you mean DLIB_R29"),
    ],
)
def test_a_wrong_name_is_refused_before_torch_is_loaded(options, sentence, tmp_path):
    program = """
import sys
from ingest.__main__ import app
try:
    app()
except Exception as error:
    print(error)
print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *options, "--lake", str(tmp_path / "none.lake")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert sentence in done.stdout
    assert done.stdout.endswith("False\n")


def test_debug_shows_where_a_mistake_came_from(tmp_path):
    done = ingest("--models", "NONE", "--debug", "--lake", tmp_path / "none.lake")
    assert SENTENCE_ONLY in done.stderr


def test_a_folder_that_is_no_lake_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = ingest("--models", "DLIB_R29", "--lake", tmp_path, LEAM_CACHE=tmp_path / "c")
    assert done.returncode == 1
    assert "is no lake" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_ctrl_c_ends_with_a_sentence_on_how_to_go_on(demo_ingest, tmp_path):
    started = subprocess.Popen(
        [sys.executable, "-m", "ingest", "--models", "DLIB_R29", "--lake", tmp_path / "a.lake"],
        stderr=subprocess.PIPE, text=True,
        env=os.environ | {"LEAM_OFFLINE": "1", "LEAM_CACHE": str(demo_ingest.cache)},
    )  # fmt: skip
    while not (tmp_path / "a.lake" / "lake.duckdb").exists():
        assert started.poll() is None
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "the same command goes on from there" in said
    assert SENTENCE_ONLY not in said
