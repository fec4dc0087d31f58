"""Which package imports which: one way, and never in a circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dashboards", "analyses", "ingest", "leamstore")
"""Each may import itself and those that follow."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {
    module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
}


def imports_of(module: str) -> Iterator[str]:
    """Yield the modules of the project that a module imports, in its functions and by name too.

    What it imports for its annotations only is never run, and can't close a circle.
    """
    text = FILES[module].read_text()
    tree, by_name = ast.parse(text), "import_module(" in text
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in FILES)
        elif by_name and isinstance(node, ast.Constant) and node.value in FILES:
            yield node.value  # as registries name modules
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                submodule = f"{node.module}.{name.name}"
                if submodule in FILES:
                    yield submodule
                elif node.module in FILES:
                    yield node.module


GRAPH = {module: set(imports_of(module)) - {module} for module in FILES}


def test_the_graph_has_the_imports_that_it_should_have():
    assert "leamstore.lake" in GRAPH["ingest.run.pipeline"]
    assert "analyses.questions" in GRAPH["analyses.__main__"], "an import in a function"
    assert "dashboards.views.home" in GRAPH["dashboards.views"], "an import by name"


@pytest.mark.parametrize("module", ["ingest.run.pipeline", "ingest.options"])
def test_what_does_the_work_is_chosen_on_the_command_line(module):
    assert {name for name in GRAPH[module] if "dask" in name} == set()


def test_no_module_imports_itself_by_way_of_others():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_packages_import_one_way_only():
    order = {package: place for place, package in enumerate(PACKAGES)}
    upwards = [
        f"{module} imports {name}"
        for module, names in GRAPH.items()
        for name in names
        if order[name.split(".")[0]] < order[module.split(".")[0]]
    ]
    assert upwards == []


def test_a_lake_is_read_without_torch():
    written = {module: FILES[module].read_text() for module in GRAPH if module.startswith("leam")}
    assert [module for module, text in written.items() if "import torch" in text] == []
