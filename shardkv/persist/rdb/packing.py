"""How values are written: compressed or not, and in nodes of which size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...values import listpack
from ...values.lists import SAFETY, SIZES
from . import opcodes
from .primitives import compressed_blob, length_bytes, plain_blob, plain_string, short_string

if TYPE_CHECKING:
    from ...config import Config

_PACKED = length_bytes(opcodes.PACKED)


@dataclass(frozen=True, slots=True)
class Packing:
    """What encoders are given: how a string is written, how a packed one is, and how much goes into a node."""

    text: Callable[[bytes], bytes]
    blob: Callable[[bytes], bytes]
    node_bytes: int
    node_count: int

    @classmethod
    def of(cls, config: Config) -> Packing:
        """As the options ``rdbcompression`` and ``list-max-listpack-size`` say now."""
        fill = config.list_max_listpack_size
        compressed = config.rdbcompression
        return cls(
            text=short_string if compressed else plain_string,
            blob=compressed_blob if compressed else plain_blob,
            node_bytes=SIZES[min(-fill, len(SIZES)) - 1] if fill < 0 else SAFETY,
            node_count=1 << 62 if fill < 0 else max(1, fill),
        )

    def node(self, parts: list[bytes]) -> bytes:
        """A node of a list, from elements that are written already."""
        return _PACKED + self.blob(listpack.wrap(parts, len(parts)))
