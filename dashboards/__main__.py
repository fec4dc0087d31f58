"""``python -m dashboards``: show a lake in the browser."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from leamstore.commandline import DebugOption, LakeOption, run
from leamstore.errors import LeamError
from leamstore.lake import Lake

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

_HERE: Final = Path(__file__).resolve().parent
_ANYWHERE: Final = ("0.0.0.0", "::", "")
_NEEDED: Final = (
    "analyses.overlays",
    "analyses.questions",
    "leamstore.stand_ins",
    "plotly.colors",
    "plotly.graph_objects",
    "streamlit.elements.plotly_chart",
)
"""Modules that are slow to load; the pages' own ones need a server that runs."""


@app.command()
def serve(
    lake: LakeOption = "lake",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "localhost",
    base_path: Annotated[
        str | None,
        typer.Option(
            "--base-path",
            "--server.baseUrlPath",
            envvar="STREAMLIT_SERVER_BASE_URL_PATH",
            help="Path under which a proxy shows it, such as lakes/lfw; else as Streamlit is set.",
            metavar="PATH",
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Show a lake in the browser, until Ctrl-C.

    Only this machine can open it unless --address says otherwise; nothing is sent anywhere.

    Example: `python -m dashboards --lake lfw.lake`
    """
    Lake(lake)  # a lake that is missing or damaged ends the command here, not on every page
    if not _is_free(address, port):
        raise LeamError(f"port {port} of {address} is taken: name another by --port.")
    console = Console(soft_wrap=True)
    with console.status("Starting"):
        # Modules that every page needs take seconds to load: do it before the first visitor comes.
        for module in _NEEDED:
            import_module(module)
    console.print(f"[bold]{escape(lake)}[/] at {_url(address, port, base_path)}  (Ctrl-C ends it)")
    streamlit = import_module("streamlit.web.cli")
    below = [] if base_path is None else ["--server.baseUrlPath", base_path]
    streamlit.main(
        [
            "run", str(_HERE / "Home.py"), "--server.port", str(port),
            "--server.address", address, *below, "--browser.gatherUsageStats", "false",
            "--logger.hideWelcomeMessage", "true", "--", "--lake", lake,
        ],
        prog_name="streamlit",
    )  # fmt: skip


def _url(address: str, port: int, base_path: str | None) -> str:
    """Return what a browser opens, by these options and by Streamlit's files of settings."""
    given = {"server.port": port, "server.address": address, "server.baseUrlPath": base_path}
    # Told of the options that it will get, Streamlit doesn't warn that its settings have changed.
    settings = import_module("streamlit.config").get_config_options(
        force_reparse=True,
        options_from_flags={name: value for name, value in given.items() if value is not None},
    )
    scheme = "https" if settings["server.sslCertFile"].value else "http"
    path = settings["server.baseUrlPath"].value.strip("/")
    return f"{scheme}://{_host(address)}:{port}{path and '/' + path}"


def _host(address: str) -> str:
    """Return an address to listen on as the host of one that a browser opens."""
    if address in _ANYWHERE:
        return "localhost"
    return f"[{address}]" if ":" in address else address


def _is_free(address: str, port: int) -> bool:
    # Importing here keeps --help quick.
    import socket  # noqa: PLC0415

    try:
        found = socket.getaddrinfo(address or None, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise LeamError(f"{address} is no address of this machine: name one by --address.") from (
            error
        )
    family, kind, protocol, _, place = found[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(place)
        except OSError:
            return False
    return True


if __name__ == "__main__":
    run(app)
