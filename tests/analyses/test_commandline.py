import json

import pytest
from typer.testing import CliRunner

from analyses.__main__ import app
from leamstore.errors import LakeError, LeamError
from leamstore.lake import Lake, LakeSettings
from tests.analyses.conftest import shares

SOME = {"Ada": {}, "Bea": {}}


def run(lake, *arguments, width=200):
    return CliRunner().invoke(
        app, [*arguments, "--lake", str(lake.path), "--draws", "100"],
        env={"COLUMNS": str(width)}, catch_exceptions=False,
    )  # fmt: skip


def planted(identity, number, layer, activation):
    return shares(nose=20.0 + number)


def test_all_answers_what_it_can_and_ends_with_what_it_could_not(make_lake):
    result = run(make_lake(SOME, planted), "all")
    assert result.exit_code == 0
    ending = result.output[result.output.index("tables of the paper") :]
    assert "result_regions_by_layer, result_regions_by_model" in ending
    assert "no two genders or ethnicities" in ending


def test_nothing_answered_is_exit_code_1(make_lake):
    result = run(make_lake(SOME, planted), "demographics")
    assert result.exit_code == 1


def test_an_empty_lake_is_told_to_ingest(tmp_path):
    lake = Lake.create(tmp_path / "empty.lake", LakeSettings("farl", 0, False, 0))
    result = run(lake, "all")
    assert result.exit_code == 1
    assert "run `python -m ingest`" in result.output


def test_an_answer_stands_beside_the_papers_with_the_papers_notes(make_lake):
    result = run(make_lake(SOME, planted, models=("AF_R18",)), "regions")
    assert "21.00 ±0.00" in result.output
    assert "paper 20.49" in result.output
    assert "+0.51" in result.output
    assert "The paper's Table 2: The column CF_R18" in result.output


def test_notes_on_the_papers_tables_are_left_out_where_none_is_compared(make_lake):
    assert "The paper's Table" not in run(make_lake(SOME, planted), "regions").output


def test_stand_ins_are_named_under_every_table(make_lake):
    lake = make_lake(SOME, planted, parser="landmarks", weights="random, seed 0", dataset="demo")
    output = run(lake, "thresholds", width=300).output
    for brand in ("Landmark parser:", "Random weights, no recogniser: NET.", "Demo set:"):
        assert output.count(brand) == 1
    assert run(lake, "regions", width=300).output.count("Landmark parser:") == 4


def test_a_second_run_says_that_nothing_has_changed(make_lake):
    lake = make_lake(SOME, planted)
    assert "nothing has changed" not in run(lake, "regions").output
    assert "nothing has changed" in run(lake, "regions").output
    assert "nothing has changed" not in run(lake, "regions", "--again").output


def test_json_is_for_programs(make_lake):
    result = run(make_lake(SOME, planted, parser="landmarks"), "all", "--json")
    facts = json.loads(result.stdout)
    states = {one["question"]: one["state"] for one in facts["questions"]}
    assert states["regions"] == "answered"
    assert states["demographics"] == "lacking"
    assert facts["brands"][0].startswith("Landmark parser")


def test_quiet_prints_nothing(make_lake):
    assert run(make_lake(SOME, planted), "regions", "--quiet").output == ""


def test_tables_are_no_wider_than_the_terminal(make_lake):
    layers = tuple(f"layer{number}.0.conv1" for number in range(9))
    output = run(make_lake(SOME, planted, layers=layers), "regions", width=80).output
    assert max(len(line) for line in output.splitlines()) <= 80
    for layer in layers:
        assert layer in output


def test_an_unknown_question_is_an_error(make_lake):
    with pytest.raises(LakeError, match="no question colour"):
        run(make_lake(SOME, planted), "colour")


def test_findings_follow_the_tables(make_lake):
    output = run(make_lake(SOME, planted), "regions").output
    assert "This is 2 identities, fewer than 10" in output
    assert output.index("Region shares by model") < output.index("This is 2 identities")


def test_a_folder_without_a_report_is_an_error(make_lake, tmp_path):
    with pytest.raises(LeamError, match="ask for report, too"):
        run(make_lake(SOME, planted), "regions", "--to", str(tmp_path / "report"))


def test_a_name_in_brackets_is_printed_as_it_is(make_lake):
    assert "[/b]" in run(make_lake({"[/b]": {}, "Bea": {}}, planted), "individuals").output
