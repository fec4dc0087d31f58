from ingest.run import environment
from leamstore.catalog import read_catalog
from tests.small_network import small_request


def request_of(**settings):
    """The smallest of the catalog's networks, whose weights are a file."""
    catalog = read_catalog()
    return small_request(entry=catalog.model("DLIB_R29"), catalog=catalog, **settings)


def observed(*requests):
    return environment.observe(read_catalog(), requests, "landmarks")


def test_what_decides_the_numbers_is_observed():
    seen = observed(request_of())
    assert {"Python", "torch", "zarr", "catalog.yaml", "weights of DLIB_R29"} <= seen.keys()
    assert len(seen["weights of DLIB_R29"]) == 64
    assert seen == observed(request_of())


def test_other_weights_are_another_observation(tmp_path):
    file = tmp_path / "weights.pt"
    file.write_bytes(b"mine")
    here = observed(request_of(weights=file))
    assert "another weights of DLIB_R29 (" in environment.differences(here, observed(request_of()))


def test_a_change_of_the_code_is_another_observation(tmp_path, monkeypatch):
    before = observed()
    (tmp_path / "module.py").write_text("number = 1")
    monkeypatch.setattr(environment.ingest, "__path__", [str(tmp_path)])
    assert environment.differences(observed(), before).startswith("another version of this pro")


def test_the_same_surroundings_don_t_differ():
    assert environment.differences({"torch": "2.8.0"}, {"torch": "2.8.0"}) == ""


def test_differences_name_both_versions():
    differing = environment.differences({"torch": "2.8.0"}, {"torch": "2.9.0"})
    assert differing == "another torch (2.8.0, not 2.9.0)"
