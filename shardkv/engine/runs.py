"""Tuned twins of whole runs: a pipeline whose requests all name one command and have equally many words.

Such a pipeline is turned on its side: instead of requests, columns (all names, all keys, all values). What is the same
for every request, such as a look at the clock's second, who watches, or the one list that all push to, is then asked
once; and the slots of all keys are computed in one go.

A run takes ``(db, columns, nil)`` and returns the encoded replies and how many requests they answer, which may be fewer
than there are, or none: where a request needs more care the run ends before it, and the usual way goes on from there.
The contract is that of the twins (``fast``): byte for byte what the plain command would have answered and done, held by
``tests/laws/test_twins.py``. Each request of a run that is answered has added to ``db.dirty`` exactly when its command
is one of ``STEADY_WRITERS``; the others (of which some requests may have changed nothing) run only where nobody listens
to what is propagated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import ReplyError
from ..keyspace.database import Database
from ..resp.encoder import BULK_HEADER, INTEGER, OK_BYTES, PONG_BYTES, encode_bulks
from ..resp.numbers import parse_float
from ..values.hashes import HashValue
from ..values.lists import ListValue
from ..values.sets import SetValue
from ..values.zsets import ZSetValue
from .fast import slots_of
from .fast_values import owned

if TYPE_CHECKING:
    from ..config import Config

Column: TypeAlias = tuple[bytes, ...]
Columns: TypeAlias = Sequence[Column]
Answered: TypeAlias = tuple[bytes, int]
Run: TypeAlias = Callable[[Database, Columns, bytes], Answered]

#: A pipeline shorter than this is not worth turning.
RUN_MIN: Final = 4

_DECLINED: Final[Answered] = (b"", 0)
_SHORT: Final = len(BULK_HEADER)
#: Strings that are longer are answered one by one: all replies of a run are one copy, which must not take long.
_COPIED: Final = 16 * 1024
_INTEGERS: Final = len(INTEGER)
_MAX: Final = 2**63 - 1


def turned(requests: list[list[bytes]]) -> Columns | None:
    """The columns of the requests if they make a run, else None. There are at least two."""
    name = requests[0][0]
    if requests[1][0] != name or requests[-1][0] != name:
        return None  # cheap, and true of nearly every mixed pipeline
    try:
        columns = list(zip(*requests, strict=True))
    except ValueError:
        return None
    names = columns[0]
    return columns if names.count(name) == len(names) else None


def _bulks(texts: list[bytes], sizes: set[int]) -> bytes:
    """The bulk strings, of these sizes, one behind the other: an array without its header."""
    encoded = encode_bulks(texts, sizes)
    return encoded[encoded.index(b"\n") + 1 :]


def _integers(numbers: Sequence[int]) -> bytes:
    if numbers[0] >= 0 and numbers[-1] < _INTEGERS:  # they rise
        return b"".join(INTEGER[numbers[0] : numbers[-1] + 1])
    return b"".join([b":%d\r\n" % number for number in numbers])


# ---- strings


def ping(db: Database, columns: Columns, nil: bytes) -> Answered:
    """PING without a message."""
    count = len(columns[0])
    return (PONG_BYTES * count, count) if len(columns) == 1 else _DECLINED


def get(db: Database, columns: Columns, nil: bytes) -> Answered:
    """GET key."""
    if len(columns) != 2:
        return _DECLINED
    keys = columns[1]
    slots = slots_of(db, keys)
    if slots is None:
        return _DECLINED
    values, access, clock = db.values, db.access, db.clock
    expires = db.expires if db.expiring else None
    found: list[bytes] = []
    missing: list[int] = []
    for key, slot in zip(keys, slots, strict=True):
        if expires is not None:
            times = expires[slot]
            if times is not None and times.get(key, db.now) < db.now:
                break
        value = values[slot].get(key)
        if type(value) is bytes:
            access[slot] = clock
            found.append(value)
        elif value is None and not db.attended:
            missing.append(len(found))
            found.append(b"")
        else:
            break
    if not found:
        return _DECLINED
    sizes = set(map(len, found))
    if max(sizes) > _COPIED:
        return _DECLINED
    if not missing:
        return _bulks(found, sizes), len(found)
    db.misses += len(missing)
    replies = [
        BULK_HEADER[len(text)] + text + b"\r\n" if len(text) < _SHORT else b"$%d\r\n%b\r\n" % (len(text), text)
        for text in found
    ]
    for place in missing:
        replies[place] = nil
    return b"".join(replies), len(replies)


def store(db: Database, keys: Column, texts: Column) -> int:
    """Store strings under keys that have no expiry and hold strings or nothing; how many, from the first on."""
    slots = None if db.attended else slots_of(db, keys)
    if slots is None:
        return 0
    values, access, clock = db.values, db.access, db.clock
    expires = db.expires if db.expiring else None
    done = 0
    for key, slot, text in zip(keys, slots, texts, strict=True):
        if expires is not None:
            times = expires[slot]
            if times is not None and key in times:
                break
        held = values[slot]
        old = held.get(key)
        if type(old) is bytes:
            held[key] = text
        elif old is None:
            held[key] = text
            db.grown(slot, len(held))
        else:
            break
        access[slot] = clock
        done += 1
    db.dirty += done
    return done


def set_(db: Database, columns: Columns, nil: bytes) -> Answered:
    """SET key value."""
    if len(columns) != 3:
        return _DECLINED
    done = store(db, columns[1], columns[2])
    return OK_BYTES * done, done


def incr(db: Database, columns: Columns, nil: bytes) -> Answered:
    """INCR of keys that hold ints already, or nothing."""
    if len(columns) != 2 or db.attended or db.expiring:
        return _DECLINED
    keys = columns[1]
    slots = slots_of(db, keys)
    if slots is None:
        return _DECLINED
    values, access, clock = db.values, db.access, db.clock
    replies: list[bytes] = []
    for key, slot in zip(keys, slots, strict=True):
        held = values[slot]
        value = held.get(key)
        if value is None:
            value = held[key] = 1
            db.grown(slot, len(held))
        elif type(value) is not int or value == _MAX:
            break
        else:
            value += 1
            held[key] = value
        access[slot] = clock
        replies.append(INTEGER[value] if 0 <= value < _INTEGERS else b":%d\r\n" % value)
    db.dirty += len(replies)
    return b"".join(replies), len(replies)


def string_runs() -> dict[str, Run]:
    """The runs of strings by command."""
    return {"ping": ping, "get": get, "set": set_, "incr": incr}


# ---- collections: all requests of a run change the same one


def _shared(db: Database, columns: Columns, words: int, kind: type) -> Any:
    """The value of that type which every request of ``words`` words names, or None."""
    if len(columns) != words:
        return None
    keys = columns[1]
    key = keys[0]
    if keys.count(key) != len(keys):
        return None
    held = owned(db, key)
    return held if type(held) is kind else None


def value_runs(config: Config) -> dict[str, Run]:
    """The runs of collections by command. What is added obeys ``config`` as it stands then."""

    def lpush(db: Database, columns: Columns, nil: bytes) -> Answered:
        """LPUSH key element."""
        return pushed(db, columns, left=True)

    def rpush(db: Database, columns: Columns, nil: bytes) -> Answered:
        """RPUSH key element."""
        return pushed(db, columns, left=False)

    def pushed(db: Database, columns: Columns, *, left: bool) -> Answered:
        held = _shared(db, columns, 3, ListValue)
        if held is None or held.encoding == "listpack":  # a short list looks at each element for itself
            return _DECLINED
        before = len(held)
        elements = columns[2]
        count = len(elements)
        (held.push_left if left else held.push_right)(elements, config.list_max_listpack_size)
        db.dirty += count
        return _integers(range(before + 1, before + count + 1)), count

    def lpop(db: Database, columns: Columns, nil: bytes) -> Answered:
        """LPOP key."""
        held = _shared(db, columns, 2, ListValue)
        return _DECLINED if held is None else popped(db, columns[1], held, held.pop_left)

    def rpop(db: Database, columns: Columns, nil: bytes) -> Answered:
        """RPOP key."""
        held = _shared(db, columns, 2, ListValue)
        return _DECLINED if held is None else popped(db, columns[1], held, held.pop_right)

    def popped(db: Database, keys: Column, held: ListValue, pop: Callable[[int], bytes]) -> Answered:
        fill = config.list_max_listpack_size
        count = min(len(keys), len(held))
        texts = [pop(fill) for _ in range(count)]
        db.dirty += count
        if not len(held):
            db.remove(keys[0])
        return _bulks(texts, set(map(len, texts))), count

    def hset(db: Database, columns: Columns, nil: bytes) -> Answered:
        """HSET key field value of a hash that has no fields which expire."""
        held = _shared(db, columns, 4, HashValue)
        if held is None or held.times is not None:
            return _DECLINED
        update = held.update
        replies = [INTEGER[update(pair, config)] for pair in zip(columns[2], columns[3], strict=True)]
        db.dirty += len(replies)
        return b"".join(replies), len(replies)

    def sadd(db: Database, columns: Columns, nil: bytes) -> Answered:
        """SADD key member."""
        held = _shared(db, columns, 3, SetValue)
        if held is None:
            return _DECLINED
        add = held.add
        added = [add(member, config) for member in columns[2]]
        db.dirty += added.count(True)
        return b"".join([INTEGER[new] for new in added]), len(added)

    def zadd(db: Database, columns: Columns, nil: bytes) -> Answered:
        """ZADD key score member of a sorted set that is no listpack any more."""
        held = _shared(db, columns, 4, ZSetValue)
        if held is None or held.encoding != "skiplist":
            return _DECLINED
        try:
            scores = list(map(parse_float, columns[2]))
        except ReplyError:
            return _DECLINED
        score_of, add = held.score, held.add
        replies = []
        for score, member in zip(scores, columns[3], strict=True):
            old = score_of(member)
            if old != score:
                add(member, score, config)
                db.dirty += 1
            replies.append(INTEGER[1 if old is None else 0])
        return b"".join(replies), len(replies)

    return {
        "lpush": lpush,
        "rpush": rpush,
        "lpop": lpop,
        "rpop": rpop,
        "hset": hset,
        "sadd": sadd,
        "zadd": zadd,
    }


#: Of these every request that a run answers is a change, and is propagated as it came.
STEADY_WRITERS: Final = frozenset({"set", "incr", "lpush", "rpush", "lpop", "rpop", "hset"})
