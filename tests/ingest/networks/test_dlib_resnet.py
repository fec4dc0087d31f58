import dlib
import numpy as np
import pytest
import torch

from ingest.networks.dlib_resnet import Affine, DlibResNet29, add_padded, read_dlib_resnet
from leamstore.errors import WeightsError

FILE = "dlib_face_recognition_resnet_model_v1.dat"


@pytest.fixture(scope="module")
def network(dlib_models):
    network = DlibResNet29()
    network.load_state_dict(read_dlib_resnet(dlib_models / FILE))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def reference(dlib_models):
    return dlib.face_recognition_model_v1(str(dlib_models / FILE))


def embed(network, chips):
    rgb = torch.from_numpy(chips).permute(0, 3, 1, 2)
    mean = torch.tensor([122.782, 117.001, 104.298]).view(3, 1, 1)
    return network((rgb - mean) / 256).numpy()


def test_embeddings_of_aligned_faces_are_dlibs_own(network, reference, chips):
    expected = np.array([reference.compute_face_descriptor(chip) for chip in chips])

    np.testing.assert_allclose(embed(network, chips), expected, rtol=0, atol=1e-5)


def test_embeddings_of_noise_are_dlibs_own(network, reference):
    noise = np.random.default_rng(0).integers(0, 256, (1, 150, 150, 3), np.uint8)

    expected = np.array(reference.compute_face_descriptor(noise[0]))

    np.testing.assert_allclose(embed(network, noise)[0], expected, rtol=0, atol=1e-5)


def test_the_two_people_are_told_apart_as_dlib_tells_them(network, chips):
    one, other = embed(network, chips)

    assert np.linalg.norm(one - other) > 0.6


def test_branches_of_different_size_are_padded_at_their_end():
    tall = torch.tensor([1.0, 2.0]).view(1, 1, 2, 1)
    wide = torch.tensor([[10.0, 20.0], [30.0, 40.0]]).view(1, 2, 1, 2)

    total = add_padded(tall, wide)

    assert total.tolist() == [[[[11.0, 20.0], [2.0, 0.0]], [[30.0, 40.0], [0.0, 0.0]]]]


def test_an_affine_layer_scales_then_shifts_each_channel():
    affine = Affine(2)
    affine.load_state_dict(
        {"weight": torch.tensor([2.0, 3.0]).view(2, 1, 1), "bias": torch.ones(2, 1, 1)}
    )

    assert affine(torch.ones(1, 2, 1, 1)).flatten().tolist() == [3.0, 4.0]


def test_a_truncated_file_is_refused(dlib_models, tmp_path):
    (tmp_path / "short.dat").write_bytes((dlib_models / FILE).read_bytes()[:100_000])

    with pytest.raises(WeightsError, match=r"short\.dat .* damaged: it ends early"):
        read_dlib_resnet(tmp_path / "short.dat")


@pytest.mark.parametrize("other", ["shape_predictor_5_face_landmarks.dat", "missing.dat"])
def test_another_or_missing_file_is_refused(dlib_models, other):
    with pytest.raises(WeightsError, match=f"{other} is not dlib's face recognition network"):
        read_dlib_resnet(dlib_models / other)


def test_a_file_of_unknown_layers_is_refused(dlib_models, tmp_path):
    changed = (dlib_models / FILE).read_bytes().replace(b"relu_", b"prelu", 1)
    (tmp_path / "changed.dat").write_bytes(changed)

    with pytest.raises(WeightsError, match="'prelu'"):
        read_dlib_resnet(tmp_path / "changed.dat")


def test_a_file_with_a_layer_too_few_is_refused(dlib_models, tmp_path):
    whole = (dlib_models / FILE).read_bytes()
    # A layer's record begins with its name's length, an integer of two bytes.
    second, third = (whole.index(b"affine_", begin) - 2 for begin in (0, 20_000))
    (tmp_path / "fewer.dat").write_bytes(whole[:second] + whole[third:])

    with pytest.raises(WeightsError, match="not dlib's face recognition network"):
        read_dlib_resnet(tmp_path / "fewer.dat")
