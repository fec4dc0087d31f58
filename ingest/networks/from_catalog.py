"""Networks built by the entries of the catalog, filled with weights, and fed whole chips."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.modules.conv import _ConvNd

from ingest.networks.weights import find_weights, read_state_dict
from leamstore.catalog import Catalog, Model, read_catalog
from leamstore.errors import CatalogError, WeightsError


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
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = _build(model)
        if weights == "random":
            _randomise(network, model.input_size)
    if weights is None and model.weights is not None:
        weights = find_weights(model.weights)
    if weights not in (None, "random"):
        read = _resolve(model, model.weights.reader) if model.weights else read_state_dict
        _fill(network, read(Path(weights)), f"{weights} does not fit {name}")
    # Convolutions take images in this layout; else weights are brought to it in every pass.
    return network.to(memory_format=torch.channels_last)


class Normalisation(nn.Module):
    """Brings RGB chips of 0 to 255 to the colour order, mean and range that a network expects."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.is_bgr = model.colour_order == "BGR"
        # Not persistent, for the network's state is to have the keys of its checkpoints.
        self.register_buffer("mean", torch.tensor(model.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(model.std).view(3, 1, 1), persistent=False)

    def forward(self, chips: Tensor) -> Tensor:
        """Return normalised chips of the same shape (n, 3, h, w)."""
        ordered = chips.flip(1) if self.is_bgr else chips
        return (ordered - self.mean) / self.std


def _build(model: Model) -> nn.Module:
    """Return the network of a catalog entry as its callable leaves it, with its normalisation.

    A hook normalises what enters, since a module around the network would rename its layers.
    """
    build = _resolve(model, model.network)
    try:
        network = build()
    except Exception as error:  # the user's own code can raise anything
        raise CatalogError(
            f"{model.network}, the network of {model.name}, can't be built: {error!r}."
        ) from error
    if not isinstance(network, nn.Module):
        raise CatalogError(
            f"{model.network}, the network of {model.name}, is built as a "
            f"{type(network).__name__}: let it return a torch.nn.Module."
        )
    network.add_module("chip_normalisation", Normalisation(model))
    network.register_forward_pre_hook(_normalise)
    return network.eval().requires_grad_(False)


def _normalise(network: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    return network.get_submodule("chip_normalisation")(*inputs)


def _resolve(model: Model, entry_point: str) -> Any:
    try:
        return resolve_name(entry_point)
    except (ImportError, AttributeError) as error:
        raise CatalogError(
            f"{entry_point}, which the catalog names for {model.name}, can't be imported "
            f"({error}): install its package, or run from the folder it lies in."
        ) from error


def _fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state of which every name and shape must be the network's."""
    own = network.state_dict()
    odd = [name for name in own if name in state and state[name].shape != own[name].shape]
    fitting = {name: tensor for name, tensor in state.items() if name not in odd}
    missing, unknown = network.load_state_dict(fitting, strict=False)
    faults = {
        "it lacks": [name for name in missing if name not in odd],
        "the network has no": unknown,
        "of another shape is": odd,
    }
    if any(faults.values()):
        clauses = [f"{fault} {_some(names)}" for fault, names in faults.items() if names]
        raise WeightsError(
            f"{source}: {'; '.join(clauses)}. Take the file its catalog entry names."
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _randomise(network: nn.Module, size: int) -> None:
    """Draw weights anew, such that each convolution and linear layer has outputs of variance 1.

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
