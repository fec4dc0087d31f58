"""The lake: Zarr maps and DuckDB tables of what face recognition networks look at."""

from leamstore.errors import LeamError
from leamstore.lake import Lake, LakeSettings

__all__ = ["Lake", "LakeSettings", "LeamError"]
