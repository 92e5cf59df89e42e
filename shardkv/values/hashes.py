"""The hash: fields with values, and for some fields a time at which they vanish.

Held in one of four forms. *Packed* is one bytes object (``packing``): how a hash is born when it is tiny, and what
``rest`` returns it to while nobody uses it; *kept* is the listpack that it was read from. *Live* is a dict, and past
some size ``Buckets``, which can be walked in steps. What OBJECT ENCODING says is a fact of its own: ``listpack`` until
a limit is crossed, then ``hashtable`` for good, whatever the form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from sys import getsizeof
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias

from .account import Accounted
from .buckets import Buckets
from .damage import DamagedValue, Malformed
from .deadlines import Deadlines
from .listpack import Listpack, elements_of, keep
from .packing import TINY, pack_map, packed_length, unpack_map
from .picks import LARGE, pick, sample, walk

if TYPE_CHECKING:
    from random import Random

Packed: TypeAlias = "bytes | Listpack"
Fields: TypeAlias = dict[bytes, bytes] | Buckets[bytes]

_OBJECT: Final = 56  #: bytes of the object itself
_PER_FIELD: Final = 48  #: bytes of an entry in a bucket's dict, free places included


class HashLimits(Protocol):
    """Up to where a hash is a ``listpack``; the configuration has these."""

    @property
    def hash_max_listpack_entries(self) -> int:
        """The most fields."""

    @property
    def hash_max_listpack_value(self) -> int:
        """The longest field or value, in bytes."""


def _unpack(data: Packed) -> dict[bytes, bytes]:
    """A new dict of what is packed or kept. Raises DamagedValue."""
    if type(data) is bytes:
        return unpack_map(data)
    words = elements_of(data)  # type: ignore[arg-type]  # a Listpack then
    fields = dict(zip(words[::2], words[1::2], strict=True)) if len(words) % 2 == 0 else {}
    if 2 * len(fields) != len(words):
        raise DamagedValue("a field without a value, or one that is there twice")
    return fields


class HashValue(Accounted):
    """A hash. Whoever changes it gives the limits of the moment."""

    __slots__ = ("_data", "_table", "times")

    type_name: ClassVar[str] = "hash"

    def __init__(self, fields: dict[bytes, bytes] | None = None) -> None:
        self._data: Packed | Fields = fields if fields is not None else {}
        self._table = False
        self.times: Deadlines | None = None  #: None until the first field was given a time

    @classmethod
    def of(cls, pairs: Sequence[bytes], limits: HashLimits) -> HashValue:
        """A new hash from field, value, field, value ..."""
        made = cls()
        made.update(pairs, limits)
        made.rest()  # packed at once, what is made leaves no memory behind that is full of holes
        return made

    @classmethod
    def resting(cls, pairs: list[bytes], limits: HashLimits) -> HashValue:
        """A new hash from field, value, field, value ..., packed at once. Raises Malformed if they are none."""
        words = iter(pairs)
        try:
            fields = dict(zip(words, words, strict=True))
        except ValueError:
            raise Malformed("a field without a value") from None
        if 2 * len(fields) != len(pairs):
            raise Malformed("a field is there twice")
        if len(fields) > limits.hash_max_listpack_entries or max(map(len, pairs)) > limits.hash_max_listpack_value:
            return cls.of(pairs, limits)
        made = cls()
        made._data = pack_map(fields)
        return made

    @classmethod
    def kept(cls, blob: bytes, limits: HashLimits) -> HashValue | None:
        """A new hash that is read from this listpack when somebody asks for a field. None if it cannot be one."""
        pack = keep(blob, 2 * limits.hash_max_listpack_entries)
        if pack is None or pack.elements % 2:
            return None
        made = cls.__new__(cls)
        made._data = pack
        made._table = False
        made.times = None
        return made

    # ---- asking

    @property
    def listpack(self) -> Listpack | None:
        """The listpack that it was read from, while it is kept."""
        data = self._data
        return data if type(data) is Listpack else None

    def unfold(self) -> None:
        """Read what is kept at once. Raises DamagedValue if it is no hash."""
        if self.listpack is not None:
            self._data = pack_map(self.as_dict())

    @property
    def encoding(self) -> str:
        """As OBJECT ENCODING says."""
        if self._table:
            return "hashtable"
        return "listpack" if self.times is None else "listpackex"

    @property
    def fields(self) -> Fields:
        """The live mapping; a packed hash is unpacked."""
        data = self._data
        if isinstance(data, bytes):
            data = self._data = _unpack(data)
        return data

    def __len__(self) -> int:
        data = self._data
        if isinstance(data, bytes):
            return data.elements // 2 if type(data) is Listpack else packed_length(data)
        return len(data)

    def __contains__(self, field: bytes) -> bool:
        return self.get(field) is not None

    def get(self, field: bytes) -> bytes | None:
        """The value of a field, or None."""
        data = self._data
        if isinstance(data, bytes):
            if type(data) is bytes and packed_length(data) <= TINY:
                return unpack_map(data).get(field)
            return self.fields.get(field)
        return data.get(field)

    def get_many(self, fields: Sequence[bytes]) -> list[bytes | None]:
        """The values of some fields, None for each that is not there."""
        data = self._data
        if isinstance(data, bytes):
            tiny = type(data) is bytes and packed_length(data) <= TINY
            data = unpack_map(data) if tiny else self.fields
        return [data.get(field) for field in fields]

    def as_dict(self) -> dict[bytes, bytes]:
        """A new dict with everything."""
        data = self._data
        if type(data) is dict:
            return data.copy()
        if isinstance(data, bytes):
            return _unpack(data)
        return dict(data.items())

    def pick(self, rng: Random) -> bytes:
        """A random field. The hash must not be empty."""
        return pick(self.fields, rng)

    def sample(self, rng: Random, count: int) -> list[bytes]:
        """``count`` different random fields, ``count`` being at most the length."""
        return sample(self.fields, rng, count)

    def scan(self, cursor: int, count: int) -> tuple[int, dict[bytes, bytes]]:
        """One step of a walk: the next cursor (0: the end) and about ``count`` pairs, which are to be read only."""
        return walk(self.fields, cursor, count)

    # ---- changing

    def update(self, pairs: Sequence[bytes], limits: HashLimits, *, keep_times: bool = False) -> int:
        """Set field, value, field, value ...; how many fields are new. They lose their times unless ``keep_times``."""
        data = self._data
        if type(data) is Buckets and self.times is None and self._table and len(pairs) == 2:
            return int(data.put(pairs[0], pairs[1]))
        if isinstance(data, bytes):
            data = self.fields
        before = len(data)
        if len(pairs) == 2:
            field, value = pairs
            data[field] = value
            size = max(len(field), len(value))
        else:
            size = len(max(pairs, key=len))
            words = iter(pairs)
            for field, value in zip(words, words, strict=True):
                data[field] = value
        after = len(data)
        if not self._table:
            most, longest = limits.hash_max_listpack_entries, limits.hash_max_listpack_value
            # Many words at once make a table even if they name few fields.
            self._table = after > most or len(pairs) > 2 * most or size > longest
        if after > LARGE and type(data) is dict:
            self._data = Buckets(data)
        if self.times is not None and not keep_times:
            for field in pairs[::2]:
                self.times.drop(field)
        return after - before

    def delete(self, field: bytes) -> bool:
        """Take a field out; whether it was there."""
        if self.fields.pop(field, None) is None:
            return False
        if self.times is not None:
            self.times.drop(field)
        return True

    @property
    def rests(self) -> bool:
        """Whether it is in the packed form."""
        return isinstance(self._data, bytes)

    def rest(self) -> bool:
        """Go into the packed form, if that is how a hash like this is held at rest; whether it did."""
        data = self._data
        if self._table or type(data) is not dict or not data:
            return False
        self._data = pack_map(data)
        return True

    # ---- times of fields

    def expiry(self, field: bytes) -> int | None:
        """When a field expires, or None."""
        return None if self.times is None else self.times.get(field)

    @property
    def next_expiry(self) -> int | None:
        """When the next field expires, or None."""
        return None if self.times is None else self.times.next

    def expire_at(self, field: bytes, at: int) -> None:
        """Give a field that exists a time."""
        if self.times is None:
            self.times = Deadlines()
        self.times.set(field, at)

    def persist(self, field: bytes) -> bool:
        """Take a field's time away; whether it had one."""
        return self.times is not None and self.times.drop(field)

    def expire_fields(self, now: int, limit: int) -> list[bytes]:
        """Take out up to ``limit`` fields whose time is before ``now``; their names, earliest first."""
        if self.times is None:
            return []
        due = self.times.due(now, limit)
        if due:
            fields = self.fields
            for field in due:
                del fields[field]
        return due

    def expire_among(self, now: int, fields: Iterable[bytes]) -> list[bytes]:
        """Take out those of ``fields`` whose time is before ``now``; their names."""
        gone: list[bytes] = []
        for field in fields:
            at = self.expiry(field)
            if at is not None and at < now:
                self.delete(field)
                gone.append(field)
        return gone

    def among(self, now: int, fields: Iterable[bytes]) -> HashValue:
        """A hash of its own with those of ``fields`` that are there and whose time is not before ``now``."""
        made = HashValue({})
        for field in fields:
            text, at = self.get(field), self.expiry(field)
            if text is not None and (at is None or at >= now):
                made.fields[field] = text
                if at is not None:
                    made.expire_at(field, at)
        return made

    # ---- for the keyspace

    def copy(self) -> HashValue:
        """An independent copy."""
        made = HashValue()
        data = self._data
        if isinstance(data, bytes):
            made._data = data
        else:
            fields = self.as_dict()
            made._data = Buckets(fields) if len(fields) > LARGE else fields
        made._table = self._table
        made.times = None if self.times is None else self.times.copy()
        return made

    def take_apart(self) -> Iterator[object]:
        """Free the hash part by part, each time a part is asked for. Nothing may use it any more."""
        if isinstance(self._data, Buckets):
            yield from self._data.take_apart()
        if self.times is not None:
            yield from self.times.take_apart()

    def digest_items(self) -> Iterator[tuple[bytes, bytes]]:
        """All pairs, for DEBUG DIGEST."""
        return iter(self.as_dict().items())

    def memory(self, samples: int | None = 8) -> int:
        """About how many bytes this holds; when live estimated from so many fields (None: all)."""
        data = self._data
        times = 0 if self.times is None else self.times.memory()
        if isinstance(data, bytes):
            return _OBJECT + getsizeof(data) + times
        size = len(data)
        if not size:
            return _OBJECT + getsizeof(data) + times
        pairs = list(islice(data.items(), samples))
        each = sum(getsizeof(field) + getsizeof(value) for field, value in pairs) / len(pairs)
        table = getsizeof(data) if type(data) is dict else _PER_FIELD * size
        return _OBJECT + table + int(each * size) + times

    def check(self) -> None:
        """Assert the invariants."""
        data = self._data
        if isinstance(data, bytes):
            assert not self._table
            assert len(self) == len(_unpack(data))
        elif isinstance(data, Buckets):
            data.check()
        else:
            assert type(data) is dict
            assert len(data) <= LARGE
        if self.times is not None:
            self.times.check()
            held = self.as_dict()
            assert all(field in held for field, _ in self.times.items())
