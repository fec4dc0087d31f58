import numpy as np

from ingest.faces.survey import as_frame
from ingest.run.placement import place_images
from leamstore import geometry, schema
from leamstore.arrays import SHARD_IMAGES

COLUMNS = [column.name for column in schema.table("images").columns]
FACE = np.random.default_rng(0).uniform(100, 400, (68, 2))


def image(identity, number, status="pending", image_id=None, landmarks=FACE):
    return dict.fromkeys(COLUMNS) | {
        "identity": identity,
        "path": f"{identity}/{number:02d}.jpg",
        "sha256": f"{identity}{number}",
        "dataset": "test",
        "status": status,
        "image_id": image_id,
        "landmarks": None if landmarks is None else landmarks.tolist(),
        "crop_to_image": None if landmarks is None else np.eye(2, 3).tolist(),
    }


def placement(*rows, **settings):
    return place_images(as_frame(list(rows)), seed=0, **settings)


def placed(*rows, **settings):
    return placement(*rows, **settings).rows


def verdicts(rows):
    return {path: (status, reason) for path, status, reason in
            rows.select("path", "status", "reason").iter_rows()}  # fmt: skip


def test_waiting_identities_get_image_ids_in_the_order_of_their_contents():
    rows = placed(image("Bea", 2), image("Ada", 2), image("Bea", 1), image("Ada", 1))
    places = dict(rows.select("path", "image_id").iter_rows())
    assert places == {"Ada/01.jpg": 0, "Ada/02.jpg": 1, "Bea/01.jpg": 2, "Bea/02.jpg": 3}
    assert rows["status"].unique().to_list() == ["kept"]


def test_a_lone_image_is_rejected_with_a_reason():
    lone = image("Cy", 1)
    without_face = image("Cy", 2, status="rejected", landmarks=None)
    rows = placed(lone, without_face)
    assert rows.select("path", "status", "reason").rows() == [
        ("Cy/01.jpg", "rejected", "lone-image")
    ]


def test_a_lone_image_that_gets_company_is_kept():
    lone = image("Cy", 1, status="rejected") | {"reason": "lone-image", "detail": "alone"}
    rows = placed(lone, image("Cy", 2))
    assert rows["status"].to_list() == ["kept", "kept"]
    assert rows["reason"].null_count() == rows["detail"].null_count() == 2


def test_identities_that_did_not_change_stay_where_they_are():
    ada = [image("Ada", number, "kept", number) for number in (0, 1)]
    rows = placed(*ada, image("Bea", 1), image("Bea", 2))
    assert rows["identity"].unique().to_list() == ["Bea"]
    assert rows["image_id"].to_list() == [SHARD_IMAGES, SHARD_IMAGES + 1]


def test_an_identity_that_got_an_image_moves_as_a_whole():
    ada = [image("Ada", number, "kept", number) for number in (0, 1)]
    rows = placed(*ada, image("Ada", 2))
    assert rows["image_id"].to_list() == [SHARD_IMAGES + n for n in range(3)]


def test_nothing_waiting_changes_nothing():
    rows = placed(image("Ada", 0, "kept", 0), image("Ada", 1, "kept", 1))
    assert rows.is_empty()


def test_a_copy_is_rejected_and_leaves_the_other_images_in_their_places():
    ada = [image("Ada", number, "kept", number) for number in (0, 1)]
    copy = image("Ada", 2) | {"sha256": "Ada1"}
    found = placement(*ada, copy)
    assert verdicts(found.rows) == {"Ada/02.jpg": ("rejected", "duplicate")}
    assert found.rows["detail"].to_list() == ["It is the same file as Ada/01.jpg."]
    assert found.moved == frozenset()


def test_of_copies_that_wait_the_first_by_name_is_kept():
    copy = image("Ada", 0) | {"sha256": "Ada1"}
    assert verdicts(placed(image("Ada", 1), copy, image("Ada", 2))) == {
        "Ada/00.jpg": ("kept", None),
        "Ada/01.jpg": ("rejected", "duplicate"),
        "Ada/02.jpg": ("kept", None),
    }


def test_two_copies_of_one_photograph_are_a_lone_image():
    copy = image("Ada", 2) | {"sha256": "Ada1"}
    assert verdicts(placed(image("Ada", 1), copy)) == {
        "Ada/01.jpg": ("rejected", "lone-image"),
        "Ada/02.jpg": ("rejected", "duplicate"),
    }


def test_a_photograph_under_two_people_is_kept_under_neither():
    of_bea = [image("Bea", number) for number in (1, 2)]
    stolen = image("Bea", 3) | {"sha256": "Ada0"}
    ada = [image("Ada", number, "kept", number) for number in (0, 1, 2)]
    found = placement(*ada, *of_bea, stolen)
    both = ("rejected", "duplicate-of-another-person")
    assert verdicts(found.rows) == {
        "Ada/00.jpg": both, "Ada/01.jpg": ("kept", None), "Ada/02.jpg": ("kept", None),
        "Bea/01.jpg": ("kept", None), "Bea/02.jpg": ("kept", None), "Bea/03.jpg": both,
    }  # fmt: skip
    assert found.moved == {"Ada", "Bea"}
    assert "several people: Ada, Bea." in found.rows["detail"].drop_nulls()[0]


def test_a_photograph_that_left_the_other_person_is_kept_again():
    both = {"status": "rejected", "reason": "duplicate-of-another-person", "detail": "."}
    found = placed(image("Ada", 0) | both, image("Ada", 1), image("Ada", 2))
    assert set(found["status"]) == {"kept"}


def test_an_identity_that_lost_an_image_moves():
    ada = [image("Ada", number, "kept", number) for number in (0, 1)]
    found = placement(*ada, changed={"Ada"})
    assert found.rows["image_id"].to_list() == [SHARD_IMAGES, SHARD_IMAGES + 1]


def test_an_identity_that_is_gone_gives_its_place_up():
    ada = [image("Ada", number, "kept", number) for number in (0, 1)]
    found = placement(*ada, changed={"Bea"})
    assert found.rows.is_empty()
    assert found.moved == {"Bea"}


def test_an_identity_that_shrinks_to_one_image_is_not_kept():
    ada = [image("Ada", number, "kept", number) for number in (0, 1)]
    found = placement(*ada, departed={"Ada/00.jpg"})
    assert verdicts(found.rows) == {
        "Ada/00.jpg": ("rejected", "departed"),
        "Ada/01.jpg": ("rejected", "lone-image"),
    }
    assert found.rows["image_id"].null_count() == 2
    assert found.moved == {"Ada"}


def test_all_images_of_an_identity_stand_in_one_frame():
    turned = geometry.apply(np.array([[0.9, -0.3, 40.0], [0.3, 0.9, -20.0]]), FACE)
    rows = placed(image("Ada", 1), image("Ada", 2, landmarks=turned))
    # The two faces differ by a similarity, so that one frame can make them one.
    in_frame = geometry.apply(rows["crop_to_identity"].to_numpy(), rows["landmarks"].to_numpy())
    np.testing.assert_allclose(in_frame[0], in_frame[1], atol=1e-6)
    canonical = geometry.apply(rows["crop_to_canonical"].to_numpy(), rows["landmarks"].to_numpy())
    np.testing.assert_allclose(canonical[0], canonical[1], atol=1e-6)


def test_placing_needs_no_images():
    assert placed().is_empty()
