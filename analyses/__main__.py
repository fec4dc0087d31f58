"""``python -m analyses``: answer the paper's questions from a lake."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from leamstore.commandline import DebugOption, JsonOption, LakeOption, QuietOption, run
from leamstore.errors import LeamError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

REPORT: Final = "report"
"""Name on the command line, among or instead of questions, that asks for the report."""


@app.command(no_args_is_help=True)
def ask(
    names: Annotated[
        list[str],
        typer.Argument(
            help="all, or questions by name (an unknown name lists them); report: a page about "
            "the questions named with it, or about all.",
            metavar="QUESTION...",
        ),
    ],
    lake: LakeOption = "lake",
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.")] = 0,
    draws: Annotated[
        int, typer.Option(help="Bootstrap draws behind each interval.", min=100)
    ] = 2000,
    scheduler: Annotated[
        str,
        typer.Option(help="threads, processes, or a dask scheduler's address, tcp://host:8786."),
    ] = "threads",
    again: Annotated[
        bool, typer.Option("--again", help="Recompute answers even if they are up to date.")
    ] = False,
    all_guides: Annotated[
        bool,
        typer.Option(
            "--all-guides",
            help="Occlusion: every model's maps guide for every model (the full transfer matrix), "
            "not only its own and IR_CASIA's.",
        ),
    ] = False,
    catalog: Annotated[
        list[Path] | None,
        typer.Option(
            help="Your catalog: its models are run again by its entries, not by those that "
            "the lake keeps of them.",
            metavar="FILE",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report; one that holds a report is replaced, any other is left.",
            show_default="<name of the lake>-report",
            rich_help_panel="Report",
        ),
    ] = None,
    smooth: Annotated[
        bool,
        typer.Option(
            "--smooth",
            help="Draw maps on faces smoothly between the cells' centres, not cell by cell.",
            rich_help_panel="Report",
        ),
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Answer the paper's questions from a lake, with intervals, next to the paper's own numbers.

    Answers are tables result_<name> in the lake. What hasn't changed isn't computed again. A
    question whose data the lake lacks says so, and the others still run; exit code 1 if none
    could be answered.

    `report` answers first, then writes a folder: index.html, one page that opens without the
    network (findings, tables, figures, faces under their maps, what was run and what is missing),
    every table as CSV, every figure as PNG and SVG.

    Examples: `python -m analyses all --lake lfw.lake`, then
    `python -m leamstore sql "FROM result_regions_by_model" --lake lfw.lake`;
    `python -m analyses report --lake lfw.lake --to lfw-report`.
    """
    # Polars, scipy and zarr load slowly, and --help shouldn't wait for them.
    from analyses.question import Settings  # noqa: PLC0415
    from analyses.questions import QUESTIONS, with_all_guides  # noqa: PLC0415
    from analyses.results import answer_question, choose_questions, write_late  # noqa: PLC0415
    from analyses.tables import show_answer, show_overview  # noqa: PLC0415
    from analyses.work import Work  # noqa: PLC0415
    from leamstore.catalog import read_catalog  # noqa: PLC0415
    from leamstore.lake import Lake  # noqa: PLC0415
    from leamstore.stand_ins import brands  # noqa: PLC0415
    from leamstore.tables.waiting import WITHOUT_END  # noqa: PLC0415

    opened = Lake(lake, patience=WITHOUT_END)
    questions = with_all_guides(QUESTIONS) if all_guides else QUESTIONS
    asked = choose_questions(questions, [name for name in names if name != REPORT])
    folder = _report_folder(names, to, opened.path.name)
    silent = quiet or as_json
    console = Console(quiet=silent)
    work = Work(scheduler, silent)
    stand_ins = brands(opened)
    settings = Settings(seed, draws, read_catalog(*catalog) if catalog else None)
    answers = []
    for question in asked:
        answers.append(answer_question(opened, question, settings, work, again))
        if folder is None:
            show_answer(answers[-1], stand_ins, console)
    answers = write_late(opened, answers, settings)
    show_overview(answers, console)
    if folder is not None:
        from analyses.report import write_report  # noqa: PLC0415

        page = write_report(
            opened, answers, settings, folder, work, "smooth" if smooth else "cells"
        )
        console.print(f"The report: {page}", markup=False, soft_wrap=True)
    if as_json:
        facts = [
            {"question": answer.question.name, "state": answer.state, "why": answer.why,
             "tables": [f"result_{name}" for name in answer.tables]}
            for answer in answers
        ]  # fmt: skip
        written = {"report": str(folder)} if folder else {}
        heading = {"lake": str(lake), "brands": stand_ins}
        print(json.dumps({**heading, "questions": facts, **written}, indent=2))
    if all(answer.state == "lacking" for answer in answers):
        raise typer.Exit(1)


def _report_folder(names: list[str], to: Path | None, lake_name: str) -> Path | None:
    """Return where a report is asked for, once it is sure that it may be written there."""
    from analyses.report.folder import check_folder  # noqa: PLC0415

    if REPORT not in names:
        if to is not None:
            raise LeamError("--to is the folder of a report: ask for report, too.")
        return None
    folder = to or Path(f"{lake_name or 'lake'}-report")
    check_folder(folder)
    return folder


if __name__ == "__main__":
    run(app)
