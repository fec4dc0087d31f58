"""``python -m ingest.layers``: list the layers of a model that can be explained.

`python -m leamstore catalog NAME --layers` calls this.
"""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leamstore.catalog import Model, read_catalog
from leamstore.commandline import CatalogOption, DebugOption, JsonOption, run, shown

if TYPE_CHECKING:
    from torch import nn

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@dataclass(frozen=True)
class ListedLayer:
    """A layer that can be explained.

    Attributes
    ----------
    layer : str
        Its name, as under ``layers`` of a catalog entry.
    kind : str
        Class of its torch module, or its operator in an ONNX file.
    channels, height, width : int
        Size of its output for one chip; of a transformer's tokens, the rows and columns of patches.
    position : int or None
        Its position among the layers of the entry, from 0; None: the entry doesn't name it.
    folded_norm : bool or None
        Whether the norm that follows it is folded into it; None: not known.
    """

    layer: str
    kind: str
    channels: int
    height: int
    width: int
    position: int | None
    folded_norm: bool | None


def list_layers(network: "nn.Module", entry: Model) -> list[ListedLayer]:
    """Return the layers of a network that can be explained, in forward order.

    Parameters
    ----------
    network : nn.Module
        Of the entry, in eval mode.
    entry : leamstore.catalog.entries.Model

    Returns
    -------
    list of ListedLayer
        As `ingest.networks.cell_geometry.placed_layers` finds them.
    """
    # torch loads slowly, and --help shouldn't wait for it.
    from ingest.networks.cell_geometry import placed_layers  # noqa: PLC0415
    from ingest.networks.folded_norms import folded_norm  # noqa: PLC0415

    modules = dict(network.named_modules())
    return [
        ListedLayer(
            layer=name,
            kind=getattr(modules[name], "kind", type(modules[name]).__name__),
            channels=layer.channels,
            height=layer.cells.height,
            width=layer.cells.width,
            position=entry.layers.index(name) if name in entry.layers else None,
            folded_norm=folded_norm(network, name, entry),
        )
        for name, layer in placed_layers(network, entry.input_size, entry.tokens).items()
    ]


@app.command()
def layers(
    name: Annotated[str, typer.Argument(help="Name of the model in the catalog.")],
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the layers of a model that can be explained, with the sizes of their outputs.

    No weights are needed, except those of an ONNX model, whose file holds the network.
    """
    from ingest import networks  # noqa: PLC0415 - torch loads slowly

    known = read_catalog(*(catalog or []))
    network = networks.load(name, "random", known)
    rows = [asdict(one) for one in list_layers(network, known.model(name))]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table()
    for column in ListedLayer.__dataclass_fields__:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown("-" if cell is None else str(cell))) for cell in row.values()))
    Console().print(table)


if __name__ == "__main__":
    run(app)
