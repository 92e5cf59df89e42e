"""Where a server may answer differently: each case by name, with its reason, and as narrow as it can be said.

``REDIS``: what changed between redis-server 7.0, which is asked, and 7.4, which is followed. ``VALKEY``: where
valkey-server 9.1 went a way of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import copysign
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
    #: Requests, by name and words, whose words count as those of refused ones.
    telling: Callable[[str, Sequence[bytes]], bool] = lambda name, words: False


def texts(*pairs: tuple[str, str]) -> Callable[[Case], bool]:
    """Errors of which only the text is another: pairs of patterns for ours and theirs."""

    def fits(case: Case) -> bool:
        if not (isinstance(case.ours, Refusal) and isinstance(case.theirs, Refusal)):
            return False
        return any(fullmatch(ours, case.ours.text) and fullmatch(theirs, case.theirs.text) for ours, theirs in pairs)

    return fits


def _digits(case: Case) -> bool:
    return _same_scores(case, zero=False)


def _same_scores(case: Case, *, zero: bool) -> bool:
    """Whether replies differ in the digits of numbers only. ``zero``: 0 and -0 are one."""
    if not case.name.startswith(("Z", "BZ", "GEO", "messages")):
        return False
    found = leaves(canonical(case.name, case.ours), canonical(case.name, case.theirs))
    if not found:
        return False
    return all(
        (one := number(ours)) is not None
        and (other := number(theirs)) is not None
        and one == other
        and (zero or copysign(1.0, one) == copysign(1.0, other))
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
    if not (case.name in ("BITPOS", "BITCOUNT") and isinstance(case.ours, Refusal)):
        return False
    return case.theirs in (0, -1) or (isinstance(case.theirs, Refusal) and case.theirs.code == "WRONGTYPE")


def _last_entry(case: Case) -> bool:
    refused = Refusal("ERR Invalid stream ID specified as stream command argument")
    return case.name == "XREAD" and b"+" in case.words and case.theirs in (refused, [refused])


def _below_deleted(case: Case) -> bool:
    text = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    return case.name == "XSETID" and case.ours == Refusal(text) and case.theirs == "OK"


def _woken_twice(case: Case) -> bool:
    """A wait ends with what all of its streams have, not only with what the one has that was added to."""
    if not (case.name in ("XREAD", "XREADGROUP") and not case.words and case.ours and case.theirs):
        return False
    ours, theirs = [
        [list(pair) for pair in reply[0].pairs] if isinstance(reply[0], Map) else reply[0]
        for reply in (case.ours, case.theirs)
    ]
    return len(ours) > len(theirs) and all(stream in ours for stream in theirs)


def _woken_for_nothing(case: Case) -> bool:
    """The other side ended a wait with a stream in which there is nothing."""
    if case.name != "XREAD" or case.words or case.ours != [] or len(case.theirs) != 1:
        return False
    streams = case.theirs[0].pairs if isinstance(case.theirs[0], Map) else case.theirs[0]
    return isinstance(streams, list | tuple) and all(list(pair)[1] == [] for pair in streams)


def _alphabet(case: Case) -> bool:
    if case.name not in ("SORT", "SORT_RO") or not (isinstance(case.ours, list) and isinstance(case.theirs, list)):
        return False
    return any(b"\0" in (word or b"") for word in case.ours) and sorted(map(repr, case.ours)) == sorted(
        map(repr, case.theirs)
    )


def _to_oneself(case: Case) -> bool:
    return case.name in ("PUBLISH", "SPUBLISH") and bool(case.ours == [case.theirs[-1], *case.theirs[:-1]])


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
    elif (
        isinstance(reply, list)
        and reply
        and len(reply) % 2 == 0
        and all(isinstance(name, bytes) for name in reply[::2])
    ):
        pairs = tuple(zip(reply[::2], reply[1::2], strict=True))
    elif isinstance(reply, list):
        return [_without_consumers(item) for item in reply if not _idle(item)]
    else:
        return reply
    return {name: _without_consumers(value) for name, value in pairs if name not in _TIMES and not _counts(name, value)}


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
        "BITCOUNT and BITPOS judge their arguments before they look at the key from 7.2 on",
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
        texts((".*", "ERR wrong number of arguments for 'z(rev)?rank' command")),
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
    Difference(
        "a wait for nothing", "and does not end if the new entry was trimmed at once", _woken_for_nothing, parts=True
    ),
    Difference(
        "intset",
        "from 7.2 on the number of members that SADD is given chooses the first encoding",
        _encoded(b"listpack", b"intset"),
    ),
    Difference("messages to oneself", "they come behind the reply from 7.2 on", _to_oneself),
    Difference("lag", "the lag of a group behind deleted entries was put right in 7.4", _lag),
    Difference("LPOS RANK", "the lowest of all integers is refused from 7.2 on", _lowest_rank),
    Difference(
        "consumers",
        "from 7.2 on a consumer is there as soon as it is named, and XINFO tells when it was active",
        _consumers,
        forgives=_new_consumer,
    ),
)


def _field_texts(case: Case) -> bool:
    """Both refuse, each in its own words."""
    return case.name in FIELD_TIMES and isinstance(case.ours, Refusal) and isinstance(case.theirs, Refusal)


#: Commands on the expiry of single fields, with option syntaxes of their own.
FIELD_TIMES: Final = frozenset(
    "HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT HPERSIST HTTL HPTTL HEXPIRETIME HPEXPIRETIME HGETDEL HGETEX HSETEX".split()
)


def _odd_numbers(case: Case) -> bool:
    if not isinstance(case.theirs, Refusal) or "float" not in case.theirs.text:
        return False
    return any(fullmatch(rb"\(?( .*|[+-]?0x.*|.*\0.*)", word) for word in case.words)


def _cursors(case: Case) -> bool:
    if case.name not in WALKS or case.name == "COMMAND":
        return False
    invalid = Refusal("ERR invalid cursor")
    return (case.ours == invalid) != (case.theirs == invalid)


def _passed(name: str, words: Sequence[bytes]) -> bool:
    """Whether a request says a time that may have passed."""
    if name not in ("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "SET", "GETEX"):
        return False
    return any(fullmatch(rb"-\d+|0|1", word) for word in words[2:])


def _ending(event: Event, keys: Sequence[bytes]) -> bool:
    channel, payload = event
    name, key = (payload, channel.partition(b"__:")[2]) if b"keyspace" in channel else (channel[15:], payload)
    return name in (b"new", b"set", b"expire", b"expired", b"del") and key in keys


def _long_scores(case: Case) -> bool:
    if not (case.name == "DIGEST-VALUE" and case.words[1:2] == (b"scores",)):
        return False
    return any(b"%.17g" % float(score) != score for score in case.words[2:])


def _zeros(case: Case) -> bool:
    return _same_scores(case, zero=True)


VALKEY: Final = (
    Difference(
        "texts on fields", "Valkey words the faults of HEXPIRE and its kin anew; Redis 7.4 is followed", _field_texts
    ),
    Difference(
        "odd numbers", "Valkey 9 reads doubles without blanks before them, and not in base 16", _odd_numbers, parts=True
    ),
    Difference(
        "cursors", "Valkey reads the digits that begin a cursor, and refuses an empty one", _cursors, parts=True
    ),
    Difference(
        "types of SCAN",
        "Valkey refuses a type that there is not",
        lambda case: isinstance(case.theirs, Refusal) and case.theirs.text.startswith("ERR unknown type name"),
    ),
    Difference(
        "inside MULTI",
        "Valkey has one text for all commands that cannot be queued",
        texts(
            ("ERR MULTI calls can not be nested", "ERR Command 'multi' not allowed inside a transaction"),
            ("ERR WATCH inside MULTI is not allowed", "ERR Command 'watch' not allowed inside a transaction"),
        ),
        parts=True,  # and a WATCH is a reason not to run the rest
    ),
    Difference("hashes with times", "Valkey holds them in one way only", _encoded(b"listpackex", b"hashtable")),
    Difference(
        "digests of fields that expire",
        "Redis mixes a word for the expiry into the digest of a field; Valkey does not",
        lambda case: (
            case.name == "DIGEST-VALUE" and b"times" in case.words and any(time != b"-1" for time in case.words[2:])
        ),
    ),
    Difference(
        "digests of scores", "ours are those of redis-server 7.0, with 17 digits; Valkey's have fewer", _long_scores
    ),
    Difference("-0", "Valkey looks at all new members before it chooses an encoding, and a listpack has no -0", _zeros),
    Difference(
        "GETEX",
        "Valkey judges the time even if there is no key",
        lambda case: case.name == "GETEX" and not isinstance(case.ours, Refusal) and isinstance(case.theirs, Refusal),
    ),
    Difference(
        "CLIENT UNBLOCK",
        "Valkey ignores words behind the last option",
        lambda case: case.name == "CLIENT|UNBLOCK" and len(case.words) > 4,
        parts=True,
    ),
    Difference("lag", "as in 7.0", _lag),
    Difference(
        "SORT of nothing",
        "Valkey finds no number in an empty string, Redis 0",
        lambda case: (
            case.name in ("SORT", "SORT_RO") and isinstance(case.theirs, Refusal) and "double" in case.theirs.text
        ),
        parts=True,
    ),
    Difference(
        "LREM",
        "Valkey refuses the lowest of all integers",
        lambda case: case.name == "LREM" and b"-9223372036854775808" in case.words and isinstance(case.theirs, Refusal),
    ),
    Difference(
        "conditions twice",
        "Valkey takes the options of HEXPIRE and its kin in any number; Redis one, before FIELDS",
        lambda case: (
            case.name in FIELD_TIMES
            and isinstance(case.ours, Refusal)
            and case.ours.text.startswith(("ERR Mandatory argument FIELDS is missing", "ERR unknown argument"))
        ),
        parts=True,
    ),
    Difference("longer embstr", "Valkey embeds longer strings", _encoded(b"raw", b"embstr")),
    Difference(
        "misses of refused requests",
        "the key is looked up, and a miss told, before fault is found with the options; HGETEX tells of it at all",
        forgives=_miss,
        telling=lambda name, words: name == "HGETEX",
    ),
    Difference(
        "times that have passed",
        "Valkey deletes at once, and tells of an end where Redis tells of a deletion",
        forgives=_ending,
        telling=_passed,
    ),
    Difference(
        "digests elsewhere",
        "the digests named above, in other databases",
        lambda case: case.name == "DIGEST" and b"elsewhere" in case.words,
    ),
)


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
    Difference("NUL in SORT", "C compares texts up to a NUL; we compare them whole", _alphabet),
    Difference(
        "NUL in names",
        "C ends a name at NUL and finds no fault with what follows; we do",
        lambda case: case.name in ("CLIENT|SETNAME", "CLIENT|SETINFO") and b"\0" in case.words[-1],
        parts=True,
    ),
)
