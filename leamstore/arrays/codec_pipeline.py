"""Codec pipeline: whole shards by a fast path, parts of shards by Zarr itself.

The Rust pipeline (`zarrs`) reads whole shards several times as fast. Of a part of a shard it
checks no checksum, so that a flipped bit could end in a wrong map; and it writes files in place,
where Zarr replaces them at once. So it does nothing here but read whole shards of a folder; whole
shards are encoded by `leamstore.arrays.shard_encoding`, and put in place by Zarr.
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import zarr
from zarr.abc.codec import CodecPipeline
from zarr.abc.store import ByteGetter, ByteSetter, Store
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import NDBuffer, default_buffer_prototype
from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarr.core.metadata import ArrayMetadata, ArrayV3Metadata
from zarr.registry import register_pipeline
from zarr.storage import LocalStore
from zarrs import ZarrsCodecPipeline

from leamstore.arrays.shard_encoding import ShardEncoder
from leamstore.storage import Location

Part = tuple[ByteGetter, ArraySpec, Any, Any, bool]
"""A shard, its shape, the part to read, its destination, and whether it is the whole shard."""


class CheckedPipeline(ZarrsCodecPipeline):
    """Zarr's codec pipeline; whole shards are read in Rust, and encoded at once."""

    @classmethod
    def from_array_metadata_and_store(cls, array_metadata: ArrayMetadata, store: Store) -> Self:
        """Return the pipeline of an array; NotImplementedError, by which Zarr takes its own."""
        if not isinstance(store, LocalStore) or not isinstance(array_metadata, ArrayV3Metadata):
            raise NotImplementedError
        python_impl = BatchedCodecPipeline.from_codecs(array_metadata.codecs)
        return cls(array_metadata, store, impl=None, python_impl=python_impl)

    async def read(
        self, batch_info: Iterable[Part], out: NDBuffer, drop_axes: tuple[int, ...] = ()
    ) -> None:
        """Read shards, or parts of them, into `out`.

        What Rust can't read, Zarr is asked for, so that its errors are those that all readers get.
        """
        parts = list(batch_info)
        if all(complete for *_, complete in parts):
            with suppress(RuntimeError):
                await self._rust.read(parts, out, drop_axes)
                return
        await self._zarr.read(parts, out, drop_axes)

    async def write(
        self,
        batch_info: Iterable[tuple[ByteSetter, ArraySpec, Any, Any, bool]],
        value: NDBuffer,
        drop_axes: tuple[int, ...] = (),
    ) -> None:
        """Write shards, or parts of them, out of `value`."""
        parts = list(batch_info)
        if self._encoder is None or not value.shape or not all(complete for *_, complete in parts):
            await self._zarr.write(parts, value, drop_axes)
            return
        await asyncio.gather(
            *(self._write_shard(place, value[own]) for place, _, _, own, _ in parts)
        )

    async def _write_shard(self, place: ByteSetter, shard: NDBuffer) -> None:
        assert self._encoder is not None
        encoded = await asyncio.to_thread(self._encoder.encode, shard.as_numpy_array())
        if encoded is None:
            await place.delete()
        else:
            await place.set(default_buffer_prototype().buffer.from_bytes(encoded))

    @cached_property
    def _encoder(self) -> ShardEncoder | None:
        return ShardEncoder.of(self.metadata)

    @cached_property
    def _rust(self) -> ZarrsCodecPipeline:
        # Made when it is needed: that takes as long as to open an array.
        return ZarrsCodecPipeline.from_array_metadata_and_store(self.metadata, self.store)

    @property
    def _zarr(self) -> CodecPipeline:
        assert self.python_impl is not None, "only codec_pipeline.strict leaves it out"
        return self.python_impl


register_pipeline(CheckedPipeline)

_OPENING: Final = threading.RLock()
"""Lock for Zarr's configuration, which is global: two threads could restore it in disorder."""


@contextmanager
def checked_pipeline(store: Location) -> Iterator[None]:
    """Use a `CheckedPipeline` for arrays that are opened within the context; they keep it.

    Zarr chooses an array's pipeline when the array is opened, by its configuration, and all other
    arrays of the process are left to what the user configured. In an object store there is nothing
    to read in Rust.
    """
    if not isinstance(store, Path):
        yield
        return
    name = f"{CheckedPipeline.__module__}.{CheckedPipeline.__name__}"
    with _OPENING, zarr.config.set({"codec_pipeline.path": name}):
        yield
