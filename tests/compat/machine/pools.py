"""The words that commands are made of: few of each kind, so that commands meet, with the edges among them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

from shardkv.commands.grammar import Arg, Kind

#: A sorted set whose scores are nearly always 0.
EQUAL_SCORES: Final = b"e1"
#: The keys by the group of commands that likes them best. A tenth of all picks goes to another group's key.
KEYS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "string": (b"s1", b"s2", b"s3"),
    "bitmap": (b"s1", b"b1", b"b2"),
    "hyperloglog": (b"p1", b"p2", b"p3"),
    "list": (b"l1", b"l2", b"l3"),
    "hash": (b"h1", b"h2"),
    "set": (b"t1", b"t2", b"t3"),
    "sorted-set": (b"z1", b"z2", b"z3", EQUAL_SCORES),
    "geo": (b"g1", b"g2"),
    "stream": (b"x1", b"x2"),
}
ALL_KEYS: Final = tuple(dict.fromkeys([key for keys in KEYS.values() for key in keys] + [b"k\x00\xff", b"none"]))

LONG: Final = b"L" * 65
#: Values, elements, members and fields are drawn from one pool.
SHORT: Final = (b"a", b"b", b"c", b"d", b"e", b"1", b"2", b"3", b"10")
VALUES: Final = (
    *SHORT, *SHORT, *SHORT,
    b"", b"0", b"-1", b"-7", b"127", b"128", b"32767", b"32768", b"65536", b"2147483648", b"-2147483649",
    b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"01", b"+1", b"-0", b" 1", b"1 ", b"1.5",
    b"0.5", b"1e3", b"inf", b"nan", b"\x00", b"\xff\xfe", b"a\x00b", b"line\r\nend", b"foo", b"foobar", b"Foo",
    b"ohmytext",
    b"v" * 44, b"v" * 45, b"w" * 63, b"w" * 64, LONG, b"x" * 300, bytes(range(256)),
)  # fmt: skip
#: Drawn seldom: longer than a node of a list, or than what is packed.
HUGE: Final = (b"H" * 5000, b"\x00\xff" * 5000, b"9" * 20_000)
NUMBERS: Final = (b"0", b"1", b"2", b"3", b"-1", b"-2", b"-3", b"4", b"5", b"10", b"-10", b"100")
WILD: Final = (
    b"", b"x", b"1.5", b" 1", b"1 ", b"+1", b"01", b"-0", b"0x10", b"1e3", b"9223372036854775807",
    b"-9223372036854775808", b"9223372036854775808", b"-9223372036854775809", b"4294967296", b"2147483647",
    b"18446744073709551615", b"18446744073709551616", b"nan", b"inf", b"-inf", b"1\x00", b"\xff", b"1" * 70, b"*",
    b"$", b"-",
    b"+", b">", b"(", b"[", b"(1", b"[a",
)  # fmt: skip
#: Scores that redis-server 7.0 prints with as few digits as 7.2 and later.
SCORES: Final = (
    b"0", b"1", b"2", b"3", b"-1", b"1.5", b"-2.5", b"0.25", b"1e3", b"100", b"inf", b"-inf", b"+inf", b"-0", b"1e20",
    b"9007199254740992", b"9007199254740993", b"-1e2", b"3.125", b"0x10", b"17179869184", b"-17179869183.5",
    b"0.1", b"1e300",
)  # fmt: skip
INCREMENTS: Final = (b"1", b"-1", b"0.5", b"1.5", b"-0.25", b"10", b"0", b"1e2", b"3.1", b"inf", b"-inf", b"+1")
BOUNDS: Final = (*SCORES[:16], b"(1", b"(2", b"(0", b"(1.5", b"(-inf", b"(inf", b"-inf", b"+inf")
LEX: Final = (b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[d", b"[1", b"(10", b"[", b"(", b"[foo", b"(\xff", b"a")
IDS: Final = (
    b"1-1", b"1-2", b"2-1", b"2-2", b"3-1", b"3-0", b"4-0", b"5-5", b"6-1", b"7-7", b"8", b"9-1", b"10-1",
    b"20-1", b"1", b"2",
    b"3", b"5", b"0", b"0-0", b"0-1",
)  # fmt: skip
NEW_IDS: Final = (
    *IDS[:14],
    b"3-*",
    b"5-*",
    b"6-*",
    b"9-*",
    b"0-*",
    b"18446744073709551615-18446744073709551615",
    b"100-1",
)
RANGE_IDS: Final = (*IDS, b"-", b"+", b"-", b"+", b"(1-1", b"(2-1", b"(3", b"(5-5", b"(-", b"(+")
PATTERNS: Final = (
    b"*",
    b"*",
    b"a*",
    b"?",
    b"[a-c]",
    b"[^a]*",
    b"s*",
    b"*1",
    b"\\*",
    b"foo*",
    b"[",
    b"",
    b"h?",
    b"*\x00*",
)
CURSORS: Final = (b"0",) * 12 + (b"x", b"", b" 0", b"18446744073709551616")
TYPES: Final = (b"string", b"list", b"set", b"zset", b"hash", b"stream", b"STRING", b"other", b"")
CHANNELS: Final = (b"c1", b"c2", b"news", b"", b"__redis__:invalidate")
#: None that fits the channels of key events, which are heard by the listener and not amid replies.
CHANNEL_PATTERNS: Final = (b"c?", b"n*", b"[cn]*", b"news", b"", b"__redis__:i*")
#: Of keys, for CLIENT TRACKING: some overlap.
PREFIXES: Final = (b"s", b"s1", b"l", b"h", b"t", b"z", b"x", b"")
GROUPS: Final = (b"g", b"g", b"h")
CONSUMERS: Final = (b"c", b"d", b"c")
FIELD_TYPES: Final = (
    b"u1", b"u2", b"u4", b"u8", b"i8", b"i16", b"u16", b"u32", b"i32", b"i64", b"u63", b"i5", b"u64", b"i65",
    b"u0", b"x8", b"i",
)  # fmt: skip
SECTIONS: Final = (b"BEFORE", b"AFTER")
#: So many milliseconds are over before the next request, but not before this one has ended.
MOMENT: Final = b"20"
#: Far enough away that nothing ends while a sequence runs, and each different from all others drawn: two conditions
#: never hang on the millisecond in which a command came.
FAR: Final = 100_000


def keys_of(group: str) -> tuple[bytes, ...]:
    """The keys that commands of this group like."""
    return KEYS.get(group, ALL_KEYS)


def scalar(rng: Random, arg: Arg, group: str, command: str) -> bytes:
    """A word for one argument of a command, now and then a wild one."""
    if arg.kind is Kind.KEY:
        if "lex" in command and rng.random() < 0.7:
            return EQUAL_SCORES
        return rng.choice(keys_of(group)) if rng.random() < 0.9 else rng.choice(ALL_KEYS)
    lot = rng.random()
    if lot < 0.04:
        return rng.choice(WILD)
    if lot > 0.998 and arg.kind is Kind.STRING:
        return rng.choice(HUGE)
    special = _BY_COMMAND.get((command, arg.name))
    if special is not None:
        return rng.choice(special)
    if arg.name in _TIMES:
        return _time(rng, arg.name)
    named = _BY_NAME.get(arg.name)
    if named is not None and not (arg.name in _STREAM_NAMES and group != "stream"):
        return rng.choice(named)
    return rng.choice(_BY_KIND[arg.kind])


def _time(rng: Random, name: str) -> bytes:
    """A relative or absolute time: mostly far in the future, sometimes past."""
    if name == "milliseconds" and rng.random() < 0.1:
        return MOMENT
    if rng.random() < 0.15:
        return rng.choice((b"0", b"-1", b"1") if name.startswith("unix") else (b"0", b"-1"))
    seconds = FAR + rng.randrange(1_000_000_000)
    at = 4_000_000_000 + rng.randrange(1000)
    return b"%d" % {"seconds": seconds, "milliseconds": seconds * 1000, "unix-time-seconds": at}.get(name, at * 1000)


_TIMES: Final = frozenset({"seconds", "milliseconds", "unix-time-seconds", "unix-time-milliseconds"})
_STREAM_NAMES: Final = frozenset({"id", "start", "end", "group", "groupname", "consumer", "consumername"})
_BY_KIND: Final[Mapping[Kind, tuple[bytes, ...]]] = {
    Kind.STRING: VALUES,
    Kind.INTEGER: NUMBERS,
    Kind.DOUBLE: SCORES,
    Kind.PATTERN: PATTERNS,
    Kind.UNIX_TIME: NUMBERS,
}
_BY_NAME: Final[Mapping[str, tuple[bytes, ...]]] = {
    "id": IDS,
    "last-id": NEW_IDS,
    "start": RANGE_IDS,
    "end": RANGE_IDS,
    "group": GROUPS,
    "groupname": GROUPS,
    "consumer": CONSUMERS,
    "consumername": CONSUMERS,
    "min-idle-time": (b"0", b"0", b"0", b"1000000000", b"-1"),
    "ms": (b"0", b"5000000"),
    "max_deleted_entry_id": IDS,
    "threshold": (b"0", b"1", b"2", b"3", b"5", b"2-1", b"4", b"6-1"),
    "min": BOUNDS,
    "max": BOUNDS,
    "increment": INCREMENTS,
    "cursor": CURSORS,
    "type": TYPES,
    "channel": CHANNELS,
    "shardchannel": CHANNELS,
    "prefix": PREFIXES,
    "protover": (b"2", b"3", b"4"),
    "encoding": FIELD_TYPES,
    "offset": (b"0", b"1", b"2", b"3", b"7", b"8", b"9", b"63", b"100", b"#0", b"#1", b"#2", b"-1"),
    "operation": (b"AND", b"OR", b"XOR", b"NOT", b"and", b"NAND"),
    "bit": (b"0", b"1", b"1", b"2"),
    "timeout": (b"0",),
    "index": NUMBERS,
    "index1": (b"0", b"1", b"2", b"16", b"-1"),
    "index2": (b"0", b"1", b"2", b"16", b"-1"),
    "db": (b"0", b"1", b"2", b"16", b"-1"),
    "destination-db": (b"0", b"1", b"2", b"16", b"-1"),
    "longitude": (b"13.361389", b"15.087269", b"2.349014", b"0", b"-122.27652", b"180", b"181", b"13.5"),
    "latitude": (b"38.115556", b"37.502669", b"48.864716", b"0", b"37.805186", b"85.05112878", b"86", b"38"),
    "radius": (b"0", b"100", b"200", b"5000", b"1e6", b"-1"),
    "width": (b"0", b"200", b"400", b"1e4", b"-1"),
    "height": (b"0", b"200", b"400", b"1e4", b"-1"),
    "numreplicas": (b"0",),
    "entries_read": (b"0", b"1", b"2", b"3", b"10", b"-1"),
    "entries_added": (b"0", b"1", b"3", b"10", b"100", b"-1"),
    "count": (b"0", b"1", b"2", b"3", b"10", b"100", b"-1", b"-2"),
    "client-id": (b"<id:0>", b"<id:1>", b"999999999"),
}
_BY_COMMAND: Final[Mapping[tuple[str, str], tuple[bytes, ...]]] = {
    ("psubscribe", "pattern"): CHANNEL_PATTERNS,
    ("punsubscribe", "pattern"): CHANNEL_PATTERNS,
    ("incrby", "increment"): NUMBERS,
    ("decrby", "decrement"): NUMBERS,
    ("hincrby", "increment"): NUMBERS,
    ("bitfield", "increment"): NUMBERS,
    ("bitfield", "value"): (*NUMBERS, b"255", b"128", b"65535"),
    ("xadd", "id"): NEW_IDS,
    ("setrange", "offset"): (b"0", b"1", b"3", b"5", b"50", b"-1", b"536870912"),
    ("zrange", "start"): (*NUMBERS, *BOUNDS, *LEX),
    ("zrange", "stop"): (*NUMBERS, *BOUNDS, *LEX),
    ("zrangestore", "min"): (*NUMBERS, *BOUNDS, *LEX),
    ("zrangestore", "max"): (*NUMBERS, *BOUNDS, *LEX),
    ("zrangebylex", "min"): LEX,
    ("zrangebylex", "max"): LEX,
    ("zrevrangebylex", "min"): LEX,
    ("zrevrangebylex", "max"): LEX,
    ("zremrangebylex", "min"): LEX,
    ("zremrangebylex", "max"): LEX,
    ("zlexcount", "min"): LEX,
    ("zlexcount", "max"): LEX,
    ("select", "index"): (b"0", b"0", b"1", b"16", b"-1"),
    ("xread", "id"): (*IDS, b"$", b"0", b"0", b"+"),
    ("xreadgroup", "id"): (*(b">",) * 9, b"0", b"1-1", b"$"),
    ("xgroup|create", "id"): IDS,
    ("xgroup|setid", "id"): IDS,
    ("xread", "milliseconds"): (b"0",),
    ("xreadgroup", "milliseconds"): (b"0",),
    ("wait", "timeout"): (b"0", b"1"),
    ("hscan", "cursor"): CURSORS,
}
