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
    """Begin a page of an address, and collect the selections that it makes."""
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
    """Write the page's selections, and nothing else, into the address."""
    st.session_state[_BEGUN] = False
    end_part()


def end_part() -> None:
    """Write the selections of a part of the page into the address, if it is drawn alone."""
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
    """Show a drop-down list, and return the selected option.

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
    """Show a slider with these options as steps."""
    return _choice(st.select_slider, name, label, options, default, str, look)


def either_of(
    name: str, label: str, options: Sequence[str], *, default: str | None = None, **look: Any
) -> str:
    """Show a few options side by side, exactly one of which is selected."""
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
    """Return the selection under a name, on any page, as text."""
    return st.session_state[_MEMORY].get(name)


def replace(name: str, value: Any) -> None:
    """Set a selection before its widget is shown, as in callbacks of buttons."""
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
