"""Where valkey-server 9.1 went a way of its own, and Redis 7.4 is followed: each case by name, with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from re import fullmatch
from typing import Final

from tests.support.wire_replies import Refusal

from .cases import Case, Difference, Event, encoded, event_of, only_invalidations, same_scores, texts
from .consumers import lag_apart
from .differences import LOWEST
from .pools import MOMENT
from .replies import WALKS

#: Commands on the expiry of single fields, with option syntaxes of their own.
FIELD_TIMES: Final = frozenset(
    (
        *("HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT", "HPERSIST", "HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME"),
        *("HGETDEL", "HGETEX", "HSETEX"),
    )
)
_SETS_TIMES: Final = frozenset({"EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "SET", "GETEX", "HGETEX"})


def _odd_numbers(case: Case) -> bool:
    odd = rb"\(?( .*|[+-]?0x.*|.*\0.*)"
    return "float" in case.refusal and any(fullmatch(odd, word) for word in case.words)


def _cursors(case: Case) -> bool:
    invalid = "ERR invalid cursor"
    return case.name in WALKS and (case.our_refusal == invalid) != (case.refusal == invalid)


def _from_the_other_end(case: Case) -> bool:
    """Whether a range of a sorted set begins at a negative offset."""
    words = [word.upper() for word in case.words]
    return case.name.startswith(("ZRANGE", "ZREVRANGE")) and any(
        word == b"LIMIT" and fullmatch(rb"-\d+", offset) for word, offset in pairwise(words)
    )


def says_a_past_time(name: str, words: Sequence[bytes]) -> bool:
    """Whether a request says a time that may have passed."""
    if name in ("PEXPIREAT", "EXPIREAT") or b"PXAT" in map(bytes.upper, words):
        return True
    return name in _SETS_TIMES and any(fullmatch(rb"-\d+|0|1", word) for word in words[2:])


def _ending(event: Event, suspects: Sequence[bytes]) -> bool:
    name, key = event_of(event)
    return name in (b"new", b"set", b"expire", b"expired", b"del") and key in suspects


def _passed_fields(name: str, words: Sequence[bytes]) -> bool:
    """Whether a request gives fields a time that may have passed."""
    sets = name in FIELD_TIMES and ("EXPIRE" in name or name.endswith("EX"))
    return sets and any(fullmatch(rb"-\d+|0|1|" + MOMENT, word) for word in words[2:])


def _long_scores(case: Case) -> bool:
    if not (case.name == "DIGEST-VALUE" and case.words[1:2] == (b"scores",)):
        return False
    return any(b"%.17g" % float(score) != score or len(score) > 16 for score in case.words[2:])


def _times(case: Case) -> bool:
    if not (case.name == "DIGEST-VALUE" and case.words[1:2] == (b"times",)):
        return False
    return any(time != b"-1" for time in case.words[2:])


def _syntax_of_fields(case: Case) -> bool:
    stricter = (
        "ERR Mandatory argument FIELDS is missing",
        "ERR unknown argument",
        "ERR Only one of",
        "ERR invalid expire",
    )
    return case.name in FIELD_TIMES and case.our_refusal.startswith(stricter)


VALKEY: Final = (
    Difference(
        "texts on fields",
        "Valkey words the faults of HEXPIRE and its kin anew",
        lambda case: case.name in FIELD_TIMES and case.both_refuse,
    ),
    Difference(
        "syntax of fields",
        "Valkey takes the options of HEXPIRE and its kin in any number and order, and times without a limit",
        _syntax_of_fields,
        parts=True,
    ),
    Difference(
        "fields whose time has passed",
        "Valkey does not store them at all, and tells of an expiry where Redis tells of a deletion",
        telling=_passed_fields,
        parts=True,
    ),
    Difference(
        "times that have passed",
        "Valkey deletes at once, and tells of an end where Redis tells of a deletion",
        forgives=_ending,
        telling=says_a_past_time,
        # of keys that nobody has looked for
        after=lambda case: case.name in ("DBSIZE", "DIGEST") or only_invalidations(case),
    ),
    Difference("hashes with times", "Valkey holds them in one way only", encoded(b"listpackex", b"hashtable")),
    Difference(
        "digests of fields that expire",
        "Redis mixes a word for the expiry into the digest of a field; Valkey does not",
        _times,
    ),
    Difference(
        "digests of scores", "ours are those of redis-server 7.0, with 17 digits; Valkey's have fewer", _long_scores
    ),
    Difference(
        "digests elsewhere",
        "the same, in databases that are not looked into key by key",
        lambda case: case.name == "DIGEST" and b"elsewhere" in case.words,
    ),
    Difference(
        "around a large element",
        "Valkey gives an element that is too large a node of its own; when LSET makes it small the nodes beside it "
        "stay two, and the list a quicklist",
        telling=lambda name, words: name == "LSET",
        after=encoded(b"listpack", b"quicklist"),
    ),
    Difference(
        "order of a union",
        "integers that come first make an intset too large, other members that come first a listpack: it is the order "
        "of a hash table that decides",
        telling=lambda name, words: name == "SUNIONSTORE",
        after=lambda case: encoded(b"hashtable", b"listpack")(case) or encoded(b"listpack", b"hashtable")(case),
    ),
    Difference(
        "negative offsets",
        "Valkey counts them from the other end of a range, but only where a sorted set is a skiplist",
        _from_the_other_end,
        parts=True,
    ),
    Difference(
        "-0",
        "Valkey looks at all new members before it chooses an encoding, and a listpack has no -0",
        lambda case: same_scores(case, signed_zero=False),
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
        lambda case: case.refusal.startswith("ERR unknown type name"),
        parts=True,
    ),
    Difference(
        "inside MULTI",
        "Valkey has one text for all commands that cannot be queued, and runs nothing after a WATCH",
        texts(
            ("ERR MULTI calls can not be nested", "ERR Command 'multi' not allowed inside a transaction"),
            ("ERR WATCH inside MULTI is not allowed", "ERR Command 'watch' not allowed inside a transaction"),
        ),
        parts=True,
    ),
    Difference(
        "GETEX",
        "Valkey judges the time even if there is no key",
        lambda case: case.name == "GETEX" and case.our_refusal[:9] in ("", "WRONGTYPE") and bool(case.refusal),
    ),
    Difference(
        "misses of GETEX and HGETEX",
        "Valkey judges the time before it looks for the key; and Redis looks for that of HGETEX to write",
        telling=lambda name, words: name in ("GETEX", "HGETEX"),
    ),
    Difference(
        "CLIENT UNBLOCK",
        "Valkey ignores words behind the last option",
        lambda case: case.name == "CLIENT|UNBLOCK" and len(case.words) > 4,
        parts=True,
    ),
    Difference(
        "long members",
        "Valkey leaves the listpack for the length of a member that ZADD does not add in the end",
        encoded(b"listpack", b"skiplist"),
    ),
    Difference(
        "LTRIM of nothing",
        "Valkey calls it no change, so that neither watchers nor caches hear of it",
        telling=lambda name, words: name == "LTRIM",
        after=lambda case: case.name in ("EXEC", "LTRIM", "messages"),
    ),
    Difference(
        "XREAD +",
        "Valkey looks behind the last id, with which there may be no entry",
        lambda case: case.name == "XREAD" and b"+" in case.words and not isinstance(case.ours, Refusal),
    ),
    Difference("longer embstr", "Valkey embeds longer strings", encoded(b"raw", b"embstr")),
    Difference(
        "embstr of a long key", "Valkey embeds a string with its key, or not at all", encoded(b"embstr", b"raw")
    ),
    Difference("lag", "as in 7.0", lag_apart),
    Difference(
        "SORT of nothing",
        "Valkey finds no number in an empty string, Redis 0",
        lambda case: case.name in ("SORT", "SORT_RO") and "double" in case.refusal,
        parts=True,
    ),
    Difference(
        "LSET",
        "Valkey cuts an index to 32 bits",
        lambda case: case.name == "LSET" and len(case.words[2]) > 9 and case.our_refusal == "ERR index out of range",
        parts=True,
    ),
    Difference(
        "LREM",
        "Valkey refuses the lowest of all integers",
        lambda case: case.name == "LREM" and LOWEST in case.words and bool(case.refusal),
    ),
)
