"""``python -m benchmarks.gpu``: LEAM on a graphics card, timed by the card's own clock.

It imports torch and the project's LEAM and networks, and nothing of the lake, so that it runs
where the lake's packages aren't installed. Weights are random: they don't change the work.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import permutations
from pathlib import Path
from pkgutil import resolve_name
from statistics import median
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.maps import explain_pairs, rank_correlations
from benchmarks.timing import seconds_of
from ingest.leam.maps import Precision, arithmetic

_IRESNET_LAYERS: Final = (
    "conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1", "layer1.1.conv2",
    "layer2.0.conv1", "layer2.0.conv2", "layer2.1.conv1", "layer2.1.conv2",
)  # fmt: skip
_INCEPTION_LAYERS: Final = (
    "conv2d_1a.conv", "conv2d_2a.conv", "conv2d_2b.conv", "conv2d_3b.conv", "conv2d_4a.conv",
    "conv2d_4b.conv", "repeat_1.0.branch0.conv", "repeat_1.0.branch1.0.conv",
    "repeat_1.0.branch1.1.conv",
)  # fmt: skip
_VGG_LAYERS: Final = (
    "conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv4_1",
    "conv4_2",
)  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """A network of the paper, with its nine layers: what the catalog says, which needs packages."""

    entry_point: str
    input_size: int
    layers: tuple[str, ...]


ARCHITECTURES: Final = {
    "IResNet-18": Architecture("ingest.networks.iresnet:iresnet18", 112, _IRESNET_LAYERS),
    "IResNet-50": Architecture("ingest.networks.iresnet:iresnet50", 112, _IRESNET_LAYERS),
    "IResNet-100": Architecture("ingest.networks.iresnet:iresnet100", 112, _IRESNET_LAYERS),
    "InceptionResnetV1": Architecture(
        "ingest.networks.inception_resnet:InceptionResnetV1", 160, _INCEPTION_LAYERS
    ),
    "VGG-Face": Architecture("ingest.networks.vgg_face:VggFace", 224, _VGG_LAYERS),
}

PAPERS_PAIRS: Final = 170_000
"""Ordered pairs of the paper's 13,445 images (arXiv 2509.17457, section 4)."""

PAPERS_MODELS: Final = {
    "IResNet-18": 2, "IResNet-50": 2, "IResNet-100": 2, "InceptionResnetV1": 2, "VGG-Face": 1
}  # fmt: skip
"""How many of the paper's models have each network."""

PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "tf32", "bfloat16")


@dataclass(frozen=True)
class Work:
    """The timed work: all ordered pairs of identities with equally many images, in one pass."""

    device: torch.device
    identities: int
    images: int
    repeats: int
    seed: int

    @property
    def batch(self) -> int:
        """Images in a forward pass."""
        return self.identities * self.images

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Positions of anchors and positives in the batch."""
        return [
            (first + anchor, first + positive)
            for first in range(0, self.batch, self.images)
            for anchor, positive in permutations(range(self.images), 2)
        ]


@dataclass(frozen=True)
class Speed:
    """The speed of one network in one precision.

    Attributes
    ----------
    images_per_second : float
        Of forward passes alone.
    seconds_per_pair : float
        LEAM, nine layers, with a pair's part of the forward pass.
    passes_per_pair : float
        The same in units of an image's forward pass.
    share_of_peak : float
        LEAM's operations a second, of those of a large matrix product in this precision.
    gain_of_graph : float or None
        How many times faster a forward and a backward pass get as a CUDA graph; None off CUDA.
    rank_correlation : float
        Spearman's, of a map with the same map in float32: the median over pairs and layers.
    """

    network: str
    precision: Precision
    images_per_second: float
    seconds_per_pair: float
    passes_per_pair: float
    share_of_peak: float
    gain_of_graph: float | None
    rank_correlation: float


def main() -> None:
    """Measure, print a table and write JSON if asked to."""
    options = _options()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("No GPU that torch can use is here: choose --device cpu, or install CUDA's torch.")
    device = torch.device(options.device)
    work = Work(device, options.identities, options.images, options.repeats, options.seed)
    speeds = []
    for name in options.networks:
        try:
            network = build(ARCHITECTURES[name], work)
        except ImportError as error:
            print(f"{name}: not measured, since {error.name} isn't installed.", file=sys.stderr)
            continue
        for precision in PRECISIONS if device.type == "cuda" else ("float32", "bfloat16"):
            speeds.append(measure(name, network, precision, work))
            print(_sentence(speeds[-1]), flush=True)
    projected = {precision: hours(speeds, precision) for precision in PRECISIONS}
    for precision, needed in projected.items():
        if needed is not None:
            print(
                f"The paper's study in {precision}: {needed:.2f} hours of LEAM on {_card(device)}."
            )
    if options.to:
        facts = {
            "device": _card(device),
            "versions": {"torch": torch.__version__, "cuda": torch.version.cuda},
            "work": {"batch": work.batch, "pairs": len(work.pairs), "seed": work.seed},
            "speeds": [asdict(speed) for speed in speeds],
            "hours_of_papers_study": projected,
        }
        options.to.write_text(json.dumps(facts, indent=2) + "\n")


def build(architecture: Architecture, work: Work) -> nn.Module:
    """Return a network on random weights, frozen, on the device."""
    torch.manual_seed(work.seed)
    network: nn.Module = resolve_name(architecture.entry_point)()
    return network.eval().requires_grad_(False).to(work.device)


def measure(name: str, network: nn.Module, precision: Precision, work: Work) -> Speed:
    """Measure one network in one precision."""
    architecture = ARCHITECTURES[name]
    size = architecture.input_size
    generator = torch.Generator().manual_seed(work.seed)
    chips = (2 * torch.rand(work.batch, 3, size, size, generator=generator) - 1).to(work.device)
    explain = partial(explain_pairs, network, chips, work.pairs, architecture.layers, precision)
    with arithmetic(precision):
        with FlopCounterMode(display=False) as counted:
            explain()
        leam = seconds(explain, work)
        forward = seconds(partial(_forward, network, chips, precision), work)
        peak = operations_per_second(precision, work)
        graph = None
        if work.device.type == "cuda":
            graph = gain_of_graph(network, chips, architecture.layers[0], precision, work)
    pairs = list(permutations(range(work.images), 2))
    layers, images = architecture.layers, chips[: work.images]
    likeness = rank_correlations(network, images, pairs, layers, precision)
    return Speed(
        network=name,
        precision=precision,
        images_per_second=work.batch / forward,
        seconds_per_pair=leam / len(work.pairs),
        passes_per_pair=leam / len(work.pairs) / (forward / work.batch),
        share_of_peak=counted.get_total_flops() / leam / peak,
        gain_of_graph=graph,
        rank_correlation=float(likeness.median()),
    )


def hours(speeds: list[Speed], precision: Precision) -> float | None:
    """Return the hours that the paper's study would take; None if a network wasn't measured."""
    per_pair = {
        speed.network: speed.seconds_per_pair for speed in speeds if speed.precision == precision
    }
    if not set(PAPERS_MODELS) <= set(per_pair):
        return None
    return sum(
        models * PAPERS_PAIRS * per_pair[network] / 3600
        for network, models in PAPERS_MODELS.items()
    )


def seconds(run: Callable[[], object], work: Work) -> float:
    """Return the median seconds of a call, by CUDA's events on a card, after one to warm up."""
    clock = _seconds_on_card if work.device.type == "cuda" else seconds_of
    run()
    return median(clock(run) for _ in range(work.repeats))


def operations_per_second(precision: Precision, work: Work) -> float:
    """Return the rate of a large matrix product, as torch's flop counter counts: two a product."""
    size = 8192 if work.device.type == "cuda" else 1024
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    # Not of ones or zeros: a card that flips fewer bits clocks higher.
    generator = torch.Generator(work.device).manual_seed(work.seed)
    matrix = torch.randn(size, size, device=work.device, dtype=kind, generator=generator)
    return 2 * size**3 / seconds(lambda: matrix @ matrix, work)


def gain_of_graph(
    network: nn.Module, chips: Tensor, layer: str, precision: Precision, work: Work
) -> float:
    """Return how many times faster a forward and a backward pass get as a CUDA graph."""
    passes = partial(_passes, network, chips, layer, precision)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):  # libraries choose their algorithms before anything is recorded
            passes()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        passes()
    return seconds(passes, work) / seconds(graph.replay, work)


@torch.no_grad()
def _forward(network: nn.Module, chips: Tensor, precision: Precision) -> None:
    with _autocast(chips, precision):
        network(chips)


def _passes(network: nn.Module, chips: Tensor, layer: str, precision: Precision) -> Tensor:
    """Run forward, and back to a layer's output."""
    outputs: list[Tensor] = []

    def start(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        outputs.append(output.detach().requires_grad_())
        return outputs[0].clone()

    with network.get_submodule(layer).register_forward_hook(start), _autocast(chips, precision):
        embeddings = network(chips)
    return torch.autograd.grad(embeddings.float().square().sum(), outputs)[0]


def _autocast(chips: Tensor, precision: Precision) -> torch.autocast:
    return torch.autocast(chips.device.type, torch.bfloat16, enabled=precision == "bfloat16")


def _seconds_on_card(run: Callable[[], object]) -> float:
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    run()
    ended.record()
    torch.cuda.synchronize()
    return float(began.elapsed_time(ended)) / 1000


def _sentence(speed: Speed) -> str:
    graph = "" if speed.gain_of_graph is None else f"; as a CUDA graph {speed.gain_of_graph:.2f}x"
    return (
        f"{speed.network} in {speed.precision}: {speed.images_per_second:,.0f} images/s forward, "
        f"{1 / speed.seconds_per_pair:,.0f} pairs/s ({speed.passes_per_pair:.2f} passes a pair), "
        f"{100 * speed.share_of_peak:.0f} % of peak, rank correlation with float32 "
        f"{speed.rank_correlation:.4f}{graph}"
    )


def _card(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def _options() -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description="Measure LEAM on a GPU, and project the hours of the paper's study.",
        epilog="The paper has 12.6 positives an image: 14 images an identity come near.",
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--identities", type=int, default=8, help="in a forward pass (%(default)s)")
    parser.add_argument("--images", type=int, default=14, help="of an identity (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="behind a median (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--networks", nargs="+", choices=list(ARCHITECTURES), default=list(ARCHITECTURES)
    )
    parser.add_argument("--to", type=Path, help="file for the results as JSON", metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
