from importlib.util import find_spec
from pathlib import Path

import dlib
import matplotlib.cbook
import numpy as np
import pytest
import skimage.data
from PIL import Image

from leamstore.catalog import files, read_catalog


@pytest.fixture(scope="session")
def dlib_models():
    """The folder of dlib's files in the package that holds them, which needn't be imported."""
    return Path(find_spec("face_recognition_models").origin).parent / "models"


@pytest.fixture(scope="session")
def real_weights():
    """A function from a model to its file of weights, which skips tests where it isn't here."""

    def locate(name):
        weights = read_catalog().model(name).weights
        path = files.locate(weights)
        if path is None:
            pytest.skip(f"the weights of {name} are not here. {files.by_hand(weights)}")
        return path

    return locate


@pytest.fixture(scope="session")
def chips(dlib_models):
    """Aligned chips of two photographs of people, uint8 (2, 150, 150, 3), cut by dlib."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photographs = [skimage.data.astronaut(), np.asarray(Image.open(file))]
    detect = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(dlib_models / "shape_predictor_5_face_landmarks.dat"))
    return np.stack(
        [dlib.get_face_chip(image, landmarks(image, detect(image)[0])) for image in photographs]
    )
