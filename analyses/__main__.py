"""``python -m analyses``: put the paper's questions to a lake."""

import functools
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from leamstore.commandline import DebugOption, JsonOption, LakeOption, QuietOption, run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command(no_args_is_help=True)
def ask(
    names: Annotated[
        list[str],
        typer.Argument(
            help="all, or questions by name; an unknown name lists them.", metavar="QUESTION..."
        ),
    ],
    lake: LakeOption = Path("lake"),
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.")] = 0,
    draws: Annotated[
        int, typer.Option(help="Bootstrap draws behind each interval.", min=100)
    ] = 2000,
    again: Annotated[
        bool, typer.Option("--again", help="Compute answers that are up to date, too.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Answer the paper's questions from a lake, with intervals, beside the paper's own numbers.

    Answers are tables result_<name> in the lake. What hasn't changed isn't computed again. A
    question whose data the lake lacks says so, and the others still run; exit code 1 if none
    could be answered.

    Examples: `python -m analyses all --lake lfw.lake`, then
    `python -m leamstore sql "FROM result_regions_by_model" --lake lfw.lake`.
    """
    # Polars, scipy and zarr load slowly, and --help shouldn't wait for them.
    from analyses.question import Settings  # noqa: PLC0415
    from analyses.questions import QUESTIONS  # noqa: PLC0415
    from analyses.results import answer_question, choose_questions  # noqa: PLC0415
    from analyses.tables import show_answer, show_overview  # noqa: PLC0415
    from leamstore.brands import brands  # noqa: PLC0415
    from leamstore.lake import Lake  # noqa: PLC0415

    opened = Lake(lake)
    asked = choose_questions(QUESTIONS, names)
    silent = quiet or as_json
    console = Console(quiet=silent)
    progress = functools.partial(
        track, console=Console(stderr=True), transient=True, disable=silent
    )
    stand_ins = brands(opened)
    answers = []
    for question in asked:
        answers.append(answer_question(opened, question, Settings(seed, draws), progress, again))
        show_answer(answers[-1], stand_ins, console)
    show_overview(answers, console)
    if as_json:
        facts = [
            {"question": answer.question.name, "state": answer.state, "why": answer.why,
             "tables": [f"result_{name}" for name in answer.tables]}
            for answer in answers
        ]  # fmt: skip
        print(json.dumps({"lake": str(lake), "brands": stand_ins, "questions": facts}, indent=2))
    if all(answer.state == "lacking" for answer in answers):
        raise typer.Exit(1)


if __name__ == "__main__":
    run(app)
