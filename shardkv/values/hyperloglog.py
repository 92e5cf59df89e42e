"""HyperLogLog: the strings that PFADD makes, byte by byte as Redis makes them.

A header of 16 bytes (``HYLL``, the encoding, three zero bytes, the cardinality that was counted last as 64 bits of
which the highest says that it is stale), then 16384 registers, sparse or dense. Every register holds the longest run of
zeros seen among the hashes that belong to it; Ertl's estimator turns the registers into a cardinality with a standard
error of 0.81 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from math import floor, inf, sqrt
from typing import Final, TypeAlias

from ..resp.numbers import INT64_MAX
from .murmur import murmur64
from .registers import (
    DENSE_BYTES,
    INDEX_BITS,
    REGISTERS,
    get_dense,
    greatest,
    histogram,
    pack_dense,
    set_dense,
    unpack_dense,
)
from .sparse_registers import CorruptSketch, SparseWriter, all_zeros, expand, opcodes

Text: TypeAlias = bytes | bytearray

_MAGIC: Final = b"HYLL"
_HEADER: Final = 16
_ENCODING: Final = 4
_CARD: Final = 8
_STALE: Final = 15  #: the byte whose highest bit says that the cardinality is stale
_DENSE, _SPARSE = 0, 1
_SEED: Final = 0xADC83B19
_RANK_BITS: Final = 64 - INDEX_BITS
_ALPHA: Final = 0.721347520444481703680

#: Registers that are all zero, one a byte.
NO_REGISTERS: Final = bytes(REGISTERS)


def is_sketch(text: Text) -> bool:
    """Whether a string has the header, and if dense the length, of a HyperLogLog."""
    if len(text) < _HEADER or text[:4] != _MAGIC or text[_ENCODING] > _SPARSE:
        return False
    return text[_ENCODING] == _SPARSE or len(text) == _HEADER + DENSE_BYTES


def new_sketch() -> bytearray:
    """A HyperLogLog that has seen nothing."""
    return bytearray(_MAGIC + bytes((_SPARSE,)) + bytes(_HEADER - 5) + all_zeros())


def is_sparse(text: Text) -> bool:
    """Whether the registers are sparse."""
    return text[_ENCODING] == _SPARSE


def pattern(element: bytes) -> tuple[int, int]:
    """The register that an element belongs to, and the rank it has there: 1 and the zeros at the end of its hash."""
    mixed = murmur64(element, _SEED)
    rank = mixed >> INDEX_BITS | 1 << _RANK_BITS
    return mixed & (REGISTERS - 1), (rank & -rank).bit_length()


def add(data: bytearray, elements: Iterable[bytes], sparse_max: int) -> int:
    """Let a HyperLogLog see elements; how many of them changed a register. Raises CorruptSketch.

    One that would have more than ``sparse_max`` bytes becomes dense.
    """
    changed = _raise(data, map(pattern, elements), sparse_max)
    if changed:
        forget_cardinality(data)
    return changed


def _raise(data: bytearray, wanted: Iterable[tuple[int, int]], sparse_max: int) -> int:
    """Let registers have at least these ranks; how many changed. Raises CorruptSketch, and then changes nothing."""
    if not is_sparse(data):
        return _raise_dense(data, wanted)
    before = bytes(data)
    writer = SparseWriter(data, _HEADER, sparse_max)
    changed = 0
    rest = iter(wanted)
    try:
        for index, rank in rest:
            done = writer.raise_to(index, rank)
            if done is None:
                become_dense(data)
                return changed + _raise_dense(data, chain([(index, rank)], rest))
            changed += done
    except CorruptSketch:
        data[:] = before
        raise
    return changed


def _raise_dense(data: bytearray, wanted: Iterable[tuple[int, int]]) -> int:
    changed = 0
    for index, rank in wanted:
        if get_dense(data, _HEADER, index) < rank:
            set_dense(data, _HEADER, index, rank)
            changed += 1
    return changed


def become_dense(data: bytearray) -> None:
    """Make a sparse one dense. Raises CorruptSketch."""
    body = pack_dense(expand(data, _HEADER))
    data[_ENCODING] = _DENSE
    data[_HEADER:] = body


def registers_of(text: Text) -> bytes:
    """The registers, one a byte. Raises CorruptSketch."""
    if is_sparse(text):
        return expand(text, _HEADER)
    return unpack_dense(bytes(text[_HEADER:]))


def decoded(text: Text) -> str:
    """The opcodes of a sparse one, for PFDEBUG DECODE."""
    return " ".join(opcodes(text, _HEADER))


def merge(data: bytearray, registers: bytes, sparse_max: int) -> None:
    """Let every register be at least as given, one a byte. Raises CorruptSketch."""
    if is_sparse(data):
        wanted = ((index, rank) for index, rank in enumerate(registers) if rank)
        _raise(data, wanted, sparse_max)
    else:
        data[_HEADER:] = pack_dense(greatest(registers_of(data), registers))
    forget_cardinality(data)


# ---- counting


def cached_cardinality(text: Text) -> int | None:
    """The cardinality that was counted last, or None if registers have changed since."""
    return None if text[_STALE] & 0x80 else int.from_bytes(text[_CARD:_HEADER], "little")


def keep_cardinality(data: bytearray, count: int) -> None:
    """Remember the cardinality."""
    data[_CARD:_HEADER] = count.to_bytes(8, "little")


def forget_cardinality(data: bytearray) -> None:
    """The registers have changed."""
    data[_STALE] |= 0x80


def cardinality(registers: bytes) -> int:
    """The estimate of how many different elements were seen, from the registers, one a byte.

    After Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284), in the order
    of operations in which Redis computes it, so that the digits are the same.
    """
    counts = histogram(registers)
    size = float(REGISTERS)
    total = size * _tau((size - counts[_RANK_BITS + 1]) / size)
    for rank in range(_RANK_BITS, 0, -1):
        total = (total + counts[rank]) * 0.5
    total += size * _sigma(counts[0] / size)
    if not total:
        return INT64_MAX  # every register is full, which no elements can bring about
    estimate = _ALPHA * size * size / total
    whole = floor(estimate)
    return whole + (estimate - whole >= 0.5)


def _sigma(share: float) -> float:
    """What the registers that are zero contribute."""
    if share == 1.0:
        return inf
    weight = 1.0
    total = share
    while True:
        share *= share
        before = total
        total += share * weight
        weight += weight
        if before == total:
            return total


def _tau(share: float) -> float:
    """What the registers that are full contribute."""
    if share in (0.0, 1.0):
        return 0.0
    weight = 1.0
    total = 1 - share
    while True:
        share = sqrt(share)
        before = total
        weight *= 0.5
        total -= (1 - share) ** 2 * weight
        if before == total:
            return total / 3


__all__ = [
    "NO_REGISTERS",
    "CorruptSketch",
    "add",
    "become_dense",
    "cached_cardinality",
    "cardinality",
    "decoded",
    "forget_cardinality",
    "greatest",
    "is_sketch",
    "is_sparse",
    "keep_cardinality",
    "merge",
    "new_sketch",
    "pattern",
    "registers_of",
]
