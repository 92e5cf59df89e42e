"""Consumer groups: what was delivered to whom and is not acknowledged yet.

A group holds each pending entry once, under its id, with its owner; a consumer holds only the ids of its own, in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sortedcontainers import SortedList

from .stream_ids import MAX_ID

#: ``entries_read`` of a group of which nobody knows how many entries it has read.
UNKNOWN: Final = -1

#: Estimated bytes: a group or a consumer with no entries, and a pending entry.
GROUP_OVERHEAD: Final = 700
CONSUMER_OVERHEAD: Final = 500
PENDING_OVERHEAD: Final = 240
#: Pending entries that are freed in one go.
_PORTION: Final = 512


class Consumer:
    """A reader of a group. Times are Unix milliseconds."""

    __slots__ = ("active", "ids", "name", "seen")

    def __init__(self, name: bytes, seen: int) -> None:
        self.name = name
        self.seen = seen  #: when it last asked for anything
        self.active: int | None = None  #: when it last got an entry
        self.ids: SortedList[int] = SortedList()  #: of its pending entries


class Delivery:
    """A pending entry: whose it is, when it was delivered last (Unix milliseconds), and how often."""

    __slots__ = ("count", "owner", "time")

    def __init__(self, owner: Consumer, time: int, count: int) -> None:
        self.owner = owner
        self.time = time
        self.count = count


class Group:
    """A consumer group. ``entries_read`` is UNKNOWN or a count."""

    __slots__ = ("consumers", "entries_read", "ids", "last_id", "pending")

    def __init__(self, last_id: int, entries_read: int = UNKNOWN) -> None:
        self.last_id = last_id  #: delivered last
        self.entries_read = entries_read
        self.consumers: dict[bytes, Consumer] = {}
        self.pending: dict[int, Delivery] = {}
        self.ids: SortedList[int] = SortedList()  #: of the pending entries

    # ---- consumers

    def add_consumer(self, name: bytes, now: int) -> Consumer:
        """A new consumer; there must be none of this name."""
        assert name not in self.consumers
        consumer = self.consumers[name] = Consumer(name, now)
        return consumer

    def remove_consumer(self, name: bytes) -> int | None:
        """Forget a consumer and its pending entries; how many these were, or None if there is no such consumer."""
        consumer = self.consumers.pop(name, None)
        if consumer is None:
            return None
        for id in consumer.ids:
            del self.pending[id]
            self.ids.remove(id)
        return len(consumer.ids)

    def sorted_consumers(self) -> list[Consumer]:
        """All consumers by name, as Redis lists them."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    # ---- pending entries

    def deliver(self, id: int, consumer: Consumer, time: int, count: int = 1) -> Delivery:
        """Note that an entry is pending for a consumer from now on, whosever it was before."""
        delivery = self.pending.get(id)
        if delivery is None:
            delivery = self.pending[id] = Delivery(consumer, time, count)
            self.ids.add(id)
            consumer.ids.add(id)
            return delivery
        self.move(id, delivery, consumer)
        delivery.time = time
        delivery.count = count
        return delivery

    def move(self, id: int, delivery: Delivery, consumer: Consumer) -> None:
        """Make a pending entry another consumer's."""
        if delivery.owner is not consumer:
            delivery.owner.ids.remove(id)
            delivery.owner = consumer
            consumer.ids.add(id)

    def forget(self, id: int) -> bool:
        """Acknowledge an entry. False if it is not pending."""
        delivery = self.pending.pop(id, None)
        if delivery is None:
            return False
        self.ids.remove(id)
        delivery.owner.ids.remove(id)
        return True

    def pending_ids(self, start: int = 0, end: int = MAX_ID, consumer: Consumer | None = None) -> Iterator[int]:
        """The ids of pending entries in order. Nothing may be changed before the walk is over."""
        ids = self.ids if consumer is None else consumer.ids
        walk: Iterator[int] = ids.irange(start, end)
        return walk

    # ---- more

    def copy(self) -> Group:
        """An independent copy."""
        made = Group(self.last_id, self.entries_read)
        for name, consumer in self.consumers.items():
            twin = made.consumers[name] = Consumer(name, consumer.seen)
            twin.active = consumer.active
            twin.ids = SortedList(consumer.ids)
        for id, delivery in self.pending.items():
            made.pending[id] = Delivery(made.consumers[delivery.owner.name], delivery.time, delivery.count)
        made.ids = SortedList(self.ids)
        return made

    def take_apart(self) -> Iterator[object]:
        """Free the group part by part, each time a part is asked for. Nothing may use it any more."""
        pending = self.pending
        while pending:
            for _ in range(min(_PORTION, len(pending))):
                pending.popitem()
            yield None
        for ids in (self.ids, *(consumer.ids for consumer in self.consumers.values())):
            # There is no public way that is not a walk. The greatest of each part is held twice.
            parts, greatest = ids._lists, ids._maxes
            while parts:
                yield parts.pop(), greatest.pop()

    def memory(self) -> int:
        """An estimate of the bytes held."""
        return GROUP_OVERHEAD + CONSUMER_OVERHEAD * len(self.consumers) + PENDING_OVERHEAD * len(self.pending)

    def check(self) -> None:
        """Assert the invariants."""
        assert list(self.ids) == sorted(self.pending)
        owned = {id: consumer for consumer in self.consumers.values() for id in consumer.ids}
        assert len(owned) == sum(len(consumer.ids) for consumer in self.consumers.values())
        assert owned == {id: delivery.owner for id, delivery in self.pending.items()}
