"""What a folder may go through between two ingests, and what the lake holds afterwards."""

import shutil
import unicodedata
from itertools import chain

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from rich.progress import Progress

from ingest.faces.parsers import open_parser
from ingest.photographs.datasets import open_dataset
from ingest.run.pipeline import ingest_photographs
from ingest.run.plan import Plan
from leamstore import arrays
from leamstore.errors import LeamError
from leamstore.lake import Lake, LakeSettings
from leamstore.safety.verify import verify
from tests.small_network import small_catalog, small_request

LAYER = "conv1"


def ingest(lake, folder, *, models=("cosine",), prune=False, **settings):
    """Ingest a folder of identities; a model for each target."""
    requests = [small_request(layers=(LAYER,), target=target) for target in models]
    photographs = open_dataset("folder", folder, small_catalog()).photographs
    plan = Plan(
        photographs, requests, parser(), torch.device("cpu"), 16, 1,
        prune=prune, **settings,
    )  # fmt: skip
    return ingest_photographs(lake, plan, Progress(disable=True))


def parser():
    return open_parser("landmarks", catalog=small_catalog())


def new_lake(path, crops=True):
    return Lake.create(path, LakeSettings("landmarks", keep_pairs=1, crops=crops, seed=0))


def mirrored(path):
    with Image.open(path) as image:
        ImageOps.mirror(image).save(path, quality=95)


def contents(lake):
    """Return all that a lake says, images named by identity and content, to the bit."""
    with lake.kept_open():
        return _contents(lake)


def _contents(lake):
    named = lake.sql(
        "SELECT image_id, identity || ' ' || sha256 AS name FROM images WHERE image_id IS NOT NULL"
    )
    names = dict(named.iter_rows())
    said = {"images": set(lake.sql(
        "SELECT path, identity, sha256, bytes, modified, status, reason, detail, "
        "crop_to_identity::VARCHAR, crop_to_canonical::VARCHAR FROM images"
    ).iter_rows())}  # fmt: skip
    for table in ("embeddings", "pairs", "pair_regions", "image_regions"):
        rows = lake.sql(f"FROM {table}").drop("pair_id", strict=False).to_dicts()
        said[table] = {
            repr(row | {key: names[row[key]] for key in row if key in KEYS}) for row in rows
        }
    for store, name in _arrays(lake):
        values = arrays.open_array(store, name)[:]
        if name.rpartition("/")[2] in ("relevance", "peak", "crop", "landmarks"):
            said[name] = {names[i]: values[i].tobytes() for i in names if i < len(values)}
    return said


KEYS = ("image_id", "anchor", "positive")


def _arrays(lake):
    models = lake.sql("SELECT model, layer FROM layers").iter_rows()
    maps = (
        (lake.maps_path, f"{m}/{layer}/{a}") for m, layer in models for a in ("relevance", "peak")
    )
    return chain(maps, [(lake.faces_path, "labels/landmarks"), (lake.faces_path, "crop")])


def stored_files(lake):
    return {file: file.read_bytes() for file in lake.maps_path.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def faces(demo_photographs, tmp_path_factory):
    """Two people, three photographs each."""
    folder = tmp_path_factory.mktemp("faces")
    for path in sorted(demo_photographs.rglob("*.jpg")):
        if path.stem[-1] in "123":
            target = folder / "faces" / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return folder / "faces"


@pytest.fixture(scope="module")
def made(faces, tmp_path_factory):
    return make(tmp_path_factory.mktemp("made") / "place", faces)


@pytest.fixture(scope="module")
def made_bare(faces, tmp_path_factory):
    return make(tmp_path_factory.mktemp("bare") / "place", faces, crops=False)


@pytest.fixture
def place(made):
    """A folder of photographs and its lake, which a test may change."""
    return restored(made)


@pytest.fixture
def bare_place(made_bare):
    """The same with a lake that keeps no crops."""
    return restored(made_bare)


def make(place, faces, **settings):
    """Copy the photographs and make their lake; and keep a copy of both, as they were made."""
    shutil.copytree(faces, place / "faces")
    ingest(new_lake(place / "made.lake", **settings), place / "faces")
    shutil.copytree(place, place.with_name("copy"))
    return place


def restored(place):
    shutil.rmtree(place)
    shutil.copytree(place.with_name("copy"), place)
    return place


def assert_equals_a_lake_made_anew(lake, folder, **settings):
    fresh = new_lake(folder.parent / "fresh.lake", **settings)
    ingest(fresh, folder)
    ours, theirs = contents(lake), contents(fresh)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert values == theirs[name], name
    assert verify(lake) == []


def test_a_folder_under_another_path_is_the_same_photographs(place, tmp_path):
    shutil.copytree(place, tmp_path / "moved")
    lake, faces = Lake(tmp_path / "moved" / "made.lake"), tmp_path / "moved" / "faces"
    before = stored_files(lake)
    outcome = ingest(lake, faces)
    assert (outcome.looked_at, outcome.units) == (0, 0)
    paths = lake.sql("SELECT path FROM images")["path"]
    assert all(path.startswith(str(faces)) for path in paths)
    assert stored_files(lake) == before


@pytest.mark.parametrize("how", ["link", "dots", "relative"])
def test_other_ways_to_the_folder_are_the_same_photographs(place, monkeypatch, how):
    lake = Lake(place / "made.lake")
    if how == "link":
        (place / "link").symlink_to(place / "faces")
        folder = place / "link"
    elif how == "dots":
        folder = place / "faces" / ".." / "faces"
    else:
        monkeypatch.chdir(place)
        folder = (place / "faces").relative_to(place)
    before = stored_files(lake)
    outcome = ingest(lake, folder)
    assert (outcome.looked_at, outcome.units, outcome.departed) == (0, 0, 0)
    assert stored_files(lake) == before
    assert lake.sql("SELECT count(*) FROM images").item() == 6


def test_renamed_files_keep_their_maps(place):
    lake, ada = Lake(place / "made.lake"), place / "faces" / "Eileen_Collins"
    first, second, third = sorted(ada.glob("*.jpg"))
    third.rename(ada / "swap.jpg")
    second.rename(third)
    first.rename(second)
    (ada / "swap.jpg").rename(first)
    before = stored_files(lake)
    outcome = ingest(lake, place / "faces", prune=True)
    assert (outcome.looked_at, outcome.units, outcome.departed) == (0, 0, 0)
    assert stored_files(lake) == before
    assert_equals_a_lake_made_anew(lake, place / "faces")


def test_a_file_that_was_only_touched_is_the_same_photograph(place):
    lake = Lake(place / "made.lake")
    first = next((place / "faces").rglob("*.jpg"))
    first.touch()
    outcome = ingest(lake, place / "faces")
    assert (outcome.looked_at, outcome.units) == (0, 0)
    assert_equals_a_lake_made_anew(lake, place / "faces")


def test_a_replaced_file_changes_its_identity_and_nothing_else(place):
    lake = Lake(place / "made.lake")
    mirrored(place / "faces" / "Grace_Hopper" / "Grace_Hopper_0002.jpg")
    outcome = ingest(lake, place / "faces")
    assert (outcome.looked_at, outcome.images) == (1, 3)
    assert_equals_a_lake_made_anew(lake, place / "faces")


def test_a_photograph_moved_to_the_right_person_counts_there(place):
    lake, faces = Lake(place / "made.lake"), place / "faces"
    (faces / "Grace_Hopper" / "Grace_Hopper_0003.jpg").rename(faces / "Eileen_Collins" / "new.jpg")
    outcome = ingest(lake, faces)
    assert (outcome.looked_at, outcome.images) == (0, 2 + 4)
    assert_equals_a_lake_made_anew(lake, faces)


def test_deleted_photographs_stay_and_are_said_until_pruned(place):
    lake, faces = Lake(place / "made.lake"), place / "faces"
    before = contents(lake)
    (faces / "Grace_Hopper" / "Grace_Hopper_0003.jpg").unlink()
    outcome = ingest(lake, faces)
    assert (outcome.departed, outcome.departed_identities, outcome.units) == (1, 1, 0)
    assert contents(lake) == before
    outcome = ingest(lake, faces, prune=True)
    assert (outcome.departed, outcome.pruned, outcome.images) == (1, True, 2)
    assert_equals_a_lake_made_anew(lake, faces)


def test_a_person_who_is_gone_can_be_pruned(place):
    lake, faces = Lake(place / "made.lake"), place / "faces"
    shutil.rmtree(faces / "Grace_Hopper")
    assert ingest(lake, faces).departed == 3
    outcome = ingest(lake, faces, prune=True)
    assert (outcome.departed, outcome.units) == (3, 0)
    assert_equals_a_lake_made_anew(lake, faces)


def test_all_at_once_under_another_path_ends_in_the_lake_of_the_final_folder(place):
    lake, faces = Lake(place / "made.lake"), place / "elsewhere"
    shutil.copytree(place / "faces", faces)
    (faces / "Grace_Hopper" / "Grace_Hopper_0001.jpg").rename(faces / "Grace_Hopper" / "a.jpg")
    mirrored(faces / "Grace_Hopper" / "Grace_Hopper_0002.jpg")
    (faces / "Eileen_Collins" / "Eileen_Collins_0003.jpg").unlink()
    ingest(lake, faces, prune=True)
    assert_equals_a_lake_made_anew(lake, faces)


def test_photographs_of_another_folder_have_not_departed(place, faces):
    lake = Lake(place / "made.lake")
    other = place / "other" / "Ada"
    for number in (1, 2):
        other.mkdir(parents=True, exist_ok=True)
        shutil.copy(faces / "Grace_Hopper" / f"Grace_Hopper_000{number}.jpg", other)
        mirrored(other / f"Grace_Hopper_000{number}.jpg")
    outcome = ingest(lake, place / "other", prune=True)
    assert (outcome.departed, outcome.images) == (0, 2)
    assert lake.images.height == 6 + 2


def test_a_selection_of_the_folder_makes_nobody_depart(place):
    lake = Lake(place / "made.lake")
    every = open_dataset("folder", place / "faces").photographs
    plan = Plan(
        every[:2], (), parser(), torch.device("cpu"), 16, 1,
        present=every, prune=True,
    )  # fmt: skip
    assert ingest_photographs(lake, plan, Progress(disable=True)).departed == 0
    assert lake.images.height == 6


def test_copies_are_kept_once(place):
    lake, faces = Lake(place / "made.lake"), place / "faces"
    before = stored_files(lake)
    shutil.copy(
        faces / "Grace_Hopper" / "Grace_Hopper_0001.jpg", faces / "Grace_Hopper" / "z (copy).jpg"
    )
    ingest(lake, faces)
    assert stored_files(lake) == before
    rejected = lake.sql("SELECT path, reason FROM images WHERE status = 'rejected'").rows()
    assert rejected == [(str(faces / "Grace_Hopper" / "z (copy).jpg"), "duplicate")]
    assert_equals_a_lake_made_anew(lake, faces)


def test_a_photograph_under_two_people_is_kept_under_neither_until_one_is_gone(place):
    lake, faces = Lake(place / "made.lake"), place / "faces"
    copy = faces / "Eileen_Collins" / "copy.jpg"
    shutil.copy(faces / "Grace_Hopper" / "Grace_Hopper_0001.jpg", copy)
    ingest(lake, faces)
    rejected = lake.sql("SELECT identity, reason FROM images WHERE status = 'rejected' ORDER BY 1")
    reason = "duplicate-of-another-person"
    assert rejected.rows() == [("Eileen_Collins", reason), ("Grace_Hopper", reason)]
    assert_equals_a_lake_made_anew(lake, faces)
    copy.unlink()
    ingest(lake, faces, prune=True)
    assert lake.images.height == 6


def test_composed_and_decomposed_names_are_one_person(faces, tmp_path):
    for number, form in enumerate(("NFC", "NFD"), 1):
        folder = tmp_path / "faces" / unicodedata.normalize(form, "Zoë")
        folder.mkdir(parents=True)
        shutil.copy(faces / "Grace_Hopper" / f"Grace_Hopper_000{number}.jpg", folder)
    lake = new_lake(tmp_path / "a.lake")
    ingest(lake, tmp_path / "faces")
    assert lake.images["identity"].to_list() == [unicodedata.normalize("NFC", "Zoë")] * 2


def test_a_further_model_reads_the_crop_of_a_photograph_that_is_gone(place):
    lake, faces = Lake(place / "made.lake"), place / "faces"
    first = contents(lake)
    gone = faces / "Grace_Hopper" / "Grace_Hopper_0003.jpg"
    gone.unlink()
    ingest(lake, faces, models=("cosine", "dot"))
    counts = lake.sql("SELECT model, count(*) FROM embeddings GROUP BY 1 ORDER BY 1").rows()
    assert counts == [("SMALL", 6), ("SMALL@dot", 6)]
    vectors = dict(lake.sql(
        "SELECT model, vector FROM embeddings JOIN images USING (image_id) WHERE path = ?",
        [str(gone)],
    ).iter_rows())  # fmt: skip
    of_photograph, of_crop = (np.array(vector) for vector in vectors.values())
    cosine = of_photograph @ of_crop / np.linalg.norm(of_photograph) / np.linalg.norm(of_crop)
    assert 0.98 < cosine < 1, "sampled twice, and so a little smoother"
    assert contents(lake)["pairs"] > first["pairs"]
    assert verify(lake) == []


def test_an_identity_that_changes_keeps_photographs_that_are_gone_by_their_crops(place):
    lake, faces = Lake(place / "made.lake"), place / "faces"
    crops = contents(lake)["crop"]
    (faces / "Grace_Hopper" / "Grace_Hopper_0003.jpg").unlink()
    mirrored(faces / "Grace_Hopper" / "Grace_Hopper_0001.jpg")
    ingest(lake, faces)
    assert lake.images.height == 6
    kept = [name for name in contents(lake)["crop"] if name in crops]
    assert len(kept) == 5
    assert all(contents(lake)["crop"][name] == crops[name] for name in kept)
    assert verify(lake) == []


def test_without_crops_a_further_model_lacks_what_is_gone_and_does_the_rest(bare_place):
    lake = Lake(bare_place / "made.lake")
    (bare_place / "faces" / "Grace_Hopper" / "Grace_Hopper_0003.jpg").unlink()
    ingest(lake, bare_place / "faces", models=("cosine", "dot"))
    counts = lake.sql("SELECT model, count(*) FROM pairs GROUP BY 1 ORDER BY 1").rows()
    assert counts == [("SMALL", 12), ("SMALL@dot", 8)]
    units = lake.sql("SELECT model, images FROM units WHERE pairs > 0 ORDER BY ALL").rows()
    assert units == [("SMALL", 6), ("SMALL@dot", 5)]
    assert verify(lake) == []
    assert ingest(lake, bare_place / "faces", models=("cosine", "dot")).units == 0


def test_a_target_that_needs_all_images_says_which_is_gone(bare_place):
    lake = Lake(bare_place / "made.lake")
    (bare_place / "faces" / "Grace_Hopper" / "Grace_Hopper_0003.jpg").unlink()
    with pytest.raises(LeamError, match=r"Grace_Hopper_0003.jpg is no longer there.*--prune"):
        ingest(lake, bare_place / "faces", models=("cosine", "impostor"))


def test_without_crops_an_identity_that_changes_loses_what_is_gone(bare_place, faces):
    lake = Lake(bare_place / "made.lake")
    (bare_place / "faces" / "Grace_Hopper" / "Grace_Hopper_0003.jpg").unlink()
    mirrored(bare_place / "faces" / "Grace_Hopper" / "Grace_Hopper_0001.jpg")
    ingest(lake, bare_place / "faces")
    rejected = lake.sql("SELECT reason, detail FROM images WHERE status = 'rejected'").rows()
    assert [reason for reason, _ in rejected] == ["departed"]
    assert lake.images.height == 5
    assert verify(lake) == []
    shutil.copy2(
        faces / "Grace_Hopper" / "Grace_Hopper_0003.jpg", bare_place / "faces" / "Grace_Hopper"
    )
    ingest(lake, bare_place / "faces")
    assert lake.images.height == 6, "it is kept again when it comes back"
