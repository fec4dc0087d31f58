import json

from benchmarks.benchmark import Benchmark, at_most
from benchmarks.machine import describe_machine
from benchmarks.results import Row, as_markdown, write_results

BENCHMARK = Benchmark("bc", "all pairs", "a loop | of numpy", {"loop": at_most(2, "x")}, "x:y")
ROWS = [Row(BENCHMARK, "loop", 3.0, "noted"), Row(BENCHMARK, "loop", None, "not measured: why")]


def test_a_page_has_a_row_for_each_case():
    lines = as_markdown(ROWS, describe_machine(seed=5), quick=False).splitlines()
    assert lines[-2] == r"| all pairs | a loop \| of numpy | loop | 3x | <= 2x | no | noted |"
    assert lines[-1].endswith("| loop | - | <= 2x | - | not measured: why |")
    assert "seed 5" in lines[2]


def test_a_quick_run_says_that_it_says_nothing():
    assert "these numbers say nothing" in as_markdown(ROWS, describe_machine(0), quick=True)


def test_the_files_of_a_run_hold_its_numbers_and_the_machine(tmp_path):
    machine = describe_machine(0)
    as_json, page = write_results(tmp_path / "new", ROWS, machine, quick=True)
    facts = json.loads(as_json.read_text())
    assert facts["machine"] == machine
    assert [(row["value"], row["reached"]) for row in facts["rows"]] == [(3.0, False), (None, None)]
    assert page.read_text() == as_markdown(ROWS, machine, quick=True)
    assert as_json.stem == page.stem
    assert as_json.stem.endswith("-quick")


def test_a_machine_is_described_for_a_reader_elsewhere():
    machine = describe_machine(0)
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0
    assert set(machine["versions"]) >= {"python", "torch", "numpy", "zarr", "duckdb"}
    assert machine["processor"]
    assert machine["commit"]
