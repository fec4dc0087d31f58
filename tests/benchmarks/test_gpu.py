import subprocess
import sys

import pytest
import torch

from analyses.paper import read_table
from benchmarks import gpu
from benchmarks.maps import ranks
from leamstore.catalog import read_catalog


def test_architectures_are_the_papers_in_the_catalog():
    papers = read_table(10)["column"].unique()
    of_catalog = {
        (model.network, model.input_size, model.layers)
        for model in map(read_catalog().model, papers)
    }
    ours = {(one.entry_point, one.input_size, one.layers) for one in gpu.ARCHITECTURES.values()}
    assert ours == of_catalog
    assert set(gpu.ARCHITECTURES) == set(gpu.PAPERS_MODELS)


def test_the_paper_has_nine_models():
    assert sum(gpu.PAPERS_MODELS.values()) == 9


def test_pairs_are_those_within_identities():
    work = gpu.Work(torch.device("cpu"), identities=2, images=2, repeats=1, seed=0)
    assert work.batch == 4
    assert work.pairs == [(0, 1), (1, 0), (2, 3), (3, 2)]


def test_hours_need_every_network():
    def speed(network):
        return gpu.Speed(network, "tf32", 1.0, 0.01, 1.0, 0.5, None, 1.0)

    assert gpu.hours([speed("IResNet-18")], "tf32") is None
    # Nine models of 170,000 pairs at 10 ms are 15,300 s.
    assert gpu.hours([speed(name) for name in gpu.PAPERS_MODELS], "tf32") == pytest.approx(4.25)
    assert gpu.hours([speed(name) for name in gpu.PAPERS_MODELS], "float32") is None


def test_a_network_is_measured_on_a_processor():
    work = gpu.Work(torch.device("cpu"), identities=1, images=2, repeats=1, seed=0)
    network = gpu.build(gpu.ARCHITECTURES["IResNet-18"], work)
    speed = gpu.measure("IResNet-18", network, "float32", work)
    assert speed.images_per_second > 0
    assert speed.seconds_per_pair > 0
    assert speed.share_of_peak > 0
    assert speed.gain_of_graph is None
    assert speed.rank_correlation == pytest.approx(1)


def test_cells_alike_share_the_mean_of_their_ranks():
    maps = torch.tensor([[[3.0, 1.0], [1.0, 0.0]]])
    # In order 0, 1, 1, 3: half of a cell's own place stands for it, so that the first is 0.5.
    assert ranks(maps).tolist() == [[3.5, 2.0, 2.0, 0.5]]


def test_nothing_of_the_lake_is_imported():
    lakes = {"zarr", "duckdb", "polars", "xarray", "dlib", "pydantic", "yaml", "typer", "numba"}
    program = (
        "import sys, benchmarks.gpu, ingest.networks.iresnet, ingest.networks.vgg_face;"
        f"print(sorted({lakes!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_a_gpu_it_says_so_in_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match=r"^No GPU that torch can use is here: "):
        gpu.main()
    assert capsys.readouterr().out == ""
