"""Facial regions from FaRL (Zheng et al., CVPR 2022), the paper's parser, run by facer.

facer cuts a square of its own around five points of the face, runs a TorchScript network on it
and carries the logits of the 19 classes of CelebAMask-HQ back to the image it was given.
"""

from pathlib import Path
from typing import Final

import facer
import numpy as np
import torch
from numpy.typing import NDArray

from ingest.faces.chips import five_points
from leamstore.errors import WeightsError
from leamstore.geometry import Points
from leamstore.schema import GRID, REGIONS, UNLABELLED

MODEL: Final = "farl/celebm/448"
"""facer's name of the network."""


class FarlParser:
    """A `Parser` that runs FaRL on batches of crops.

    Parameters
    ----------
    weights : Path
        The TorchScript file that facer's authors publish for `MODEL`.
    device : str
        Torch device.
    batch_size : int
        Crops in a batch. Each takes 20 MB of logits, in addition to the network's own memory.

    Raises
    ------
    WeightsError
        If no file is given, or it is missing or not TorchScript.
    """

    name: Final = "farl"
    regions: Final = tuple(region.name for region in REGIONS)

    def __init__(self, weights: Path | None, device: str = "cpu", batch_size: int = 8) -> None:
        if weights is None:
            raise WeightsError("The parser farl needs its weights: give their file.")
        if not weights.is_file():
            raise WeightsError(f"The weights of the parser farl are not at {weights}.")
        self._weights = weights
        self._device = torch.device(device)
        self._batch_size = batch_size
        try:
            self._network = facer.face_parser(MODEL, self._device, model_path=str(weights))
        except RuntimeError as error:
            sentence = f"{weights} is not the TorchScript file of {MODEL}: fetch it again."
            raise WeightsError(sentence) from error
        ours = {region.farl_name: label for label, region in enumerate(REGIONS)}
        self._labels = torch.tensor(
            [ours[name] for name in self._network.label_names], dtype=torch.uint8
        ).to(self._device)

    def parse(self, crops: NDArray[np.uint8], landmarks: Points) -> NDArray[np.uint8]:
        """Label crops (image, 512, 512, 3) with landmarks (image, 68, 2) in crop pixels.

        What lies outside of the square that FaRL saw stays unlabelled; facer itself would call
        it background.

        Raises
        ------
        WeightsError
            If the network sees other classes than `MODEL`, so that its labels mean others.
        """
        labels = np.empty((len(crops), GRID, GRID), dtype=np.uint8)
        for start in range(0, len(crops), self._batch_size):
            batch = slice(start, start + self._batch_size)
            labels[batch] = self._parse_batch(crops[batch], landmarks[batch]).cpu().numpy()
        return labels

    def _parse_batch(self, crops: NDArray[np.uint8], landmarks: Points) -> torch.Tensor:
        # Floats from 0 to 1, for facer takes the range of integers from their maximum.
        images = torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2).float() / 255
        points = torch.from_numpy(five_points(landmarks)).float().to(self._device)
        faces = {"points": points, "image_ids": torch.arange(len(crops), device=self._device)}
        logits = self._network(images, faces)["seg"]["logits"]
        if logits.shape[1] != len(self._labels):
            raise WeightsError(
                f"{self._weights} has {logits.shape[1]} classes, not the "
                f"{len(self._labels)} of {MODEL}: fetch the file of {MODEL}."
            )
        seen = (logits != 0).any(dim=1)
        return torch.where(seen, self._labels[logits.argmax(dim=1)], UNLABELLED)
