"""Network made of the nodes of an ONNX graph, each a module whose output can be explained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ingest.networks.onnx_modules import module_of
from ingest.networks.onnx_operators import Operator


@dataclass(frozen=True)
class Node:
    """A node of a graph: its layer name, operator, values that it reads and gives, attributes.

    The name of an input that is left out is empty.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class _Step:
    """A module to run: its name, what it reads and gives, and what nothing reads after it."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    done: tuple[str, ...]


class Constants(nn.Module):
    """Constants that operators without weights read; those of real numbers are buffers."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._whole = {name: one for name, one in tensors.items() if not one.is_floating_point()}
        real = [name for name in tensors if name not in self._whole]
        self._buffer_of = {name: f"value_{number}" for number, name in enumerate(real)}
        for name, buffer in self._buffer_of.items():
            self.register_buffer(buffer, tensors[name].clone())

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the constants with their names."""
        yield from self._whole.items()
        for name, buffer in self._buffer_of.items():
            yield name, self.get_buffer(buffer)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all values anew from a normal distribution of each tensor's mean and deviation.

        Single numbers stay, since they belong to a formula, as the 0.5 of a GELU does.
        """
        for tensor in self.buffers():
            if tensor.numel() > 1 and tensor.isfinite().all():
                tensor.copy_(tensor.mean() + tensor.std() * torch.randn_like(tensor))


class OnnxNetwork(nn.Module):
    """A network from chips to the output of a graph, its layers named as the graph's nodes.

    Nodes that depend on no chip are computed once, here.

    Parameters
    ----------
    nodes : sequence of Node
        In an order in which they can be run.
    constants : mapping of str to Tensor
    chips, embedding : str
        Names of the graph's input and output.
    folded_norms : mapping of str to bool or None
        By layer, whether a norm that followed it was folded into its weights; None: not known.
        Layers that are not in it have none folded.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        constants: Mapping[str, Tensor],
        chips: str,
        embedding: str,
        folded_norms: Mapping[str, bool | None],
    ) -> None:
        super().__init__()
        self.folded_norms = dict(folded_norms)
        self._chips, self._embedding = chips, embedding
        known, running = dict(constants), []
        for node in nodes:
            if all(name in known for name in node.inputs if name):
                known |= _computed(node, known)
            else:
                running.append(self._add(node, known))
        self._steps = _with_last_uses(running, embedding)
        read = {name for step in running for name in step.inputs} & known.keys()
        self.constants = Constants({name: known[name] for name in sorted(read)})

    def forward(self, chips: Tensor) -> Tensor:
        """Return embeddings (n, embedding_size) of chips (n, 3, size, size)."""
        values = {**dict(self.constants), self._chips: chips}
        for step in self._steps:
            given = (values[name] if name else None for name in step.inputs)
            output = self.get_submodule(step.name)(*given)
            several = output if isinstance(output, tuple) else (output,)
            values |= zip(step.outputs, several, strict=False)
            for name in step.done:
                values.pop(name, None)
        return values[self._embedding]

    def _add(self, node: Node, known: Mapping[str, Tensor]) -> _Step:
        """Make the node's module, add it under its name, and return how it is run."""
        others = node.inputs[1:]
        are_constant = node.inputs[0] not in known and all(name in known for name in others if name)
        constants = [known.get(name) for name in others] if are_constant else None
        module = module_of(node.kind, node.attributes, constants)
        inputs = node.inputs if module is None else node.inputs[:1]
        *path, last = node.name.split(".")
        parent: nn.Module = self
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        parent.add_module(last, module or Operator(node.kind, node.attributes))
        return _Step(node.name, inputs, node.outputs, ())


@torch.no_grad()
def _computed(node: Node, known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the outputs of a node whose inputs are constants."""
    module = Operator(node.kind, node.attributes)
    output = module(*(known[name] if name else None for name in node.inputs))
    several = output if isinstance(output, tuple) else (output,)
    return dict(zip(node.outputs, several, strict=False))


def _with_last_uses(steps: Sequence[_Step], embedding: str) -> tuple[_Step, ...]:
    """Return the steps, each with the values that nothing reads after it."""
    read_later = {embedding}
    found = []
    for step in reversed(steps):
        done = ({*step.inputs, *step.outputs} - read_later) - {""}
        found.append(_Step(step.name, step.inputs, step.outputs, tuple(sorted(done))))
        read_later |= set(step.inputs)
    return tuple(reversed(found))
