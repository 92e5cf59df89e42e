"""The registers of a HyperLogLog in two shapes: one a byte, and *dense*, packed in 6 bits.

Four registers fill three bytes, the first in the lowest bits. Packing, unpacking and the maximum of two sets of
registers are done on all of them at once: by translation tables and on integers of 16384 bytes.
"""

from __future__ import annotations

from typing import Final

#: How many registers there are, and how many low bits of a hash choose one.
REGISTERS: Final = 16384
INDEX_BITS: Final = 14
#: Bytes of all registers when dense.
DENSE_BYTES: Final = REGISTERS * 6 // 8

_QUARTER: Final = REGISTERS // 4
_HIGH_BITS: Final = int.from_bytes(b"\x80" * REGISTERS, "little")


def _table(left: int, mask: int) -> bytes:
    """What becomes of each byte: shifted to the left (to the right if negative), and masked."""
    return bytes((byte << left if left >= 0 else byte >> -left) & mask for byte in range(256))


_LOW6: Final = _table(0, 0x3F)
_TOP2: Final = _table(-6, 0x03)
_LOW4_UP: Final = _table(2, 0x3C)
_TOP4: Final = _table(-4, 0x0F)
_LOW2_UP: Final = _table(4, 0x30)
_TOP6: Final = _table(-2, 0x3F)
_LOW2_TO_TOP: Final = _table(6, 0xC0)
_LOW4_TO_TOP: Final = _table(4, 0xF0)
_ALL_TO_TOP: Final = _table(2, 0xFC)


def _joined(one: bytes, other: bytes) -> bytes:
    """Two strings of equal length, or-ed."""
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(len(one), "little")


def unpack_dense(body: bytes) -> bytes:
    """Dense registers, one a byte."""
    first, second, third = body[0::3], body[1::3], body[2::3]
    made = bytearray(REGISTERS)
    made[0::4] = first.translate(_LOW6)
    made[1::4] = _joined(first.translate(_TOP2), second.translate(_LOW4_UP))
    made[2::4] = _joined(second.translate(_TOP4), third.translate(_LOW2_UP))
    made[3::4] = third.translate(_TOP6)
    return bytes(made)


def pack_dense(registers: bytes) -> bytes:
    """Registers, given one a byte, packed."""
    made = bytearray(DENSE_BYTES)
    made[0::3] = _joined(registers[0::4].translate(_LOW6), registers[1::4].translate(_LOW2_TO_TOP))
    made[1::3] = _joined(registers[1::4].translate(_TOP6), registers[2::4].translate(_LOW4_TO_TOP))
    made[2::3] = _joined(registers[2::4].translate(_TOP4), registers[3::4].translate(_ALL_TO_TOP))
    return bytes(made)


def get_dense(data: bytes | bytearray, start: int, index: int) -> int:
    """One register of those that are dense from ``data[start]`` on."""
    at, shift = divmod(index * 6, 8)
    return int.from_bytes(data[start + at : start + at + 2], "little") >> shift & 0x3F


def set_dense(data: bytearray, start: int, index: int, value: int) -> None:
    """Change one register of those that are dense from ``data[start]`` on."""
    at, shift = divmod(index * 6, 8)
    at += start
    window = int.from_bytes(data[at : at + 2], "little")
    window = window & ~(0x3F << shift) | value << shift
    data[at] = window & 0xFF
    if shift > 2:
        data[at + 1] = window >> 8


def greatest(one: bytes, other: bytes) -> bytes:
    """The greater of each pair of registers, both given one a byte."""
    left, right = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    # In each byte the high bit of the difference stays where the left register is not the smaller one.
    marks = ((left | _HIGH_BITS) - right) & _HIGH_BITS
    chosen = marks - (marks >> 7)
    return (right ^ ((left ^ right) & chosen)).to_bytes(REGISTERS, "little")


def histogram(registers: bytes) -> list[int]:
    """How many registers have each of the values from 0 to 63."""
    counts = [0] * 64
    left = REGISTERS
    for value in range(64):
        counts[value] = registers.count(value)
        left -= counts[value]
        if not left:
            break
    return counts
