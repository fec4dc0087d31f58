import _thread
import io
import threading
import time
from pathlib import Path

import dlib
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from ingest.downloads.http import NoFileError, Policy
from ingest.photographs.datasets import demo, imdb_face
from ingest.photographs.datasets.imdb_face import Link, crop_face, fetch, read, read_links
from ingest.photographs.datasets.selection import Limits
from leamstore.errors import LeamError

HASTY = Policy(
    timeout=1.2, deadline=6.0, attempts=3, pause=0.01, max_bytes=500_000, connection_failures=2
)
HEADER = "name,index,image,rect,height width,url"


def photograph(width=200, height=100):
    """Return a photograph in which a pixel's red is its column and its green its row."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.arange(width)
    pixels[..., 1] = np.arange(height)[:, None]
    return pixels


def file_of(pixels, suffix="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, suffix)
    return file.getvalue()


def link(rect, width=200, height=100):
    return Link(Path("images"), "Ann", "1.jpg", "http://a/1", rect, width, height)


def write_csv(root, *rows):
    (root / imdb_face.TABLE).write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def fetched(root, **options):
    options = {"policy": HASTY, "console": Console(quiet=True)} | options
    return dict(fetch(root, **options))


class TestTheCrop:
    def test_is_the_rect_and_half_its_longer_side_around_it(self):
        crop = crop_face(photograph(), link((80, 40, 100, 50)))
        assert crop.shape == (10 + 2 * 10, 20 + 2 * 10, 3)
        assert crop[0, 0].tolist() == [70, 30, 0]
        assert crop[-1, -1].tolist() == [109, 59, 0]

    def test_ends_where_the_photograph_ends(self):
        crop = crop_face(photograph(), link((-10, 0, 190, 100)))
        assert crop.shape == (100, 200, 3)

    def test_scales_the_rect_to_the_size_in_which_the_photograph_arrives(self):
        crop = crop_face(photograph(), link((800, 400, 1000, 500), 2000, 1000))
        assert crop[0, 0].tolist() == [70, 30, 0]
        assert crop.shape == (30, 40, 3)

    def test_bears_with_a_size_that_was_rounded(self):
        crop = crop_face(photograph(200, 133), link((8, 4, 10, 5), 20, 13))
        assert crop[0, 0].tolist() == [70, 30, 0]

    def test_of_a_photograph_of_other_proportions_is_refused(self):
        with pytest.raises(NoFileError, match="200 x 120 pixels, not 200 x 100") as error:
            crop_face(photograph(200, 120), link((80, 40, 100, 50)))
        assert error.value.reason == "changed"

    @pytest.mark.parametrize(
        "rect",
        [(200, 0, 220, 50), (0, 100, 50, 150), (50, 50, 50, 60), (60, 50, 50, 60), (-9, 1, 0, 9)],
    )
    def test_of_a_rect_that_holds_nothing_is_refused(self, rect):
        with pytest.raises(NoFileError) as error:
            crop_face(photograph(), link(rect))
        assert error.value.reason == "bad-rect"


class TestTheCsv:
    def test_gives_links(self, tmp_path):
        write_csv(tmp_path, "Ann_Lee,nm1,nm1_rm2.jpg,1 2 30 40,100 200,http://a/1")
        assert read_links(tmp_path) == (
            [
                Link(
                    tmp_path / "images",
                    "Ann_Lee",
                    "nm1_rm2.jpg",
                    "http://a/1",
                    (1, 2, 30, 40),
                    width=200,
                    height=100,
                )
            ],
            0,
        )

    def test_tells_people_of_one_name_apart(self, tmp_path):
        write_csv(
            tmp_path,
            "Ann,nm1,1.jpg,1 2 3 4,9 9,http://a/1",
            "Ann,nm2,1.jpg,1 2 3 4,9 9,http://a/2",
            "Bo,nm3,1.jpg,1 2 3 4,9 9,http://a/3",
        )
        links, _ = read_links(tmp_path)
        assert [link.identity for link in links] == ["Ann_nm1", "Ann_nm2", "Bo"]

    @pytest.mark.parametrize(
        "row",
        [
            "../Ann,nm1,1.jpg,1 2 3 4,9 9,http://a/1",
            "Ann,nm1,../../1.jpg,1 2 3 4,9 9,http://a/1",
            "Ann,nm1,/etc/1.jpg,1 2 3 4,9 9,http://a/1",
            "..,nm1,1.jpg,1 2 3 4,9 9,http://a/1",
            "Ann,nm1,.hidden,1 2 3 4,9 9,http://a/1",
            "Ann,nm1,,1 2 3 4,9 9,http://a/1",
            f"Ann,nm1,{'ü' * 101}.jpg,1 2 3 4,9 9,http://a/1",
            "Ann,nm1,1.jpg,1 2 3,9 9,http://a/1",
            "Ann,nm1,1.jpg,a b c d,9 9,http://a/1",
            "Ann,nm1,1.jpg,1 2 3 ٤,9 9,http://a/1",
            "Ann,nm1,1.jpg,1 2 3 4,9 99999999999999999999,http://a/1",
            "Ann,nm1,1.jpg,1 2 3 4,0 9,http://a/1",
            "Ann,nm1,1.jpg,1 2 3 4,9,http://a/1",
            "Ann,nm1,1.jpg,1 2 3 4,9 9,",
        ],
    )
    def test_may_have_rows_that_cannot_be_used_and_are_counted(self, tmp_path, row):
        write_csv(tmp_path, row, "Bo,nm3,1.jpg,1 2 3 4,9 9,http://a/3")
        links, bad_rows = read_links(tmp_path)
        assert [link.identity for link in links] == ["Bo"]
        assert bad_rows == 1

    def test_that_is_missing_is_one_sentence(self, tmp_path):
        with pytest.raises(LeamError, match=r"There is no .*IMDb-Face\.csv"):
            fetched(tmp_path)

    def test_of_another_kind_is_one_sentence(self, tmp_path):
        (tmp_path / imdb_face.TABLE).write_text("name,image,url\nAnn,1.jpg,http://a/1\n")
        with pytest.raises(LeamError, match="lacks the columns index, rect, height width"):
            fetched(tmp_path)


class TestFetching:
    @pytest.fixture
    def root(self, tmp_path, host, answer):
        """A csv whose addresses fail in every way but two, and the host that does so."""
        whole = file_of(photograph())
        other = file_of(photograph(200, 150))
        page = b"<!DOCTYPE html><html><body>Sorry</body></html>"
        host.answers |= {
            "/good": [answer(whole)],
            "/moved": [answer(status=301, headers={"Location": "/good"})],
            "/again": [answer(status=500), answer(whole[:-50], claimed=len(whole)), answer(whole)],
            "/gone": [answer(status=404)],
            "/forbidden": [answer(status=403)],
            "/broken": [answer(status=500)],
            "/slow": [answer(whole, silence_before=2.4)],
            "/short": [answer(whole, claimed=len(whole) + 1)],
            "/cut": [answer(whole[: len(whole) // 2])],
            "/page": [answer(page, headers={"Content-Type": "image/jpeg"})],
            "/large": [answer(bytes(500_001))],
            "/changed": [answer(whole[:-50], claimed=len(whole)), answer(other)],
        }
        self.write(tmp_path, host)
        return tmp_path

    def write(self, root, host):
        rows = [
            f"Ann,nm1,{path[1:]}.jpg,80 40 100 50,100 200,{host.address}{path}"
            for path in host.answers
        ]
        write_csv(root, *rows)

    def test_saves_what_can_be_had_and_counts_the_rest_by_reason(self, root):
        outcomes = fetched(root)
        assert outcomes == {
            "saved": 3,
            "gone": 1,
            "refused": 1,
            "server-error": 1,
            "slow": 1,
            "truncated": 2,
            "not-an-image": 1,
            "too-large": 1,
            "changed": 1,
        }
        assert set(outcomes) - {"saved"} <= set(imdb_face.REASONS)
        saved = [photograph.path.name for photograph in read(root).photographs]
        assert saved == ["again.jpg", "good.jpg", "moved.jpg"]

    def test_a_saved_image_is_the_crop(self, root):
        fetched(root)
        with Image.open(root / "images" / "Ann" / "good.jpg") as image:
            assert image.format == "JPEG"
            assert np.abs(np.asarray(image).astype(int) - photograph()[30:60, 70:110]).mean() < 3

    def test_nothing_but_whole_images_lies_about(self, root):
        fetched(root)
        files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        assert files == {
            "IMDb-Face.csv",
            "downloads.jsonl",
            "images/Ann/again.jpg",
            "images/Ann/good.jpg",
            "images/Ann/moved.jpg",
        }

    def test_a_second_run_asks_only_what_is_new(self, root, host, answer):
        fetched(root)
        host.serve("/new", answer(file_of(photograph())))
        self.write(root, host)
        host.asked.clear()
        assert fetched(root) == {"there": 3, "remembered": 9, "saved": 1}
        assert dict(host.asked) == {"/new": 1}

    def test_reading_tells_how_many_links_gave_nothing_and_why(self, root):
        fetched(root)
        assert read(root).notes == (
            "9 links gave no image: 2 truncated, 1 changed, 1 gone, 1 not-an-image, 1 refused, "
            "1 server-error, 1 slow, 1 too-large.",
        )

    def test_an_image_that_was_deleted_is_asked_for_again(self, root):
        fetched(root)
        (root / "images" / "Ann" / "good.jpg").unlink()
        assert fetched(root)["saved"] == 1

    def test_no_more_identities_and_images_are_asked_than_wanted(self, tmp_path, host, answer):
        host.serve("/good", answer(file_of(photograph())))
        write_csv(
            tmp_path,
            *(
                f"P{person},nm{person},{n}.jpg,80 40 100 50,100 200,{host.address}/good"
                for person in range(5)
                for n in range(4)
            ),
        )
        assert fetched(tmp_path, limits=Limits(max_identities=3, max_images=2)) == {"saved": 6}
        assert host.asked["/good"] == 6
        assert len(list((tmp_path / "images").iterdir())) == 3

    def test_a_broken_connection_is_not_held_against_the_address(self, tmp_path, host, answer):
        address = host.address
        rows = [f"Ann,nm1,{n}.jpg,80 40 100 50,100 200,{address}/{n}" for n in range(5)]
        write_csv(tmp_path, *rows)
        host.close()
        outcomes = fetched(tmp_path, workers=1)
        assert outcomes == {"unreachable": 2, "not-asked": 3}
        assert fetched(tmp_path, workers=1) == outcomes

    def test_many_addresses_are_fetched_by_many_threads(self, tmp_path, host, answer):
        host.serve("/good", answer(file_of(photograph())))
        write_csv(
            tmp_path,
            *(f"Ann,nm1,{n}.jpg,80 40 100 50,100 200,{host.address}/good" for n in range(100)),
        )
        assert fetched(tmp_path, workers=8) == {"saved": 100}
        assert 1 < host.most_at_once <= HASTY.per_host

    def test_a_folder_that_cannot_be_written_stops_the_run_in_one_sentence(self, root, host):
        (root / "images").write_bytes(b"")
        with pytest.raises(LeamError, match="can't be written"):
            fetched(root, workers=1)

    def test_ctrl_c_ends_it_soon_and_it_goes_on_later(self, tmp_path, host, answer):
        slow = answer(file_of(photograph()), silence_before=0.05)
        urls = [host.serve(f"/{n}", slow) for n in range(40)]
        rows = [f"Ann,nm1,{n}.jpg,80 40 100 50,100 200,{url}" for n, url in enumerate(urls)]
        write_csv(tmp_path, *rows)
        ctrl_c = threading.Timer(0.3, _thread.interrupt_main)
        ctrl_c.start()
        with pytest.raises(KeyboardInterrupt):
            fetched(tmp_path, workers=1)
        time.sleep(0.1)
        assert 0 < sum(host.asked.values()) < 20
        outcomes = fetched(tmp_path)
        assert outcomes["there"] > 0
        assert outcomes["saved"] + outcomes["there"] == 40

    def test_offline_nobody_is_asked(self, root, host, monkeypatch):
        monkeypatch.setenv("LEAM_OFFLINE", "1")
        with pytest.raises(LeamError, match="LEAM_OFFLINE"):
            fetched(root)
        assert not host.asked

    def test_progress_tells_what_came_of_it(self, root):
        console = Console(record=True, width=200, force_terminal=True, file=io.StringIO())
        fetched(root, console=console)
        assert "12/12" in console.export_text()
        assert "3 saved, 2 truncated" in console.file.getvalue()


class TestReading:
    def test_before_anything_was_fetched_is_one_sentence(self, tmp_path):
        write_csv(tmp_path, "Bo,nm3,1.jpg,1 2 3 4,9 9,http://a/3")
        with pytest.raises(LeamError, match="fetch it first"):
            read(tmp_path)

    def test_genders_come_from_a_csv_file_beside_the_images(self, tmp_path):
        (tmp_path / "images" / "Ann").mkdir(parents=True)
        (tmp_path / "images" / "Ann" / "1.jpg").write_bytes(b"")
        (tmp_path / "identities.csv").write_text("identity,gender\nAnn,female\n")
        (photo,) = read(tmp_path).photographs
        assert (photo.identity, photo.gender, photo.dataset) == ("Ann", "female", "imdb-face")


def test_of_a_real_photograph_of_two_people_one_face_is_left(tmp_path, host, answer):
    first, *_, last = demo.read(tmp_path / "demo").photographs
    both = np.concatenate([np.asarray(Image.open(photo.path)) for photo in (first, last)], axis=1)
    detector = dlib.get_frontal_face_detector()
    face = max(detector(both, 1), key=lambda box: box.left())
    rect = f"{face.left()} {face.top()} {face.right()} {face.bottom()}"
    url = host.serve("/both", answer(file_of(both, "JPEG")))
    write_csv(tmp_path, f"Grace,nm1,1.jpg,{rect},{both.shape[0]} {both.shape[1]},{url}")
    assert fetched(tmp_path) == {"saved": 1}
    (photo,) = read(tmp_path).photographs
    assert len(detector(both, 1)) == 2
    assert len(detector(np.asarray(Image.open(photo.path)), 1)) == 1
