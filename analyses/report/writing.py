"""Writing of a report: tables as CSV, figures as PNG and SVG, and the page."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from analyses.figures import pictures_of
from analyses.layouts import lay_out
from analyses.overlays import Drawing
from analyses.question import LackingError, Settings
from analyses.report.folder import replacing, write_facts
from analyses.report.page import Contents, Section, ShownTable, page
from analyses.report.provenance import LakeFacts, lake_facts, versions
from analyses.results import Answer
from analyses.tables import findings_of, notes_of
from analyses.work import Work
from leamstore.lake import Lake
from leamstore.tables.results import Provenance, read_provenance

if TYPE_CHECKING:
    from analyses.figures.rendering import Rendered

PAGE: Final = "index.html"


def write_report(
    lake: Lake,
    answers: Sequence[Answer],
    settings: Settings,
    folder: Path,
    work: Work,
    drawing: Drawing = "cells",
) -> Path:
    """Write a folder with a page, every result table as CSV and every figure as PNG and SVG.

    Parameters
    ----------
    answers : sequence of Answer
        The questions put to the lake, with their result tables.
    settings : Settings
        Settings of the answers; the seed also draws the faces of the contact sheets.
    folder : Path
        Replaced as a whole if it holds a report; it appears only when all is written.
    drawing : str
        Style of maps on faces: ``cells``, each as it is, or ``smooth``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    LeamError
        If something is in the folder that no report wrote.
    """
    facts = lake_facts(lake)
    made = read_provenance(lake)
    with replacing(folder) as new:
        (new / "csv").mkdir()
        (new / "figures").mkdir()
        overlays, overlays_lack = _contact_sheets(lake, facts, settings, new, work, drawing)
        sections = []
        for answer in work.track(answers, "Tables and figures", len(answers)):
            for name, rows in answer.tables.items():
                rows.write_csv(new / "csv" / f"{name}.csv")
            figures = _written(pictures_of(answer.question.name, answer.tables), facts, new)
            sections.append(_section(answer, figures, made))
        command = _command(facts.path, answers, settings, drawing)
        written = datetime.now(UTC).isoformat(timespec="seconds")
        contents = Contents(
            facts, overlays, overlays_lack, sections, settings, command, versions(), written
        )
        (new / PAGE).write_text(page(contents), encoding="utf-8")
        write_facts(new, {
            "report": "leam-lake", "lake": facts.path, "brands": facts.brands,
            "settings": settings.recorded(), "versions": contents.versions, "written": written,
            "questions": {
                answer.question.name: "not answered" if answer.why else "answered"
                for answer in answers
            },
        })  # fmt: skip
    return folder / PAGE


def _contact_sheets(
    lake: Lake,
    facts: LakeFacts,
    settings: Settings,
    folder: Path,
    work: Work,
    drawing: Drawing,
) -> tuple["list[Rendered]", str]:
    """Write the contact sheets, or return why there are none."""
    # Matplotlib loads slowly, and belongs to the figures alone.
    from analyses.figures import overlays  # noqa: PLC0415

    sheets = work.track(overlays.pictures(lake, settings.seed, drawing), "Contact sheets")
    try:
        return _written(sheets, facts, folder), ""
    except LackingError as error:
        return [], str(error)


def _written(pictures: Iterable[Any], facts: LakeFacts, folder: Path) -> "list[Rendered]":
    """Write pictures one by one, so that one drawing is in memory at a time."""
    from analyses.figures.rendering import render  # noqa: PLC0415

    shown = []
    figures = folder / "figures"
    for picture in pictures:
        drawn = render(picture, facts.brands)
        name = drawn.name
        while (figures / f"{name}.png").exists():
            name += "-2"  # a model A_B's layer C and a model A's layer B_C
        (figures / f"{name}.png").write_bytes(drawn.png)
        (figures / f"{name}.svg").write_bytes(drawn.svg)
        shown.append(replace(drawn, name=name, png=b"", svg=b""))
    return shown


def _command(lake: str, answers: Sequence[Answer], settings: Settings, drawing: Drawing) -> str:
    """Return the command line that makes such a report."""
    names = [answer.question.name for answer in answers]
    all_guides = any(answer.question.settings.get("all_guides") for answer in answers)
    chosen = {"--all-guides": all_guides, "--smooth": drawing == "smooth"}
    return shlex.join([
        "python", "-m", "analyses", "report", *names, "--lake", lake,
        "--seed", str(settings.seed), "--draws", str(settings.draws),
        *(option for option, is_chosen in chosen.items() if is_chosen),
    ])  # fmt: skip


def _section(
    answer: Answer, figures: "Sequence[Rendered]", made: Mapping[str, Provenance]
) -> Section:
    return Section(
        answer,
        findings_of(answer),
        notes_of(answer),
        [
            ShownTable(name, tuple(lay_out(name, rows, answer.question.layouts.get(name))))
            for name, rows in answer.tables.items()
        ],
        figures,
        next((made[name] for name in answer.tables if name in made), None),
    )
