"""The catalog: models, parsers and data sets that can be ingested, read from ``catalog.yaml``.

A user's own catalogs have the same form and are read after the built-in one: an entry of theirs
joins its entries, or replaces the one of the same name. Every mistake in every file is reported
at once, with its line.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from leamstore.catalog.yaml_file import Mistake, YamlFile, read_yaml
from leamstore.errors import CatalogError, some

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")]
EntryPoint = Annotated[str, StringConstraints(pattern=r"^\w+(\.\w+)*:\w+(\.\w+)*$")]
Network = Annotated[str, StringConstraints(pattern=r"^(\w+(\.\w+)*:\w+(\.\w+)*|onnx)$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ONNX: Final = "onnx"
"""In place of a network's entry point: the file of the weights is an ONNX file, which holds it."""

LayerName = Annotated[str, StringConstraints(pattern=r"^\w+(\.\w+)*$")]
ArgumentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^\w+(\.\w+)*\.?$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RemoteFile(_Frozen):
    """A file that is fetched, or placed by hand, into the cache folder."""

    file: Text
    """Path below the cache folder, or below the folder of the catalog that names it."""
    addresses: tuple[Address, ...] = ()
    """Addresses at which its authors offer it, the preferred one first."""
    mirrors: tuple[Address, ...] = ()
    """Addresses of copies that others keep, asked after those of the authors."""
    size: PositiveInt | None = None
    """Bytes."""
    sha256: Sha256 | None = None
    page: Address
    """Web page about the file, for people."""
    licence: Text
    _catalog_folder: Path | None = PrivateAttr(None)

    def model_post_init(self, context: Any) -> None:
        """Keep the folder of the user's catalog that names this file."""
        self._catalog_folder = context

    @property
    def catalog_folder(self) -> Path | None:
        """Folder of the user's catalog that names this file; None for the built-in catalog."""
        return self._catalog_folder

    @property
    def all_addresses(self) -> tuple[str, ...]:
        """Those of the authors and the mirrors, as they are asked; none: it is placed by hand."""
        return (*self.addresses, *self.mirrors)

    @field_validator("file")
    @classmethod
    def _stays_in_its_folder(cls, file: str) -> str:
        path = Path(file)
        if path.is_absolute() or not path.name or ".." in path.parts or "\\" in file:
            raise ValueError(f"{file} must be a path below the cache folder")
        if not file.isprintable() or max(len(part.encode()) for part in path.parts) > 200:
            raise ValueError(f"{file!r:.80} is no name of a file")
        return file


class Member(_Frozen):
    """A file in a zip file."""

    name: Text
    """Last part of its path in the zip file."""
    sha256: Sha256 | None = None

    @field_validator("name")
    @classmethod
    def _is_the_name_of_a_file(cls, name: str) -> str:
        if name in (".", "..") or not name.isprintable() or not {"/", "\\"}.isdisjoint(name):
            raise ValueError(f"{name!r:.80} is no name of a file")
        return name


class Weights(RemoteFile):
    """A file of weights."""

    package: Text | None = None
    """Distribution that holds the file, which then is a path in it, as it is installed."""
    member: Member | None = None
    """The file of weights in the file, which then is a zip file."""
    reader: EntryPoint = "ingest.networks.weights:read_state_dict"
    """Function from the file's path to the network's state."""
    prefix: Prefix | None = None
    """Prefix of the network's names in the file, where it holds more than the network."""
    leave_out: tuple[LayerName, ...] = ()
    """Names in the file that the network lacks, or their beginnings up to a dot."""

    @field_validator("prefix")
    @classmethod
    def _ends_in_a_dot(cls, prefix: str | None) -> str | None:
        return prefix and f"{prefix.removesuffix('.')}."


class Tokens(_Frozen):
    """Tokens of a vision transformer's layers, whose output is (image, token, channel)."""

    prefix: NonNegativeInt = 0
    """Class and register tokens, which come first."""
    grid: tuple[PositiveInt, PositiveInt]
    """Rows and columns of the patches, which follow row by row."""

    def __str__(self) -> str:
        rows, columns = self.grid
        return f"tokens: {{prefix: {self.prefix}, grid: [{rows}, {columns}]}}"


class Model(_Frozen):
    """A face recogniser."""

    name: Text
    network: Network
    """Function that builds the torch module; or ``onnx``: it is in the file of the weights."""
    arguments: dict[ArgumentName, JsonValue] = {}
    """Keyword arguments of the function."""
    family: Text
    loss: Text
    trained_on: Text
    weights: Weights | None
    """None: the network comes with its weights."""
    input_size: PositiveInt
    """Side of the square chip in pixels."""
    alignment: Literal["dlib", "arcface", "crop"]
    """Alignment of the chip: dlib's, ArcFace's five-point template, or the face crop resized."""
    colour_order: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    """Subtracted from each channel (0 to 255), in the colour order."""
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    """Divisor of each channel after the subtraction."""
    embedding_size: PositiveInt
    layers: Annotated[tuple[LayerName, ...], Field(min_length=1)]
    """Modules with a grid or tokens as output, the one nearest to the input first."""
    tokens: Tokens | Literal["channels-last"] | None = None
    """How the layers' outputs hold their cells, where it can't be worked out."""
    layer_sizes: tuple[PositiveInt, ...] = ()
    """Side of each layer's output in cells; none: not stated."""
    folded_norms: bool | None = None
    """Whether norms that follow the layers were folded into them; None: as the network says."""
    citation: Text

    @field_validator("arguments")
    @classmethod
    def _are_given_to_a_callable(cls, arguments: dict[str, Any], info: ValidationInfo) -> Any:
        if arguments and info.data.get("network") == ONNX:
            raise ValueError("an ONNX network takes none")
        return arguments

    @field_validator("weights")
    @classmethod
    def _hold_the_onnx_network(cls, weights: Weights | None, info: ValidationInfo) -> Any:
        if weights is None and info.data.get("network") == ONNX:
            raise ValueError("an ONNX network needs the file that it is in")
        return weights

    @field_validator("layers")
    @classmethod
    def _are_distinct(cls, layers: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(layers)) < len(layers):
            twice = next(layer for layer in layers if layers.count(layer) > 1)
            raise ValueError(f"{twice} occurs twice")
        return layers

    @field_validator("layer_sizes")
    @classmethod
    def _one_for_each_layer(cls, sizes: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        layers = info.data.get("layers", sizes)
        if sizes and len(sizes) != len(layers):
            raise ValueError(f"{len(sizes)} sizes for {len(layers)} layers")
        return sizes

    def chosen_layers(self, asked: Sequence[str] | None) -> tuple[str, ...]:
        """Return the layers that were asked for by name or position, in order; by default all.

        Raises
        ------
        CatalogError
            If the model has no such layer, or none was asked for.
        """
        if asked is None:
            return self.layers
        wanted = {name.strip() for name in asked} - {""}
        chosen = {
            layer: {layer, str(position)} & wanted for position, layer in enumerate(self.layers)
        }
        unknown = wanted.difference(*chosen.values())
        if unknown or not wanted:
            fault = f"has no layer {some(sorted(unknown))}" if unknown else "is to run no layer"
            raise CatalogError(
                f"{self.name} {fault}: choose from {', '.join(self.layers)}, or positions 0 to "
                f"{len(self.layers) - 1}."
            )
        return tuple(layer for layer, names in chosen.items() if names)


class Parser(_Frozen):
    """A face parser: it labels the pixels of a face crop with regions."""

    name: Text
    title: Text
    """Its name in sentences."""
    parser: EntryPoint
    """Function from the file of the weights, or None, and a torch device's name to the parser."""
    description: Text
    weights: Weights | None
    """None: it needs none."""
    input_size: PositiveInt | None
    """Side in pixels of the input of the parser's network; None: it has no network."""
    citation: Text


class Dataset(_Frozen):
    """A data set: photographs with identities."""

    name: Text
    reader: EntryPoint
    """Function from its folder to its photographs."""
    description: Text
    layout: Text
    """Layout of the files below its folder, ROOT."""
    archive: RemoteFile | None
    """File to fetch; None: there is nothing to fetch."""
    citation: Text | None


def _named(entries: Any) -> Any:
    """Give each entry of a mapping its name."""
    if not isinstance(entries, dict):
        return entries
    return {
        name: {**entry, "name": name} if isinstance(entry, dict) else entry
        for name, entry in entries.items()
    }


Entry = Model | Parser | Dataset
_EntryT = TypeVar("_EntryT", bound=Entry)
_ByName = Annotated[dict[Name, _EntryT], BeforeValidator(_named)]


class Catalog(_Frozen):
    """Models, parsers and data sets by name, and Intake's sources, which are ignored."""

    models: _ByName[Model] = {}
    parsers: _ByName[Parser] = {}
    datasets: _ByName[Dataset] = {}
    sources: dict[str, Any] = {}
    metadata: dict[str, Any] = {}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, in order."""
        return (*self.models.values(), *self.parsers.values(), *self.datasets.values())

    def entry(self, name: str) -> Entry:
        """Return the entry of that name, or raise a `CatalogError` with the closest."""
        return _find({entry.name: entry for entry in self.entries}, name, "entry")

    def model(self, name: str) -> Model:
        """Return the model of that name, or raise a `CatalogError` with the closest."""
        return _find(self.models, name, "model")

    def named_models(self, names: str) -> tuple[Model, ...]:
        """Return the models of these names, separated by commas, or ``all``.

        Raises
        ------
        CatalogError
            If one of them is not in the catalog.
        """
        if names == "all":
            return tuple(self.models.values())
        return tuple(self.model(name.strip()) for name in names.split(",") if name.strip())

    def parser(self, name: str) -> Parser:
        """Return the parser of that name, or raise a `CatalogError` with the closest."""
        return _find(self.parsers, name, "parser")

    def dataset(self, name: str) -> Dataset:
        """Return the data set of that name, or raise a `CatalogError` with the closest."""
        return _find(self.datasets, name, "data set")


def resolve(entry: Entry, entry_point: str) -> Any:
    """Return the callable that an entry names as ``package.module:callable``.

    Raises
    ------
    CatalogError
        If it can't be imported.
    """
    try:
        return resolve_name(entry_point)
    except (ImportError, AttributeError) as error:
        raise CatalogError(
            f"{entry_point}, which the catalog names for {entry.name}, can't be imported "
            f"({error}): install its package, or run from the folder that contains it."
        ) from error


def built_in() -> Path:
    """Return the built-in ``catalog.yaml``: in the package, or in the checkout around it."""
    package = Path(__file__).parent.parent
    installed = package / "catalog.yaml"
    return installed if installed.is_file() else package.parent / "catalog.yaml"


def read_catalog(*paths: str | Path) -> Catalog:
    """Read the built-in catalog and the user's own.

    Parameters
    ----------
    *paths : str or Path
        YAML files; their entries replace those of the same name in the files before.

    Raises
    ------
    CatalogError
        With every mistake in every file, each with its file and line.
    """
    entries: dict[str, dict[str, Any]] = {section: {} for section in Catalog.model_fields}
    mistakes: list[Mistake] = []
    for path in (built_in(), *map(Path, paths)):
        catalog, found = _read_one(path)
        mistakes += found
        for section, merged in entries.items():
            merged.update(getattr(catalog, section))
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise CatalogError("\n".join([f"The catalog has {count}:", *map(str, mistakes)]))
    return Catalog(**entries)


def _read_one(path: Path) -> tuple[Catalog, list[Mistake]]:
    """Return the catalog in a file, empty if it can't be parsed, and its mistakes."""
    file, mistakes = read_yaml(path)
    if file is None:
        return Catalog(), mistakes
    folder = None if path == built_in() else path.resolve().parent
    try:
        return Catalog.model_validate(file.data, context=folder), mistakes
    except ValidationError as error:
        return Catalog(), mistakes + _mistakes(error, file)


_MOST_MISTAKES: Final = 50
"""Mistakes of a file that are listed one by one."""

_FIELDS: Final = {
    field
    for entry in (Catalog, Model, Tokens, Parser, Dataset, Weights, Member)
    for field in entry.model_fields
}


def _mistakes(error: ValidationError, file: YamlFile) -> list[Mistake]:
    """Translate what pydantic found into sentences with lines."""
    mistakes = []
    details = error.errors(include_url=False)
    for detail in details[:_MOST_MISTAKES]:
        location = [step for step in detail["loc"] if step != "[key]"]
        place = ".".join(map(str, location)) or "the file"
        match detail["type"]:
            case "missing":
                sentence = f"{place} is missing."
            case "extra_forbidden":
                guess = _suggestion(str(location[-1]), _FIELDS)
                sentence = f"{place} is not a field of a catalog{guess}."
            case "value_error":
                sentence = f"{place}: {detail['ctx']['error']}."
            case _:
                given = repr(detail["input"])
                given = given if len(given) <= 80 else f"{given[:77]}..."
                sentence = f"{place}: {detail['msg']}, not {given}."
        mistakes.append(Mistake(file.path, file.line(location), sentence))
    if len(details) > _MOST_MISTAKES:
        more = f"and {len(details) - _MOST_MISTAKES:,} more mistakes in this file."
        mistakes.append(Mistake(file.path, mistakes[-1].line, more))
    return sorted(mistakes, key=lambda mistake: mistake.line)


def _find(entries: Mapping[str, _EntryT], name: str, kind: str) -> _EntryT:
    if name not in entries:
        guess = _suggestion(name, entries)
        known = ", ".join(entries)
        raise CatalogError(f"The catalog has no {kind} named {name!r}{guess}; it has {known}.")
    return entries[name]


def _suggestion(name: str, known: Any) -> str:
    by_lower = {option.lower(): option for option in known}
    matches = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[matches[0]]}?)" if matches else ""
