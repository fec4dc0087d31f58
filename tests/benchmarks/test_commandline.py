from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.registry import BENCHMARKS


def invoke(*arguments):
    return CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, list(arguments))


def test_the_list_names_every_benchmark():
    shown = invoke("--list").output
    for benchmark in BENCHMARKS:
        assert benchmark.name in shown


def test_a_benchmark_prints_its_rows_and_writes_them(tmp_path):
    done = invoke("bc", "--quick", "--to", str(tmp_path / "results"))
    assert done.exit_code == 0, done.output
    assert sorted(path.suffix for path in (tmp_path / "results").iterdir()) == [".json", ".md"]
    assert "Written:" in done.output


def test_help_teaches_by_examples():
    assert "python -m benchmarks leam torchcam" in invoke("--help").output
