"""Dashboards: read-only Streamlit pages that show a lake in the browser.

``streamlit run dashboards/Home.py -- --lake LAKE``, or ``python -m dashboards --lake LAKE``.

A page is a module in ``dashboards/views/`` with a function ``show(context)`` and a constant
``PAGE``, and a line in `dashboards.views.PAGES`. What pages share is in one place each:

`dashboards.shell`
    Opens the lake, shows the brands and the sidebar's filters, and turns errors into sentences.
    A page never does any of that; it raises a `LeamError` when something is amiss, and calls
    `nothing_here` when the lake merely lacks what it shows.
`dashboards.context`
    What a page is given: ``context.ask(sql, *parameters)`` is cached until the lake changes, and
    ``context.filters`` are the sidebar's model, layer and identity, of which `PAGE` names those it
    uses. An expensive pure function of the lake takes ``context`` as an argument and is decorated
    with ``st.cache_data(hash_funcs=HASHES)``: a context hashes as its lake's state.
`dashboards.selections`
    Every widget that shapes what is seen: it is remembered across pages and kept in the
    address, so that a view can be sent to a colleague. Never call ``st.selectbox`` directly.
`dashboards.charts`
    ``show_chart(figure, name, table)`` and ``show_table(table, name)``, with their downloads (PNG
    and SVG; CSV and Parquet), and the house style: Okabe-Ito for kinds, cividis for amounts.
`dashboards.faces`
    A face, its labels and its maps in one frame, by reading single chunks.
`dashboards.answers`
    ``show_answer(context, question)`` shows what an answered question supports and returns its
    tables; a lake without it gets the command, and one that has changed since a warning.
`dashboards.interval_charts`
    Estimates with intervals, by category or along an axis, together with the paper's.
`dashboards.hidden_faces`
    A face with pixels hidden by the maps and fills of the occlusion analyses.

`dashboards.page`
    `Page`, `nothing_here`, and `part`: a slider belongs into a function ``(context, ...)``
    decorated with `part`, so that only it is drawn again, and the whole page if the lake has
    changed.

A page asks SQL and single chunks, and never loads the lake. Heavy modules that few need (POT) are
imported where they are used.
"""
