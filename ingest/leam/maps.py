"""LEAM maps: the cells of a layer that make a network find two images of a person alike.

For an anchor and a score S of its embedding (`ingest.leam.targets`; the paper: the cosine to the
embedding of a positive), and a layer with output A, channel k, cells i, j:

    w_kij = ReLU(dS / dA_kij)        M_ij = ReLU(sum_k w_kij A_kij)        m = M / max M

(arXiv 2509.17457; the sum is LayerCAM's.) A forward pass serves all pairs of its anchors and a
backward pass all layers of its pairs. `backward_passes` makes the maps piece by piece; `explain`
and `relevance_maps` gather them.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypedDict, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ingest.leam.fast_backward import Frozen
from ingest.leam.targets import Score, Target, find_target
from ingest.networks.cell_layout import CellLayout, ChannelsFirst
from ingest.networks.device import like
from leamstore.errors import LeamError

Precision = Literal["float32", "tf32", "bfloat16"]
Pairs = Sequence[tuple[int, int]] | Tensor
Counterparts = Callable[[Tensor], Tensor]


class Settings(TypedDict, total=False):
    """The optional settings of `backward_passes`, where they are explained."""

    layouts: Mapping[str, CellLayout]
    references: Tensor | None
    embeddings: Tensor | None
    counterparts: Counterparts
    batch_size: int
    precision: Precision


@dataclass(frozen=True)
class Explanation:
    """The relevance of pairs.

    Attributes
    ----------
    maps : dict of Tensor
        By layer (pair, y, x) float32 at the layer's own resolution: maximum 1, or all zero.
    peaks : dict of Tensor
        By layer (pair,) float32: each map's maximum before it was scaled to 1.
    embeddings : Tensor
        (image, n) of all images, as the network gives them.
    cosines : Tensor
        (pair,) cosines of the anchor's embedding and its counterpart.
    """

    maps: dict[str, Tensor]
    peaks: dict[str, Tensor]
    embeddings: Tensor
    cosines: Tensor


@dataclass(frozen=True)
class BackwardPass(Explanation):
    """The relevance of some pairs, no two of one anchor: what one backward pass gives.

    Attributes
    ----------
    pairs : Tensor
        (b,) positions in the list of pairs.
    """

    pairs: Tensor


def relevance_maps(
    network: nn.Module,
    images: Tensor,
    pairs: Pairs,
    layers: Sequence[str],
    target: str | Target = "cosine",
    **settings: Unpack[Settings],
) -> dict[str, Tensor]:
    """Return by layer the relevance maps (pair, y, x) of all pairs (see `backward_passes`)."""
    return explain(network, images, pairs, layers, target, **settings).maps


def explain(
    network: nn.Module,
    images: Tensor,
    pairs: Pairs,
    layers: Sequence[str],
    target: str | Target = "cosine",
    **settings: Unpack[Settings],
) -> Explanation:
    """Return the maps of all pairs and the embeddings; see `backward_passes` for the parameters."""
    made = list(backward_passes(network, images, pairs, layers, target, **settings))
    order = torch.argsort(torch.cat([part.pairs for part in made]))
    return Explanation(
        maps={layer: torch.cat([part.maps[layer] for part in made])[order] for layer in layers},
        peaks={layer: torch.cat([part.peaks[layer] for part in made])[order] for layer in layers},
        embeddings=made[-1].embeddings,
        cosines=torch.cat([part.cosines for part in made])[order],
    )


@torch.inference_mode(False)
@torch.no_grad()
def backward_passes(
    network: nn.Module,
    images: Tensor,
    pairs: Pairs,
    layers: Sequence[str],
    target: str | Target = "cosine",
    *,
    layouts: Mapping[str, CellLayout] = MappingProxyType({}),
    references: Tensor | None = None,
    embeddings: Tensor | None = None,
    counterparts: Counterparts = lambda embeddings: embeddings,
    batch_size: int = 16,
    precision: Precision = "float32",
) -> Iterator[BackwardPass]:
    """Make the maps of all pairs, one positive of each anchor of a batch at a time.

    Memory holds a batch's forward pass and a backward pass's maps, however many pairs there are.

    Parameters
    ----------
    network : Module
        In eval mode; from images to embeddings (image, n). No gradient reaches its parameters.
    images : Tensor
        (image, 3, h, w), as the network takes them.
    pairs : sequence of (int, int) or Tensor (pair, 2)
        Anchor and positive, as positions in `images`.
    layers : sequence of str
        Names of modules, such as convolutions.
    target : str or Target
        The score, or its name in `ingest.leam.targets.TARGETS`.
    layouts : mapping of str to CellLayout
        Of layers whose output isn't (image, channel, y, x), as
        `ingest.networks.cell_geometry.layer_geometry` finds them.
    references : Tensor, optional
        (image, c): what the target's `references` made for these images, if it needs them.
    embeddings : Tensor, optional
        (image, n) of all images, as `embed` gives them, where they have been made.
    counterparts : callable
        From the embeddings (image, n) to what represents each image as a positive (image, n):
        by default its own embedding. With `ingest.leam.targets.mean_of_positives` and pairs (i, i)
        a map is that of image i towards the mean of its positives.
    batch_size : int
        Images in a forward pass. Where it holds all images, there is one forward pass
        altogether; else the embeddings are made by a first pass without gradient, unless given.
    precision : {"float32", "tf32", "bfloat16"}
        Precision of convolutions and matrix products; maps are always float32. tf32 is
        float32 whose factors a GPU of NVIDIA's rounds to ten bits, and float32 itself elsewhere.

    Yields
    ------
    BackwardPass
        Each pair is in one of them.

    Raises
    ------
    LeamError
        If the network, a layer, a pair or the target can't be used as asked.
    """
    target = find_target(target) if isinstance(target, str) else target
    found = _find_layers(network, layers, layouts)
    anchors, positives = _read_pairs(pairs, len(images)).unbind(1)
    references = _read_references(references, target, len(images))
    task = _Task(target.score, references, counterparts)
    device = like(network, images).device
    whole = len(images) <= batch_size and embeddings is None
    if not whole and embeddings is None:
        embeddings = embed(network, images, batch_size, precision)
    for batch in [torch.arange(len(images))] if whole else _batches(anchors, batch_size):
        # Positions are sent to a GPU first: each transfer waits for all work queued before it.
        turns = [turn.to(device) for turn in _turns(anchors, positives, batch)]
        forward = _forward(network, images[batch], found, precision)
        embeddings = _renewed(embeddings, batch, forward)
        for turn in turns:
            with arithmetic(precision):
                made = _backward_pass(task, forward, embeddings, turn)
            yield made
        del forward  # its graph is the bulk of the memory: free it before the next is made


@torch.no_grad()
def embed(
    network: nn.Module, images: Tensor, batch_size: int = 16, precision: Precision = "float32"
) -> Tensor:
    """Return the embeddings (image, n) of images (image, 3, h, w), in batches."""
    return torch.cat([_run(network, batch, precision) for batch in images.split(batch_size)])


@contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """Allow or forbid a GPU to round the factors of float32 products to TF32 inside the context.

    Torch's own default is to round those of convolutions. Torch keeps one state for all threads:
    those that are inside at once have one precision, and the last one out restores the state.
    """
    _TF32.enter(precision == "tf32")
    try:
        yield
    finally:
        _TF32.leave()


class _SharedState:
    """Torch's two switches of TF32, and the threads that rely on them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._former = (False, False)

    def enter(self, allowed: bool) -> None:
        products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
        with self._lock:
            if not self._inside:
                self._former = products.allow_tf32, convolutions.allow_tf32
                products.allow_tf32 = convolutions.allow_tf32 = allowed
            self._inside += 1

    def leave(self) -> None:
        products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
        with self._lock:
            self._inside -= 1
            if not self._inside:
                products.allow_tf32, convolutions.allow_tf32 = self._former


_TF32: Final = _SharedState()


@dataclass(frozen=True)
class _Task:
    """The target and data from which the scores of pairs are computed."""

    score: Score
    references: Tensor
    counterparts: Counterparts


@dataclass(frozen=True)
class _Turn:
    """Pairs of different anchors: their positions in the list of pairs, and who is in each.

    Rows are those of the anchors in their batch; anchors and positives are images.
    """

    pairs: Tensor
    rows: Tensor
    anchors: Tensor
    positives: Tensor

    def to(self, device: torch.device) -> "_Turn":
        """Bring all but the pairs, which are the caller's, to where the network is."""
        return _Turn(
            self.pairs, *(part.to(device) for part in (self.rows, self.anchors, self.positives))
        )


@dataclass(frozen=True)
class _Layer:
    """A layer, and how its output holds its cells."""

    module: nn.Module
    layout: CellLayout


@dataclass(frozen=True)
class _Forward:
    """A forward pass of b images: embeddings (b, n) and the layers' outputs, in one graph."""

    embeddings: Tensor
    activations: dict[str, Tensor]
    layers: dict[str, _Layer]


@torch.enable_grad()
def _forward(
    network: nn.Module, images: Tensor, layers: dict[str, _Layer], precision: Precision
) -> _Forward:
    with _capturing(layers) as activations:
        embeddings = _run(network, images, precision)
    for layer in layers:
        if layer not in activations:
            raise LeamError(f"Layer {layer!r} takes no part in the forward pass: choose another.")
    if not embeddings.requires_grad:
        raise LeamError(
            f"The embedding depends on none of the layers {', '.join(layers)} by a gradient: "
            "remove no_grad or detach from the network's forward."
        )
    return _Forward(embeddings, activations, layers)


@contextmanager
def _capturing(layers: dict[str, _Layer]) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of layers, by name, from this thread's forward passes inside.

    The graph starts at the first of them, so that nothing before it is differentiated. What
    follows works on a copy, which it may overwrite (an in-place ReLU, ``out += identity``).
    """
    activations: dict[str, Tensor] = {}
    thread = threading.get_ident()

    def capture(layer: str, output: object) -> Tensor | None:
        if threading.get_ident() != thread:
            return None  # another thread's forward pass of the same network
        if layer in activations:
            raise LeamError(f"Layer {layer!r} is used twice in a forward pass: choose another.")
        layout = layers[layer].layout
        if not isinstance(output, Tensor) or not layout.holds(output):
            form = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise LeamError(
                f"Layer {layer!r} gives {form}, not {layout}: choose a convolution, or a layer "
                "whose layout is known."
            )
        activations[layer] = output if output.requires_grad else output.detach().requires_grad_()
        return activations[layer].clone()

    hooks = [
        found.module.register_forward_hook(
            lambda _, __, output, layer=layer: capture(layer, output)
        )
        for layer, found in layers.items()
    ]
    try:
        yield activations
    finally:
        for hook in hooks:
            hook.remove()


def _run(network: nn.Module, images: Tensor, precision: Precision) -> Tensor:
    """Run the network on images converted to its device, dtype and the faster layout."""
    place = like(network, images)
    images = images.to(place.device, place.dtype, memory_format=torch.channels_last)
    autocast = torch.autocast(place.device.type, torch.bfloat16, enabled=precision == "bfloat16")
    with arithmetic(precision), autocast, Frozen():
        embeddings = network(images)
    if not isinstance(embeddings, Tensor) or embeddings.ndim != 2:
        raise LeamError("The network does not give one embedding (image, n): wrap it so it does.")
    return embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))


def _backward_pass(task: _Task, forward: _Forward, embeddings: Tensor, turn: _Turn) -> BackwardPass:
    """Explain the pairs of a turn, whose anchors are its rows of the forward pass."""
    counterparts = task.counterparts(embeddings)[turn.positives]
    references = task.references.to(counterparts)[turn.anchors]
    with torch.enable_grad():
        score = task.score(forward.embeddings[turn.rows], counterparts, references).sum()
        activations = tuple(forward.activations.values())
        gradients = torch.autograd.grad(
            score, activations, retain_graph=True, materialize_grads=True
        )
    maps = {}
    for layer, activation, gradient in zip(
        forward.activations, activations, gradients, strict=True
    ):
        as_grid = forward.layers[layer].layout.as_grid
        maps[layer] = _relevance(as_grid(activation), as_grid(gradient))[turn.rows]
    peaks = {layer: relevance.amax((1, 2)) for layer, relevance in maps.items()}
    return BackwardPass(
        pairs=turn.pairs,
        maps={layer: _scale(relevance, peaks[layer]) for layer, relevance in maps.items()},
        peaks=peaks,
        embeddings=embeddings,
        cosines=F.cosine_similarity(embeddings[turn.anchors], counterparts),
    )


def _relevance(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_k ReLU(dS / dA_kij) A_kij): (b, y, x) float32 of (b, k, y, x)."""
    # On a processor image by image, so that the products stay in its cache.
    piece = 1 if activation.device.type == "cpu" else len(activation)
    sums = [
        _products(values, weights).sum(1, dtype=torch.float32)
        for values, weights in zip(activation.split(piece), gradient.split(piece), strict=True)
    ]
    return torch.cat(sums).clamp_min_(0)


def _products(values: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(gradient) times values, cell by cell; in float32 where float16 would lose the small."""
    weights = gradient.clamp_min(0)
    return (weights.float() if weights.dtype == torch.float16 else weights).mul_(values)


def _scale(relevance: Tensor, peak: Tensor) -> Tensor:
    """Scale maps (b, y, x) to maximum 1; a map that is zero everywhere stays zero."""
    return relevance / torch.where(peak > 0, peak, 1)[:, None, None]


def _renewed(embeddings: Tensor | None, batch: Tensor, forward: _Forward) -> Tensor:
    """Take the batch's embeddings from its own pass: an image agrees with itself to the bit."""
    own = forward.embeddings.detach()
    return own if embeddings is None else embeddings.index_copy(0, batch.to(own.device), own)


def _batches(anchors: Tensor, batch_size: int) -> Sequence[Tensor]:
    """Split the anchors into batches of images with alike numbers of pairs: full passes."""
    images, counts = anchors.unique(return_counts=True)
    return images[counts.argsort(descending=True, stable=True)].split(batch_size)


def _turns(anchors: Tensor, positives: Tensor, batch: Tensor) -> Iterator[_Turn]:
    """Deal out the pairs of a batch of images, one an anchor and turn."""
    of_row = [(anchors == image).nonzero().squeeze(1) for image in batch]
    for turn in range(max(map(len, of_row))):
        rows = torch.tensor([row for row, pairs in enumerate(of_row) if len(pairs) > turn])
        pairs = torch.stack([of_row[row][turn] for row in rows])
        yield _Turn(pairs, rows, anchors[pairs], positives[pairs])


def _find_layers(
    network: nn.Module, layers: Sequence[str], layouts: Mapping[str, CellLayout]
) -> dict[str, _Layer]:
    """Return the modules of these names, of a network in eval mode, and their layouts."""
    if any(module.training for module in network.modules()):
        raise LeamError("The network is in training mode: call its eval() first.")
    modules = dict(network.named_modules())
    unknown = [layer for layer in layers if layer not in modules]
    if unknown or not layers:
        raise LeamError(
            f"The network has no layer {', '.join(map(repr, unknown))}: "
            "its named_modules() lists those it has."
        )
    return {layer: _Layer(modules[layer], layouts.get(layer, ChannelsFirst())) for layer in layers}


def _read_pairs(pairs: Pairs, images: int) -> Tensor:
    """Return the pairs as (pair, 2), all of them positions in the images."""
    places = torch.as_tensor(pairs, dtype=torch.long).reshape(-1, 2).cpu()
    if len(places) == 0:
        raise LeamError("There is no pair to explain: give at least one (anchor, positive).")
    outside = places[((places < 0) | (places >= images)).any(1)]
    if len(outside):
        raise LeamError(
            f"Pair {tuple(outside[0].tolist())} names an image outside 0..{images - 1}."
        )
    return places


def _read_references(references: Tensor | None, target: Target, images: int) -> Tensor:
    """Return the references (image, c) that the target needs, or (image, 0)."""
    if references is None and target.needs_references:
        raise LeamError(
            f"Target {target.name!r} needs references: make them from the embeddings of the "
            "whole data set by the target's references(embeddings, identities, seed)."
        )
    constants = torch.empty(images, 0) if references is None else references
    if len(constants) != images:
        raise LeamError(
            f"There are {len(constants)} references for {images} images: give one each."
        )
    return constants
