"""Folders, csv files, catalogs, archives and weights that somebody else made."""

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from tests.robustness.hostile import readers
from tests.robustness.hostile.case import TRACE, Case, Room


def written(name: str, content: bytes | str) -> Callable[[Room], Path]:
    def make(room: Room) -> Path:
        path = room.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def identities(table: bytes | str, name: str = "identities.csv") -> Callable[[Room], Path]:
    """A folder with an identity of one image, and a csv file."""

    def make(room: Room) -> Path:
        root = room.folder / "people [1]*"
        (root / "Ada").mkdir(parents=True)
        (root / "Ada" / "1.jpg").write_bytes(b"")
        (root / name).write_bytes(table.encode() if isinstance(table, str) else table)
        return root

    return make


def folder_of(*names: str) -> Callable[[Room], Path]:
    def make(room: Room) -> Path:
        root = room.folder / "people"
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return root

    return make


def lfw_in_itself(room: Room) -> Path:
    root = room.folder / "lfw"
    root.mkdir()
    (root / "lfw").symlink_to(".")
    return root


def imdb_table(*rows: str) -> Callable[[Room], Path]:
    def make(room: Room) -> Path:
        root = room.folder / "imdb"
        root.mkdir()
        head = "name,index,image,rect,height width,url"
        (root / "IMDb-Face.csv").write_text("\n".join([head, *rows]))
        return root

    return make


def zipped(content: bytes = b"hello") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("Ada/1.jpg", content)
    return stream.getvalue()


def changed_in_both_headers(offset: int, value: int) -> bytes:
    """A zip file of which a field is changed in the member's header and in the directory."""
    content = bytearray(zipped())
    content[offset] = content[content.find(b"PK\x01\x02") + offset + 2] = value
    return bytes(content)


def tarred(**facts: object) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        member = tarfile.TarInfo("Ada/1.jpg")
        for fact, value in facts.items():
            setattr(member, fact, value)
        file.addfile(member)
    return stream.getvalue()


def huge_tar() -> bytes:
    member = tarfile.TarInfo("Ada/1.jpg")
    member.size = 2**60
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


class Intruder:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder / TRACE),)


def checkpoint(room: Room) -> Path:
    torch.save({"a": Intruder(room.folder)}, room.folder / "w.pth")
    return room.folder / "w.pth"


def bare_pickle(room: Room) -> Path:
    (room.folder / "w.pth").write_bytes(pickle.dumps(Intruder(room.folder), 4))
    return room.folder / "w.pth"


def packed_checkpoint(room: Room) -> Path:
    whole, path = io.BytesIO(), room.folder / "w.pth"
    torch.save({"a": torch.zeros(10**6)}, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in source.namelist():
            file.writestr(name, source.read(name))
    return path


def safetensors(header: object) -> Callable[[Room], Path]:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return written("w.safetensors", struct.pack("<Q", len(text)) + text)


def pipe(room: Room) -> Path:
    os.mkfifo(room.folder / "w.pth")
    return room.folder / "w.pth"


def model(**fields: object) -> str:
    return json.dumps({"models": {"NET": fields}})


BOMB = "\n".join(
    [
        "metadata:",
        '  a0: &a0 ["ha"]',
        *(f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)),
    ]
)
COLUMNS = b"identity," + b",".join(b"c%d" % number for number in range(10**6)) + b"\nAda\n"
CSV = r"can't be read as csv in UTF-8: "
PLAIN = r"is not plain YAML: "
DAMAGED = r"is damaged, incomplete, or no file of tensors: get it again from its own page\."

_FOLDERS = [
    (
        "csv: no column of identities",
        "name,gender\nAda,f\n",
        r".*identities\.csv needs the columns identity and gender or .*, but has name, gender\.",
    ),
    ("csv: a BOM", "\ufeffidentity,gender\nAda,f\n", r".* covers 1 of 1 identities\."),
    ("csv: a column twice", "identity,Gender,gender\nAda,f,m\n", rf".*{CSV}.*duplicate.*\."),
    (
        "csv: somebody twice, with two genders",
        "identity,gender\nAda,f\nAda,m\n",
        r".* contradicts itself about Ada: keep one row per identity\.",
    ),
    ("csv: a million columns", COLUMNS, rf".*{CSV}its first row is longer than 65,536 bytes\."),
    (
        "csv: a formula",
        'identity,gender\nAda,"=HYPERLINK(""http://x"")"\n',
        r".* covers 1 of 1 identities\.",
    ),
    (
        "csv: packed, to be unpacked without end",
        gzip.compress(bytes(10**7)),
        rf".*{CSV}it is packed\.",
    ),
    (
        "csv: in UTF-16",
        "identity,gender\nAda,f\n".encode("utf-16"),
        rf".*{CSV}'utf-8' codec can't decode byte .*\.",
    ),
    ("csv: a quote that never ends", 'identity,gender\n"Ada,f\n', rf".*{CSV}.*\."),
    (
        "csv: rows longer than their names",
        "identity,gender\nAda,f,1,2\n",
        rf".*{CSV}row 2 has 4 cells, and the row of names has 2\.",
    ),
    ("csv: zeros", b"\0" * 1000, r".*identities\.csv .*"),
]

_CATALOGS = [
    ("catalog: aliases of aliases", BOMB, r".*:1: stands for more than 100,000 values\."),
    (
        "catalog: a tag that runs code",
        f"metadata: !!python/object/apply:os.mkdir ['{TRACE}']",
        rf".*:1: {PLAIN}could not determine a constructor .*",
    ),
    ("catalog: nested without end", "[" * 2000, r".*:1: is nested too deeply\."),
    (
        "catalog: a day that isn't",
        "metadata: {made: 2001-13-45}",
        r".*:1: holds a value that can't be read: month must be in 1\.\.12\.",
    ),
    (
        "catalog: a truth that isn't",
        "metadata: {a: !!bool maybe}",
        r".*:1: holds a value that can't be read: 'maybe'\.",
    ),
    (
        "catalog: a number of 100,000 digits",
        f"metadata: {{a: {'1' * 10**5}}}",
        r".*:1: has a number of more than 300 characters\.",
    ),
    (
        "catalog: a number that can't be printed",
        f"models: {{NET: {{input_size: -0x{'f' * 9000}}}}}",
        r".*:1: has a number of more than 300 characters\.",
    ),
    (
        "catalog: 3,000 fields that aren't",
        model(**{f"f{i}": 1 for i in range(3000)}),
        r"[\s\S]*and 2,963 more mistakes in this file\.",
    ),
    (
        "catalog: a file outside of the cache",
        model(weights={"file": "../../etc/x"}),
        r"[\s\S]*must be a path below the cache folder[\s\S]*",
    ),
    (
        "catalog: a file whose name holds zero",
        model(weights={"file": "a\0b"}),
        r"[\s\S]*'a\\x00b' is no name of a file[\s\S]*",
    ),
    ("catalog: bytes", b"\xff\xfe\0\0\xff", rf".*:1: {PLAIN}.*"),
]

_ARCHIVES = [
    (
        "archive: encrypted",
        changed_in_both_headers(6, 1),
        r".*can't be unpacked: .* is encrypted, password required for extraction\.",
    ),
    (
        "archive: packed in an unknown way",
        changed_in_both_headers(8, 99),
        r".*can't be unpacked: That compression method is not supported\.",
    ),
    ("archive: a tar of an exbibyte", huge_tar(), r".*can't be unpacked.*"),
    (
        "archive: a tar that writes elsewhere",
        tarred(name="../x.jpg"),
        r".*can't be unpacked: .* outside .*",
    ),
    (
        "archive: a tar with a link that leads out",
        tarred(type=tarfile.SYMTYPE, linkname="/etc"),
        r".*can't be unpacked: .*",
    ),
    (
        "archive: a tar with a device",
        tarred(type=tarfile.CHRTYPE),
        r".*can't be unpacked: .* is a special file\.",
    ),
    ("archive: half of one", zipped(os.urandom(1000))[:600], r".*can't be unpacked: .*"),
]

_HEADERS = [
    (
        "weights: a header that is longer than the file",
        written("w.safetensors", struct.pack("<Q", 2**63) + b"{"),
        "header too large",
    ),
    (
        "weights: tensors of more bytes than there are",
        safetensors({"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 0]}}),
        "overflow",
    ),
    (
        "weights: a header nested without end",
        safetensors(b'{"a":' + b"[" * 10**5),
        "recursion limit exceeded",
    ),
]

_HOSTS = [
    ("host: a web page", "html", r".* gave a file that is a web page instead of the file\. Get .*"),
    (
        "host: more bytes than the file has",
        "endless",
        r".* gave no file \(more than the 16,384 bytes that it has\)\. Get .*",
    ),
    (
        "host: more than any disk holds",
        "huge",
        r"There is no space left in .* for zoo/w\.pth: make room there, .*",
    ),
    ("host: redirects in a circle", "loop", r".* redirects without end\. Get .*"),
    (
        "host: redirects to a file of ours",
        "ours",
        r".* gave no file \(No connection adapters .* 'file:///etc/hostname'\)\. Get .*",
    ),
    (
        "host: breaks off again and again",
        "truncated",
        r".* broke off before the file was complete\. Get .*",
    ),
    ("host: falls silent", "slow", r".* was silent for too long\. Get .*"),
    (
        "host: speaks no HTTP",
        "garbled",
        r".*could not be reached\. Get .*|.*broke off before the file was complete\. Get .*",
    ),
]

_IMAGE_HOSTS = [
    (
        "image host: more bytes than an image has",
        "endless",
        r"too-large: .* gives more than 1 MiB\.",
    ),
    ("image host: a bomb", "packed", r"too-large: .* gives more than 1 MiB\."),
    ("image host: redirects to a file of ours", "ours", r"bad-address: .*"),
]

CASES = [
    *(Case(name, identities(table), readers.folder, answer) for name, table, answer in _FOLDERS),
    Case(
        "csv: an age without end",
        identities("path,age\nAda/1.jpg,1e999\n", "images.csv"),
        readers.folder,
        r"images\.csv says that .* aged '1e999': age is a number of years from 0 to 150\.",
    ),
    Case(
        "csv: paths that lead out",
        identities("path,age\n../../etc/passwd,1\n", "images.csv"),
        readers.folder,
        r".* covers 0 of 1 images; 1 row without a match here \(\.\./\.\./etc/passwd\)\.",
    ),
    Case(
        "folder: identities with line ends and quotes",
        folder_of("A\nda'\"/1.jpg", "😀/..jpg"),
        readers.folder,
        r"""\('A\\nda\\'"', '1\.jpg'\).*""",
    ),
    Case(
        "folder: LFW in LFW without end",
        lfw_in_itself,
        readers.lfw,
        r".* but no folder of an identity: .*",
    ),
    Case(
        "folder: FG-NET with other names",
        folder_of("001A02.JPG.exe", "1A2.jpg"),
        readers.fgnet,
        r"No file in .* is named as FG-NET's are, .*",
    ),
    Case(
        "IMDb-Face: names that lead out",
        imdb_table("../..,1,x.jpg,0 0 1 1,2 2,http://a/", "Ada,1,../x.jpg,0 0 1 1,2 2,http://a/"),
        readers.imdb,
        r"0 links, 2 rows that can't be used",
    ),
    Case(
        "IMDb-Face: rects that are none",
        imdb_table("Ada,1,x.jpg,0 0 1e9 nan,2 2,http://a/", "Ada,2,y.jpg,0 0 1 1,0 0,http://a/"),
        readers.imdb,
        r"0 links, 2 rows that can't be used",
    ),
    Case(
        "ledger: nested without end",
        written("downloads.jsonl", "[" * 10**5),
        readers.ledger,
        r"\{\}",
    ),
    Case(
        "ledger: reasons that are none",
        written("downloads.jsonl", '{"image":"a","url":"b","reason":["x"]}\n\xff'),
        readers.ledger,
        r"\{\}",
    ),
    *(
        Case(name, written("a.yaml", text), readers.catalog, rf"The catalog has .*:\n{answer}")
        for name, text, answer in _CATALOGS
    ),
    *(
        Case(name, written("a.zip", content), readers.archive, answer)
        for name, content, answer in _ARCHIVES
    ),
    Case(
        "weights: a checkpoint that runs code",
        checkpoint,
        readers.weights,
        r".* wants to run posix\.mkdir when it is read, .*; nothing was run\. .*",
    ),
    Case(
        "weights: a pickle that runs code",
        bare_pickle,
        readers.weights,
        r".* is a pickle of a newer kind than torch's, .*; nothing was run\. .*",
    ),
    Case(
        "weights: packed, to be unpacked without end",
        packed_checkpoint,
        readers.weights,
        r".* holds more than its size: .*",
    ),
    Case(
        "weights: a pipe", pipe, readers.weights, r".* cannot be read: it is not a regular file\."
    ),
    Case("weights: no byte", written("w.pth", b""), readers.weights, rf".* {DAMAGED}"),
    *(
        Case(
            name, make, readers.weights, rf".* is damaged, or no file of safetensors: .*{said}.*\."
        )
        for name, make, said in _HEADERS
    ),
    *(
        Case(name, lambda _, behaviour=behaviour: behaviour, readers.host, answer)
        for name, behaviour, answer in _HOSTS
    ),
    *(
        Case(name, lambda _, behaviour=behaviour: behaviour, readers.image_host, answer)
        for name, behaviour, answer in _IMAGE_HOSTS
    ),
]
