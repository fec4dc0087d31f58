from pathlib import Path
from types import SimpleNamespace

from benchmarks.ingest import network_passes, peak_memory, repeat_photographs
from benchmarks.registry import BENCHMARKS
from benchmarks.running import rows_of
from ingest import networks


def test_photographs_are_repeated_under_other_names(tmp_path):
    for name in ("Ada", "Bea"):
        (tmp_path / "people" / name).mkdir(parents=True)
        (tmp_path / "people" / name / "1.jpg").write_bytes(name.encode())
    repeat_photographs(tmp_path / "people", tmp_path / "often", copies=2)
    files = sorted((tmp_path / "often").rglob("*.jpg"))
    assert [str(file.relative_to(tmp_path / "often")) for file in files] == [
        str(Path(name) / "1.jpg") for name in ("Ada_0", "Ada_1", "Bea_0", "Bea_1")
    ]
    assert files[3].read_bytes() == b"Bea"


def test_network_passes_leave_no_hook_and_take_any_number_of_images(monkeypatch):
    loaded, batches = [], []

    def load(*arguments, **settings):
        loaded.append(networks.load(*arguments, **settings))
        loaded[0].register_forward_hook(lambda _, inputs, __: batches.append(len(inputs[0])))
        return loaded[0]

    monkeypatch.setattr("benchmarks.ingest.networks", SimpleNamespace(load=load))
    network_passes([1, 2], seed=0)
    assert batches == [1, 2]
    assert [module for module in loaded[0].modules() if module._forward_hooks] == loaded


def test_memory_asks_for_photographs(settings):
    benchmark = next(b for b in BENCHMARKS if b.function.endswith(peak_memory.__name__))
    (row,) = rows_of(benchmark, settings)
    assert "--images" in row.note
