"""The longest common subsequence of two strings, with bit-parallel rows.

Row ``i`` of the usual table, for the first ``i`` bytes of ``a``, grows by 0 or 1 from column to column, so it is kept
as one integer: bit ``j`` is 0 where the row grows at column ``j + 1``. A row takes a handful of operations on big
integers, and the walk back needs no more than these bits.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommonRange:
    """``a[a_start:a_end + 1] == b[b_start:b_end + 1]``: both ends are included, as LCS IDX reports them."""

    a_start: int
    a_end: int
    b_start: int
    b_end: int

    @property
    def length(self) -> int:
        """In bytes."""
        return self.a_end - self.a_start + 1


def _places(text: bytes) -> list[int]:
    """For every byte the integer with a bit at each of its places in ``text``."""
    marks = [bytearray() for _ in range(256)]
    width = (len(text) + 7) // 8
    for index, byte in enumerate(text):
        bits = marks[byte]
        if not bits:
            bits.extend(bytes(width))
        bits[index >> 3] |= 1 << (index & 7)
    return [int.from_bytes(bits, "little") for bits in marks]


def lcs_length(a: bytes, b: bytes) -> int:
    """The length of the longest common subsequence."""
    full = (1 << len(b)) - 1
    places = _places(b)
    row = full
    for byte in a:
        kept = row & places[byte]
        row = ((row + kept) | (row - kept)) & full
    return len(b) - row.bit_count()


def lcs(a: bytes, b: bytes) -> tuple[bytes, list[CommonRange]]:
    """A longest common subsequence and where it lies, last range first.

    Of several the one that Redis finds: it walks back from both ends and, where the bytes differ, leaves the last byte
    of ``b`` unless only leaving that of ``a`` keeps the length.
    """
    full = (1 << len(b)) - 1
    places = _places(b)
    rows = [full]
    row = full
    for byte in a:
        kept = row & places[byte]
        row = ((row + kept) | (row - kept)) & full
        rows.append(row)
    found = bytearray()
    ranges: list[CommonRange] = []
    i, j = len(a), len(b)
    run = 0  # bytes of the range that the walk is in
    while i and j:
        if a[i - 1] == b[j - 1]:
            found.append(a[i - 1])
            run += 1
            i -= 1
            j -= 1
            continue
        if run:
            ranges.append(CommonRange(i, i + run - 1, j, j + run - 1))
            run = 0
        if rows[i] >> (j - 1) & 1:
            j -= 1
        else:
            i -= 1
    if run:
        ranges.append(CommonRange(i, i + run - 1, j, j + run - 1))
    found.reverse()
    return bytes(found), ranges
