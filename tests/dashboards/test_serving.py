"""The command that serves the dashboards, and the address that it prints."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from dashboards.__main__ import _host
from dashboards.shell import lake_address
from tests.leamstore.conftest import small_lake

PATIENCE_SECONDS = 180


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return small_lake(tmp_path_factory.mktemp("served") / "own.lake").path


def free_port():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return str(free.getsockname()[1])


def served_at(lake, *options, **variables):
    """What the command prints as its address, and the status and text that are found there."""
    server = subprocess.Popen(
        [sys.executable, "-m", "dashboards", "--lake", lake, "--port", free_port(), *options],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"COLUMNS": "500"} | variables,
    )  # fmt: skip
    try:
        address = re.search(r" at (\S+)", server.stdout.readline())[1]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with urllib.request.urlopen(address, timeout=5) as page:
                    return address, page.status, page.read().decode()
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ConnectionError):
                    raise
                assert server.poll() is None, "the dashboards ended by themselves"
                assert time.monotonic() < deadline
                time.sleep(0.2)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (("--base-path", "lakes/own"), {}),
        (("--server.baseUrlPath", "/lakes/own/"), {}),
        ((), {"STREAMLIT_SERVER_BASE_URL_PATH": "lakes/own"}),
    ],
)
def test_the_printed_address_is_the_pages_behind_a_path_too(lake, options, variables):
    address, status, page = served_at(lake, *options, **variables)
    assert address.endswith("/lakes/own")
    assert status == 200
    assert "<title>Streamlit</title>" in page


def test_a_lake_that_is_not_there_is_refused_at_once(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dashboards", "--lake", tmp_path / "typo"],
        capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: there is no lake at {tmp_path / 'typo'}: ")
    assert done.stdout == ""


def test_an_address_of_many_colons_is_a_host_in_brackets():
    assert [_host(one) for one in ("::1", "127.0.0.1", "0.0.0.0", "::")] == [
        "[::1]", "127.0.0.1", "localhost", "localhost",
    ]  # fmt: skip


def test_an_option_without_its_lake_means_the_lake_by_default(monkeypatch):
    monkeypatch.delenv("LEAM_LAKE", raising=False)
    assert lake_address(["--lake"]) == lake_address([]) == "lake"
    assert lake_address(["--lake", "own"]) == "own"
