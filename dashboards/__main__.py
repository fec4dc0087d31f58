"""``python -m dashboards``: look into a lake in the browser."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from leamstore.commandline import DebugOption, LakeOption, run
from leamstore.errors import LeamError

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
    debug: DebugOption = False,
) -> None:
    """Show a lake in the browser, until Ctrl-C.

    Only this machine can open it unless --address says otherwise; nothing is sent anywhere.

    Example: `python -m dashboards --lake lfw.lake`
    """
    if not _is_free(address, port):
        raise LeamError(f"port {port} of {address} is taken: name another by --port.")
    console = Console(soft_wrap=True)
    with console.status("Starting"):
        # What every page needs takes seconds to load: before the first visitor, not with them.
        for module in _NEEDED:
            import_module(module)
    shown = "localhost" if address in _ANYWHERE else address
    console.print(f"[bold]{lake}[/] at http://{shown}:{port}  (Ctrl-C ends it)")
    streamlit = import_module("streamlit.web.cli")
    streamlit.main(
        [
            "run", str(_HERE / "Home.py"), "--server.port", str(port),
            "--server.address", address, "--browser.gatherUsageStats", "false",
            "--logger.hideWelcomeMessage", "true", "--", "--lake", lake,
        ],
        prog_name="streamlit",
    )  # fmt: skip


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
