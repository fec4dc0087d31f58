"""Every module is tested, and a reader finds where."""

import re

from tests.docs.blocks import ROOT
from tests.docs.mirror import ELSEWHERE, WHOLES

PACKAGES = ("leamstore", "ingest", "analyses", "dashboards", "benchmarks")
MODULES = {
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
}


def has_namesake(module):
    name = "commandline" if module.name == "__main__.py" else module.stem
    return (ROOT / "tests" / module.parent / f"test_{name}.py").is_file()


def test_every_module_has_its_namesake_test_or_is_listed_with_where_it_is_tested():
    unnamed = {module.as_posix() for module in MODULES if not has_namesake(module)}
    listed = set(ELSEWHERE)
    assert not unnamed - listed, "say in tests/docs/mirror.py where these are tested"
    assert not listed - unnamed, "take these out of tests/docs/mirror.py"


def test_every_test_that_is_named_for_a_module_is_there():
    for module, named in ELSEWHERE.items():
        file, _, test = named.partition("::")
        text = (ROOT / "tests" / file).read_text()
        assert re.search(rf"^def test_{test.removeprefix('test_')}", text, re.MULTILINE), module


def test_every_test_file_below_a_package_has_its_module_or_its_folder():
    for package in PACKAGES:
        for path in (ROOT / "tests" / package).rglob("test_*.py"):
            folder, name = path.relative_to(ROOT / "tests").parent, path.stem.removeprefix("test_")
            assert (
                name in WHOLES
                or name == folder.name
                or (ROOT / folder / f"{name}.py").is_file()
                or (ROOT / folder / name).is_dir()
            ), path
