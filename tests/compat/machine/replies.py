"""Replies in a form in which two that mean the same are equal."""

from __future__ import annotations

from re import fullmatch
from typing import Any, Final

from tests.support.wire_replies import Double, Map, Members, Push, Refusal

#: Commands whose arrays come in any order.
UNORDERED: Final = frozenset(
    ("SMEMBERS", "SINTER", "SUNION", "SDIFF", "HKEYS", "HVALS", "KEYS", "PUBSUB|CHANNELS", "PUBSUB|SHARDCHANNELS")
)
#: Commands that answer with pairs, flat in RESP2.
PAIRED: Final = frozenset({"HGETALL"})
#: Commands whose answer is drawn by lot: what can be compared is its shape.
RANDOM: Final = frozenset(["SPOP", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER", "RANDOMKEY"])
#: Commands that walk in steps, by a cursor that each server numbers in its own way.
WALKS: Final = frozenset(("SCAN", "SSCAN", "HSCAN", "HSCAN NOVALUES", "ZSCAN"))
#: Commands that leave all channels, one after the other in any order.
LEAVING: Final = frozenset({"UNSUBSCRIBE", "SUNSUBSCRIBE", "PUNSUBSCRIBE"})
#: Commands whose numbers hang on the clock.
TIMED: Final = frozenset(
    (
        *("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME"),
        *("XPENDING", "XINFO|CONSUMERS", "XINFO|STREAM", "OBJECT|IDLETIME"),
    )
)
#: How far such numbers may be apart: seconds or milliseconds.
CLOCKS: Final = 30_000
#: Numbers below this are no times: the times that are drawn are later.
LATE: Final = 50_000
#: What XINFO calls the milliseconds since something.
SINCE: Final = (b"idle", b"inactive")


def canonical(name: str, reply: Any) -> Any:
    """The reply to the command of this name (``xinfo|stream`` in upper case), unordered things in order."""
    if name in LEAVING:
        return sorted(_flat(reply), key=repr)
    if isinstance(reply, Refusal) or name not in UNORDERED | PAIRED | RANDOM | WALKS:
        return reply
    if name in RANDOM:
        return _shape(reply)
    if name in WALKS:
        return _walked(name, reply)
    if name in PAIRED:
        return (type(reply), sorted(_pairs(reply), key=repr))
    return (type(reply), sorted(reply.items if isinstance(reply, Members) else reply, key=repr))


def _flat(reply: Any) -> list[Any]:
    items = reply.items if isinstance(reply, Push) else reply
    return [part for item in items for part in _flat(item)] if isinstance(items, list | tuple) else [items]


def _pairs(reply: Any) -> list[tuple[Any, Any]]:
    if isinstance(reply, Map):
        return list(reply.pairs)
    return list(zip(reply[::2], reply[1::2], strict=True))


def _shape(reply: Any) -> Any:
    """What is left of a random reply: how many of which kind."""
    if isinstance(reply, Members):
        return (Members, len(reply.items))
    if isinstance(reply, list):
        return [_shape(item) for item in reply]
    return type(reply)


def _walked(name: str, reply: Any) -> Any:
    """A finished walk: its items in order, each once."""
    cursor, items = reply
    if name == "HSCAN NOVALUES":
        return cursor, sorted(set(items))
    if name in ("HSCAN", "ZSCAN") and len(items) % 2 == 0:
        return cursor, sorted(zip(items[::2], items[1::2], strict=True), key=repr)
    return cursor, sorted(set(items))


def equal(name: str, ours: Any, theirs: Any) -> bool:
    """Whether two replies to the command mean the same."""
    if ours == theirs:
        return True
    if name in TIMED:
        ours, theirs = _timeless(name, ours), _timeless(name, theirs)
    ours, theirs = canonical(name, ours), canonical(name, theirs)
    return bool(ours == theirs) or (name in TIMED and near(ours, theirs))


def _timeless(name: str, reply: Any) -> Any:
    """The reply without the short times in it: how long ago something was."""
    if name == "OBJECT|IDLETIME" and isinstance(reply, int):
        return 0 if reply < 100 else reply
    if name == "XPENDING" and isinstance(reply, list):
        return [[*item[:2], None, *item[3:]] if _is_pending(item) else item for item in reply]
    if isinstance(reply, Map):
        return Map(tuple((key, None if key in SINCE else _timeless(name, value)) for key, value in reply.pairs))
    if isinstance(reply, list):
        after = [None, *reply]
        return [
            None if isinstance(before, bytes) and before in SINCE else _timeless(name, item)
            for before, item in zip(after, reply, strict=False)
        ]
    return reply


def _is_pending(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 4


def near(ours: Any, theirs: Any) -> bool:
    """Whether they differ in nothing but in times, or ends of times, that are a little apart."""
    if isinstance(ours, int) and isinstance(theirs, int) and not isinstance(ours, bool):
        return ours == theirs or (min(ours, theirs) >= LATE and abs(ours - theirs) < CLOCKS)
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(near(one, other) for one, other in zip(ours, theirs, strict=True))
    if isinstance(ours, Map):
        return near(ours.pairs, theirs.pairs)
    if isinstance(ours, dict):
        return near(list(ours.items()), list(theirs.items()))
    return bool(ours == theirs)


def leaves(ours: Any, theirs: Any) -> list[tuple[Any, Any]] | None:
    """The pairs of unequal things at the same places, or None when the two have not the same shape."""
    if ours == theirs:
        return []
    for kind, parts in ((list, None), (tuple, None), (Members, "items"), (Push, "items"), (Map, "pairs")):
        if isinstance(ours, kind) and isinstance(theirs, kind):
            return _leaves_of(*((ours, theirs) if parts is None else (getattr(ours, parts), getattr(theirs, parts))))
    return [(ours, theirs)]


def _leaves_of(ours: Any, theirs: Any) -> list[tuple[Any, Any]] | None:
    if len(ours) != len(theirs):
        return None
    found = []
    for one, other in zip(ours, theirs, strict=True):
        inside = leaves(one, other)
        if inside is None:
            return None
        found += inside
    return found


def number(value: Any) -> float | None:
    """The number that a double or a string of digits says, None for anything else."""
    text = value.digits.encode() if isinstance(value, Double) else value
    if not isinstance(text, bytes) or fullmatch(rb"-?(inf|\d+(\.\d+)?(e[+-]?\d+)?)", text) is None:
        return None
    return float(text)
