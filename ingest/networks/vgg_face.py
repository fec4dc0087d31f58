"""VGG-Face, the sixteen layers of "Deep Face Recognition" (Parkhi et al., BMVC 2015).

Parameter names are those of ``vgg_face_dag.pth``, the conversion of the authors' weights that
the paper uses (Albanie, robots.ox.ac.uk/~albanie/pytorch-models.html).
"""

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS: Final = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each block; a block ends by halving its output."""


class VggFace(nn.Module):
    """The recogniser: RGB chips (n, 3, 224, 224) less their mean to embeddings (n, 4096).

    The embedding is fc7 after its ReLU, as it enters the classifier fc8 that it was trained by:
    no component is negative, so neither is any cosine. fc8 names the 2622 people of the training
    set and is left out; a checkpoint's ``fc8.*`` are not loaded.

    Its first nine convolutions in forward order are ``conv1_{1,2}``, ``conv2_{1,2}``,
    ``conv3_{1,2,3}`` and ``conv4_{1,2}``; it has no shortcuts.
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = 3
        for block, (channels, convolutions) in enumerate(BLOCKS, start=1):
            for position in range(1, convolutions + 1):
                convolution = nn.Conv2d(inputs, channels, 3, padding=1)
                self.add_module(f"conv{block}_{position}", convolution)
                inputs = channels
        self.fc6 = nn.Linear(inputs * 7 * 7, 4096)
        self.fc7 = nn.Linear(4096, 4096)

    def forward(self, chips: Tensor) -> Tensor:
        """Return embeddings (n, 4096) of chips (n, 3, 224, 224) less their mean."""
        x = chips
        for block, (_, convolutions) in enumerate(BLOCKS, start=1):
            for position in range(1, convolutions + 1):
                x = F.relu(self.get_submodule(f"conv{block}_{position}")(x))
            x = F.max_pool2d(x, 2)
        x = F.relu(self.fc6(x.flatten(1)))
        return F.relu(self.fc7(x))

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load a checkpoint's parameters, its classifier left out."""
        kept = {key: value for key, value in state_dict.items() if not key.startswith("fc8.")}
        return super().load_state_dict(kept, strict, assign)
