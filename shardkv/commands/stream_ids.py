"""Stream ids as clients write them, and what else the stream commands have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from ..errors import ReplyError
from ..resp.numbers import INT64_MIN
from ..values.stream_groups import Group
from ..values.stream_ids import MAX_ID, SEQ_MASK, format_id, make_id
from ..values.streams import StreamValue
from .context import Context

INVALID_ID: Final = "ERR Invalid stream ID specified as stream command argument"
_LONGEST: Final = 127
_UNSIGNED: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")
_UINT64_END: Final = 2**64


def _unsigned(text: bytes) -> int:
    """An unsigned 64-bit integer as C's strtoull reads it, with blanks and signs; but ``-5``, canonical, is refused."""
    match = _UNSIGNED.fullmatch(text)
    if match is None:
        raise ReplyError(INVALID_ID)
    number = int(match[2])
    if number >= _UINT64_END:
        raise ReplyError(INVALID_ID)
    if match[1] == b"-":
        if number <= -INT64_MIN and b"-%d" % number == text and number:
            raise ReplyError(INVALID_ID)
        return -number & SEQ_MASK
    return number


def parse_id(word: bytes, sequence: int = 0, *, strict: bool = True) -> int:
    """An id; ``sequence`` completes one of milliseconds only. Unless ``strict``, ``-`` and ``+`` are the ends.

    Raises ReplyError.
    """
    if len(word) > _LONGEST:
        raise ReplyError(INVALID_ID)
    if word == b"-" or word == b"+":
        if strict:
            raise ReplyError(INVALID_ID)
        return 0 if word == b"-" else MAX_ID
    before, dash, behind = word.partition(b"\0")[0].partition(b"-")
    return make_id(_unsigned(before), _unsigned(behind) if dash else sequence)


def parse_new_id(word: bytes) -> tuple[int, bool]:
    """XADD's id; whether its sequence was given, or is to be made up (``ms-*``). Raises ReplyError."""
    if len(word) <= _LONGEST and word.endswith(b"-*"):
        return make_id(_unsigned(word[:-2].partition(b"\0")[0]), 0), False
    return parse_id(word), True


def parse_start(word: bytes) -> int:
    """Where an interval begins: an id, ``-``, ``+``, or ``(`` and an id that is not part of it. Raises ReplyError."""
    if len(word) > 1 and word.startswith(b"("):
        id = parse_id(word[1:])
        if id == MAX_ID:
            raise ReplyError("ERR invalid start ID for the interval")
        return id + 1
    return parse_id(word, strict=False)


def parse_end(word: bytes) -> int:
    """Where an interval ends; milliseconds alone mean their last sequence. Raises ReplyError."""
    if len(word) > 1 and word.startswith(b"("):
        id = parse_id(word[1:], SEQ_MASK)
        if not id:
            raise ReplyError("ERR invalid end ID for the interval")
        return id - 1
    return parse_id(word, SEQ_MASK, strict=False)


def entry_replies(entries: Iterable[tuple[int, list[bytes]]]) -> list[Any]:
    """Entries as they are sent: ``[[id, [field, value, ...]], ...]``."""
    return [[format_id(id), words] for id, words in entries]


def find_stream(ctx: Context, name: bytes) -> StreamValue | None:
    """The stream at a key for a writing command. Raises WrongType."""
    return ctx.find(name, StreamValue)


def read_stream(ctx: Context, name: bytes) -> StreamValue | None:
    """The stream at a key for a reading command. Raises WrongType."""
    return ctx.read(name, StreamValue)


def notice(ctx: Context, name: bytes, event: str, changes: int = 1) -> None:
    """A change to a stream's groups or counters, of which Redis tells subscribers but neither watchers nor caches."""
    ctx.dirty += changes
    if ctx.host.attentive:
        ctx.host.notice(ctx.db, name, event)


def propagate_only(ctx: Context) -> None:
    """Propagate nothing but what ``ctx.replicate`` says, were it nothing at all."""
    if ctx.effects is None:
        ctx.effects = []


def wrong_subcommand(words: list[bytes]) -> ReplyError:
    """The error for options of a subcommand that make no sense."""
    shown = words[1][:128].decode("utf-8", "surrogateescape")
    container = words[0].decode("latin-1").upper()
    return ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try {container} HELP.")


def no_group(text: str, *words: bytes) -> ReplyError:
    """An error text with keys and names in it."""
    return ReplyError("NOGROUP " + text.format(*(word.decode("utf-8", "surrogateescape") for word in words)))


def group_of(ctx: Context, name: bytes, group_name: bytes) -> tuple[StreamValue, Group]:
    """The stream and its group, which have to be there. Raises ReplyError."""
    held = read_stream(ctx, name)
    group = None if held is None else held.groups.get(group_name)
    if held is None or group is None:
        raise no_group("No such key '{}' or consumer group '{}'", name, group_name)
    return held, group
