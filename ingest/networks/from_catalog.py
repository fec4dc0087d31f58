"""Networks built by the entries of the catalog, filled with weights, and fed whole chips."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import UninitializedParameter

from ingest.networks.device import like
from ingest.networks.fitting import fill
from ingest.networks.weights import network_file, read_state_dict, require_finite
from leamstore.catalog import ONNX, Catalog, Model, read_catalog, resolve
from leamstore.errors import CatalogError, LeamError, WeightsError, some


def load(
    name: str,
    weights: str | Path | None = None,
    catalog: Catalog | None = None,
    seed: int = 0,
) -> nn.Module:
    """Build a network of the catalog and give it weights.

    Parameters
    ----------
    name : str
        Name of the model in the catalog.
    weights : str or Path, optional
        A file of weights, or "random"; by default those that the catalog names.
    catalog : Catalog, optional
        By default the built-in one.
    seed : int
        Of random weights. Torch's global random state is neither used nor changed.

    Returns
    -------
    nn.Module
        From RGB chips (n, 3, input_size, input_size), float, 0 to 255, to embeddings
        (n, embedding_size). In eval mode; no parameter requires a gradient.

    Raises
    ------
    CatalogError
        If the catalog has no such model, or its entry leads to no network.
    WeightsError
        If the weights are missing, damaged, or those of another network.
    """
    model = (catalog or read_catalog()).model(name)
    file = network_file(model, weights)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = _build(model, file)
        if weights == "random":
            with running(model):
                _randomise(network, model.input_size)
    if file is not None and model.network != ONNX:
        fill(network, _read(model, file), f"{file} does not fit {name}", model.weights)
    require_finite(network.state_dict(), f"{name}, with {weights or file or 'its own weights'},")
    return network


class Normalisation:
    """Conversion of RGB chips (0 to 255) to the colour order, mean and range of a network.

    It is called with the network before each of its passes. It is no module of the network, since
    one around it would rename its layers, and one within it would be a layer of some networks.
    """

    def __init__(self, model: Model) -> None:
        self._is_bgr = model.colour_order == "BGR"
        self._mean = torch.tensor(model.mean).view(3, 1, 1)
        self._std = torch.tensor(model.std).view(3, 1, 1)

    def __call__(self, network: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        """Return normalised chips (n, 3, h, w) in the numbers that the network computes in."""
        (chips,) = inputs
        ordered = chips.flip(1) if self._is_bgr else chips
        wide = ordered.to(torch.promote_types(chips.dtype, torch.float32))
        normalised = (wide - self._mean.to(wide)) / self._std.to(wide)
        return normalised.to(like(network, chips).dtype)


def _build(model: Model, file: Path | None) -> nn.Module:
    """Return the network of a catalog entry, fed normalised chips, in eval mode."""
    network = _made(model) if model.network != ONNX else _read_onnx(model, file)
    network.register_forward_pre_hook(Normalisation(model))
    network.eval()
    _initialise(network, model)
    return network.requires_grad_(False)


def _read_onnx(model: Model, file: Path | None) -> nn.Module:
    from ingest.networks.onnx_file import read_onnx  # noqa: PLC0415 - few lakes need it

    assert file is not None  # as its entry names one
    return read_onnx(file, model.input_size, model.layers)


def _made(model: Model) -> nn.Module:
    """Return the network of a catalog entry as its callable leaves it."""
    build = resolve(model, model.network)
    try:
        network = build(**model.arguments)
    except Exception as error:  # the user's own code can raise anything
        given = f" with the arguments {some(model.arguments)}" if model.arguments else ""
        raise CatalogError(
            f"{model.network}, the network of {model.name}, can't be built{given}: {error!r}."
        ) from error
    if not isinstance(network, nn.Module):
        raise CatalogError(
            f"{model.network}, the network of {model.name}, is built as a "
            f"{type(network).__name__}: let it return a torch.nn.Module."
        )
    network = _uncompiled(network)
    if isinstance(network, torch.jit.ScriptModule):
        raise CatalogError(
            f"{model.network}, the network of {model.name}, is TorchScript, in which no layer can "
            "be watched: let it return the module that was scripted or traced, which takes its "
            "weights by load_state_dict."
        )
    return network


def _uncompiled(network: nn.Module) -> nn.Module:
    """Return a network without torch.compile and DataParallel, which run past what watches it."""
    while (inner := _wrapped(network)) is not None:
        network = inner
    for module in network.modules():
        if module._compiled_call_impl is not None:  # it was compiled in place
            module._compiled_call_impl = None
        for name, child in module.named_children():
            if (inner := _wrapped(child)) is not None:
                module._modules[name] = inner
    return network


def _wrapped(module: nn.Module) -> nn.Module | None:
    """Return what a module of torch's is a wrapper of, if it is one."""
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return module.module
    return getattr(module, "_orig_mod", None)


def _initialise(network: nn.Module, model: Model) -> None:
    """Run a chip through lazy modules, which set their sizes by it."""
    if not any(isinstance(one, UninitializedParameter) for one in network.parameters()):
        return
    with torch.no_grad(), running(model):
        network(torch.zeros(1, 3, model.input_size, model.input_size))


@contextmanager
def running(model: Model) -> Iterator[None]:
    """Turn any error raised while a network runs into a sentence; its code can raise anything.

    Raises
    ------
    CatalogError
        In place of it.
    """
    try:
        yield
    except LeamError:
        raise
    except Exception as error:
        size = model.input_size
        raise CatalogError(
            f"{model.network}, the network of {model.name}, can't be run: {error!r}. It is called "
            f"with chips (n, 3, {size}, {size}) and nothing else: let its callable return a module "
            "that takes them."
        ) from error


def _read(model: Model, path: Path) -> Mapping[str, Tensor]:
    """Read a model's weights by the reader of its entry."""
    if model.weights is None:
        return read_state_dict(path)
    read = resolve(model, model.weights.reader)
    try:
        state = read(path)
    except LeamError:
        raise
    except Exception as error:  # the user's own code can raise anything
        raise WeightsError(f"{model.weights.reader} can't read {path}: {error!r}.") from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(
            f"{model.weights.reader} makes a {type(state).__name__} of {path}: let it return the "
            "network's tensors by their names."
        )
    return state


def _randomise(network: nn.Module, size: int) -> None:
    """Draw random weights with which each convolution and linear layer has outputs of variance 1.

    Torch's initialisation is scaled layer after layer while a smooth random chip passes, so that
    neither depth nor residual sums make activations vanish or explode (layer-sequential unit
    variance: Mishkin and Matas, "All you need is a good init", ICLR 2016).
    """
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
    weighted = [module for module in network.modules() if isinstance(module, _ConvNd | nn.Linear)]
    chip = interpolate(255 * torch.rand(1, 3, size // 8, size // 8), (size, size), mode="bilinear")
    with ExitStack() as hooks, torch.no_grad():
        for module in weighted:
            hooks.enter_context(module.register_forward_hook(_standardise))
        network(chip)


def _standardise(module: nn.Module, _: Any, output: Tensor) -> Tensor:
    deviation = output.std()
    if not deviation > 0:
        return output
    for parameter in module.parameters(recurse=False):
        parameter.div_(deviation)
    return output / deviation
