import pytest

from dashboards import bounded_query
from dashboards.bounded_query import MOST_ROWS, ask_bounded, read_first_rows, start_ahead
from dashboards.views.sql import QUERIES
from leamstore.errors import LeamError
from leamstore.schema import TABLES


@pytest.mark.parametrize("name", QUERIES)
def test_every_ready_made_query_runs(lake, name):
    assert read_first_rows(str(lake.path), QUERIES[name], 10).columns


def test_the_answer_is_that_of_the_lake(lake, open_page):
    query = "SELECT identity, count(*) AS n FROM images WHERE status = 'kept' GROUP BY 1 ORDER BY 1"
    shown = open_page("sql", lake, query=query)
    assert not shown.exception
    expected = lake.sql(query).to_dict(as_series=False)
    assert any(table.value.to_dict("list") == expected for table in shown.dataframe)


def test_every_table_of_the_schema_is_described(lake, open_page):
    shown = open_page("sql", lake)
    labels = {expander.label for expander in shown.expander}
    assert {table.name for table in TABLES} <= labels


def test_the_lakes_own_tables_are_described_before_those_of_answers(answered, open_page):
    shown = open_page("sql", answered)
    tables = set(answered.sql("SHOW TABLES")["name"])
    described = [one.label for one in shown.expander if one.label in tables]
    answers = [label.startswith("result_") for label in described]
    assert any(answers)
    assert answers == sorted(answers)


def test_no_more_rows_than_allowed(lake):
    answer = ask_bounded(str(lake.path), "SELECT * FROM range(1000000)")
    assert answer.rows.height == MOST_ROWS
    assert answer.cut


def test_a_process_started_ahead_answers_the_next_query_alone(lake):
    start_ahead()
    start_ahead()
    waiting = bounded_query._WAITING
    process = waiting.get_nowait()
    assert waiting.empty()
    waiting.put(process)
    assert ask_bounded(str(lake.path), "SELECT 1 AS one").rows["one"].to_list() == [1]
    assert process.returncode == 0
    assert waiting.empty()


def test_a_process_that_died_while_it_waited_is_not_asked(lake):
    start_ahead()
    process = bounded_query._WAITING.get_nowait()
    process.kill()
    process.wait()
    bounded_query._WAITING.put(process)
    assert ask_bounded(str(lake.path), "SELECT 1 AS one").rows.height == 1


def test_a_process_that_waits_ends_when_nobody_can_ask_it(lake):
    start_ahead()
    process = bounded_query._WAITING.get_nowait()
    said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, (b"", b""))


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH ':memory:' AS other", "COPY images TO 'stolen.csv'", "INSTALL httpfs",
        "SET memory_limit = '8GB'", "FROM read_text('/etc/hostname')", "DROP TABLE images",
        "SELECT 1; SELECT 2", "SELEC", "", "FROM glob('/*')", "LOAD httpfs",
    ],
)  # fmt: skip
def test_what_does_not_merely_read_the_lake_is_refused(lake, query):
    with pytest.raises(LeamError, match=r"DuckDB refuses|one query that reads"):
        read_first_rows(str(lake.path), query, 10)


def test_a_query_that_takes_too_long_is_ended(lake):
    endless = "SELECT count(*) FROM range(10000000) a(x), range(10000000) b(y) WHERE x * y % 7 = 3"
    with pytest.raises(LeamError, match=r"took longer than 0\.5 seconds"):
        ask_bounded(str(lake.path), endless, seconds=0.5)


def test_a_query_that_needs_too_much_memory_is_refused(lake):
    with pytest.raises(LeamError, match="needs more than 512 MB"):
        ask_bounded(
            str(lake.path), "SELECT list(x::VARCHAR || repeat('y', 100)) FROM range(100000000) t(x)"
        )


def test_a_refusal_is_a_sentence_on_the_page(lake, open_page):
    shown = open_page("sql", lake, query="SELECT no_such_column FROM images")
    assert not shown.exception
    assert "DuckDB refuses the query" in shown.error[0].value
