import pytest

from leamstore.errors import LakeError
from leamstore.safety import run_token


def test_a_run_may_write_from_its_permit_s_grant_to_its_end(tmp_path):
    run_token.grant(tmp_path, "this run")
    run_token.require(tmp_path, "this run")
    run_token.withdraw(tmp_path)
    with pytest.raises(LakeError, match="that run has ended"):
        run_token.require(tmp_path, "this run")


def test_a_later_run_s_permit_ends_the_former_s(tmp_path):
    run_token.grant(tmp_path, "this run")
    run_token.grant(tmp_path, "a later one")
    with pytest.raises(LakeError, match="that run has ended"):
        run_token.require(tmp_path, "this run")


def test_a_permit_may_be_withdrawn_where_there_is_none(tmp_path):
    run_token.withdraw(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_trying_to_write_leaves_nothing(tmp_path):
    run_token.try_to_write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lake_that_can_t_be_written_is_a_sentence(tmp_path):
    with pytest.raises(LakeError, match="can't be written: No such file or directory"):
        run_token.try_to_write(tmp_path / "not mounted here")
