import hashlib
import os
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import psutil
import skimage.data
from PIL import Image

from ingest.faces.survey import as_frame, look_at, survey
from ingest.photographs.datasets import Photograph
from leamstore import geometry, schema


def photograph(path, **attributes):
    return Photograph(path, "Eileen_Collins", "test", **attributes)


def astronaut(path):
    Image.fromarray(skimage.data.astronaut()[:320, 60:380]).save(path)
    return path


def test_a_usable_photograph_waits_for_its_place(tmp_path):
    path = astronaut(tmp_path / "a.png")
    row = look_at(photograph(path, gender="female", age=38.0))
    assert row["status"] == "pending"
    assert (row["width"], row["height"], row["gender"], row["age"]) == (320, 320, "female", 38.0)
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    nose_tip = geometry.apply(
        geometry.invert(np.array(row["crop_to_image"])), np.array(row["landmarks"])[30:31]
    )[0]
    assert np.abs(nose_tip - 256).max() < 40, "the nose is about the middle of the crop"


def test_whatever_is_wrong_with_a_file_is_a_row_with_a_reason(tmp_path):
    (tmp_path / "words.jpg").write_text("no image at all")
    (tmp_path / "short.png").write_bytes(astronaut(tmp_path / "a.png").read_bytes()[:20000])
    Image.new("RGB", (300, 300), "grey").save(tmp_path / "wall.jpg")
    rows = {
        name: look_at(photograph(tmp_path / name))
        for name in ("words.jpg", "short.png", "wall.jpg", "missing.jpg")
    }
    assert {name: row["reason"] for name, row in rows.items()} == {
        "words.jpg": "not-an-image",
        "short.png": "truncated",
        "wall.jpg": "no-face",
        "missing.jpg": "unreadable",
    }
    assert all(row["status"] == "rejected" and row["detail"] for row in rows.values())
    assert {row["reason"] for row in rows.values()} <= set(schema.REJECTIONS)


def test_a_face_that_one_detector_misses_is_found_by_another(tmp_path):
    small = Image.fromarray(skimage.data.astronaut()[40:190, 145:295]).resize((40, 40))
    small.save(tmp_path / "small.png")
    assert look_at(photograph(tmp_path / "small.png"))["reason"] == "no-face"
    (row,) = survey([photograph(tmp_path / "small.png")], workers=1, detector="mtcnn")
    assert row["status"] == "pending"


def test_processes_use_the_detector_that_is_asked_for(tmp_path):
    small = Image.fromarray(skimage.data.astronaut()[40:190, 145:295]).resize((40, 40))
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for path in paths:
        small.save(path)
    rows = list(survey([photograph(path) for path in paths], workers=2, detector="mtcnn"))
    assert [row["status"] for row in rows] == ["pending", "pending"]


def test_workers_yield_rows_in_order(tmp_path):
    paths = [tmp_path / f"{number}.jpg" for number in range(6)]
    for path in paths:
        path.write_text("no image")
    rows = list(survey([photograph(path) for path in paths], workers=2))
    assert [row["path"] for row in rows] == [str(path) for path in paths]


def test_rows_fit_the_table(tmp_path):
    frame = as_frame([look_at(photograph(astronaut(tmp_path / "a.png")))])
    assert frame.columns == [column.name for column in schema.table("images").columns]
    assert frame["landmarks"].to_numpy().shape == (1, 68, 2)


def test_few_photographs_wait_in_memory_however_many_there_are(tmp_path):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield photograph(tmp_path / "missing.jpg")

    with closing(survey(endless(), workers=2)) as rows:
        for _ in range(40):
            assert next(rows)["reason"] == "unreadable"
        assert len(taken) < 40 + 2 * 4 * 4 + 4


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = """
from pathlib import Path
from ingest.photographs.datasets import Photograph
from ingest.faces.survey import survey
import itertools, multiprocessing
if __name__ == "__main__":
    rows = survey(itertools.repeat(Photograph(Path("missing.jpg"), "Ada", "test")), workers=2)
    next(rows)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    for _ in rows:
        pass
"""
    (tmp_path / "script.py").write_text(script)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["."])},
    )  # fmt: skip
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert workers
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while any(_runs(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _runs(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
