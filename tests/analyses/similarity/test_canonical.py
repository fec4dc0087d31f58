import numpy as np

from analyses.cohort import draw_images
from analyses.similarity.canonical import CanonicalFaces
from leamstore.poses import INNER
from tests.analyses.planted import grey_chips, maps_at, plant_lake, poses
from tests.analyses.planted_faces import Colours


def lake_of(path, people):
    chips = grey_chips(3 * people, np.random.default_rng(0))
    return plant_lake(path, Colours, chips, {"NET": maps_at(np.arange(3 * people) % 16)})


def test_landmarks_lie_in_the_canonical_frame_without_the_jaw(tmp_path):
    images = draw_images(lake_of(tmp_path / "a.lake", 2), ["NET"], 0)
    faces = CanonicalFaces.of(images)
    np.testing.assert_allclose(faces.landmarks, poses(6)[:, INNER])
    assert faces.people.tolist() == [0, 0, 0, 1, 1, 1]


def test_matched_pairs_are_of_one_person_and_of_strangers_as_far_apart_in_pose(tmp_path):
    faces = CanonicalFaces.of(draw_images(lake_of(tmp_path / "a.lake", 12), ["NET"], 0))
    same, strangers = faces.matched_pairs(0)
    assert len(same) == len(strangers) > 20
    assert (faces.people[same[:, 0]] == faces.people[same[:, 1]]).all()
    assert (faces.people[strangers[:, 0]] != faces.people[strangers[:, 1]]).all()

    def apart(pairs):
        steps = faces.landmarks[pairs[:, 0]] - faces.landmarks[pairs[:, 1]]
        return np.sqrt((steps**2).sum(-1).mean(-1))

    np.testing.assert_allclose(apart(same), apart(strangers), rtol=0.1)
