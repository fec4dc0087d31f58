"""Checkpoints fitted to a network: their tensors renamed to the network's names.

A checkpoint may hold more than one network: a recogniser under ``model.`` or ``backbone.``, and
the head that it was trained with. The network is found at the prefix under which all its names are.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from leamstore.catalog import Weights
from leamstore.errors import WeightsError, some


def fill(
    network: nn.Module, state: Mapping[str, Tensor], source: str, weights: Weights | None = None
) -> None:
    """Load a network's tensors, of which every name and shape must be the network's.

    Parameters
    ----------
    network : nn.Module
    state : mapping of str to Tensor
        A checkpoint's tensors.
    source : str
        Beginning of the error message.
    weights : Weights, optional
        Entry of the catalog that may say which prefix to take and what to leave out.

    Raises
    ------
    WeightsError
        If the network isn't found in the state, or in more than one place of it.
    """
    prefix = weights.prefix if weights and weights.prefix else _find_prefix(network, state, source)
    own = network.state_dict()
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
    left_out = tuple(f"{name}." for name in (weights.leave_out if weights else ()))
    state = {
        name: tensor
        for name, tensor in state.items()
        if name in own or not f"{name}.".startswith(left_out)
    }
    odd = [name for name in own if name in state and state[name].shape != own[name].shape]
    fitting = {name: tensor for name, tensor in state.items() if name not in odd}
    missing, unknown = network.load_state_dict(fitting, strict=False)
    missing = [name for name in missing if name not in odd]
    if missing or unknown or odd:
        raise WeightsError(f"{source}{_faults(prefix, missing, unknown, odd)}")


def _find_prefix(network: nn.Module, state: Mapping[str, Tensor], source: str) -> str:
    """Return the prefix of the network's names; an empty string where they are not all found."""
    names = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    if not names or all(name in state for name in names):
        return ""
    ends = (name.removesuffix(names[0]) for name in state if name.endswith(f".{names[0]}"))
    found = [prefix for prefix in ends if all(prefix + name in state for name in names)]
    if len(found) > 1:
        raise WeightsError(
            f"{source}: it holds the network {len(found)} times, under {some(found)}. Write which "
            f"one is meant under weights in the catalog entry, such as prefix: {found[0]}"
        )
    return found[0] if found else ""


def _faults(prefix: str, missing: Sequence[str], unknown: Sequence[str], odd: Sequence[str]) -> str:
    """Describe what doesn't fit, and what to write in the entry if the file is the network's."""
    under = f" under {prefix}" if prefix else ""
    faults = {
        "it lacks": missing,
        "the network has no": unknown,
        "of another shape is": odd,
    }
    clauses = "; ".join(f"{fault} {some(names)}" for fault, names in faults.items() if names)
    if unknown and not missing and not odd:
        heads = ", ".join(dict.fromkeys(name.partition(".")[0] for name in unknown))
        remedy = (
            "If that is a head which the embedding does without, write "
            f"leave_out: [{heads}] under weights in the catalog entry."
        )
    else:
        remedy = (
            "If it is this network's file, say under weights in the catalog entry what stands "
            "before the network's names there (prefix: backbone.), or which function of yours "
            "makes the network's state of it (reader: package.module:function)."
        )
    return f"{under}: {clauses}. {remedy}"
