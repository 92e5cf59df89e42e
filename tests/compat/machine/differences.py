"""Where redis-server 7.0 answers differently: each case by name, with its reason, as narrow as it can be said.

``REDIS``: what changed between 7.0, which is asked, and 7.4, which is followed. ``OURS``: where we differ from every
Redis on purpose. What is particular to valkey-server is in ``valkey.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tests.support.wire_replies import Map, Refusal

from .cases import (
    Case,
    Difference,
    Event,
    encoded,
    event_of,
    invalidates,
    missed,
    only_invalidations,
    same_scores,
    texts,
)
from .consumers import consumers_apart, lag_apart
from .replies import WALKS

LOWEST: Final = b"-9223372036854775808"


def _bits_of_nothing(case: Case) -> bool:
    if not (case.name in ("BITPOS", "BITCOUNT") and case.our_refusal):
        return False
    return case.theirs in (0, -1) or case.refusal.startswith("WRONGTYPE")


def _last_entry(case: Case) -> bool:
    refused = Refusal("ERR Invalid stream ID specified as stream command argument")
    return case.name in ("XREAD", "XREADGROUP") and b"+" in case.words and case.theirs in (refused, [refused])


def _below_deleted(case: Case) -> bool:
    text = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    later = "ERR The ID specified in XSETID is smaller than the target stream top item"
    if case.name != "XSETID" or case.our_refusal != text:
        return False
    return case.theirs in ("OK", Refusal(later)) or "entries_added" in case.refusal


def _streams(reply: Any) -> list[list[Any]]:
    """What XREAD answered, as pairs of a stream and its entries."""
    pairs = reply.pairs if isinstance(reply, Map) else reply if isinstance(reply, list) else ()
    return [list(pair) for pair in pairs]


def _woken_twice(case: Case) -> bool:
    """A wait ends with what all of its streams have, not only with what the one has that was added to; and one stream
    may be named twice, with an id that still waits."""
    if case.name not in ("XREAD", "XREADGROUP") or not (case.waited and len(case.ours) == 1):
        return False
    ours = _streams(case.ours[0])
    if case.theirs == []:
        names = [name for name, _ in ours]
        return any(case.words.count(name) > 1 for name in names)
    theirs = _streams(case.theirs[0])
    return len(ours) > len(theirs) > 0 and all(stream in ours for stream in theirs)


def _first_of_all(case: Case) -> bool:
    """A wait for several keys ended with one of them, but not with the same; or one has got a wrong type meanwhile."""
    if not case.waited or len(case.ours) != 1:
        return False
    if case.ours[0] == Refusal("WRONGTYPE Operation against a key holding the wrong kind of value"):
        return case.theirs == [] or isinstance(case.theirs[0], list | Map)
    if len(case.theirs) != 1:
        return False
    if case.name not in ("BLPOP", "BRPOP", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"):
        return False
    if not isinstance(case.theirs[0], list):
        return False
    first, second = case.ours[0][0], case.theirs[0][0]
    return bool(first != second and first in case.words and second in case.words)


def _woken_for_nothing(case: Case) -> bool:
    """The other side ended a wait with a stream in which there is nothing."""
    if case.name not in ("XREAD", "XREADGROUP") or not case.waited or case.ours != [] or len(case.theirs) != 1:
        return False
    streams = _streams(case.theirs[0])
    return bool(streams) and all(entries == [] for _, entries in streams)


def _endless(case: Case) -> bool:
    refused = Refusal("ERR timeout is out of range")
    waits = case.name in ("XREAD", "XREADGROUP") and b"BLOCK" in map(bytes.upper, case.words)
    return waits and case.ours in (refused, [refused])


def _to_oneself(case: Case) -> bool:
    if case.name not in ("PUBLISH", "SPUBLISH") or not isinstance(case.theirs, list):
        return False
    return bool(case.ours == [case.theirs[-1], *case.theirs[:-1]])


def _redirected_to_oneself(case: Case) -> bool:
    if not (isinstance(case.ours, list) and isinstance(case.theirs, list) and case.theirs):
        return False
    behind = sorted(case.theirs, key=invalidates)
    return invalidates(case.theirs[0]) and case.ours == behind


def _queued_with_score(case: Case) -> bool:
    text = f"ERR wrong number of arguments for '{case.name.lower()}' command"
    return case.name in ("ZRANK", "ZREVRANK") and case.ours == "QUEUED" and case.refusal == text


def _of_consumers(event: Event, suspects: Sequence[bytes]) -> bool:
    return event_of(event)[0] in (b"xgroup-createconsumer", b"xgroup-delconsumer")


def _looked_up(event: Event, suspects: Sequence[bytes]) -> bool:
    return event_of(event)[0] in (b"keymiss", b"expired") and b"TYPE" in map(bytes.upper, suspects)


_UNBALANCED = "list of streams: for each stream key an ID"

REDIS: Final = (
    Difference("doubles", "7.0 prints doubles with 17 digits, 7.2 and later with as few as identify them", same_scores),
    Difference(
        "set listpack",
        "small sets with other members than integers are listpacks from 7.2 on",
        encoded(b"listpack", b"hashtable"),
    ),
    Difference(
        "intset",
        "from 7.2 on the number of members that SADD is given chooses the first encoding",
        encoded(b"listpack", b"intset"),
    ),
    Difference(
        "-0",
        "and that of members that ZADD is given: a listpack has no -0",
        lambda case: same_scores(case, signed_zero=False),
    ),
    Difference("list listpack", "small lists are one listpack from 7.2 on", encoded(b"listpack", b"quicklist")),
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
        "a wait for streams",
        "from 7.2 on a command that waited is carried out anew, so that it finds all that is there by then",
        _woken_twice,
        parts=True,
    ),
    Difference(
        "a wait for one of several keys", "and takes from the first that has something", _first_of_all, parts=True
    ),
    Difference(
        "a wait for nothing", "and does not end if the new entry was trimmed at once", _woken_for_nothing, parts=True
    ),
    Difference(
        "ZRANK arity",
        "WITHSCORE is an option from 7.2 on, so that a request of that many words reads its key, which caches hear of",
        texts((".*", "ERR wrong number of arguments for 'z(rev)?rank' command")),
        telling=lambda name, words: name in ("ZRANK", "ZREVRANK") and len(words) > 3,
        after=only_invalidations,
    ),
    Difference(
        "caches and who waited",
        "7.0 does not tell caches what a client that has waited takes from a list, nor keeps in mind what it reads",
        telling=lambda name, words: name in ("BLPOP", "BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH", "XREAD"),
        after=only_invalidations,
    ),
    Difference(
        "end of a group",
        "7.0 has texts of its own for those who waited in it",
        texts(
            (
                "NOGROUP No such key '.*' or consumer group '.*' in XREADGROUP with GROUP option",
                "NOGROUP the consumer group this client was blocked on no longer exists"
                "|UNBLOCKED the stream key no longer exists",
            )
        ),
    ),
    Difference(
        "invalidations to oneself",
        "as messages: one that was redirected here comes behind the reply from 7.2 on",
        _redirected_to_oneself,
    ),
    Difference(
        "invalidations amid a reply",
        "and not amid the replies of a transaction, or the parts of one reply",
        lambda case: isinstance(case.theirs, list) and any(map(invalidates, case.theirs)),
        parts=True,
    ),
    Difference(
        "number of new members",
        "from 7.2 on the number of members that ZADD is given counts, even if it does not add them in the end",
        encoded(b"skiplist", b"listpack"),
    ),
    Difference("ZRANK queued", "as before, inside MULTI", _queued_with_score, parts=True),
    Difference("XSETID", "the largest deleted id is a bound from 7.2 on", _below_deleted, parts=True),
    Difference(
        "types of SCAN",
        "7.0 looks every key up to learn its type, and so ends those that have expired and tells of a miss",
        forgives=_looked_up,
        telling=lambda name, words: name == "SCAN" and b"TYPE" in map(bytes.upper, words),
    ),
    Difference(
        "huge timeouts",
        "7.0 lets seconds overflow and finds them negative",
        texts(("ERR timeout is out of range", "ERR timeout is negative")),
    ),
    Difference("endless BLOCK", "7.0 lets milliseconds overflow and waits", _endless, parts=True),
    Difference("messages to oneself", "they come behind the reply from 7.2 on", _to_oneself),
    Difference("lag", "what a group behind deleted entries has read was put right in 7.4", lag_apart),
    Difference(
        "LPOS RANK",
        "the lowest of all integers is refused from 7.2 on",
        lambda case: case.name == "LPOS" and LOWEST in case.words and bool(case.our_refusal),
    ),
    Difference(
        "consumers",
        "from 7.2 on a consumer is there as soon as it is named, and XINFO tells when it was active",
        consumers_apart,
        forgives=_of_consumers,
    ),
)


def _cut_at_nul(case: Case) -> bool:
    """The same but for what stands behind a NUL, in a word that the error repeats or in a cursor."""
    if case.name in WALKS and case.our_refusal == "ERR invalid cursor":
        return b"\0" in case.words[1 if case.name == "SCAN" else 2]
    ours = case.our_refusal
    for word in (_as_text(word) for word in case.words if b"\0" in word):
        ours = ours.replace(word, word.partition("\0")[0])
    return bool(ours) and ours == case.refusal


def _as_text(word: bytes) -> str:
    """A word as errors show it."""
    return word.replace(b"\r", b" ").replace(b"\n", b" ").decode("utf-8", "surrogateescape")


def _alphabet(case: Case) -> bool:
    if case.name not in ("SORT", "SORT_RO") or not (isinstance(case.ours, list) and isinstance(case.theirs, list)):
        return False
    same = sorted(map(repr, case.ours)) == sorted(map(repr, case.theirs))
    return same and any(b"\0" in (word or b"") for word in case.ours)


def _equal_weights(case: Case) -> bool:
    words = [word.upper() for word in case.words]
    if not (case.name in ("SORT", "SORT_RO") and b"BY" in words and isinstance(case.theirs, list)):
        return False
    if b"LIMIT" in words:
        return len(case.ours) == len(case.theirs)
    return sorted(map(repr, case.ours)) == sorted(map(repr, case.theirs))


def _equally_far(case: Case) -> bool:
    if not case.name.startswith(("GEOSEARCH", "GEORADIUS")):
        return False
    ours, theirs = case.ours, case.theirs
    if not (isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs)):
        return False
    if all(isinstance(place, list) for place in (*ours, *theirs)):
        return [place[1:] for place in ours] == [place[1:] for place in theirs]
    # Names alone: all of them are there, unless the last of a COUNT is one of several.
    return b"COUNT" in map(bytes.upper, case.words) or sorted(ours) == sorted(theirs)


OURS: Final = (
    Difference(
        "keys that chance meets",
        "RANDOMKEY ends those whose time is over, if it meets them",
        forgives=lambda event, suspects: event_of(event)[0] == b"expired",
        telling=lambda name, words: name == "RANDOMKEY",
    ),
    Difference(
        "equally far",
        "members at one distance come in the order of an unstable sort",
        _equally_far,
        telling=lambda name, words: (
            name in ("GEOSEARCHSTORE", "GEORADIUS", "GEORADIUSBYMEMBER") and b"COUNT" in map(bytes.upper, words)
        ),
        after=lambda case: case.name in ("DIGEST", "DIGEST-VALUE"),
    ),
    Difference(
        "misses of refused requests",
        "Redis looks some keys up, and tells of a miss, before it finds fault with the options; we look only if we act",
        forgives=missed,
    ),
    Difference(
        "integers from INCRBYFLOAT",
        "Redis keeps the text of the sum (embstr) where a replica, which is sent a SET, has an integer: so have we",
        encoded(b"int", b"embstr"),
    ),
    Difference(
        "misses of those who wait",
        "from 7.2 on a client that is woken in vain looks for all its keys again, and tells; we look for what is new",
        forgives=missed,
    ),
    Difference(
        "growth by BITFIELD",
        "a string grows even if every operation overflows: Redis tells nobody, not even its replicas; we do",
        forgives=lambda event, suspects: event_of(event)[0] == b"setbit" and event_of(event)[1] in suspects,
        telling=lambda name, words: name == "BITFIELD" and b"FAIL" in map(bytes.upper, words),
        after=lambda case: only_invalidations(case) or (case.name == "EXEC" and case.ours is None),
    ),
    Difference(
        "integers from INCRBYFLOAT shared",
        "and so it is a shared one",
        lambda case: case.name == "OBJECT|REFCOUNT" and case.ours == 2147483647 and case.theirs == 1,
    ),
    Difference(
        "equal weights",
        "what BY calls equal comes in the order of the set, which is nobody's promise",
        _equal_weights,
        parts=True,
        telling=lambda name, words: name == "SORT" and {b"BY", b"STORE"} <= set(map(bytes.upper, words)),
    ),
    Difference(
        "prefixes that overlap",
        "Redis finds fault with prefixes of one CLIENT TRACKING that overlap, and goes on with OK all the same",
        lambda case: (
            case.name == "CLIENT|TRACKING" and isinstance(case.ours, list) and case.theirs == [*case.ours, "OK"]
        ),
        parts=True,
    ),
    Difference(
        "XAUTOCLAIM of very many",
        "Redis asks at once for the memory that COUNT could need, and the machine may not have it",
        lambda case: case.name == "XAUTOCLAIM" and case.refusal.startswith("ERR Insufficient memory"),
        parts=True,
    ),
    Difference(
        "order of patterns",
        "a message comes once for each pattern that fits, in the order of a table of Redis",
        lambda case: (
            case.name in ("messages", "PUBLISH")
            and b"pmessage" in repr(case.ours).encode()
            and sorted(map(repr, case.ours)) == sorted(map(repr, case.theirs))
        ),
    ),
    Difference(
        "idle time of integers",
        "Redis shares the small ones, so that it tells when any key with the same was last used",
        lambda case: case.name == "OBJECT|IDLETIME" and isinstance(case.ours, int) and isinstance(case.theirs, int),
    ),
    Difference(
        "SORT after an overflow",
        "where a number before was out of range, Redis takes the next that it sorts by for one",
        lambda case: case.name in ("SORT", "SORT_RO") and not case.our_refusal and "double" in case.refusal,
        parts=True,
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
