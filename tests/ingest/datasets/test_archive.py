import hashlib
import io
import tarfile
import zipfile

import pytest
from rich.progress import Progress

from ingest.datasets.archive import fetch_archive
from leamstore.errors import LeamError

QUIET = Progress(disable=True)


def tar_of(*members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tarred:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tarred.addfile(member)
            else:
                member.size = len(content)
                tarred.addfile(member, io.BytesIO(content))
    return file.getvalue()


def zip_of(*members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for name, content in members:
            zipped.writestr(name, content)
    return file.getvalue()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


MEMBERS = (("lfw/Ann/Ann_0001.jpg", b"one"), ("lfw/Bo/Bo_0001.jpg", b"two"))


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_an_archive_is_fetched_and_unpacked(tmp_path, host, answer, pack):
    content = pack(*MEMBERS)
    root = tmp_path / "data" / "lfw"
    url = host.serve("/lfw.tgz", answer(content))
    assert fetch_archive([url], sha256(content), root, QUIET) == root
    assert (root / "lfw" / "Bo" / "Bo_0001.jpg").read_bytes() == b"two"
    assert [path.name for path in root.parent.iterdir()] == ["lfw"]


def test_other_hashes_are_named(tmp_path, host, answer):
    content = tar_of(*MEMBERS)
    known = "md5:" + hashlib.md5(content).hexdigest()
    fetch_archive([host.serve("/a", answer(content))], known, tmp_path / "lfw", QUIET)
    assert (tmp_path / "lfw" / "lfw" / "Ann").is_dir()


def test_a_folder_that_holds_something_is_left_alone(tmp_path, host):
    (tmp_path / "mine").write_bytes(b"")
    fetch_archive([host.address], "0" * 64, tmp_path, QUIET)
    assert not host.asked


def test_the_next_address_is_asked_when_one_fails(tmp_path, host, answer):
    content = tar_of(*MEMBERS)
    addresses = [
        host.serve("/gone", answer(status=404)),
        host.serve("/other", answer(b"<html>Sorry</html>")),
        host.serve("/short", answer(content, claimed=len(content) + 1)),
        host.serve("/good", answer(content)),
    ]
    fetch_archive(addresses, sha256(content), tmp_path / "lfw", QUIET)
    assert (tmp_path / "lfw" / "lfw" / "Ann").is_dir()


def test_failing_everywhere_is_one_sentence_that_names_each_address(tmp_path, host, answer):
    addresses = [
        host.serve("/gone", answer(status=404)),
        host.serve("/other", answer(b"<html>Sorry</html>")),
    ]
    with pytest.raises(LeamError, match=r"/gone .*404.* or .*/other .*hash.*by hand"):
        fetch_archive(addresses, "0" * 64, tmp_path / "lfw", QUIET)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "member", [("../evil", b"x"), ("/evil", "/etc/passwd"), ("lfw/link", "../../../evil")]
)
def test_a_tar_file_that_leads_out_is_refused_and_leaves_nothing(tmp_path, host, answer, member):
    content = tar_of(*MEMBERS, member)
    url = host.serve("/a", answer(content))
    with pytest.raises(LeamError, match="can't be unpacked"):
        fetch_archive([url], sha256(content), tmp_path / "data" / "lfw", QUIET)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".lfw.archive"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_zip_file_that_leads_out_stays_in(tmp_path, host, answer):
    content = zip_of(("../../evil", b"x"), ("/etc/evil", b"x"))
    url = host.serve("/a", answer(content))
    fetch_archive([url], sha256(content), tmp_path / "data" / "lfw", QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert sorted(path.name for path in (tmp_path / "data" / "lfw").iterdir()) == ["etc", "evil"]


def test_what_is_no_archive_is_one_sentence(tmp_path, host, answer):
    url = host.serve("/a", answer(b"no archive"))
    with pytest.raises(LeamError, match="can't be unpacked"):
        fetch_archive([url], sha256(b"no archive"), tmp_path / "lfw", QUIET)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path, host):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LeamError, match="can't be written"):
        fetch_archive([host.address], "0" * 64, tmp_path / "file" / "lfw", QUIET)
