"""What two sides hold and tell of their keys: encodings, digests, key events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, TypeAlias

from tests.support.engine_client import decode, decode_all
from tests.support.wire_replies import Push

from .cases import Difference, Event
from .pools import ALL_KEYS
from .replies import equal
from .sides import LISTENER, Side, now

Compare: TypeAlias = Callable[[str, Sequence[bytes], Any, Any], None]

WHOLE: Final = ((b"DEBUG", b"DIGEST"), (b"DBSIZE",))


@dataclass
class Data:
    """The inspectors and listeners of both sides. ``compare`` raises for what is not equal and not meant to differ."""

    ours: Side
    theirs: Side
    differences: Sequence[Difference]
    compare: Compare
    #: Words of requests since the last look that were refused, that wait, or that a difference calls telling.
    suspects: list[bytes] = field(default_factory=list)

    def ask(self, *requests: Sequence[bytes]) -> tuple[list[Any], list[Any]]:
        """What the inspectors are answered, ours and theirs."""
        theirs = self.theirs.ask_all(requests)
        self.ours.at(now())
        ours = self.ours.ask_all(requests)
        return [decode(data) for data in ours], [decode(data) for data in theirs]

    def look(self, keys: Sequence[bytes]) -> bool:
        """Compare encodings and digests of these keys; whether all digests were equal."""
        # Encodings first: to ask for one ends a key whose time has passed.
        ours, theirs = self.ask(*((b"OBJECT", b"ENCODING", key) for key in keys), (b"DEBUG", b"DIGEST-VALUE", *keys))
        for key, own, other in zip(keys, ours, theirs, strict=False):
            self.compare("OBJECT|ENCODING", [key], own, other)
        differ = [key for key, own, other in zip(keys, ours[-1], theirs[-1], strict=True) if own != other]
        for key in differ:
            self._compare_value(key)
        return not differ

    def look_at_all(self, note: Sequence[bytes]) -> None:
        """Compare the digests of all databases, and how many keys there are. ``note`` goes with the case."""
        ours, theirs = self.ask((b"KEYS", b"*"))
        strays = sorted({*ours[0], *theirs[0]}.difference(ALL_KEYS))
        if strays and not self.look(strays):
            return
        for words, own, other in zip(WHOLE, *self.ask(*WHOLE), strict=True):
            self.compare(words[-1].decode(), [*words, *note], own, other)

    def _compare_value(self, key: bytes) -> None:
        """Two digests of a value that differ; the case's words tell the key, and what of it digests may differ by:
        ``scores`` or ``times`` (of fields) if these are equal."""
        scores = (b"ZRANGE", key, b"0", b"-1", b"WITHSCORES")
        own, other = self.ask((b"DEBUG", b"DIGEST-VALUE", key), scores, (b"HGETALL", key))
        words = [key]
        if own[1] != other[1]:
            self.compare("ZRANGE", scores, own[1], other[1])
            return
        if isinstance(own[1], list):
            words += [b"scores", *own[1][1::2]]
        elif isinstance(own[2], list) and equal("HGETALL", own[2], other[2]):
            names = own[2][::2]
            if not names:
                self.compare("DIGEST-VALUE", [key, b"times", b"past"], own[0][0], other[0][0])
                return
            (ours,), (theirs,) = self.ask((b"HPEXPIRETIME", key, b"FIELDS", b"%d" % len(names), *names))
            if isinstance(ours, list) and equal("HPEXPIRETIME", ours, theirs):
                words += [b"times", *(b"%d" % time for time in ours)]
        self.compare("DIGEST-VALUE", words, own[0][0], other[0][0])

    def has_one_score(self, key: bytes) -> bool:
        """Whether all members of this sorted set have the same score."""
        _, (reply,) = self.ask((b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"))
        return not isinstance(reply, list) or len(set(reply[1::2])) <= 1

    def listen(self) -> None:
        """Compare what was told of the keys since the last time."""
        ours, theirs = self.ours.heard(LISTENER), self.theirs.heard(LISTENER)
        if ours != theirs:
            self.compare("events", self.suspects, self._events(ours), self._events(theirs))
        self.suspects = []

    def _events(self, data: bytes) -> list[Event]:
        events = [_event(reply) for reply in decode_all(data)]
        return _in_order([event for event in events if not self._forgiven(event)])

    def _forgiven(self, event: Event) -> bool:
        return any(one.forgives is not None and one.forgives(event, self.suspects) for one in self.differences)


def _event(reply: Any) -> Event:
    items = reply.items if isinstance(reply, Push) else reply
    return (items[2], items[3])


def _in_order(events: list[Event]) -> list[Event]:
    """Misses in a row come sorted: SORT looks at the members of a set in any order."""
    found: list[Event] = []
    for missed, group in groupby(events, lambda event: b"keymiss" in (event[1], event[0].rpartition(b":")[2])):
        together = list(group)
        found += sorted(together) if missed else together
    return found
