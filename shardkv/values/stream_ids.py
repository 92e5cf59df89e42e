"""Stream ids as one integer each: 64 bits of milliseconds, then 64 bits of sequence.

So they compare, hash and count up as integers do.
"""

from __future__ import annotations

from typing import Final

SEQ_BITS: Final = 64
SEQ_MASK: Final = 2**64 - 1
#: The largest id there is, and with all bits set what ``XREADGROUP`` means by ``>``.
MAX_ID: Final = 2**128 - 1


def make_id(milliseconds: int, sequence: int) -> int:
    """The id of a time and a sequence, both unsigned 64-bit integers."""
    return milliseconds << SEQ_BITS | sequence


def format_id(id: int) -> bytes:
    """The id as clients see it: ``milliseconds-sequence``."""
    return b"%d-%d" % (id >> SEQ_BITS, id & SEQ_MASK)


def radix_nodes(ids: list[int]) -> int:
    """How many nodes a radix tree has whose keys are these ids, ascending, of 16 bytes each.

    Chains of single children are compressed: there is a leaf for each id, a branch wherever two neighbours part (its
    *depth* is the number of bytes they share), and a compressed node wherever more than one byte lies between a branch
    and what is below it.
    """
    if not ids:
        return 1
    nodes = 0
    above = -1  #: where the id part ways with the one before it
    branches: list[int] = []  #: depths of the branches that the last id is under, outermost first
    previous = ids[0]
    for id in ids[1:]:
        depth = 16 - ((previous ^ id).bit_length() + 7) // 8
        nodes += _with_chain(16, max(above, depth))
        while branches and branches[-1] > depth:
            lower = branches.pop()
            nodes += _with_chain(lower, max(depth, branches[-1] if branches else -1))
        if not branches or branches[-1] < depth:
            branches.append(depth)
        above = depth
        previous = id
    nodes += _with_chain(16, above)
    while branches:
        lower = branches.pop()
        nodes += _with_chain(lower, branches[-1] if branches else -1)
    return nodes


def _with_chain(depth: int, above: int) -> int:
    """One node, and the compressed node over it if bytes lie between it and the branch ``above`` (-1: the root)."""
    return 2 if depth - above > 1 else 1
