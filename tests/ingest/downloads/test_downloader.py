import dataclasses
import hashlib
import socket
import threading
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ingest.downloads.downloader import POLICY, Downloader
from leamstore.catalog import RemoteFile, files
from leamstore.errors import WeightsError
from tests.weight_host import WeightHost

CONTENT = bytes(range(256)) * 2**13
OTHER = CONTENT[::-1]
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HASTE = dataclasses.replace(POLICY, attempts=3, pause=0.0, timeout=0.3)
NAME = "zoo/w.pth"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path))
    monkeypatch.delenv("LEAM_OFFLINE", raising=False)
    return tmp_path


@pytest.fixture
def host():
    with WeightHost({"w.pth": CONTENT, "other.pth": OTHER}) as running:
        yield running


def entry(*addresses, **facts):
    page, licence = "http://example.org/zoo", "for research only"
    return RemoteFile(file=NAME, addresses=addresses, page=page, licence=licence, **facts)


def fetch_quietly(file):
    return Downloader(Console(file=StringIO()), HASTE).fetch(file)


def files_in(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith(".lock")}


def refusal(file) -> str:
    with pytest.raises(WeightsError) as caught:
        fetch_quietly(file)
    return str(caught.value)


@pytest.mark.parametrize(
    "behaviour", ["ok", "plain", "redirect", "flaky", "interrupted", "misranged"]
)
def test_a_file_arrives_whole(host, folder, behaviour):
    path = fetch_quietly(entry(host.address(behaviour, "w.pth"), sha256=SHA256))
    assert path.read_bytes() == CONTENT
    assert files_in(folder) == {NAME}


def test_a_download_that_broke_off_goes_on_where_it_was(host):
    fetch_quietly(entry(host.address("interrupted", "w.pth"), sha256=SHA256))
    assert [request.byte_range for request in host.requests] == [None, "bytes=1048576-"]


def test_a_later_run_goes_on_where_an_earlier_one_stopped(host):
    file = entry(host.address("truncated", "w.pth"), sha256=SHA256)
    refusal(file)
    refusal(file)
    # Three answers of half of what is missing leave an eighth of the file, and so on.
    missing = [len(CONTENT) // 2**answers for answers in (3, 4, 5)]
    assert [request.byte_range for request in host.requests[3:]] == [
        f"bytes={len(CONTENT) - size}-" for size in missing
    ]


def test_a_file_that_changed_between_two_tries_is_not_spliced(host):
    path = fetch_quietly(entry(host.address("changed", "w.pth")))
    assert path.read_bytes() == CONTENT[::-1]


def test_what_arrived_from_one_address_is_not_mixed_with_another(host):
    path = fetch_quietly(
        entry(host.address("truncated", "w.pth"), host.address("ok", "w.pth"), sha256=SHA256)
    )
    assert path.read_bytes() == CONTENT
    assert host.requests[-1].byte_range is None


def test_a_partial_file_longer_than_the_file_is_fetched_anew(host, folder):
    address = host.address("ok", "w.pth")
    partial = folder / "partial" / "zoo__w.pth"
    partial.parent.mkdir()
    partial.write_bytes(CONTENT + b"more")
    partial.with_name("zoo__w.pth.origin").write_text(f'{address}\n"first"')
    assert fetch_quietly(entry(address)).read_bytes() == CONTENT


@pytest.mark.parametrize("behaviour", ["404", "500", "html", "truncated", "packed"])
def test_the_next_address_is_asked_when_the_first_fails(host, behaviour):
    first, second = host.address(behaviour, "w.pth"), host.address("ok", "w.pth")
    path = fetch_quietly(entry(first, mirrors=(second,), sha256=SHA256))
    assert path.read_bytes() == CONTENT


def test_the_next_address_is_asked_when_the_first_can_not_be_reached(host):
    path = fetch_quietly(entry("http://127.0.0.1:9/w.pth", host.address("ok", "w.pth")))
    assert path.read_bytes() == CONTENT


def test_the_next_address_is_asked_when_the_first_gives_another_file(host):
    path = fetch_quietly(
        entry(host.address("ok", "other.pth"), host.address("ok", "w.pth"), sha256=SHA256)
    )
    assert path.read_bytes() == CONTENT


def test_the_address_that_gave_the_file_is_named(host):
    screen = StringIO()
    address = host.address("ok", "w.pth")
    missing = host.address("404", "w.pth")
    Downloader(Console(file=screen), HASTE).fetch(entry(missing, address))
    assert screen.getvalue().split("\n")[0] == f"Fetched {NAME} from {address}"


def test_a_file_of_unknown_sha256_is_the_same_when_it_is_fetched_again(host, folder):
    file = entry(host.address("ok", "w.pth"))
    fetch_quietly(file).unlink()
    assert files.first_sha256(file) == SHA256
    other = host.address("ok", "other.pth")
    assert f"{other} gave a file that has the sha256 {hashlib.sha256(OTHER).hexdigest()}" in (
        refusal(entry(other))
    )
    assert fetch_quietly(entry(other, host.address("ok", "w.pth"))).read_bytes() == CONTENT
    (folder / f"{NAME}.sha256").unlink()
    files.place(file).unlink()
    assert fetch_quietly(entry(other)).read_bytes() == OTHER


@pytest.mark.parametrize(
    ("behaviour", "complaint", "times_asked"),
    [
        ("404", "answers 404 Not Found", 1),
        ("403", "answers 403 Forbidden", 1),
        ("500", "answers 500 Internal Server Error", 3),
        ("truncated", "broke off before the file was complete", 3),
        ("slow", "was silent for too long", 3),
        ("loop", "redirects without end", 31),
        ("html", "gave a file that is a web page instead of the file", 1),
    ],
)
def test_a_failure_is_a_sentence_with_the_address(host, folder, behaviour, complaint, times_asked):
    address = host.address(behaviour, "w.pth")
    assert refusal(entry(address)) == (
        f"{NAME} could not be fetched: {address} {complaint}. Get {NAME} by hand from "
        f"http://example.org/zoo and place it at {folder / NAME} (licence: for research only)."
    )
    assert len(host.requests) == times_asked
    assert not (folder / NAME).exists()


def test_a_host_that_gives_nothing_leaves_nothing_behind(host, folder):
    refusal(entry(host.address("404", "w.pth")))
    assert files_in(folder) == set()


def test_a_host_that_wants_an_hour_is_not_waited_for(host):
    address = host.address("busy", "w.pth")
    assert "answers 429 Too Many Requests" in refusal(entry(address))
    assert len(host.requests) == 1


def test_what_can_be_resumed_is_kept_apart_from_the_file(host, folder):
    refusal(entry(host.address("truncated", "w.pth")))
    assert files_in(folder) == {"partial/zoo__w.pth", "partial/zoo__w.pth.origin"}


def test_every_address_has_its_complaint(host):
    sentence = refusal(entry(host.address("404", "w.pth"), host.address("403", "w.pth")))
    assert "404/w.pth answers 404 Not Found; http" in sentence
    assert "403/w.pth answers 403 Forbidden. Get" in sentence


def test_a_host_without_connection_could_not_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert f":{port}/w.pth could not be reached." in refusal(
        entry(f"http://127.0.0.1:{port}/w.pth")
    )


def test_another_sha256_than_stated_leaves_nothing_behind(host, folder):
    sentence = refusal(entry(host.address("ok", "w.pth"), sha256="0" * 64))
    assert f"gave a file that has the sha256 {SHA256} instead of {'0' * 64}" in sentence
    assert files_in(folder) == set()


def test_another_size_than_stated_leaves_nothing_behind(host, folder):
    sentence = refusal(entry(host.address("ok", "w.pth"), size=1_000_000))
    assert "gave no file (more than the 1,000,000 bytes that it has)" in sentence
    assert files_in(folder) == set()


def test_offline_nothing_is_asked(host, monkeypatch):
    monkeypatch.setenv("LEAM_OFFLINE", "1")
    sentence = refusal(entry(host.address("ok", "w.pth")))
    assert sentence.startswith(f"LEAM_OFFLINE forbids fetching {NAME}. Get {NAME} by hand from ")
    assert host.requests == []


def test_a_file_without_addresses_is_placed_by_hand():
    assert refusal(entry()).startswith(f"{NAME} can't be fetched. Get {NAME} by hand from ")


def test_a_full_disk_is_a_sentence(host, folder):
    # Writing to /dev/full fails as writing to a full disk does.
    partial = folder / "partial" / "zoo__w.pth"
    partial.parent.mkdir()
    partial.symlink_to("/dev/full")
    assert refusal(entry(host.address("ok", "w.pth"))) == (
        f"There is no space left in {folder} for {NAME}: make room there, or name another cache "
        "folder by LEAM_CACHE."
    )
    assert files_in(folder) == set()


def test_a_file_larger_than_the_free_space_is_not_begun(host, folder):
    sentence = refusal(entry(host.address("huge", "w.pth")))
    assert sentence.startswith(f"There is no space left in {folder} for {NAME}")
    assert files_in(folder) == set()


def test_a_cache_folder_that_cannot_be_made_is_a_sentence(host, folder, monkeypatch):
    (folder / "taken").write_text("a file")
    monkeypatch.setenv("LEAM_CACHE", str(folder / "taken"))
    sentence = refusal(entry(host.address("ok", "w.pth")))
    assert sentence.startswith(
        f"{folder / 'taken' / 'partial'} cannot be written (Not a directory)"
    )


def test_two_that_want_a_file_at_once_fetch_it_once(host):
    file = entry(host.address("ok", "w.pth"), sha256=SHA256)
    threads = [threading.Thread(target=fetch_quietly, args=(file,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(host.requests) == 1
    assert files.place(file).read_bytes() == CONTENT


def test_a_progress_bar_is_drawn_on_the_console(host):
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    Downloader(console, HASTE).fetch(entry(host.address("ok", "w.pth")))
    assert NAME in screen.getvalue()
    assert "2.1/2.1 MB" in screen.getvalue()


def test_a_host_that_can_not_be_reached_is_asked_for_one_file_only():
    downloader = Downloader(Console(file=StringIO()), HASTE)
    sentences = []
    for _ in range(2):
        with pytest.raises(WeightsError) as caught:
            downloader.fetch(entry("http://127.0.0.1:9/w.pth"))
        sentences.append(str(caught.value))
    assert "could not be reached. Get" in sentences[0]
    assert "has a host that could not be reached before" in sentences[1]
