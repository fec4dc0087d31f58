import pytest
import torch
from torch import nn

from ingest.run.models import Request
from ingest.run.recorded import recorded_model
from leamstore.catalog import Catalog, read_catalog
from leamstore.catalog.files import sha256_of
from leamstore.errors import CatalogError, WeightsError

ENTRY = """
models:
  MINE:
    network: tests.ingest.run.test_recorded:Tiny
    family: tiny
    loss: none
    trained_on: nothing
    weights: {{file: {file}, page: "https://example.org", licence: MIT}}
    input_size: 16
    alignment: crop
    colour_order: RGB
    mean: [0, 0, 0]
    std: [{std}, {std}, {std}]
    embedding_size: 4
    layers: [conv]
    citation: none
"""


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, chips):
        return self.conv(chips).mean((2, 3))


def write_catalog(folder, file="mine.pth", std=1, name="mine.yaml"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(ENTRY.format(file=file, std=std))
    return read_catalog(folder / name)


def save_weights(file, seed):
    torch.manual_seed(seed)
    torch.save(Tiny().state_dict(), file)
    return file


@pytest.fixture
def catalog(tmp_path):
    """A user's catalog, with the file of its weights beside it."""
    catalog = write_catalog(tmp_path / "user")
    save_weights(tmp_path / "user/mine.pth", 0)
    return catalog


def row_of(catalog, weights=None, name="MINE"):
    """The row that an ingest enters in the table models."""
    entry = catalog.model(name)
    return Request(
        entry=entry, catalog=catalog, weights=weights, layers=entry.layers, target="cosine",
        positives="all", precision="float32", seed=3,
    ).row()  # fmt: skip


def embed(model):
    chip = torch.arange(3 * 16 * 16.0).view(1, 3, 16, 16) / 255
    return model.load()(chip)


def test_a_model_of_a_users_catalog_runs_again_without_the_catalog(catalog):
    model = recorded_model(row_of(catalog))
    assert model.weights is None
    expected = Tiny()
    expected.load_state_dict(torch.load(row_of(catalog)["weights_path"]))
    chip = torch.arange(3 * 16 * 16.0).view(1, 3, 16, 16) / 255
    torch.testing.assert_close(embed(model), expected(chip).detach())


def test_a_file_given_by_hand_is_found_where_it_was(catalog, tmp_path):
    file = save_weights(tmp_path / "by_hand.pth", 1)
    model = recorded_model(row_of(catalog, weights=file))
    assert model.weights == file
    assert not torch.equal(embed(model), embed(recorded_model(row_of(catalog))))


def test_random_weights_are_those_of_their_seed(catalog):
    model = recorded_model(row_of(catalog, weights="random"))
    assert (model.weights, model.seed) == ("random", 3)


def test_a_file_that_moved_is_found_by_the_catalog_that_names_it(catalog, tmp_path):
    row = row_of(catalog)
    (tmp_path / "user").rename(tmp_path / "moved")
    with pytest.raises(WeightsError, match=r"mine\.pth"):
        recorded_model(row)
    moved = recorded_model(row, read_catalog(tmp_path / "moved/mine.yaml"))
    assert embed(moved).shape == (1, 4)


def test_the_entry_of_a_users_catalog_comes_before_the_lakes(catalog, tmp_path):
    other = write_catalog(tmp_path / "user", std=2, name="other.yaml")
    assert recorded_model(row_of(catalog), other).entry.std == (2, 2, 2)
    assert recorded_model(row_of(catalog), read_catalog()).entry.std == (1, 1, 1)


def test_another_file_in_its_place_is_told_by_its_sha256(catalog, tmp_path):
    row = row_of(catalog)
    other = sha256_of(save_weights(tmp_path / "user/mine.pth", 2))
    with pytest.raises(WeightsError) as caught:
        recorded_model(row)
    assert str(caught.value) == (
        f"its weights, mine.pth (sha256 {row['weights_sha256']}), are not at "
        f"{tmp_path}/user/mine.pth (whose sha256 is {other}): put that file there, or name a "
        "catalog that has it by --catalog."
    )


def test_a_lake_of_an_earlier_program_is_run_by_the_built_in_catalog():
    row = row_of(read_catalog(), name="DLIB_R29")
    earlier = {key: value for key, value in row.items() if key not in ("entry", "weights_path")}
    assert recorded_model(earlier).entry == read_catalog().model("DLIB_R29")


def test_a_model_of_which_nobody_has_an_entry_asks_for_its_catalog(catalog):
    with pytest.raises(CatalogError, match=r"an entry MINE: .* by --catalog"):
        recorded_model(row_of(catalog) | {"entry": None}, Catalog())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("tests.ingest.run.test_recorded:Tiny", "os:abort"),
     ("tests.ingest.run.test_recorded:Tiny", "numpy:os.abort"),
     ("ingest.networks.weights:read_state_dict", "shutil:rmtree"),
     ("ingest.networks.weights:read_state_dict", "ingest.networks.weights:Path.unlink")],
)  # fmt: skip
def test_the_code_that_a_strangers_lake_may_name_is_limited(catalog, ours, theirs):
    row = row_of(catalog)
    assert ours in row["entry"]
    with pytest.raises(CatalogError, match="a lake may come from anybody"):
        recorded_model(row | {"entry": row["entry"].replace(ours, theirs)})


def test_a_strangers_lake_may_call_nothing_with_arguments(catalog):
    row = row_of(catalog)
    asked = row["entry"].replace('"arguments":{}', '"arguments":{"repo_or_dir":"x/y"}')
    with pytest.raises(CatalogError, match=r"names .*:Tiny with arguments, .* by --catalog"):
        recorded_model(row | {"entry": asked})


def test_a_built_in_model_with_arguments_runs_again(tmp_path):
    row = row_of(read_catalog(), weights="random", name="LV_VIT_T")
    assert recorded_model(row).entry.arguments == read_catalog().model("LV_VIT_T").arguments


@pytest.mark.parametrize("field", ["addresses", "mirrors"])
def test_nothing_is_fetched_from_where_a_lake_says(catalog, field):
    row = row_of(catalog)
    asked = row["entry"].replace(f'"{field}":[]', f'"{field}":["https://example.org/x"]')
    assert asked != row["entry"]
    assert recorded_model(row | {"entry": asked}).entry.weights.all_addresses == ()
