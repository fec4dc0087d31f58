"""A network of two layers, for ingests whose subject is the lake and not the network.

Its maps take a hundredth of the time that those of the catalog's smallest network take.
"""

from functools import cache

import torch
import torch.nn.functional as F
import yaml
from torch import nn

from ingest.run.models import Request
from leamstore.catalog import Catalog, read_catalog

NAME = "SMALL"
LAYERS = ("conv1", "conv2")

ENTRY = {
    "network": "tests.small_network:SmallNetwork",
    "family": "small", "loss": "none", "trained_on": "nothing", "weights": None,
    "input_size": 64, "alignment": "crop", "colour_order": "RGB",
    "mean": [127.5] * 3, "std": [127.5] * 3,
    "embedding_size": 16, "layers": list(LAYERS), "citation": "none",
}  # fmt: skip


class SmallNetwork(nn.Module):
    """Two strided convolutions and a linear layer, with weights of its own."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2)
        self.conv2 = nn.Conv2d(8, 12, 3, stride=2)
        self.linear = nn.Linear(12 * 3 * 3, 16)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for values in self.parameters():
                values.normal_(std=0.3, generator=generator)

    def forward(self, chips):
        cells = F.relu(self.conv2(F.relu(self.conv1(chips))))
        return self.linear(F.adaptive_avg_pool2d(cells, 3).flatten(1))


@cache
def small_catalog():
    """Return the built-in catalog, with the small network as its only one."""
    models = Catalog(models={NAME: ENTRY}).models
    return read_catalog().model_copy(update={"models": models})


def small_request(**settings):
    """Return what an ingest is asked for: the small network, or that with other settings."""
    catalog = small_catalog()
    return Request(**{
        "entry": catalog.model(NAME), "catalog": catalog, "weights": None, "layers": LAYERS,
        "target": "cosine", "positives": "all", "precision": "float32", "seed": 0,
    } | settings)  # fmt: skip


def write_small_catalog(file):
    """Write a catalog of the small network, as a user has one, and return its path."""
    file.write_text(yaml.safe_dump({"models": {NAME: ENTRY}}))
    return file
