"""Who subscribes to what: channels by their exact name, by pattern, and shard channels, which live in a hash slot.

A subscriber is any object that keeps its own side in three ordered sets. Both sides change together, in here only.
Everything is kept in the order in which it was subscribed to, so that the same history delivers in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from typing import Generic, Protocol, TypeVar

from ..values.globs import Matcher, glob


class Subscriber(Hashable, Protocol):
    """One who listens: three ordered sets of names, changed by ``Channels`` alone."""

    @property
    def channels(self) -> dict[bytes, None]:
        """Names of channels."""

    @property
    def patterns(self) -> dict[bytes, None]:
        """Patterns of channels."""

    @property
    def shard_channels(self) -> dict[bytes, None]:
        """Names of shard channels."""


S = TypeVar("S", bound=Subscriber)


class Way(Enum):
    """How something is subscribed to; the value is what the commands and confirmations put before their verb."""

    EXACT = ""
    PATTERN = "p"
    SHARD = "s"


class Channels(Generic[S]):
    """All subscriptions of one node. An exact name costs O(1) to look up, patterns O(number of patterns)."""

    __slots__ = ("_matchers", "_subscribers")

    def __init__(self) -> None:
        self._subscribers: dict[Way, dict[bytes, dict[S, None]]] = {way: {} for way in Way}
        self._matchers: dict[bytes, Matcher] = {}

    # ---- changing

    def subscribe(self, who: S, name: bytes, way: Way = Way.EXACT) -> bool:
        """Add a subscription; False if it was there."""
        own = own_names(who, way)
        if name in own:
            return False
        own[name] = None
        held = self._subscribers[way]
        if way is Way.PATTERN and name not in held:
            self._matchers[name] = glob(name)
        held.setdefault(name, {})[who] = None
        return True

    def unsubscribe(self, who: S, name: bytes, way: Way = Way.EXACT) -> bool:
        """Take a subscription away; False if there was none."""
        own = own_names(who, way)
        if name not in own:
            return False
        del own[name]
        self._remove(who, name, way)
        return True

    def forget(self, who: S) -> None:
        """Take all subscriptions of one subscriber away."""
        for way in Way:
            own = own_names(who, way)
            for name in own:
                self._remove(who, name, way)
            own.clear()

    def drop_shards(self, gone: Callable[[bytes], bool]) -> list[tuple[S, bytes, int]]:
        """End every subscription to a shard channel that is no longer served here; who had which, and how many that one
        has left."""
        held = self._subscribers[Way.SHARD]
        dropped = []
        for name in [name for name in held if gone(name)]:
            for who in self.listeners(name, Way.SHARD):
                self.unsubscribe(who, name, Way.SHARD)
                dropped.append((who, name, len(who.shard_channels)))
        return dropped

    def _remove(self, who: S, name: bytes, way: Way) -> None:
        held = self._subscribers[way]
        subscribers = held[name]
        del subscribers[who]
        if not subscribers:
            del held[name]
            if way is Way.PATTERN:
                del self._matchers[name]

    # ---- asking

    def __bool__(self) -> bool:
        """Whether anybody listens to channels or patterns."""
        return bool(self._subscribers[Way.EXACT] or self._matchers)

    def listeners(self, name: bytes, way: Way) -> list[S]:
        """Who has subscribed to exactly this name, as a list that stays as it is while messages go out."""
        return list(self._subscribers[way].get(name, ()))

    def matching(self, channel: bytes) -> Iterator[tuple[bytes, list[S]]]:
        """Each pattern that fits a channel, with its subscribers."""
        if self._matchers:
            held = self._subscribers[Way.PATTERN]
            for pattern in [pattern for pattern, matches in self._matchers.items() if matches(channel)]:
                yield pattern, list(held[pattern])

    def count(self, name: bytes, way: Way = Way.EXACT) -> int:
        """How many have subscribed to exactly this name."""
        return len(self._subscribers[way].get(name, ()))

    def names(self, way: Way = Way.EXACT) -> list[bytes]:
        """Every name or pattern that somebody has subscribed to."""
        return list(self._subscribers[way])

    def total(self, way: Way = Way.EXACT) -> int:
        """How many different names or patterns are subscribed to."""
        return len(self._subscribers[way])

    def check(self, subscribers: list[S]) -> None:
        """Assert that both sides agree. ``subscribers``: everybody there is."""
        for way, held in self._subscribers.items():
            assert all(held.values()), "a name without subscribers is kept"
            pairs = {(who, name) for name, several in held.items() for who in several}
            assert pairs == {(who, name) for who in subscribers for name in own_names(who, way)}
        assert self._matchers.keys() == self._subscribers[Way.PATTERN].keys()


def own_names(who: Subscriber, way: Way) -> dict[bytes, None]:
    """The subscriber's own side of one way."""
    if way is Way.EXACT:
        return who.channels
    return who.patterns if way is Way.PATTERN else who.shard_channels
