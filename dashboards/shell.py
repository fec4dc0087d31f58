"""The frame of all pages: opens the lake, shows brands and filters, turns errors into sentences."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from PIL import Image

from dashboards import selections
from dashboards.bounded_query import start_ahead
from dashboards.charts import OKABE_ITO
from dashboards.context import EVERYBODY, HASHES, Context, Filters, open_context
from dashboards.page import Page, with_errors_shown
from dashboards.views import PAGES
from leamstore.stand_ins import brands


def show_app(arguments: Sequence[str]) -> None:
    """Show the page in the address, for the lake on the command line."""
    st.set_page_config("LEAM lake", page_icon=_icon(), layout="wide")
    address = lake_address(arguments)
    chosen = st.navigation([_streamlit_page(page, address) for page in PAGES])
    chosen.run()


def _icon() -> Image.Image:
    """Return the icon of the browser's tab; Streamlit's own ones come from the network."""
    icon = Image.new("RGB", (8, 8), OKABE_ITO[0])
    icon.paste(OKABE_ITO[1], (3, 2, 5, 6))
    return icon.resize((64, 64), Image.Resampling.NEAREST)


def lake_address(arguments: Sequence[str]) -> str:
    """Return the lake of ``--lake``, of LEAM_LAKE, or ``./lake``."""
    default = os.environ.get("LEAM_LAKE", "lake")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    # Without a name, too: to end here would leave an empty page.
    parser.add_argument("--lake", nargs="?", default=default, const=default)
    return str(parser.parse_known_args(arguments)[0].lake)


def _streamlit_page(page: Page, address: str) -> st.Page:
    def run() -> None:
        show_page(page, address)

    # Streamlit tells pages apart by the name of their function.
    run.__name__ = f"show_{page.address or 'home'}"
    return st.Page(
        run, title=page.title, icon=page.icon, url_path=page.address, default=not page.address
    )


def show_page(page: Page, address: str) -> None:
    """Show one page of a lake in the common frame."""
    selections.begin_page(page.address)
    st.header(page.title)
    try:
        with_errors_shown(lambda: _show_page(page, address))
    finally:
        selections.end_page()
        start_ahead()  # the page SQL's next query doesn't wait for its process


def _show_page(page: Page, address: str) -> None:
    context = open_context(address)
    st.caption(page.about)
    st.sidebar.markdown(f"**{context.lake.path.name}**", help=context.address)
    with context.lake.kept_open():
        for sentence in _brands(context):
            st.warning(sentence, icon=":material/label_important:")
        page.show(replace(context, filters=_show_filters(context, page)))


@st.cache_data(show_spinner=False, hash_funcs=HASHES)
def _brands(context: Context) -> list[str]:
    return brands(context.lake)


def _show_filters(context: Context, page: Page) -> Filters:
    with st.sidebar:
        model = layer = None
        identity = EVERYBODY
        layers = context.ask("SELECT model, layer FROM layers ORDER BY model, position")
        if "model" in page.filters and layers.height:
            model = selections.one_of("model", "Model", layers["model"].unique().sort().to_list())
        if "layer" in page.filters and model is not None:
            of_model = layers.filter(layers["model"] == model)["layer"].to_list()
            layer = selections.one_of("layer", "Layer", of_model)
        if "identity" in page.filters:
            people = context.ask(
                "SELECT DISTINCT identity FROM images WHERE status = 'kept' ORDER BY 1"
            )
            identity = selections.one_of("identity", "Person", [EVERYBODY, *people["identity"]])
    return Filters(model, layer, identity)
