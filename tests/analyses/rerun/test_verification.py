import numpy as np
import pytest

from analyses.rerun.verification import MEASURES, Judge, likeness, make_judge
from leamstore.verification import ScoreCounts


def test_likeness_to_the_positives_by_hand():
    judge = Judge(centre=np.array([0.0, 1.0]), threshold=0.7)
    anchors = np.array([[3.0, 4.0]])
    gallery = np.array([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]])
    positives = np.array([[True, True, False]])
    measured = dict(zip(MEASURES, likeness(anchors, gallery, positives, judge)[0], strict=True))
    assert measured["cosine"] == pytest.approx((0.6 + 0.8) / 2)
    # Seen from (0, 1): anchor (3, 3), positives (1, -1) and (0, 1).
    assert measured["centred cosine"] == pytest.approx((0 + 1 / np.sqrt(2)) / 2)
    assert measured["euclidean"] == pytest.approx(-(np.sqrt(20) + np.sqrt(13)) / 2)
    assert measured["true accepts"] == 0.5


def test_the_judge_compares_people_and_no_image_with_itself():
    embeddings = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.8, -0.6]])
    judge = make_judge(embeddings, ["Ada", "Ada", "Bea", "Bea"], seed=0)
    cosines = embeddings @ embeddings.T
    genuine = [cosines[0, 1], cosines[2, 3]]
    impostor = cosines[:2, 2:].ravel()
    threshold, _ = ScoreCounts.of(genuine, impostor).equal_errors()
    assert judge.threshold == pytest.approx(threshold)
    np.testing.assert_allclose(judge.centre, [0.8, 0.2])
