"""Batch norms that lie in the weights of the convolution before them.

Such a convolution gives what otherwise the norm gives, so that its maps are those of the norm's
output and not comparable with maps of the same network whose norms stand by themselves.
"""

from torch import nn

from ingest.networks.onnx_network import OnnxNetwork
from leamstore.catalog import Model


def folded_norm(network: nn.Module, layer: str, entry: Model) -> bool | None:
    """Return whether a norm was folded into a layer; None: it can't be known.

    What the catalog entry states comes first, then what the graph of an ONNX file shows
    (`ingest.networks.onnx_layers.folded_norms`). Other networks have their norms as modules.
    """
    if entry.folded_norms is not None:
        return entry.folded_norms
    return network.folded_norms.get(layer, False) if isinstance(network, OnnxNetwork) else False
