"""Weights: found or downloaded, and read without executing code from the file."""

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from torch import Tensor

from ingest.downloads.downloader import Downloader
from ingest.networks.onnx_file import require_onnx
from ingest.networks.zip_member import take_out
from leamstore.catalog import ONNX, Model, Weights, files
from leamstore.errors import WeightsError, some

_WRAPPERS: Final = ("state_dict", "model_state_dict", "model")
"""Keys under which a training checkpoint keeps its state_dict."""

_PARALLEL: Final = "module."
"""Prefix that torch's DataParallel adds to every name."""

_INSERTED: Final = re.compile(r"\b(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""Parts that torch.compile and similar wrappers add to the names of wrapped modules."""

_TORCH_PROTOCOL: Final = b"\x02"
"""Version of the pickles that torch writes."""


def find_weights(weights: Weights, downloader: Downloader | None = None) -> Path:
    """Return the file of the weights, fetched if it is neither installed nor in the cache folder.

    Parameters
    ----------
    weights : Weights
        Entry of the catalog.
    downloader : Downloader, optional
        That of the command, which may fetch other files too.

    Returns
    -------
    Path
        A file of the size and sha256 that the catalog states; of a zip file, its member.

    Raises
    ------
    WeightsError
        If it is missing and can't be fetched, or is another file than the catalog states.
    """
    if weights.member is not None:
        return take_out(weights.member, weights, lambda: _find_file(weights, downloader))
    return _find_file(weights, downloader)


def _find_file(weights: Weights, downloader: Downloader | None) -> Path:
    path = files.locate(weights)
    if path is None and weights.package is not None:
        raise WeightsError(f"{weights.file} is missing. {files.by_hand(weights)}")
    if path is None:
        return (downloader or Downloader()).fetch(weights)
    wrong = files.fault(weights, path)
    if wrong is not None:
        raise WeightsError(f"{path} {wrong}: remove it. {files.by_hand(weights)}")
    return path


def network_file(
    model: Model, weights: str | Path | None, downloader: Downloader | None = None
) -> Path | None:
    """Return the file that a network is read from, which is fetched if it isn't here.

    Parameters
    ----------
    model : leamstore.catalog.entries.Model
    weights : str or Path, optional
        A file of weights, or "random"; by default those that the catalog names.
    downloader : Downloader, optional
        That of the command, which may fetch other files too.

    Returns
    -------
    Path or None
        None: the network comes with its weights, or takes random ones. An ONNX network takes its
        structure from the file even then.

    Raises
    ------
    WeightsError
        If the file that the catalog names is missing or another one, or it is an ONNX file and
        the package that reads these is missing.
    """
    if model.network == ONNX:
        require_onnx(model.name)
    if weights is not None and weights != "random":
        return Path(weights)
    if model.weights is None or (weights == "random" and model.network != ONNX):
        return None
    return find_weights(model.weights, downloader)


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read a network's parameters and buffers.

    Parameters
    ----------
    path : str or Path
        A file of safetensors, or of torch in its old or new format. A ``state_dict`` within a
        training checkpoint is found, and the parts that torch's wrappers add to names are removed:
        the ``module.`` of DataParallel, the ``_orig_mod.`` of torch.compile.

    Returns
    -------
    dict of str to Tensor
        By their names in the network, in memory of the processor. Where mappings lie in
        mappings, or the network was a part of another one, their names stand before its own.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, holds something else or numbers that are NaN or infinite,
        or would run code when unpickled.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise WeightsError(f"{path} cannot be read: it is not a regular file.")
    try:
        state = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    if isinstance(state, Mapping):
        inner = (state[key] for key in _WRAPPERS if isinstance(state.get(key), Mapping))
        state = next(inner, state)
    tensors = _named_tensors(path, state)
    require_finite(tensors, str(path))
    return tensors


def require_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Raise an error unless all values of a network's state are finite.

    Raises
    ------
    WeightsError
        If one is NaN or infinite; names the first tensors that hold such.
    """
    broken = [
        name
        for name, tensor in state.items()
        if (tensor.is_floating_point() or tensor.is_complex()) and not _is_finite(tensor)
    ]
    if broken:
        raise WeightsError(
            f"{source} holds NaN or infinite numbers in {some(broken)}: no embedding can be made "
            "with them. Take a checkpoint from before the training diverged, or get the file again."
        )


def _is_finite(tensor: Tensor) -> bool:
    # Eight-bit floats know no isfinite.
    wide = tensor if tensor.element_size() > 1 else tensor.float()
    return bool(wide.isfinite().all())


def _named_tensors(path: Path, state: Any) -> dict[str, Tensor]:
    """Return all tensors of a checkpoint by the names that lead to them, and what isn't one not."""
    if not isinstance(state, Mapping) or not state:
        raise WeightsError(f"{path} holds no tensors by their names, but {type(state).__name__}.")
    found = {_INSERTED.sub("", name): tensor for name, tensor in _tensors_in(state)}
    if not found:
        name, value = next(iter(state.items()))
        kind = type(value).__name__
        raise WeightsError(f"{path} holds {kind} under {name!r}, where a tensor belongs.")
    prefix = _PARALLEL if all(name.startswith(_PARALLEL) for name in found) else ""
    return {name.removeprefix(prefix): value for name, value in found.items()}


def _tensors_in(state: Mapping[Any, Any]) -> Iterator[tuple[str, Tensor]]:
    # An optimizer's state goes by numbers, a network's by names.
    for name, value in state.items() if all(isinstance(name, str) for name in state) else ():
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", tensor) for inner, tensor in _tensors_in(value))


def _is_safetensors(path: Path) -> bool:
    # A safetensors file is the length of its header in eight bytes, then the header, in JSON.
    with path.open("rb") as file:
        return path.suffix == ".safetensors" or file.read(9)[8:] == b"{"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{path} is damaged, or no file of safetensors: {error}.") from error


def _read_torch(path: Path) -> Any:
    if _is_packed(path):
        raise WeightsError(
            f"{path} holds more than its size: torch packs no tensors, and a packed file "
            "may have no end. Get the file from its own page."
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make torch raise anything
        raise WeightsError(f"{path} {_refusal(path, error)}") from error


def _is_packed(path: Path) -> bool:
    """Return whether a zip file, which torch's new format is, unpacks to more than its size."""
    try:
        with zipfile.ZipFile(path) as file:
            return sum(part.file_size for part in file.infolist()) > path.stat().st_size
    except (zipfile.BadZipFile, ValueError, RuntimeError):
        return False


def _refusal(path: Path, error: Exception) -> str:
    """Return why torch refused a file, as the end of a sentence."""
    if "TorchScript" in str(error):
        return (
            "is a TorchScript archive, which is a program: save its tensors, "
            "torch.save(torch.jit.load(FILE).state_dict(), OTHER_FILE), and name that file."
        )
    code = re.search(r"GLOBAL ([\w.]+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and code:
        return (
            f"wants to run {code[1]} when it is read, which tensors have no need of; nothing was "
            "run. Get the file from its own page, or its tensors as safetensors."
        )
    with path.open("rb") as file:
        head = file.read(2)
    if head[:1] == pickle.PROTO and head[1:] > _TORCH_PROTOCOL:
        return (
            "is a pickle of a newer kind than torch's, and reading such can run code; nothing was "
            "run. Get the file from its own page, or its tensors as safetensors."
        )
    return "is damaged, incomplete, or no file of tensors: get it again from its own page."
