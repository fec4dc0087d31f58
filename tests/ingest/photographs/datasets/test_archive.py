import io
import tarfile
import zipfile

import pytest

from ingest.photographs.datasets.archive import unpack
from leamstore.errors import LeamError


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


MEMBERS = (("lfw/Ann/Ann_0001.jpg", b"one"), ("lfw/Bo/Bo_0001.jpg", b"two"))


def archive_of(tmp_path, content):
    (tmp_path / "archive").write_bytes(content)
    return tmp_path / "archive"


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_an_archive_is_unpacked_into_a_new_folder(tmp_path, pack):
    root = tmp_path / "data" / "lfw"
    unpack(archive_of(tmp_path, pack(*MEMBERS)), root)
    assert (root / "lfw" / "Ann" / "Ann_0001.jpg").read_bytes() == b"one"
    assert (root / "lfw" / "Bo" / "Bo_0001.jpg").read_bytes() == b"two"
    assert [path.name for path in root.parent.iterdir()] == ["lfw"]


def test_an_empty_folder_gives_way(tmp_path):
    (tmp_path / "lfw").mkdir()
    unpack(archive_of(tmp_path, tar_of(*MEMBERS)), tmp_path / "lfw")
    assert (tmp_path / "lfw" / "lfw" / "Ann").is_dir()


def test_a_folder_that_holds_something_is_not_touched(tmp_path):
    (tmp_path / "lfw" / "mine").mkdir(parents=True)
    with pytest.raises(LeamError, match="can't be unpacked to"):
        unpack(archive_of(tmp_path, tar_of(*MEMBERS)), tmp_path / "lfw")
    assert [path.name for path in (tmp_path / "lfw").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "member", [("../evil", b"x"), ("/evil", "/etc/passwd"), ("lfw/link", "../../../evil")]
)
def test_a_tar_file_that_leads_out_is_refused_and_leaves_nothing(tmp_path, member):
    archive = archive_of(tmp_path, tar_of(*MEMBERS, member))
    with pytest.raises(LeamError, match="can't be unpacked"):
        unpack(archive, tmp_path / "data" / "lfw")
    assert list((tmp_path / "data").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "data"}


def test_a_zip_file_that_leads_out_stays_in(tmp_path):
    archive = archive_of(tmp_path, zip_of(("../../evil", b"x"), ("/etc/evil", b"x")))
    unpack(archive, tmp_path / "data" / "lfw")
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "data"}
    assert {path.name for path in (tmp_path / "data" / "lfw").iterdir()} == {"etc", "evil"}


@pytest.mark.parametrize(
    "content",
    [b"no archive", tar_of(*MEMBERS)[:-30], zip_of(*MEMBERS)[:-30]],
    ids=["text", "tar", "zip"],
)
def test_what_is_no_whole_archive_is_one_sentence_and_leaves_nothing(tmp_path, content):
    with pytest.raises(LeamError, match="archive can't be unpacked"):
        unpack(archive_of(tmp_path, content), tmp_path / "data" / "lfw")
    assert list((tmp_path / "data").iterdir()) == []
