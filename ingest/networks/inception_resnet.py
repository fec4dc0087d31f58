"""Inception-ResNet V1 as facenet-pytorch builds and trained it."""

from collections.abc import Mapping
from typing import Any

import facenet_pytorch


class InceptionResnetV1(facenet_pytorch.InceptionResnetV1):
    """The recogniser: normalised RGB chips (n, 3, 160, 160) to embeddings (n, 512).

    facenet-pytorch ends the network by scaling embeddings to length 1; so does this one. Its
    checkpoints hold the classifier ``logits.*`` besides, which is not loaded.

    Its first nine convolutions in forward order are ``conv2d_{1a,2a,2b,3b,4a,4b}.conv`` and, of
    the first of the blocks that follow, ``repeat_1.0.branch0.conv`` and
    ``repeat_1.0.branch1.{0,1}.conv``: a block computes its branches one after the other. None of
    them is a downsampling shortcut; this network has none before ``mixed_6a``.
    """

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load a checkpoint's parameters, its classifier left out."""
        kept = {key: value for key, value in state_dict.items() if not key.startswith("logits.")}
        return super().load_state_dict(kept, strict, assign)
