"""What an ingest is to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from ingest.faces.parsers import Parser
from ingest.photographs.datasets import Photograph
from ingest.run.models import OpenModel, Request

if TYPE_CHECKING:
    from ingest.run.dask_cluster import Cluster


@dataclass(frozen=True)
class Plan:
    """What an ingest is to do.

    Attributes
    ----------
    photographs : sequence of Photograph
        Those to make maps of.
    requests : sequence of Request
        The models.
    parser : Parser
    device : torch.device
    batch_size : int
        Images in one forward pass.
    workers : int
        Processes that look for faces, and threads that read photographs.
    cluster : ingest.run.dask_cluster.Cluster, optional
        Whose workers do the work; without one, this process does.
    present : sequence of Photograph, optional
        All photographs of the data set, where `photographs` are some of them.
    prune : bool
        Whether photographs that are no longer in the data set leave the lake.
    opened : mapping of str to OpenModel
        Models that are open already, by their names in the lake.
    """

    photographs: Sequence[Photograph]
    requests: Sequence[Request]
    parser: Parser
    device: torch.device
    batch_size: int
    workers: int
    cluster: "Cluster | None" = None
    present: Sequence[Photograph] = ()
    prune: bool = False
    opened: Mapping[str, OpenModel] = field(default_factory=dict)
