"""HyperLogLog commands: how many different elements were seen, in at most 12 kilobytes."""

from __future__ import annotations

from typing import Any, Final

from ..errors import ReplyError
from ..resp.replies import OK, Simple
from ..values.bits import bit_text, grown
from ..values.hyperloglog import (
    NO_REGISTERS,
    Text,
    add,
    become_dense,
    cached_cardinality,
    cardinality,
    decoded,
    forget_cardinality,
    greatest,
    is_sketch,
    is_sparse,
    keep_cardinality,
    merge,
    new_sketch,
    registers_of,
)
from .context import Context
from .flags import READ, AtIndex, Doc, Flags, KeySpec, KeyUse, Range
from .grammar import key, maybe, value
from .spec import command
from .strings import held_string

_NO_SKETCH: Final = "WRONGTYPE Key is not a valid HyperLogLog string value."
_MERGE_KEYS: Final = (
    KeySpec(KeyUse.RW | KeyUse.ACCESS | KeyUse.INSERT, AtIndex(1), Range()),
    KeySpec(READ, AtIndex(2), Range(-1)),
)


def _checked(text: Text) -> Text:
    if not is_sketch(text):
        raise ReplyError(_NO_SKETCH)
    return text


def _read(ctx: Context, name: bytes) -> Text | None:
    """The HyperLogLog at a key for a reading command. Raises ReplyError if there is anything else."""
    held = held_string(ctx, name)
    return None if held is None else _checked(bit_text(held))


def _find(ctx: Context, name: bytes) -> bytearray | None:
    """The HyperLogLog at a key, to be changed and then kept. Raises ReplyError if there is anything else."""
    held = ctx.find_string(name)
    if held is None:
        return None
    _checked(bit_text(held))
    return grown(held, 0)


@command(
    "PFADD",
    key("key", KeyUse.RW | KeyUse.INSERT),
    maybe(value("element", many=True)),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.FAST,
    group="hyperloglog",
    since="2.8.9",
    complexity="O(1) for each element",
)
def pfadd(ctx: Context, name: bytes, *elements: bytes) -> int:
    """Adds elements to a HyperLogLog, made if there is none, and tells whether that changed what it knows."""
    data = _find(ctx, name)
    if data is None:
        data = new_sketch()
        changes = 1 + add(data, elements, ctx.host.config.hll_sparse_max_bytes)
        forget_cardinality(data)
        ctx.create(name, data)
    else:
        changes = add(data, elements, ctx.host.config.hll_sparse_max_bytes)
        if changes:
            ctx.db.put(name, data)
    if changes:
        ctx.touch(name, "pfadd", changes)
    return 1 if changes else 0


@command(
    "PFCOUNT",
    key("key", KeyUse.RW | KeyUse.ACCESS, many=True),
    flags=Flags.READONLY | Flags.MAY_REPLICATE,
    group="hyperloglog",
    since="2.8.9",
    complexity="O(1) for one key whose cardinality is known, O(N) for N keys",
)
def pfcount(ctx: Context, name: bytes, *names: bytes) -> int:
    """Estimates how many different elements a HyperLogLog, or several together, have seen."""
    if names:
        return cardinality(_united(ctx, (name, *names))[0])
    text = _read(ctx, name)
    if text is None:
        return 0
    known = cached_cardinality(text)
    if known is not None:
        return known
    count = cardinality(registers_of(text))
    # The count is kept in the string itself, which is therefore another one now, here and in every copy.
    data = grown(text, 0)
    keep_cardinality(data, count)
    ctx.db.put(name, data)
    ctx.touch(name, "pfcount")  # of no class that anybody could listen for
    ctx.replicate(*ctx.words)
    return count


def _united(ctx: Context, names: tuple[bytes, ...]) -> tuple[bytes, bool]:
    """The greatest registers of several keys, one a byte, and whether one of them was dense."""
    registers, dense = NO_REGISTERS, False
    for name in names:  # one after the other, for each may be refused
        text = _read(ctx, name)
        if text is not None:
            dense = dense or not is_sparse(text)
            registers = greatest(registers, registers_of(text))
    return registers, dense


@command(
    "PFMERGE",
    key("destkey", KeyUse.RW | KeyUse.ACCESS | KeyUse.INSERT),
    maybe(key("sourcekey", READ, many=True)),
    flags=Flags.WRITE | Flags.DENYOOM,
    group="hyperloglog",
    since="2.8.9",
    complexity="O(N) for N keys",
    keys=_MERGE_KEYS,  # known to begin at the second word though there may be none
)
def pfmerge(ctx: Context, target: bytes, *names: bytes) -> Any:
    """Lets a HyperLogLog, made if there is none, know what several others know."""
    registers, dense = _united(ctx, (target, *names))
    data = _find(ctx, target)
    made = data is None
    if data is None:
        data = new_sketch()
    if dense and is_sparse(data):
        become_dense(data)
    merge(data, registers, ctx.host.config.hll_sparse_max_bytes)
    if made:
        ctx.create(target, data)
    else:
        ctx.db.put(target, data)
    ctx.touch(target, "pfadd")
    return OK


@command(
    "PFDEBUG",
    value("subcommand"),
    key("key", KeyUse.RW | KeyUse.ACCESS),
    flags=Flags.WRITE | Flags.DENYOOM | Flags.ADMIN,
    group="hyperloglog",
    since="2.8.9",
    complexity="N/A",
    doc_flags=Doc.SYSCMD,
)
def pfdebug(ctx: Context, verb: bytes, name: bytes) -> Any:
    """Shows the registers or the encoding of a HyperLogLog."""
    data = _find(ctx, name)
    if data is None:
        raise ReplyError("ERR The specified key does not exist")
    match verb.upper():
        case b"GETREG":
            _densify(ctx, name, data)
            return list(registers_of(data))
        case b"DECODE":
            if not is_sparse(data):
                raise ReplyError("ERR HLL encoding is not sparse")
            return decoded(data).encode()
        case b"ENCODING":
            return Simple("sparse" if is_sparse(data) else "dense")
        case b"TODENSE":
            return 1 if _densify(ctx, name, data) else 0
    raise ReplyError(f"ERR Unknown PFDEBUG subcommand '{verb.decode('utf-8', 'surrogateescape')}'")


def _densify(ctx: Context, name: bytes, data: bytearray) -> bool:
    """Make the HyperLogLog at a key dense; False if it is."""
    if not is_sparse(data):
        return False
    become_dense(data)
    ctx.db.put(name, data)
    ctx.touch(name, "pfdebug")  # of no class that anybody could listen for
    return True


#: Up to how many elements PFSELFTEST counts, and how far off the count may be: five times the standard error.
_TESTED: Final = 4096
_TOLERANCE: Final = 5 * 1.04 / 128


@command(
    "PFSELFTEST",
    flags=Flags.ADMIN,
    group="hyperloglog",
    since="2.8.9",
    complexity="N/A",
    doc_flags=Doc.SYSCMD,
)
def pfselftest(ctx: Context) -> Any:
    """Tests that both encodings hold the same registers and that the counts are near the truth."""
    sparse, dense = new_sketch(), new_sketch()
    become_dense(dense)
    done, count = 0, 1
    while count <= _TESTED:
        elements = [b"%d" % number for number in range(done, count)]
        add(sparse, elements, ctx.host.config.hll_sparse_max_bytes)
        add(dense, elements, 0)
        registers = registers_of(dense)
        if registers != registers_of(sparse):
            raise ReplyError("ERR TESTFAILED dense and sparse registers are not the same")
        estimate = cardinality(registers)
        if abs(estimate - count) > max(1.0, count * _TOLERANCE):
            raise ReplyError(f"ERR TESTFAILED Too big error. card:{count} abserr:{abs(estimate - count)}")
        done, count = count, count * 2
    return OK
