import pytest

from ingest.faces.parsers import open_parser
from leamstore.catalog import read_catalog
from leamstore.errors import CatalogError, WeightsError


def test_the_landmark_parser_needs_no_weights():
    assert open_parser("landmarks").name == "landmarks"


def test_farl_without_weights_is_refused():
    with pytest.raises(WeightsError, match="needs its weights"):
        open_parser("farl")


def test_farl_opens_the_weights_it_is_given(tmp_path):
    with pytest.raises(WeightsError, match=r"other\.pt"):
        open_parser("farl", tmp_path / "other.pt")


def test_an_unknown_parser_is_refused_with_the_known_ones():
    with pytest.raises(CatalogError, match=", ".join(read_catalog().parsers)):
        open_parser("bisenet")
