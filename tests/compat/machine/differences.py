"""Where a server may answer differently: each case by name, with its reason, and as narrow as it can be said.

``REDIS``: what changed between redis-server 7.0, which is asked, and 7.4, which is followed. ``VALKEY``: where
valkey-server 9.1 went a way of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from re import fullmatch
from typing import Any, Final, TypeAlias

from tests.support.wire_replies import Map, Refusal

from .replies import WALKS, canonical, leaves, number

#: Channel and payload of a key event.
Event: TypeAlias = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Case:
    """Two replies that are not equal. ``name`` is the command's in upper case; for what is looked at between the
    commands it is that of the inspector's, or ``events``."""

    name: str
    words: tuple[bytes, ...]
    ours: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference that is meant: between replies (``fits``), or between key events (``forgives``: this one, given the
    words of the requests that were refused, does not count). With ``parts`` the data differ from here on, and the
    sequence ends."""

    name: str
    reason: str
    fits: Callable[[Case], bool] = lambda case: False
    parts: bool = False
    forgives: Callable[[Event, Sequence[bytes]], bool] | None = None


def texts(*pairs: tuple[str, str]) -> Callable[[Case], bool]:
    """Errors of which only the text is another: pairs of patterns for ours and theirs."""

    def fits(case: Case) -> bool:
        if not (isinstance(case.ours, Refusal) and isinstance(case.theirs, Refusal)):
            return False
        return any(fullmatch(ours, case.ours.text) and fullmatch(theirs, case.theirs.text) for ours, theirs in pairs)

    return fits


def _digits(case: Case) -> bool:
    if not case.name.startswith(("Z", "BZ", "GEO", "messages")):
        return False
    found = leaves(canonical(case.name, case.ours), canonical(case.name, case.theirs))
    if not found:
        return False
    return all(
        (one := number(ours)) is not None and (other := number(theirs)) is not None and one == other
        for ours, theirs in found
    )


def _cut_at_nul(case: Case) -> bool:
    """The same but for what stands behind a NUL, in a word that the error repeats or in a cursor."""
    if case.name in WALKS and case.ours == Refusal("ERR invalid cursor"):
        return b"\0" in case.words[1 if case.name == "SCAN" else 2]
    if not (isinstance(case.ours, Refusal) and isinstance(case.theirs, Refusal)):
        return False
    ours = case.ours.text
    for word in (_as_text(word) for word in case.words if b"\0" in word):
        ours = ours.replace(word, word.partition("\0")[0])
    return ours == case.theirs.text


def _as_text(word: bytes) -> str:
    """A word as errors show it."""
    return word.replace(b"\r", b" ").replace(b"\n", b" ").decode("utf-8", "surrogateescape")


def _encoded(ours: bytes, theirs: bytes) -> Callable[[Case], bool]:
    return lambda case: case.name == "OBJECT|ENCODING" and case.ours == ours and case.theirs == theirs


def _bits_of_nothing(case: Case) -> bool:
    return case.name in ("BITPOS", "BITCOUNT") and isinstance(case.ours, Refusal) and case.theirs in (0, -1)


def _last_entry(case: Case) -> bool:
    refused = Refusal("ERR Invalid stream ID specified as stream command argument")
    return case.name == "XREAD" and b"+" in case.words and case.theirs in (refused, [refused])


def _below_deleted(case: Case) -> bool:
    text = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    return case.name == "XSETID" and case.ours == Refusal(text) and case.theirs == "OK"


def _woken_twice(case: Case) -> bool:
    """A wait ends with what all of its streams have, not only with what the one has that was added to."""
    if not (case.name in ("XREAD", "XREADGROUP") and not case.words):
        return False
    ours, theirs = [
        [list(pair) for pair in reply[0].pairs] if isinstance(reply[0], Map) else reply[0]
        for reply in (case.ours, case.theirs)
    ]
    return len(ours) > len(theirs) and all(stream in ours for stream in theirs)


def _lowest_rank(case: Case) -> bool:
    return case.name == "LPOS" and b"-9223372036854775808" in case.words and isinstance(case.ours, Refusal)


def _queued_with_score(case: Case) -> bool:
    text = f"ERR wrong number of arguments for '{case.name.lower()}' command"
    return case.name in ("ZRANK", "ZREVRANK") and case.ours == "QUEUED" and case.theirs == Refusal(text)


def _miss(event: Event, refused: Sequence[bytes]) -> bool:
    channel, payload = event
    if channel.endswith(b"__:keymiss"):
        return payload in refused
    return payload == b"keymiss" and channel.partition(b"__:")[2] in refused


def _new_consumer(event: Event, refused: Sequence[bytes]) -> bool:
    channel, payload = event
    events = (b"xgroup-createconsumer", b"xgroup-delconsumer")
    return payload in events or channel.endswith(tuple(b"__:" + event for event in events))


def _consumers(case: Case) -> bool:
    """Ours knows consumers that theirs does not know yet, and tells of each when it was active."""
    if case.name == "XGROUP|CREATECONSUMER":
        return case.ours == 0 and case.theirs == 1
    if not case.name.startswith("XINFO|"):
        return False
    ours, theirs = _without_lag(case.ours), _without_lag(case.theirs)
    return bool(_without_consumers(ours) == _without_consumers(theirs))


def _lag(case: Case) -> bool:
    return case.name.startswith("XINFO|") and _without_lag(case.ours) == _without_lag(case.theirs)


def _without_lag(reply: Any) -> Any:
    """What XINFO tells, without the number behind ``lag``."""
    if isinstance(reply, Map):
        return Map(tuple((name, None if name == b"lag" else _without_lag(value)) for name, value in reply.pairs))
    if isinstance(reply, list):
        return [
            None if place and reply[place - 1] == b"lag" else _without_lag(item) for place, item in enumerate(reply)
        ]
    return reply


def _without_consumers(reply: Any) -> Any:
    """What XINFO tells, but for consumers that have nothing pending, and for times."""
    if isinstance(reply, Map):
        pairs = reply.pairs
    elif isinstance(reply, list) and reply and len(reply) % 2 == 0 and all(isinstance(name, bytes) for name in reply[::2]):
        pairs = tuple(zip(reply[::2], reply[1::2], strict=True))
    elif isinstance(reply, list):
        return [_without_consumers(item) for item in reply if not _idle(item)]
    else:
        return reply
    return {
        name: _without_consumers(value) for name, value in pairs if name not in _TIMES and not _counts(name, value)
    }


_TIMES: Final = (b"idle", b"inactive", b"seen-time", b"active-time")


def _counts(name: Any, value: Any) -> bool:
    return name == b"consumers" and isinstance(value, int)


def _idle(item: Any) -> bool:
    """Whether this describes a consumer with nothing pending."""
    pairs = item.pairs if isinstance(item, Map) else ()
    if isinstance(item, list) and len(item) % 2 == 0:
        pairs = tuple(zip(item[::2], item[1::2], strict=True))
    told = {name: value for name, value in pairs if isinstance(name, bytes)}
    if not (b"name" in told and (b"idle" in told or b"seen-time" in told)):
        return False
    return told.get(b"pel-count", told.get(b"pending")) == 0


_UNBALANCED = "list of streams: for each stream key an ID"

REDIS: Final = (
    Difference("doubles", "7.0 prints doubles with 17 digits, 7.2 and later with as few as identify them", _digits),
    Difference(
        "set listpack",
        "small sets with other members than integers are listpacks from 7.2 on",
        _encoded(b"listpack", b"hashtable"),
    ),
    Difference("list listpack", "small lists are one listpack from 7.2 on", _encoded(b"listpack", b"quicklist")),
    Difference(
        "bits of nothing",
        "BITCOUNT and BITPOS judge their arguments from 7.2 on even if there is no key",
        _bits_of_nothing,
    ),
    Difference(
        "unbalanced streams",
        "the text names the command from 7.2 on",
        texts((f"ERR Unbalanced 'xread(group)?' {_UNBALANCED} .*", f"ERR Unbalanced XREAD {_UNBALANCED} .*")),
    ),
    Difference("XREAD +", "the last entry of a stream can be asked for from 7.4 on", _last_entry, parts=True),
    Difference(
        "ZRANK arity",
        "WITHSCORE is an option from 7.2 on",
        texts(("ERR syntax error", "ERR wrong number of arguments for 'z(rev)?rank' command")),
    ),
    Difference("ZRANK queued", "as before, inside MULTI", _queued_with_score, parts=True),
    Difference("XSETID", "the largest deleted id is a bound from 7.2 on", _below_deleted, parts=True),
    Difference(
        "huge timeouts",
        "7.0 lets seconds overflow and finds them negative",
        texts(("ERR timeout is out of range", "ERR timeout is negative")),
    ),
    Difference(
        "misses of refused requests",
        "7.0 looks the key up, and tells of a miss, before it finds fault with the options",
        forgives=_miss,
    ),
    Difference(
        "a wait for streams",
        "from 7.2 on a command that waited is carried out anew, so that it finds all that is there by then",
        _woken_twice,
        parts=True,
    ),
    Difference("lag", "the lag of a group behind deleted entries was put right in 7.4", _lag),
    Difference("LPOS RANK", "the lowest of all integers is refused from 7.2 on", _lowest_rank),
    Difference(
        "consumers",
        "from 7.2 on a consumer is there as soon as it is named, and XINFO tells when it was active",
        _consumers,
        forgives=_new_consumer,
    ),
)

VALKEY: Final[tuple[Difference, ...]] = ()

def _exec_refused(case: Case) -> bool:
    if not (case.name == "EXEC" and isinstance(case.ours, Refusal) and isinstance(case.theirs, Refusal)):
        return False
    return case.theirs.text == "EXECABORT Transaction discarded because of: " + case.ours.text.removeprefix("ERR ")


def _bitfield_event(event: Event, refused: Sequence[bytes]) -> bool:
    return event[0].endswith(b"__:setbit") or event[1] == b"setbit"


OPEN: Final = (
    Difference("EXEC refused", "open", _exec_refused, parts=True),
    Difference("BITFIELD that overflows", "open", forgives=_bitfield_event),
)

#: Where we differ from both on purpose.
OURS: Final = (
    Difference(
        "integers from INCRBYFLOAT",
        "Redis keeps the text of the sum (embstr) where a replica, which is sent a SET, has an integer: so have we",
        _encoded(b"int", b"embstr"),
    ),
    Difference("NUL in errors", "C ends a text at NUL; we repeat the whole word", _cut_at_nul),
)
