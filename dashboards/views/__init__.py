"""The pages, in the order of the menu: a new one is a module and a line here."""

from typing import Final

from dashboards.page import Page
from dashboards.views import (
    demographics,
    explorer,
    home,
    occlusion,
    people,
    person,
    regions,
    similarity,
    sql,
)

PAGES: Final[tuple[Page, ...]] = (
    home.PAGE,
    explorer.PAGE,
    regions.PAGE,
    similarity.PAGE,
    person.PAGE,
    people.PAGE,
    occlusion.PAGE,
    demographics.PAGE,
    sql.PAGE,
)
