"""Sorted set values: a score for each member, and the members in the order of their scores.

The order is a sorted sequence of ``(score, member)``: a plain list while it is short, for there ``bisect.insort`` wins
over anything, and a ``sortedcontainers.SortedList`` above. Both compare tuples in C. A short one that has been left
alone is packed into one bytes object by ``rest``.

As in Redis a sorted set is a ``listpack`` until it has too many members or too long a one, and a ``skiplist`` for ever
after.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from itertools import islice
from math import copysign, inf, nextafter
from operator import lt
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from sortedcontainers import SortedList

from .account import Accounted
from .buckets import Buckets
from .damage import DamagedValue, Malformed
from .listpack import Listpack, elements_of, keep
from .packing import pack_list, packed_length, unpack_list
from .picks import FEW, walk

if TYPE_CHECKING:
    from random import Random

    from ..config import Config

Entry: TypeAlias = tuple[float, bytes]
Scores: TypeAlias = "dict[bytes, float] | Buckets[float]"
#: A place between two members: before or after (True) this one; None is no member, and stands before or after all.
Cut: TypeAlias = tuple["bytes | None", bool]

#: Up to this many members the order is a plain list.
PLAIN_MAX: Final = 1024
#: Up to this many members a sorted set rests packed, if it packs to no more than this many bytes.
REST_MAX: Final = 256
PACKED_MAX: Final = 32 * 1024

_SHORT: Final = float(2**32)

#: The characters of a score's text, of one or of many: none of them makes a nan, or anything else but Redis's floats.
_SCORE_TEXTS: Final = re.compile(rb"[-+0-9.einfEINF]*")

_NO_SCORES: Final[dict[bytes, float]] = {}  # stand in while the value rests; never changed
_NO_ORDER: Final[list[Entry]] = []


def parse_scores(texts: list[bytes]) -> list[float]:
    """Scores as listpacks and old files hold them. Raises Malformed."""
    if _SCORE_TEXTS.fullmatch(b"".join(texts)) is not None:
        try:
            return list(map(float, texts))
        except ValueError:
            pass
    raise Malformed("a score that is not a number")


class Order(SortedList):  # type: ignore[misc]  # sortedcontainers has no types
    """Entries in order, in shorter runs than sortedcontainers' own: what is compared lies all over the memory, so the
    fewer steps of a search are inside a run (and not among the ends of runs, which stay in the cache) the better."""

    DEFAULT_LOAD_FACTOR = 256


class ZSetValue(Accounted):
    """A sorted set. ``config`` gives the options ``zset-max-listpack-*`` as they stand when something is added."""

    __slots__ = ("_count", "_listpack", "_order", "_packed", "_scores")

    type_name: Final = "zset"

    def __init__(self) -> None:
        self._scores: Scores = {}
        self._order: Any = []
        self._packed: bytes | None = None
        self._count = 0  #: members, while the value rests
        self._listpack = True

    @classmethod
    def of(cls, scores: dict[bytes, float], config: Config) -> Self:
        """A sorted set of these members (stores, RDB). The dict becomes its own."""
        made = cls()
        made._listpack = len(scores) <= config.zset_max_listpack_entries and (
            max(map(len, scores), default=0) <= config.zset_max_listpack_value
        )
        if made._listpack:
            scores = {member: score + 0.0 for member, score in scores.items()}
        made._fill(scores, sorted(zip(scores.values(), scores, strict=True)))
        if made._listpack:
            made.rest()
        return made

    @classmethod
    def resting(cls, members: list[bytes], scores: list[Any], config: Config) -> Self:
        """A sorted set, packed at once if the members come in their order. The scores are floats, or all of them short
        integers. Raises Malformed."""
        count = len(members)
        if count != len(scores):
            raise Malformed("a member without a score")
        if len(set(members)) != count:
            raise Malformed("an element is there twice")
        entries = list(zip(scores, members, strict=True))
        if (
            count > min(config.zset_max_listpack_entries, REST_MAX)
            or max(map(len, members)) > config.zset_max_listpack_value
            or not all(map(lt, entries, entries[1:]))
        ):
            return cls.of(dict(zip(members, map(float, scores), strict=True)), config)
        flat: list[Any] = members * 2
        flat[::2] = members
        flat[1::2] = scores
        return cls._asleep(pack_list(flat), count)

    @classmethod
    def kept(cls, blob: bytes, config: Config) -> Self | None:
        """A sorted set that is read from this listpack when somebody asks for a member. None if it cannot be one."""
        pack = keep(blob, 2 * config.zset_max_listpack_entries)
        if pack is None or pack.elements % 2:
            return None
        return cls._asleep(pack, pack.elements // 2)

    @classmethod
    def _asleep(cls, packed: bytes, count: int) -> Self:
        made = cls.__new__(cls)
        made._scores, made._order = _NO_SCORES, _NO_ORDER
        made._packed, made._count = packed, count
        made._listpack = True
        return made

    def _fill(self, scores: dict[bytes, float], order: list[Entry]) -> None:
        if len(order) <= PLAIN_MAX:
            self._scores, self._order = scores, order
        else:
            self._scores, self._order = Buckets(scores), Order(order)

    def __len__(self) -> int:
        return len(self._scores) + self._count

    @property
    def encoding(self) -> str:
        """As OBJECT ENCODING says."""
        return "listpack" if self._listpack else "skiplist"

    # ---- resting

    def rest(self) -> bool:
        """Pack what is live. False if there was nothing to do, or too much."""
        if self._packed is not None or len(self._order) > REST_MAX:
            return False
        flat: list[Any] = []
        for score, member in self._order:
            flat.append(member)
            # A short integer packs into fewer bytes; the sign of a zero would be lost.
            whole = -_SHORT < score < _SHORT and score.is_integer() and (score or copysign(1.0, score) > 0)
            flat.append(int(score) if whole else score)
        packed = pack_list(flat)
        if len(packed) > PACKED_MAX:
            return False
        self._packed, self._count = packed, len(self._order)
        self._scores, self._order = _NO_SCORES, _NO_ORDER
        return True

    def _wake(self) -> None:
        """Unpack a value that rests. Before anything but ``len``. Raises DamagedValue."""
        assert self._packed is not None
        members, values = self._unpacked(self._packed)
        scores = dict(zip(members, values, strict=True))
        order = list(zip(values, members, strict=True))
        if type(self._packed) is Listpack:
            if len(scores) != len(order):
                raise DamagedValue("an element is there twice")
            order.sort()
        self._packed, self._count = None, 0
        self._scores, self._order = scores, order

    @staticmethod
    def _unpacked(packed: bytes) -> tuple[list[bytes], list[float]]:
        """Members and scores. Raises DamagedValue."""
        if type(packed) is not Listpack:
            flat: list[Any] = unpack_list(packed)
            return flat[::2], list(map(float, flat[1::2]))
        words = elements_of(packed)
        try:
            return words[::2], parse_scores(words[1::2])
        except Malformed as malformed:
            raise DamagedValue(str(malformed)) from None

    @property
    def listpack(self) -> Listpack | None:
        """The listpack that it was read from, while it is kept."""
        packed = self._packed
        return packed if type(packed) is Listpack else None

    def unfold(self) -> None:
        """Read what is kept at once. Raises DamagedValue if it is no sorted set."""
        if self.listpack is not None:
            self._wake()
            self.rest()

    def members_and_scores(self) -> tuple[list[bytes], list[Any]]:
        """In order, without waking a value that rests; the scores of such a one may be short integers."""
        if self._packed is not None:
            if type(self._packed) is bytes:
                flat: list[Any] = unpack_list(self._packed)
                return flat[::2], flat[1::2]
            return self._unpacked(self._packed)
        return [member for _, member in self._order], [score for score, _ in self._order]

    @property
    def scores(self) -> Scores:
        """The score of each member, to be read."""
        if self._packed is not None:
            self._wake()
        return self._scores

    @property
    def order(self) -> Any:
        """The entries in order, as a sequence to be read."""
        if self._packed is not None:
            self._wake()
        return self._order

    # ---- single members

    def score(self, member: bytes) -> float | None:
        """The score, or None."""
        return self.scores.get(member)

    def expect(self, count: int, length: int, config: Config) -> None:
        """Leave the listpack before ``count`` members come, the first of them ``length`` bytes long."""
        if count > config.zset_max_listpack_entries or (not len(self) and length > config.zset_max_listpack_value):
            self._listpack = False

    def add(self, member: bytes, score: float, config: Config) -> None:
        """Add a member, or give it another score."""
        scores = self.scores
        old = scores.get(member)
        if old is None:
            if self._listpack and (
                len(scores) >= config.zset_max_listpack_entries or len(member) > config.zset_max_listpack_value
            ):
                self._listpack = False
        elif old == score:
            return
        else:
            self._leave(old, member)
        if self._listpack:
            score += 0.0  # a listpack holds -0 as the integer 0
        scores[member] = score
        order = self._order
        if type(order) is list:
            insort(order, (score, member))
            if len(order) > PLAIN_MAX:
                # Buckets grow without ever copying all, and can be walked at once.
                self._order = Order(order)
                if type(scores) is dict:
                    self._scores = Buckets(scores)
        else:
            order.add((score, member))

    def _leave(self, score: float, member: bytes) -> None:
        order = self._order
        if type(order) is list:
            del order[bisect_left(order, (score, member))]
        else:
            order.remove((score, member))

    def remove(self, member: bytes) -> bool:
        """Take a member out; whether it was there."""
        score = self.scores.pop(member, None)
        if score is None:
            return False
        self._leave(score, member)
        return True

    def rank(self, member: bytes) -> int | None:
        """How many members come before this one, or None."""
        score = self.scores.get(member)
        return None if score is None else self._place((score, member))

    # ---- ranges of places

    def _place(self, entry: Entry) -> int:
        order = self._order
        place: int = bisect_left(order, entry) if type(order) is list else order.bisect_left(entry)
        return place

    def score_place(self, score: float, *, after: bool) -> int:
        """How many members have a score below this one, or (``after``) up to and with it."""
        order = self.order
        if after:
            if score == inf:
                return len(order)
            score = nextafter(score, inf)
        return self._place((score, b""))

    def lex_span(self, low: Cut, high: Cut) -> tuple[int, int]:
        """The places from one cut to another, among members of equal score.

        With several scores nothing is promised: of a short set from the first member behind ``low`` to the next behind
        ``high``, as Redis; a large one is searched as if there were one score, lest all of it be walked.
        """
        order = self.order
        size = len(order)
        if not size:
            return 0, 0
        if order[0][0] == order[-1][0]:
            return self._lex_place(low), self._lex_place(high)
        if size > PLAIN_MAX:
            start = self._searched(low)
            return start, max(start, self._searched(high))
        start = next((place for place, (_, member) in enumerate(order) if _is_past(member, low)), size)
        for place in range(start, size):
            if _is_past(order[place][1], high):
                return start, place
        return start, size

    def _searched(self, cut: Cut) -> int:
        """Some place that a member behind the cut has, and the one before it not."""
        order = self._order
        first, after = 0, len(order)
        while first < after:
            middle = (first + after) // 2
            if _is_past(order[middle][1], cut):
                after = middle
            else:
                first = middle + 1
        return first

    def _lex_place(self, cut: Cut) -> int:
        member, after = cut
        if member is None:
            return len(self._order) if after else 0
        return self._place((self._order[0][0], member + b"\0" if after else member))

    def entries(self, start: int, end: int) -> list[Entry]:
        """What stands from ``start`` to before ``end``, as pairs of score and member."""
        found: list[Entry] = self.order[start:end]
        return found

    def cut(self, start: int, end: int) -> list[Entry]:
        """Take out what stands from ``start`` to before ``end``, and return it."""
        order = self.order
        if end - start == 1:
            gone: list[Entry] = [order.pop(start)]  # far cheaper than a slice at both ends
        else:
            gone = order[start:end]
            del order[start:end]
        scores = self._scores
        for _, member in gone:
            scores.pop(member)
        return gone

    # ---- all members

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.order)

    def items(self) -> Iterator[tuple[bytes, float]]:
        """Members with their scores, in no order to rely on."""
        return iter(self.scores.items())

    def choose(self, rng: Random) -> Entry:
        """A random entry. The set must not be empty."""
        order = self.order
        entry: Entry = order[rng.randrange(len(order))]
        return entry

    def step(self, cursor: int, count: int) -> tuple[int, Mapping[bytes, float]]:
        """Walk from a cursor (0: start) until ``count`` members were met; the next cursor (0: end) and what was met.

        A member that is present throughout a walk is met at least once. A short set is met whole, in order.
        """
        if len(self.scores) <= FEW:
            return 0, {member: score for score, member in self._order}
        return walk(self.scores, cursor, count)

    def digest_items(self) -> Iterator[tuple[bytes, float]]:
        """Members with their scores, for DEBUG DIGEST."""
        return self.items()

    def copy(self) -> Self:
        """An independent copy."""
        other = type(self)()
        other._listpack = self._listpack
        if self._packed is not None:
            other._packed, other._count = self._packed, self._count
            other._scores, other._order = _NO_SCORES, _NO_ORDER
        else:
            other._fill(dict(self._scores.items()), list(self._order))
        return other

    def take_apart(self) -> Iterator[object]:
        """Free the set part by part, each time a part is asked for. Nothing may use it any more."""
        if isinstance(self._scores, Buckets):
            yield from self._scores.take_apart()
            # There is no public way that is not a walk. The greatest of each part is held twice.
            parts, greatest = self._order._lists, self._order._maxes
            while parts:
                yield parts.pop(), greatest.pop()

    @property
    def rests(self) -> bool:
        """Whether it is in the packed form."""
        return self._packed is not None

    def memory(self, samples: int | None = 16) -> int:
        """About how many bytes this holds; so many members (None: all) are looked at."""
        if self._packed is not None:
            return 120 + len(self._packed)
        size = len(self._order)
        some = [len(member) for _, member in islice(self._order, samples)]
        mean = sum(some) // len(some) if some else 0
        return 300 + size * (mean + 33 + 24 + 56 + 8 + 100)

    def check(self) -> None:
        """Assert the invariants."""
        assert not _NO_SCORES
        assert not _NO_ORDER
        if self._packed is not None:
            assert self._scores is _NO_SCORES
            assert self._count == len(self._unpacked(self._packed)[0])
            assert type(self._packed) is Listpack or self._count * 2 == packed_length(self._packed)
            return
        assert self._count == 0
        order = list(self._order)
        assert order == sorted(order)
        assert {member: score for score, member in order} == dict(self._scores.items())
        assert len(order) == len(self._scores)
        if isinstance(self._scores, Buckets):
            self._scores.check()
        if not isinstance(self._order, list):
            self._order._check()


def _is_past(member: bytes, cut: Cut) -> bool:
    """Whether a member lies behind a cut."""
    at, after = cut
    if at is None:
        return not after
    return member > at if after else member >= at
