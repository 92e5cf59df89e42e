"""The set.

Held in one of four forms: a sorted array while all members are integers and few (``intset``), *packed* as one bytes
object (tiny when new, or at rest), and *live* as a dict or, past some size, as ``Buckets``. A dict and not Python's
set: its order does not depend on the process. Packed and live say ``listpack`` until a limit is crossed, then
``hashtable`` for good.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from sys import getsizeof
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias

from .account import Accounted
from .buckets import Buckets
from .damage import Malformed
from .intset import IntSet, added, holds, integer_of, intset_of, removed
from .packing import TINY, pack_list, packed_length, unpack_list
from .picks import LARGE, pick, sample, walk

if TYPE_CHECKING:
    from random import Random

Members: TypeAlias = dict[bytes, bool] | Buckets[bool]

_OBJECT: Final = 48  #: bytes of the object itself
_PER_MEMBER: Final = 48  #: bytes of an entry in a bucket's dict, free places included
#: More integers than this are never an intset, whatever the configuration says.
_INTSET_MOST: Final = 1 << 30


class SetLimits(Protocol):
    """Up to where a set is an ``intset`` or a ``listpack``; the configuration has these."""

    @property
    def set_max_intset_entries(self) -> int:
        """The most members of an intset."""

    @property
    def set_max_listpack_entries(self) -> int:
        """The most members of a listpack."""

    @property
    def set_max_listpack_value(self) -> int:
        """The longest member of a listpack, in bytes."""


class SetValue(Accounted):
    """A set. Whoever changes it gives the limits of the moment."""

    __slots__ = ("_data", "_table")

    type_name: ClassVar[str] = "set"

    def __init__(self) -> None:
        self._data: IntSet | bytes | Members = {}
        self._table = False

    # ---- making

    @classmethod
    def of(cls, members: Sequence[bytes], limits: SetLimits) -> SetValue:
        """A new set as SADD makes it: what the first member is, and how many are given, decide how it begins."""
        made = cls()
        if integer_of(members[0]) is not None and len(members) <= limits.set_max_intset_entries:
            made._data = array("h")
        elif len(members) > limits.set_max_listpack_entries:
            made._table = True
        for member in members:
            made.add(member, limits)
        made._settle()
        return made

    @classmethod
    def collected(cls, members: Iterable[bytes], limits: SetLimits) -> SetValue:
        """A new set as SUNIONSTORE makes it: an intset until a member is no integer. Members are different."""
        return cls._gathered(list(members), limits, integers=True)

    @classmethod
    def packed(cls, members: Iterable[bytes], limits: SetLimits) -> SetValue:
        """A new set as what SPOP leaves may become: a listpack at first, integers or not. Members are different."""
        return cls._gathered(list(members), limits, integers=False)

    @classmethod
    def compact(cls, members: Iterable[bytes], limits: SetLimits) -> SetValue:
        """A new set in the smallest form that its members allow, as SINTERSTORE makes it. Members are different."""
        found = list(members)
        if len(found) <= limits.set_max_intset_entries:
            numbers = [number for number in map(integer_of, found) if number is not None]
            if len(numbers) == len(found):
                made = cls()
                made._data = intset_of(numbers)
                return made
        return cls._gathered(found, limits, integers=False)

    @classmethod
    def _gathered(cls, members: list[bytes], limits: SetLimits, *, integers: bool) -> SetValue:
        made = cls()
        if len(members) > max(limits.set_max_intset_entries, limits.set_max_listpack_entries):
            held = dict.fromkeys(members, True)
            made._data = Buckets(held) if len(held) > LARGE else held
            made._table = True
            return made
        if integers:
            made._data = array("h")
        for member in members:
            made.add(member, limits)
        made._settle()
        return made

    def _settle(self) -> None:
        data = self._data
        if type(data) is dict and not self._table and data:
            # Packed at once, what is made leaves no memory behind that is full of holes.
            self._data = pack_list(list(data))

    @classmethod
    def resting(cls, members: list[bytes], limits: SetLimits) -> SetValue:
        """A new set, packed at once if Redis would hold it in a listpack. Raises Malformed when a member is there
        twice."""
        if len(set(members)) != len(members):
            raise Malformed("an element is there twice")
        if (
            len(members) > limits.set_max_listpack_entries
            or max(map(len, members)) > limits.set_max_listpack_value
            or integer_of(members[0]) is not None
        ):
            return cls.collected(members, limits)
        made = cls()
        made._data = pack_list(members)
        return made

    @classmethod
    def of_numbers(cls, numbers: IntSet, limits: SetLimits) -> SetValue:
        """A new set of integers, which are in order. The array becomes its own."""
        if len(numbers) > limits.set_max_intset_entries:
            return cls.collected([b"%d" % number for number in numbers], limits)
        made = cls()
        made._data = numbers
        return made

    # ---- asking

    @property
    def encoding(self) -> str:
        """As OBJECT ENCODING says."""
        if self._table:
            return "hashtable"
        return "intset" if type(self._data) is array else "listpack"

    @property
    def numbers(self) -> IntSet | None:
        """The sorted array of an intset, None for any other."""
        data = self._data
        return data if type(data) is array else None

    def _live(self) -> Members:
        """The live mapping of a set that is no intset; a packed one is unpacked."""
        data = self._data
        if type(data) is bytes:
            data = self._data = dict.fromkeys(unpack_list(data), True)
        assert type(data) is not array
        return data  # type: ignore[return-value]  # a mapping is all that is left

    def __len__(self) -> int:
        data = self._data
        return packed_length(data) if type(data) is bytes else len(data)

    def __contains__(self, member: object) -> bool:
        data = self._data
        kind = type(data)
        if kind is array:
            assert isinstance(member, bytes)
            number = integer_of(member)
            return number is not None and holds(data, number)  # type: ignore[arg-type]  # `kind` has told that it is an array
        if kind is bytes:
            if packed_length(data) <= TINY:  # type: ignore[arg-type]  # `kind` has told that it is packed
                return member in unpack_list(data)  # type: ignore[arg-type]  # as above
            return member in self._live()
        return member in data

    def __iter__(self) -> Iterator[bytes]:
        data = self._data
        if type(data) is array:
            return iter([b"%d" % number for number in data])
        if type(data) is bytes:
            return iter(unpack_list(data))
        return iter(data)  # type: ignore[arg-type]  # a mapping is all that is left

    def probe(self) -> SetValue | Members:
        """What is quickest to ask for many members."""
        return self if type(self._data) is array else self._live()

    def pick(self, rng: Random) -> bytes:
        """A random member. The set must not be empty."""
        data = self._data
        if type(data) is array:
            return b"%d" % data[int(rng.random() * len(data))]
        return pick(self._live(), rng)

    def sample(self, rng: Random, count: int) -> list[bytes]:
        """``count`` different random members, ``count`` being at most the length."""
        data = self._data
        if type(data) is array:
            return [b"%d" % data[place] for place in sorted(rng.sample(range(len(data)), count))]
        return sample(self._live(), rng, count)

    def scan(self, cursor: int, count: int) -> tuple[int, Iterable[bytes]]:
        """One step of a walk: the next cursor (0: the end) and about ``count`` members."""
        data = self._data
        if type(data) is array:
            return 0, self
        return walk(self._live(), cursor, count)

    # ---- changing

    def expect(self, count: int, limits: SetLimits) -> None:
        """As many members are about to be added: a set too compact for them alone becomes a table at once."""
        if self._table:
            return
        most = limits.set_max_intset_entries if type(self._data) is array else limits.set_max_listpack_entries
        if count > most:
            self._become_table()

    def add(self, member: bytes, limits: SetLimits) -> bool:
        """Add a member; whether it is new."""
        data = self._data
        kind = type(data)
        if kind is Buckets and self._table:
            return data.put(member, True)  # type: ignore[union-attr]  # `kind` has told
        if kind is array:
            return self._add_to_intset(member, limits)
        if kind is bytes:
            data = self._live()
        before = len(data)
        data[member] = True  # type: ignore[index,call-overload]  # a mapping is all that is left
        after = len(data)
        if after == before:
            return False
        if not self._table:
            self._table = after > limits.set_max_listpack_entries or len(member) > limits.set_max_listpack_value
        if after > LARGE and kind is dict:
            self._data = Buckets(data)  # type: ignore[arg-type]  # `kind` has told that it is a dict
        return True

    def _add_to_intset(self, member: bytes, limits: SetLimits) -> bool:
        numbers = self._data
        assert type(numbers) is array
        number = integer_of(member)
        if number is not None:
            grown = added(numbers, number)
            if grown is None:
                return False
            self._data = grown
            if len(grown) > min(limits.set_max_intset_entries, _INTSET_MOST):
                self._become_table()
            return True
        longest = max((len(b"%d" % end) for end in (numbers[:1] + numbers[-1:])), default=0)
        fits = len(numbers) < limits.set_max_listpack_entries
        fits = fits and max(longest, len(member)) <= limits.set_max_listpack_value
        self._become_members()
        self._table = not fits
        self._live()[member] = True
        return True

    def _become_members(self) -> None:
        data = self._data
        if type(data) is array:
            held = dict.fromkeys([b"%d" % number for number in data], True)
            self._data = Buckets(held) if len(held) > LARGE else held

    def _become_table(self) -> None:
        self._become_members()
        self._live()
        self._table = True

    def remove(self, member: bytes) -> bool:
        """Take a member out; whether it was one."""
        data = self._data
        if type(data) is array:
            number = integer_of(member)
            return number is not None and removed(data, number)
        return self._live().pop(member, None) is not None

    def pop(self, rng: Random) -> bytes:
        """Take a random member out. The set must not be empty."""
        data = self._data
        if type(data) is array:
            return b"%d" % data.pop(int(rng.random() * len(data)))
        live = self._live()
        if isinstance(live, Buckets):
            return live.pop_random(rng)
        member = pick(live, rng)
        del live[member]
        return member

    def rest(self) -> bool:
        """Go into the form in which a set like this is held at rest; whether that changed anything."""
        data = self._data
        if type(data) is array:
            if getsizeof(data) - getsizeof(array(data.typecode)) == len(data) * data.itemsize:
                return False
            self._data = array(data.typecode, data)  # without room to grow
            return True
        if self._table or type(data) is not dict or not data:
            return False
        self._data = pack_list(list(data))
        return True

    # ---- for the keyspace

    def copy(self) -> SetValue:
        """An independent copy."""
        made = SetValue()
        data = self._data
        if type(data) is bytes:
            made._data = data
        elif type(data) is array:
            made._data = array(data.typecode, data)
        else:
            held = dict.fromkeys(self, True)
            made._data = Buckets(held) if len(held) > LARGE else held
        made._table = self._table
        return made

    def take_apart(self) -> Iterator[object]:
        """Free the set part by part, each time a part is asked for. Nothing may use it any more."""
        if isinstance(self._data, Buckets):
            yield from self._data.take_apart()

    def digest_items(self) -> Iterator[bytes]:
        """All members, for DEBUG DIGEST."""
        return iter(self)

    @property
    def rests(self) -> bool:
        """Whether it is in the packed form."""
        return type(self._data) is bytes

    def memory(self, samples: int | None = 8) -> int:
        """About how many bytes this holds; when live estimated from so many members (None: all)."""
        data = self._data
        size = len(self)
        if type(data) is array or type(data) is bytes or not size:
            return _OBJECT + getsizeof(data)
        some = list(islice(self, samples))
        each = sum(map(getsizeof, some)) / len(some)
        table = getsizeof(data) if type(data) is dict else _PER_MEMBER * size
        return _OBJECT + table + int(each * size)

    def check(self) -> None:
        """Assert the invariants."""
        data = self._data
        if type(data) is array:
            assert not self._table
            assert all(one < other for one, other in pairwise(data))
        elif type(data) is bytes:
            assert not self._table
            assert len(self) == len(set(unpack_list(data)))
        elif isinstance(data, Buckets):
            data.check()
        else:
            assert type(data) is dict
            assert len(data) <= LARGE
