from analyses.recognition.probe import OWN
from tests.dashboards.planted import MODEL


def test_a_lake_without_the_answer_says_what_computes_it(lake, open_page):
    shown = open_page("recognition", lake)
    assert not shown.exception
    assert "python -m analyses recognition --lake" in shown.info[0].value


def test_the_auc_and_the_inputs_are_those_of_the_answer(answered, open_page):
    shown = open_page("recognition", answered)
    assert not shown.exception
    auc = answered.sql(
        f"SELECT estimate FROM result_recognition WHERE model = '{MODEL}' AND measure = 'AUC'"
    ).item()
    assert shown.subheader[0].value.startswith(f"AUC {auc:.4f} [")
    *_, inputs = shown.dataframe
    assert OWN in inputs.value["variant"].tolist()


def test_a_wrong_entry_is_among_the_findings(answered, open_page):
    shown = open_page("recognition", answered)
    said = "\n".join(one.value for one in shown.markdown)
    assert f"{MODEL}: another input than its entry's tells people apart better" in said
