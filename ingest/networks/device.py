"""The device that networks run on."""

import torch

from leamstore.errors import LeamError


def choose_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` is a GPU where there is one.

    Raises
    ------
    LeamError
        If ``cuda`` was asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise LeamError("there is no CUDA device here: use --device cpu, or auto.")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
