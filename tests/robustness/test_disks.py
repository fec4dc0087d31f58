"""Disks that are full or read-only: a sentence, nothing lost, and the same command goes on."""

import contextlib
import os
import shutil
import subprocess

import pytest

from leamstore.lake import Lake
from leamstore.safety.verify import verify
from tests.commandlines import run_command
from tests.robustness.contents import contents, differences
from tests.small_network import NAME, write_small_catalog

SAME = ("--models", NAME, "--layers", "conv2", "--max-images", "2",
        "--keep-pairs", "1", "--workers", "1", "--parser", "landmarks")  # fmt: skip


def ingest(lake, cache):
    cache.mkdir(exist_ok=True)
    catalog = write_small_catalog(cache / "small.yaml")
    return run_command("ingest", *SAME, "--catalog", catalog, "--lake", lake, LEAM_CACHE=cache)


@contextlib.contextmanager
def mounted(folder, *options):
    """A file system of its own on a folder; the test is skipped where nobody may mount."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A lake that was made in one go, and the cache folder that holds its photographs."""
    folder = tmp_path_factory.mktemp("whole")
    done = ingest(folder / "whole.lake", folder / "cache")
    assert done.returncode == 0, done.stderr
    return folder / "whole.lake", folder / "cache"


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(whole, tmp_path, share):
    lake, cache = whole
    kibibytes = int(Lake(lake).stored_bytes * share / 1024)
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", f"size={kibibytes}k", "disk") as disk:
        done = ingest(disk / "a.lake", cache)
        assert done.returncode == 1, done.stdout
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        done = ingest(disk / "a.lake", cache)
        assert done.returncode == 0, done.stderr
        made = Lake(disk / "a.lake")
        assert differences(contents(made), contents(Lake(lake))) == []
        assert verify(made) == []


def test_a_read_only_lake_is_read_and_not_written(whole, tmp_path):
    lake, cache = whole
    before = contents(Lake(lake))
    with mounted(tmp_path / "disk", "--bind", lake) as disk:
        subprocess.run(["mount", "-o", "remount,ro,bind", disk], check=True)
        done = ingest(disk, cache)
        assert done.returncode == 1
        assert "can't be written" in done.stderr
        assert "Read-only file system" in done.stderr
        assert "Traceback" not in done.stderr
        assert verify(Lake(disk)) == []
        assert contents(Lake(disk)) == before


def test_a_folder_that_may_not_be_written_is_a_sentence(whole, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("the permissions of files don't bind root")
    lake, cache = whole
    shutil.copytree(lake, tmp_path / "a.lake")
    (tmp_path / "a.lake").chmod(0o500)
    done = ingest(tmp_path / "a.lake", cache)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
