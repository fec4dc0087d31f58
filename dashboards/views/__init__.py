"""The pages in the order of the menu; a new page is a module and a line here."""

from importlib import import_module
from typing import Final

from dashboards.page import Page

_MODULES: Final = (
    "dashboards.views.home",
    "dashboards.views.recognition",
    "dashboards.views.explorer",
    "dashboards.views.regions",
    "dashboards.views.similarity",
    "dashboards.views.person",
    "dashboards.views.people",
    "dashboards.views.occlusion",
    "dashboards.views.demographics",
    "dashboards.views.sql",
)
"""Modules with a `Page` named PAGE."""

PAGES: Final[tuple[Page, ...]] = tuple(import_module(name).PAGE for name in _MODULES)
