"""Safe reader of YAML files that knows the line of every value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

MAX_BYTES: Final = 1_000_000
MAX_NODES: Final = 100_000
"""Most values in a file with its aliases expanded: a few lines can expand to billions."""

MAX_DIGITS: Final = 300
"""Most characters of a number: reading or printing a very long one is very slow, or fails."""

# Both know no tags but those of YAML's own scalars, lists and mappings; the one in C is ten times
# faster, and there where PyYAML was built with libyaml.
_LOADER: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_NUMBERS: Final = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}


@dataclass(frozen=True)
class Mistake:
    """Something wrong in a file, with its line (from 1)."""

    path: Path
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.sentence}"


@dataclass(frozen=True)
class YamlFile:
    """A file's data, plain dicts, lists and scalars, and its nodes, which know their lines."""

    path: Path
    data: Any
    root: yaml.Node | None

    def line(self, location: Sequence[str | int]) -> int:
        """Return the line of the value under these keys and indices, or of the nearest one."""
        node, line = self.root, 1
        for step in location:
            child = _child(node, step)
            if child is None:
                break
            node, line = child
        return line


def read_yaml(path: Path) -> tuple[YamlFile | None, list[Mistake]]:
    """Read a YAML file without running anything in it.

    Returns
    -------
    YamlFile or None
        None where the mistakes leave nothing to read.
    list of Mistake
        Unreadable file, syntax, tags, too many values, keys that occur twice.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [Mistake(path, 1, f"cannot be read: {error.strerror}.")]
    if len(text) > MAX_BYTES:
        return None, [Mistake(path, 1, f"is longer than {MAX_BYTES:,} bytes.")]
    try:
        return _construct(path, text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).replace("\n", " ")
        # libyaml has a limit of its own.
        is_deep = "nesting depth" in problem
        sentence = "is nested too deeply." if is_deep else f"is not plain YAML: {problem}."
        return None, [Mistake(path, mark.line + 1 if mark else 1, sentence)]
    except RecursionError:
        return None, [Mistake(path, 1, "is nested too deeply.")]
    except Exception as error:  # values that aren't what their tags say make PyYAML raise anything
        return None, [Mistake(path, 1, f"holds a value that can't be read: {error}.")]


def _construct(path: Path, text: bytes) -> tuple[YamlFile | None, list[Mistake]]:
    loader = _LOADER(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return YamlFile(path, {}, None), []
        if _written_out(root, {}) > MAX_NODES:
            return None, [Mistake(path, 1, f"stands for more than {MAX_NODES:,} values.")]
        nodes = list(_nodes(root, set()))
        for node in nodes:
            if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
                sentence = f"has a number of more than {MAX_DIGITS} characters."
                return None, [Mistake(path, node.start_mark.line + 1, sentence)]
        mistakes = [
            Mistake(path, key.start_mark.line + 1, f"{key.value} occurs twice.")
            for node in nodes
            for key in _repeated_keys(node)
        ]
        data = loader.construct_document(root)
        return YamlFile(path, data, root), sorted(mistakes, key=lambda mistake: mistake.line)
    finally:
        loader.dispose()


def _written_out(node: yaml.Node, counted: dict[int, int]) -> int:
    """Count a node and all below it, those behind an alias once for each alias."""
    if id(node) not in counted:
        counted[id(node)] = MAX_NODES + 1  # what a node that contains itself finds here
        counted[id(node)] = 1 + sum(_written_out(child, counted) for child in _children(node))
    return counted[id(node)]


def _nodes(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    """Yield a node and all below it, each once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    yield node
    for child in _children(node):
        yield from _nodes(child, seen)


def _repeated_keys(node: yaml.Node) -> Iterator[yaml.Node]:
    keys: set[str] = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            if key.value in keys:
                yield key
            keys.add(key.value)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        # From the end: keys that the loader merged in by `<<` precede a mapping's own keys.
        for key, value in reversed(node.value):
            if key.value == str(step):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    return None
