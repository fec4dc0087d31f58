import pytest

from leamstore.catalog import read_catalog
from leamstore.catalog.description import facts, overview


@pytest.fixture(autouse=True)
def online(monkeypatch, tmp_path):
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path))
    monkeypatch.delenv("LEAM_OFFLINE", raising=False)


def test_a_line_has_the_name_the_state_with_the_size_and_what_it_is():
    lines = [" ".join(line.split()) for line in overview(read_catalog())]
    assert "AF_R50 can be fetched, 175 MB IResNet, ArcFace, MS1MV3" in lines
    assert "CF_R50 by hand IResNet, CosFace, Glint360K" in lines
    assert "folder ready your own photographs" in lines
    assert [line for line in lines if " " not in line or line == "Data sets"] == [
        "Models", "Parsers", "Data sets",
    ]  # fmt: skip


def test_every_fact_of_every_entry_is_told():
    for entry in read_catalog().entries:
        told = " ".join(line for _, lines in facts(entry) for line in lines)
        for value in entry.model_dump().values():
            if isinstance(value, str):
                assert value in told


def test_mirrors_are_marked_and_layers_have_their_sizes():
    told = dict(facts(read_catalog().model("AF_R18")))
    assert [line.endswith(".pth (a mirror)") for line in told["addresses"]] == [True]
    assert told["layers"][2] == " 2  layer1.0.conv2  56 x 56"
    [address] = dict(facts(read_catalog().model("IR_VGG")))["addresses"]
    assert address.endswith("20180402-114759-vggface2.pt")


def test_what_is_not_known_of_a_file_is_said(tmp_path):
    model = read_catalog().model("VGG_16")
    assert dict(facts(model))["size"] == ["not known"]
    assert dict(facts(model))["sha256"] == ["not known: the first download's is recorded"]
    (tmp_path / "vgg_face_dag.pth.sha256").write_text(f"{'ab' * 32}  vgg_face_dag.pth\n")
    assert dict(facts(model))["sha256"] == [f"{'ab' * 32}, of the first download"]
