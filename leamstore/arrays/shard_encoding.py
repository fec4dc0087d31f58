"""Encoding of whole shards in one step, to the same bytes that Zarr writes.

Zarr passes each chunk of a shard through its event loop and a thread, which takes longer than to
compress it. Here a shard is one task: its chunks, compressed and with their checksums, one after
the other, and the index of where each begins (Zarr's specification: ``sharding_indexed``).
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc
from numpy.typing import NDArray
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    ShardingCodec,
    ShardingCodecIndexLocation,
)
from zarr.core.chunk_grids import RegularChunkGrid
from zarr.core.metadata import ArrayMetadata, ArrayV3Metadata

_NOT_THERE: Final = (2**64 - 1, 2**64 - 1)
"""Entry in the index for a chunk that holds only the fill value."""

_SHUFFLES: Final = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


@dataclass(frozen=True)
class ShardEncoder:
    """Encoder for the shards of an array.

    Attributes
    ----------
    dtype : dtype
        Little-endian.
    fill_value : scalar
        Of the entries that nobody wrote.
    per_chunk : int
        Entries of the first axis in a chunk; along the others a chunk is as long as the shard.
    compressor : Blosc
    """

    dtype: np.dtype[Any]
    fill_value: Any
    per_chunk: int
    compressor: Blosc

    @classmethod
    def of(cls, metadata: ArrayMetadata) -> Self | None:
        """Return the encoder of an array laid out by `shards`; of others, None."""
        match metadata:
            case ArrayV3Metadata(
                chunk_grid=RegularChunkGrid(chunk_shape=shard),
                codecs=[
                    ShardingCodec(
                        chunk_shape=chunk,
                        codecs=[BytesCodec(), BloscCodec() as blosc, Crc32cCodec()],
                        index_codecs=[BytesCodec(), Crc32cCodec()],
                        index_location=ShardingCodecIndexLocation.end,
                    )
                ],
            ) if shard[1:] == chunk[1:]:
                dtype = metadata.data_type.to_native_dtype()
            case _:
                return None
        if dtype != dtype.newbyteorder("<"):
            return None
        compressor = Blosc(
            cname=blosc.cname.value,
            clevel=blosc.clevel,
            shuffle=_SHUFFLES[blosc.shuffle.value],
            blocksize=blosc.blocksize,
            typesize=blosc.typesize,
        )
        return cls(dtype, metadata.fill_value, chunk[0], compressor)

    def encode(self, shard: NDArray[Any]) -> bytes | None:
        """Return the bytes of a whole shard; None where it holds nothing but the fill value."""
        starts = range(0, len(shard), self.per_chunk)
        chunks = [shard[start : start + self.per_chunk] for start in starts]
        encoded = [b"" if self._is_empty(chunk) else self._encode_chunk(chunk) for chunk in chunks]
        if not any(encoded):
            return None
        return b"".join([*encoded, _index_of(encoded)])

    def _encode_chunk(self, chunk: NDArray[Any]) -> bytes:
        compressed = self.compressor.encode(np.ascontiguousarray(chunk, self.dtype).view(np.uint8))
        return _with_checksum(bytes(compressed))

    def _is_empty(self, chunk: NDArray[Any]) -> bool:
        # Most chunks aren't, as their first value shows.
        return self._is_fill(chunk[:1].ravel()[:1]) and self._is_fill(chunk)

    def _is_fill(self, values: NDArray[Any]) -> bool:
        if np.isnan(self.fill_value):
            return bool(np.isnan(values).all())
        return bool((values == self.fill_value).all())


def _index_of(chunks: list[bytes]) -> bytes:
    """Return where each chunk begins, and its length."""
    start, slices = 0, []
    for chunk in chunks:
        slices.append((start, len(chunk)) if chunk else _NOT_THERE)
        start += len(chunk)
    return _with_checksum(np.array(slices, "<u8").tobytes())


def _with_checksum(content: bytes) -> bytes:
    return content + google_crc32c.value(content).to_bytes(4, "little")
