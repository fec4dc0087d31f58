import numpy as np
import pytest
import torch

from ingest.faces.parsers.farl import FarlParser
from leamstore.errors import WeightsError
from leamstore.poses import CANONICAL
from leamstore.schema import GRID, LABELS, REGION_NAMES, REGIONS, UNLABELLED

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


class Colours(torch.nn.Module):
    """FaRL's interface, (n, 3, 448, 448) in 0 to 1 to logits; the class is a tenth of red."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        wanted = torch.arange(self.classes, dtype=torch.float32).reshape(1, self.classes, 1, 1)
        return -((images[:, :1] * 25.5 - wanted) ** 2) - 1, images


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("farl") / "tiny.pt"
    torch.jit.script(Colours(19)).save(str(path))
    return path


@pytest.fixture(scope="module")
def landmarks():
    return np.concatenate([np.zeros((17, 2)), CANONICAL])


INSIDE = (..., slice(4, -4), slice(4, -4))
"""Without the rim, where facer's samples lie half outside of the crop and so are dimmed."""


def painted(classes):
    """A crop whose red says the class of each pixel: (n, 512, 512, 3) from (n, 512, 512)."""
    return np.repeat((10 * classes)[..., None], 3, axis=-1).astype(np.uint8)


def test_every_class_of_farl_reaches_its_own_column(weights, landmarks):
    # One crop a class, all of one colour, by facer's order of the classes.
    names = [
        "background", "neck", "face", "cloth", "rr", "lr", "rb", "lb", "re", "le",
        "nose", "imouth", "llip", "ulip", "hair", "eyeg", "hat", "earr", "neck_l",
    ]  # fmt: skip
    crops = painted(np.broadcast_to(np.arange(19)[:, None, None], (19, GRID, GRID)))

    labels = FarlParser(weights).parse(crops, np.stack([landmarks] * 19))

    for image_labels, name in zip(labels, names, strict=True):
        (label,) = np.unique(image_labels[INSIDE])
        assert REGIONS[label].farl_name == name


def test_labels_come_back_in_the_crops_frame(weights, landmarks):
    classes = np.full((1, GRID, GRID), LABELS["face"])
    classes[0, 300:340, 100:180] = LABELS["nose"]
    classes[0, 420:, :] = LABELS["clothes"]

    labels = FarlParser(weights).parse(painted(classes), landmarks[None])

    # facer's square is sampled more coarsely than the crop, so edges may be a pixel off.
    wrong = labels != classes
    assert wrong.mean() < 0.01
    interior = np.zeros((GRID, GRID), bool)
    interior[303:337, 103:177] = True
    assert (labels[0][interior] == LABELS["nose"]).all()
    assert (labels[0, 424:500, 4:-4] == LABELS["clothes"]).all()


def test_each_face_is_cut_by_its_own_landmarks(weights, landmarks):
    classes = np.full((3, GRID, GRID), LABELS["hair"])
    small = (landmarks - 255.5) / 4 + 255.5

    labels = FarlParser(weights, batch_size=2).parse(
        painted(classes), np.stack([landmarks, small, landmarks])
    )

    assert (labels[[0, 2]][INSIDE] == LABELS["hair"]).all()
    assert labels[1, 255, 255] == LABELS["hair"]
    assert labels[1, 20, 20] == UNLABELLED


def test_what_farl_did_not_see_is_unlabelled_not_background(weights, landmarks):
    small = (landmarks - 255.5) / 4 + 255.5  # facer's square then covers the middle only

    labels = FarlParser(weights).parse(np.full((1, GRID, GRID, 3), 140, np.uint8), small[None])

    assert set(np.unique(labels)) == {LABELS["hair"], UNLABELLED}
    assert labels[0, 0, 0] == UNLABELLED


def test_the_batch_size_does_not_change_the_labels(weights, landmarks):
    rng = np.random.default_rng(0)
    crops = painted(rng.integers(0, 19, (3, GRID // 32, GRID // 32)).repeat(32, 1).repeat(32, 2))
    several = np.stack([landmarks + rng.normal(0, 5, (68, 2)) for _ in range(3)])

    alone = FarlParser(weights, batch_size=1).parse(crops, several)

    assert (FarlParser(weights, batch_size=2).parse(crops, several) == alone).all()


def test_a_black_crop_is_parsed(weights, landmarks):
    labels = FarlParser(weights).parse(np.zeros((1, GRID, GRID, 3), np.uint8), landmarks[None])

    assert (labels == LABELS["background"]).all()


def test_farl_sees_every_region(weights):
    assert FarlParser(weights).regions == REGION_NAMES


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"farl\.pt"):
        FarlParser(tmp_path / "farl.pt")


def test_a_file_that_is_not_torchscript_is_refused(tmp_path):
    (tmp_path / "farl.pt").write_text("<html>not found</html>")

    with pytest.raises(WeightsError, match="not the TorchScript file"):
        FarlParser(tmp_path / "farl.pt")


def test_weights_with_other_classes_are_refused(tmp_path, landmarks):
    torch.jit.script(Colours(11)).save(str(tmp_path / "lapa.pt"))

    with pytest.raises(WeightsError, match="11 classes"):
        FarlParser(tmp_path / "lapa.pt").parse(
            np.zeros((1, GRID, GRID, 3), np.uint8), landmarks[None]
        )
