"""Subscriptions: both sides agree, whatever happens."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shardkv.pubsub.channels import Channels, Way


class Listener:
    """A subscriber, its own side only."""

    def __init__(self) -> None:
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shard_channels: dict[bytes, None] = {}


NAMES = st.sampled_from([b"a", b"ab", b"b", b"a*", b"*", b""])
WAYS = st.sampled_from(list(Way))
PLACES = st.integers(0, 2)


class Subscriptions(RuleBasedStateMachine):
    """Three listeners that come and go, beside a plain set of who has subscribed to what."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: Channels[Listener] = Channels()
        self.listeners = [Listener() for _ in range(3)]
        self.known: set[tuple[int, bytes, Way]] = set()

    @rule(place=PLACES, name=NAMES, way=WAYS)
    def subscribe(self, place: int, name: bytes, way: Way) -> None:
        item = (place, name, way)
        assert self.channels.subscribe(self.listeners[place], name, way) is (item not in self.known)
        self.known.add(item)

    @rule(place=PLACES, name=NAMES, way=WAYS)
    def unsubscribe(self, place: int, name: bytes, way: Way) -> None:
        item = (place, name, way)
        assert self.channels.unsubscribe(self.listeners[place], name, way) is (item in self.known)
        self.known.discard(item)

    @rule(place=PLACES)
    def forget(self, place: int) -> None:
        self.channels.forget(self.listeners[place])
        self.known = {item for item in self.known if item[0] != place}

    @rule(gone=st.sets(NAMES))
    def lose_slots(self, gone: set[bytes]) -> None:
        dropped = self.channels.drop_shards(lambda name: name in gone)
        lost = {item for item in self.known if item[2] is Way.SHARD and item[1] in gone}
        assert {(self.listeners.index(who), name, Way.SHARD) for who, name, _ in dropped} == lost
        self.known -= lost

    @invariant()
    def agree(self) -> None:
        self.channels.check(self.listeners)
        assert bool(self.channels) == any(way is not Way.SHARD for _, _, way in self.known)
        for way in Way:
            names = {name for _, name, found in self.known if found is way}
            assert set(self.channels.names(way)) == names
            assert self.channels.total(way) == len(names)
            for name in names:
                count = sum(item[1:] == (name, way) for item in self.known)
                assert self.channels.count(name, way) == len(self.channels.listeners(name, way)) == count


TestSubscriptions = Subscriptions.TestCase


def test_patterns_that_match_come_in_the_order_they_were_subscribed_to() -> None:
    channels: Channels[Listener] = Channels()
    one, other = Listener(), Listener()
    for who, pattern in [(one, b"n*"), (other, b"*"), (other, b"n*"), (one, b"x*")]:
        channels.subscribe(who, pattern, Way.PATTERN)
    assert list(channels.matching(b"news")) == [(b"n*", [one, other]), (b"*", [other])]


def test_a_pattern_is_not_a_name_of_a_channel() -> None:
    channels: Channels[Listener] = Channels()
    one = Listener()
    channels.subscribe(one, b"n*", Way.PATTERN)
    assert channels.listeners(b"n*", Way.EXACT) == []
    assert channels.listeners(b"n*", Way.SHARD) == []
