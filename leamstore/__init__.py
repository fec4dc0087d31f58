"""The lake: Zarr maps and DuckDB tables of where face recognition networks look."""

from typing import TYPE_CHECKING, Any

from leamstore.errors import LeamError

if TYPE_CHECKING:
    from leamstore.lake import Lake, LakeSettings

__all__ = ["Lake", "LakeSettings", "LeamError"]


def __getattr__(name: str) -> Any:
    """Load the lake when it is first asked for: xarray and dask take a second, --help needn't."""
    if name in ("Lake", "LakeSettings"):
        from leamstore import lake  # noqa: PLC0415

        return getattr(lake, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
