"""Selections: kept across pages, and stored in the address of the page.

A session begins with what the address says (a colleague may have sent it), and from then on the
address follows what is selected. It has all values, defaults too, so that a view restores
exactly although the lake has grown meanwhile. What the lake doesn't hold falls back to its default.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import streamlit as st

Value = TypeVar("Value")

_MEMORY: Final = "selections"
_SHOWN: Final = "selections shown"
_DRAWN: Final = "selections ever drawn"
_BEGUN: Final = "page begun"
_PAGE: Final = "page"


def begin_page(address: str) -> None:
    """Begin to draw the page of an address: what it selects is to be collected."""
    if _MEMORY not in st.session_state:
        st.session_state[_MEMORY] = st.query_params.to_dict()
        st.session_state[_DRAWN] = set()
    if st.session_state.get(_PAGE, address) != address:
        # A widget of this name on the page before is another one to Streamlit: it would begin at
        # its default, as if nothing had been chosen.
        for name in st.session_state[_DRAWN]:
            st.session_state.pop(name, None)
    st.session_state[_PAGE] = address
    st.session_state[_SHOWN] = set()
    st.session_state[_BEGUN] = True


def end_page() -> None:
    """Write into the address what the page has selected, and nothing else."""
    st.session_state[_BEGUN] = False
    end_part()


def end_part() -> None:
    """Write into the address what a part of the page has selected, if it is drawn alone."""
    if st.session_state[_BEGUN]:
        return
    memory = st.session_state[_MEMORY]
    selected = {name: memory[name] for name in sorted(st.session_state[_SHOWN])}
    # Once for all of them: each write is a step back in the browser's history.
    if st.query_params.to_dict() != selected:
        st.query_params.from_dict(selected)


def one_of(
    name: str,
    label: str,
    options: Sequence[Value],
    *,
    default: Value | None = None,
    written: Callable[[Value], str] = str,
    **look: Any,
) -> Value:
    """Show a list to choose one of.

    Parameters
    ----------
    name : str
        Its name in the address.
    label : str
    options : sequence
        At least one; if it no longer holds what was chosen, the default is.
    default : optional
        The first option unless named.
    written : callable
        From an option to the text in the address; ``format_func`` is what the list shows.
    look : Any
        Passed on to ``st.selectbox``.
    """
    return _choice(st.selectbox, name, label, options, default, written, look)


def step_of(
    name: str, label: str, options: Sequence[Value], *, default: Value | None = None, **look: Any
) -> Value:
    """Show a slider whose steps are these options."""
    return _choice(st.select_slider, name, label, options, default, str, look)


def either_of(
    name: str, label: str, options: Sequence[str], *, default: str | None = None, **look: Any
) -> str:
    """Show a few options side by side, of which always one is chosen."""
    look = {"horizontal": True} | look
    return _choice(st.radio, name, label, options, default, str, look)


def number(
    name: str, label: str, low: float, high: float, *, default: float, step: float, **look: Any
) -> float:
    """Show a slider from `low` to `high`."""
    _recall(name, default, lambda text: _between(text, low, high))
    chosen = st.slider(label, low, high, step=step, key=name, **look)
    return _note(name, chosen, f"{chosen:g}")


def switch(name: str, label: str, *, default: bool = False, **look: Any) -> bool:
    """Show a switch."""
    _recall(name, default, {"on": True, "off": False}.get)
    chosen = st.toggle(label, key=name, **look)
    return _note(name, chosen, "on" if chosen else "off")


def text(name: str, label: str, *, default: str, **look: Any) -> str:
    """Show a field for several lines of text."""
    _recall(name, default, lambda written: written)
    chosen = st.text_area(label, key=name, **look)
    return _note(name, chosen, chosen)


def known(name: str) -> str | None:
    """Return what has been selected under a name, on whichever page, as it is written."""
    return st.session_state[_MEMORY].get(name)


def replace(name: str, value: Any) -> None:
    """Select something for the user, before its widget is shown: for callbacks of buttons."""
    st.session_state[name] = value


def _choice(
    widget: Callable[..., Any],
    name: str,
    label: str,
    options: Sequence[Value],
    default: Value | None,
    written: Callable[[Value], str],
    look: dict[str, Any],
) -> Value:
    first = options[0] if default is None or default not in options else default
    if name in st.session_state and st.session_state[name] not in options:
        del st.session_state[name]
    by_text = {written(option): option for option in options}
    _recall(name, first, by_text.get)
    chosen = widget(label, options, key=name, **look)
    return _note(name, chosen, written(chosen))


def _recall(name: str, default: Any, read: Callable[[str], Any]) -> None:
    """Give a widget its value, unless the session holds it: Streamlit forgets it off the page."""
    if name in st.session_state:
        return
    known = st.session_state[_MEMORY].get(name)
    value = None if known is None else read(known)
    st.session_state[name] = default if value is None else value


def _note(name: str, value: Any, written: str) -> Any:
    st.session_state[_MEMORY][name] = written
    st.session_state[_SHOWN].add(name)
    st.session_state[_DRAWN].add(name)
    return value


def _between(written: str, low: float, high: float) -> float | None:
    try:
        value = float(written)
    except ValueError:
        return None
    return value if low <= value <= high else None
