"""What the site says of the command lines: taken from them when it is built."""

import sys
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final, get_args

import typer

ROOT: Final = Path(__file__).resolve().parent.parent
MARKER: Final = "<!-- the commands -->"

# The checkout's packages are described, wherever mkdocs was started.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the commands in the place of their marker; mkdocs calls this for each page."""
    return markdown.replace(MARKER, commands_page()) if MARKER in markdown else markdown


def commands_page() -> str:
    """Return every command with its arguments and options, in Markdown."""
    return "\n".join(
        line for name, command in sorted(all_commands().items()) for line in _section(name, command)
    )


def all_commands() -> dict[str, Any]:
    """Return click's command by what one types: ``python -m leamstore sql``."""
    found = {}
    for file in sorted(ROOT.glob("*/__main__.py")):
        command = typer.main.get_command(import_module(f"{file.parent.name}.__main__").app)
        found |= _with_subcommands(f"python -m {file.parent.name}", command)
    return found


def parameters_of(command: Any) -> list[Any]:
    """Return the arguments and options of a command that are its own."""
    return [one for one in command.params if not getattr(one, "hidden", False)]


def written(parameter: Any) -> str:
    """Return an argument or option as it is typed."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def _with_subcommands(name: str, command: Any) -> dict[str, Any]:
    found = {name: command}
    for child, subcommand in getattr(command, "commands", {}).items():
        found |= _with_subcommands(f"{name} {child}", subcommand)
    return found


def _section(name: str, command: Any) -> list[str]:
    lines = ["", f"## {name}", "", _escaped(cleandoc(command.help or ""))]
    parameters = parameters_of(command)
    if parameters:
        lines += ["", "| argument or option | meaning | default |", "| --- | --- | --- |"]
    for parameter in parameters:
        meaning = f"{parameter.help or ''}{_choices(parameter)}"
        cells = (f"`{written(parameter)}`", meaning, _default(parameter))
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return lines


def _default(parameter: Any) -> str:
    if isinstance(getattr(parameter, "show_default", None), str):
        return str(parameter.show_default)
    known = parameter.default is not None and "UNSET" not in repr(parameter.default).upper()
    if not known or callable(parameter.default):
        return "required" if parameter.required else ""
    if isinstance(parameter.default, bool):
        return "on" if parameter.default else "off"
    folder = isinstance(parameter.default, Path) and parameter.default.is_absolute()
    return "" if folder else f"`{parameter.default}`"


def _choices(parameter: Any) -> str:
    typed = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    choices = [choice for choice in get_args(typed) if isinstance(choice, str)]
    return f" One of {', '.join(choices)}." if choices else ""


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split()).replace("|", "\\|"))


def _escaped(text: str) -> str:
    """Return text whose angle brackets are no HTML; what stands as code is left as it is."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
