"""Records to plain msgpack values and back, with every check derived from the type hints.

A record is a frozen dataclass or a NamedTuple. Its plain form is a tuple of its fields in the order of declaration. A
field may be int (64 bits, signed), float (finite), str, bytes, bool, None, an enum, another record, ``tuple[T,
...]``, ``tuple[A, B]`` or one of these or None. Sizes of text, bytes and arrays are bounded where msgpack is read
(``wire``), before memory is taken for them.

The two rules of a rolling upgrade live here: fields beyond those that we know are ignored, missing ones take their
default.
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Callable, Mapping
from math import isfinite
from operator import attrgetter
from typing import Any, NewType, TypeAlias, Union, get_args, get_origin, get_type_hints

ITEMS_MAX = 4096  # of one array: more nodes than a gossip section can name, and 32 KB a header at most
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

Check: TypeAlias = Callable[[Any], Any]


class Malformed(ValueError):
    """Plain values that don't fit the schema. It stays inside the bus: a reader turns it into a ``fault``."""


def _int(value: Any) -> int:
    if type(value) is int and INT_MIN <= value <= INT_MAX:
        return value
    raise Malformed("an integer of 64 bits is missing")


def _float(value: Any) -> float:
    # Not-a-number would make every comparison of times false, for good.
    if type(value) is float and isfinite(value):
        return value
    if type(value) is int:
        return float(value)
    raise Malformed("a finite number is missing")


def _exactly(kind: type) -> Check:
    def check(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise Malformed(f"{kind.__name__} is missing")

    return check


def _none(value: Any) -> None:
    if value is not None:
        raise Malformed("nil is missing")


def _same(value: Any) -> Any:
    return value


class Compiler:
    """Turns type hints into pairs of functions: (from plain msgpack values, to plain msgpack values)."""

    SCALARS: Mapping[Any, Check] = {
        int: _int,
        float: _float,
        str: _exactly(str),
        bytes: _exactly(bytes),
        bool: _exactly(bool),
        type(None): _none,
    }

    def __init__(self) -> None:
        self._records: dict[type, tuple[Check, Check]] = {}

    def hint(self, hint: Any) -> tuple[Check, Check]:
        """The reader and the writer of one hint. ``TypeError`` if it is none that can be checked."""
        while isinstance(hint, NewType):
            hint = hint.__supertype__
        if hint in self.SCALARS:
            return self.SCALARS[hint], _same
        origin, args = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return self._optional(hint, args)
        if origin is tuple:
            return self._many(*self.hint(args[0])) if args[1:] == (...,) else self._row([self.hint(a) for a in args])
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return self._member(hint)
        if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or hasattr(hint, "_field_defaults")):
            return self.record(hint)
        raise TypeError(f"a bus message can't carry {hint!r}")

    def record(self, cls: type) -> tuple[Check, Check]:
        """The reader and the writer of one record class, as an array of its fields."""
        if cls not in self._records:
            self._records[cls] = self._compile(cls)
        return self._records[cls]

    def _compile(self, cls: type) -> tuple[Check, Check]:
        names, required = _fields(cls)
        hints = get_type_hints(cls)
        pairs = [self.hint(hints[name]) for name in names]
        checks = tuple(read for read, _ in pairs)

        def read(value: Any) -> Any:
            if type(value) is not tuple or len(value) < required:
                raise Malformed(f"{cls.__name__} is too short")
            # zip stops at the shorter: that is both rules of the rolling upgrade
            return cls(*[check(field) for check, field in zip(checks, value, strict=False)])

        return _quick(cls, [hints[name] for name in names], checks, read), _writer(names, [write for _, write in pairs])

    def _optional(self, hint: Any, args: tuple[Any, ...]) -> tuple[Check, Check]:
        others = [arg for arg in args if arg is not type(None)]
        if len(others) != 1 or len(args) != 2:
            raise TypeError(f"a bus message can't carry {hint!r}: a union is of one type and None")
        read, write = self.hint(others[0])
        return (
            lambda value: None if value is None else read(value),
            _same if write is _same else lambda value: None if value is None else write(value),
        )

    @staticmethod
    def _many(read: Check, write: Check) -> tuple[Check, Check]:
        def read_all(value: Any) -> tuple[Any, ...]:
            if type(value) is not tuple:
                raise Malformed("an array is missing")
            return tuple(map(read, value))

        def write_all(value: tuple[Any, ...]) -> tuple[Any, ...]:
            if len(value) > ITEMS_MAX:
                raise ValueError(f"{len(value)} items are more than a bus frame may carry")
            return value if write is _same else tuple(map(write, value))

        return read_all, write_all

    @staticmethod
    def _row(pairs: list[tuple[Check, Check]]) -> tuple[Check, Check]:
        def read_row(value: Any) -> tuple[Any, ...]:
            if type(value) is not tuple or len(value) != len(pairs):
                raise Malformed(f"a row of {len(pairs)} is missing")
            return tuple(read(item) for (read, _), item in zip(pairs, value, strict=True))

        def write_row(value: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(write(item) for (_, write), item in zip(pairs, value, strict=True))

        return read_row, write_row

    @staticmethod
    def _member(kind: type[enum.Enum]) -> tuple[Check, Check]:
        def read(value: Any) -> Any:
            # the types must agree too: True == 1 would let a bool pass for a member
            if type(value) not in (int, str) or (type(value) is int and not INT_MIN <= value <= INT_MAX):
                raise Malformed(f"a value of {kind.__name__} is missing")
            try:
                return kind(value)
            except ValueError:
                raise Malformed(f"no {kind.__name__} is {value!r:.40}") from None

        return read, attrgetter("value")


def _fields(cls: type) -> tuple[list[str], int]:
    """The field names of a record in order, and how many of them have no default."""
    if not dataclasses.is_dataclass(cls):
        names = list(getattr(cls, "_fields", ()))
        return names, len(names) - len(getattr(cls, "_field_defaults", {}))
    fields = [field for field in dataclasses.fields(cls) if field.init]
    missing = dataclasses.MISSING
    return [field.name for field in fields], sum(
        field.default is missing and field.default_factory is missing for field in fields
    )


# What a scalar must satisfy, as source. A hint that is not here keeps its check.
_CONDITIONS: Mapping[Any, str] = {
    int: f"type({{0}}) is int and {INT_MIN} <= {{0}} <= {INT_MAX}",
    float: "type({0}) is float and isfinite({0})",
    str: "type({0}) is str",
    bytes: "type({0}) is bytes",
    bool: "type({0}) is bool",
}


def _quick(cls: type, hints: list[Any], checks: tuple[Check, ...], slow: Check) -> Check:
    """The reader of a record, with its scalars checked in one expression; ``slow`` does whatever that does not accept.

    Written out as source like a dataclass's own ``__init__``: a gossip entry takes 0.6 us instead of 1.9, and a ping of
    a large cluster has a hundred. Only class-independent names of this module go into the source.
    """
    if not hints:
        return slow
    fields = [f"f{i}" for i in range(len(hints))]
    conditions = [
        _CONDITIONS[hint].format(name) for hint, name in zip(hints, fields, strict=True) if hint in _CONDITIONS
    ]
    values = [
        name if hint in _CONDITIONS else f"checks[{i}]({name})"
        for i, (hint, name) in enumerate(zip(hints, fields, strict=True))
    ]
    source = (
        "def read(value):\n"
        f"    if type(value) is tuple and len(value) == {len(fields)}:\n"
        f"        {', '.join(fields)}, = value\n"
        f"        if {' and '.join(conditions) or 'True'}:\n"
        f"            return cls({', '.join(values)})\n"
        "    return slow(value)\n"
    )
    names: dict[str, Any] = {"cls": cls, "checks": checks, "slow": slow, "isfinite": isfinite}
    exec(source, names)
    made: Check = names["read"]
    return made


def _writer(names: list[str], writes: list[Check]) -> Check:
    """A record to the tuple of its plain fields."""
    if not names:
        return lambda record: ()
    pick = attrgetter(*names)
    if len(names) == 1:
        return lambda record: (writes[0](pick(record)),)
    if all(write is _same for write in writes):
        return pick
    return lambda record: tuple([write(value) for write, value in zip(writes, pick(record), strict=True)])
