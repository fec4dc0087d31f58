"""SQL: a user's query of the lake's tables, limited in time, rows and memory."""

from typing import Final

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from dashboards import selections
from dashboards.bounded_query import (
    MOST_MEGABYTES,
    MOST_ROWS,
    MOST_SECONDS,
    BoundedAnswer,
    ask_bounded,
    start_ahead,
)
from dashboards.charts import show_chart, show_table
from dashboards.context import HASHES, Context
from dashboards.page import Page
from leamstore import schema

QUERIES: Final = {
    "Shares by layer": """SELECT model, position, layer,
       round(avg(100 * nose / pixels), 2) AS nose_percent
FROM pair_regions JOIN layers USING (model, layer)
WHERE activation = 'top'
GROUP BY ALL ORDER BY model, position""",
    "Shares as more pixels count": """SELECT model, region, percent,
       round(avg(relative_percent), 2) AS share_percent
FROM region_shares
GROUP BY ALL ORDER BY model, region, percent""",
    "People": """SELECT identity, count(*) AS images, any_value(gender) AS gender
FROM images WHERE status = 'kept'
GROUP BY identity ORDER BY images DESC, identity""",
    "Rejected images": """SELECT reason, path, detail
FROM images WHERE status = 'rejected' ORDER BY reason, path""",
    "Least alike pairs": """SELECT model, a.identity, a.path AS anchor, p.path AS positive,
       round(cosine, 4) AS cosine
FROM pairs
JOIN images AS a ON a.image_id = pairs.anchor
JOIN images AS p ON p.image_id = pairs.positive
ORDER BY cosine LIMIT 50""",
    "Maps that are zero": """SELECT model, layer, count(*) AS maps
FROM pair_regions WHERE pixels IS NULL
GROUP BY ALL ORDER BY maps DESC""",
    "Results in this lake": """SELECT table_name, estimated_size AS rows, comment
FROM duckdb_tables() WHERE starts_with(table_name, 'result_')""",
}  # fmt: skip
"""Ready-made queries by name."""


def show(context: Context) -> None:
    """Draw the page."""
    start_ahead()  # where this is the server's first page: it loads while the tables are drawn
    editor, beside = st.columns([3, 2])
    with beside:
        _show_schema(context)
    with editor:
        with st.container(horizontal=True):
            for name, query in QUERIES.items():
                st.button(name, on_click=selections.replace, args=("query", query))
        query = selections.text(
            "query",
            "Query",
            default=QUERIES["Shares by layer"],
            height=180,
            help="DuckDB SQL. Ctrl+Enter runs it.",
        )
        st.caption(
            f"Read-only, of this lake alone: at most {MOST_SECONDS} seconds, "
            f"{MOST_ROWS:,} rows and {MOST_MEGABYTES:,} MB."
        )
        _show_answer(_answer(context, query))


@st.cache_data(show_spinner="Asking the lake", max_entries=50, hash_funcs=HASHES)
def _answer(context: Context, query: str) -> BoundedAnswer:
    return ask_bounded(context.address, query)


def _show_answer(answer: BoundedAnswer) -> None:
    if answer.rows.height == MOST_ROWS and answer.cut:
        st.warning(f"The first {MOST_ROWS:,} rows; there are more.", icon=":material/content_cut:")
    if answer.rows.is_empty():
        st.info("No row answers this query.")
    table, chart = st.tabs(["Table", "Chart"])
    with table:
        show_table(answer.rows, "answer", column_config=None)
        st.caption(f"Rows: {answer.rows.height:,}. Time: {answer.seconds:.2f} s.")
    with chart:
        _show_chart(answer.rows)


def _show_chart(rows: pl.DataFrame) -> None:
    amounts = [name for name, kind in rows.schema.items() if kind.is_numeric()]
    if not amounts:
        st.info("A chart needs a column of numbers.")
        return
    columns = rows.columns
    with st.container(horizontal=True):
        across = selections.one_of("x", "Across", columns, width=180)
        up = selections.one_of("y", "Up", amounts, default=amounts[-1], width=180)
        colour = selections.one_of("colour", "Colour", ["none", *columns], width=180)
        kind = selections.either_of("kind", "As", ["bars", "points", "lines"])
    figure = go.Figure()
    groups = rows.group_by(colour, maintain_order=True) if colour != "none" else [((up,), rows)]
    for (label,), group in groups:
        figure.add_trace(_trace(kind, group[across], group[up], str(label)))
    figure.update_layout(
        xaxis_title=across, yaxis_title=up, barmode="group", showlegend=colour != "none"
    )
    show_chart(figure, "answer-chart", rows)


def _trace(kind: str, across: pl.Series, up: pl.Series, label: str) -> go.Bar | go.Scatter:
    if kind == "bars":
        return go.Bar(x=across.to_list(), y=up.to_list(), name=label)
    mode = "markers" if kind == "points" else "lines+markers"
    return go.Scatter(x=across.to_list(), y=up.to_list(), name=label, mode=mode)


def _show_schema(context: Context) -> None:
    st.markdown("**Tables**")
    described = {table.name: table for table in schema.TABLES}
    for name, columns in _columns(context).items():
        with st.expander(name):
            if name in described:
                st.caption(f"A row is {described[name].row}.")
            st.dataframe(columns, hide_index=True, width="stretch", height="content")


def _columns(context: Context) -> dict[str, pl.DataFrame]:
    """Return column, type and meaning of each table and view of the lake, those of answers last."""
    rows = context.ask(
        """
        SELECT table_name, column_name AS column, data_type AS type, comment AS meaning
        FROM duckdb_columns() WHERE NOT internal
        ORDER BY starts_with(table_name, 'result_'), table_oid, column_index
        """
    )
    return {
        name: columns.drop("table_name")
        for (name,), columns in rows.group_by("table_name", maintain_order=True)
    }


PAGE = Page(
    title="SQL",
    address="sql",
    icon=":material/database:",
    about="Ask the lake's tables in DuckDB's SQL.",
    show=show,
)
