"""Publishing and subscribing, as clients see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from shardkv.errors import ReplyError
from shardkv.keyspace.slots import key_slot
from tests.support.engine_client import EngineClient, decode_all, plain, refused
from tests.support.wire_replies import Push


def heard(client: EngineClient) -> list[Any]:
    """What has reached a client since the last time, pushes as lists."""
    replies = [list(reply.items) if isinstance(reply, Push) else reply for reply in decode_all(client.taken())]
    return [plain(reply) for reply in replies]


def listen(client: EngineClient, *words: str) -> EngineClient:
    """Subscribe; the confirmations are read."""
    client.send(*words)
    client.taken()
    return client


def test_a_message_reaches_everybody_who_listens_to_its_channel(kv: EngineClient, other: EngineClient) -> None:
    third = listen(kv.other(), "SUBSCRIBE", "news")
    listen(other, "SUBSCRIBE", "news", "sport")
    assert kv("PUBLISH", "news", "rain") == 2
    assert heard(other) == [["message", "news", "rain"]]
    assert heard(third) == [["message", "news", "rain"]]


def test_a_message_that_nobody_listens_to_is_lost(kv: EngineClient, other: EngineClient) -> None:
    assert kv("PUBLISH", "news", "rain") == 0
    listen(other, "SUBSCRIBE", "news")
    assert heard(other) == []


def test_a_pattern_listens_to_all_channels_that_it_matches(kv: EngineClient, other: EngineClient) -> None:
    listen(other, "PSUBSCRIBE", "n?ws", "*.de")
    kv("PUBLISH", "news", "rain")
    kv("PUBLISH", "sport.de", "goal")
    kv("PUBLISH", "sport", "goal")
    assert heard(other) == [["pmessage", "n?ws", "news", "rain"], ["pmessage", "*.de", "sport.de", "goal"]]


def test_who_listens_by_name_and_by_pattern_hears_twice(kv: EngineClient, other: EngineClient) -> None:
    listen(other, "PSUBSCRIBE", "n*")
    listen(other, "SUBSCRIBE", "news")
    assert kv("PUBLISH", "news", "rain") == 2
    assert heard(other) == [["message", "news", "rain"], ["pmessage", "n*", "news", "rain"]]


def test_each_subscription_is_confirmed_with_their_number(kv: EngineClient) -> None:
    kv.send("SUBSCRIBE", "a", "b", "a")
    kv.send("PSUBSCRIBE", "c*")
    kv.send("UNSUBSCRIBE", "a", "never")
    assert heard(kv) == [
        ["subscribe", "a", 1],
        ["subscribe", "b", 2],
        ["subscribe", "a", 2],
        ["psubscribe", "c*", 3],
        ["unsubscribe", "a", 2],
        ["unsubscribe", "never", 2],
    ]


def test_unsubscribing_from_nothing_in_particular_ends_all_of_a_kind(kv: EngineClient) -> None:
    listen(kv, "SUBSCRIBE", "a", "b")
    listen(kv, "PSUBSCRIBE", "c*")
    kv.send("UNSUBSCRIBE")
    kv.send("UNSUBSCRIBE")
    assert heard(kv) == [["unsubscribe", "a", 2], ["unsubscribe", "b", 1], ["unsubscribe", None, 1]]


def test_shard_channels_are_a_world_of_their_own(kv: EngineClient, other: EngineClient) -> None:
    other.send("SUBSCRIBE", "news")
    other.send("SSUBSCRIBE", "news")
    assert heard(other) == [["subscribe", "news", 1], ["ssubscribe", "news", 1]]
    assert kv("SPUBLISH", "news", "rain") == 1
    assert kv("PUBLISH", "news", "sun") == 1
    assert heard(other) == [["smessage", "news", "rain"], ["message", "news", "sun"]]


def test_a_resp2_client_that_listens_can_do_little_else(kv: EngineClient) -> None:
    listen(kv, "SUBSCRIBE", "news")
    with pytest.raises(ReplyError, match="Can't execute 'get': only"):
        kv("GET", "name")
    assert kv("PING") == ["pong", ""]
    listen(kv, "UNSUBSCRIBE")
    assert kv("GET", "name") is None


def test_a_resp3_client_that_listens_can_do_all_it_could(kv: EngineClient) -> None:
    modern = listen(kv.other(resp3=True), "SUBSCRIBE", "news")
    assert modern("SET", "name", "ada") == "OK"
    kv("PUBLISH", "news", "rain")
    assert modern.taken() == b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$4\r\nrain\r\n"


def test_a_message_to_oneself_comes_behind_the_reply(kv: EngineClient) -> None:
    modern = listen(kv.other(resp3=True), "SUBSCRIBE", "news")
    modern.send("PUBLISH", "news", "rain")
    assert heard(modern) == [1, ["message", "news", "rain"]]
    modern.send("MULTI")
    modern.send("PUBLISH", "news", "snow")
    modern.send("PUBLISH", "news", "sun")
    modern.taken()
    modern.send("EXEC")
    assert heard(modern) == [[1, 1], ["message", "news", "snow"], ["message", "news", "sun"]]


def test_messages_of_a_transaction_go_out_when_it_runs(kv: EngineClient, other: EngineClient) -> None:
    listen(other, "SUBSCRIBE", "news")
    kv("MULTI")
    kv("PUBLISH", "news", "rain")
    assert heard(other) == []
    assert kv("EXEC") == [1]
    assert heard(other) == [["message", "news", "rain"]]


def test_confirmations_stand_in_their_place_in_a_transaction(kv: EngineClient) -> None:
    kv("MULTI")
    kv("SET", "name", "ada")
    kv("SUBSCRIBE", "news")
    assert kv("EXEC") == ["OK", ["subscribe", "news", 1]]


def test_shard_channels_cannot_be_subscribed_to_in_a_transaction(kv: EngineClient) -> None:
    kv("MULTI")
    kv("SSUBSCRIBE", "news")
    [refusal] = kv("EXEC")
    assert refusal.text == "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"


def test_messages_and_confirmations_come_though_replies_are_off(kv: EngineClient, other: EngineClient) -> None:
    listen(other, "CLIENT", "REPLY", "OFF")
    other.send("SUBSCRIBE", "news")
    other.send("PING")
    kv("PUBLISH", "news", "rain")
    assert heard(other) == [["subscribe", "news", 1], ["message", "news", "rain"]]


def test_the_channels_and_their_subscribers_can_be_asked_for(kv: EngineClient, other: EngineClient) -> None:
    listen(other, "SUBSCRIBE", "news", "sport")
    listen(other, "SSUBSCRIBE", "shard")
    listen(kv.other(), "SUBSCRIBE", "news")
    listen(kv.other(), "PSUBSCRIBE", "n*", "s*")
    listen(kv.other(), "PSUBSCRIBE", "n*")
    assert kv("PUBSUB", "CHANNELS") == ["news", "sport"]
    assert kv("PUBSUB", "CHANNELS", "s*") == ["sport"]
    assert kv("PUBSUB", "NUMSUB", "news", "none") == ["news", 2, "none", 0]
    assert kv("PUBSUB", "NUMPAT") == 2
    assert kv("PUBSUB", "SHARDCHANNELS") == ["shard"]
    assert kv("PUBSUB", "SHARDNUMSUB", "shard", "news") == ["shard", 1, "news", 0]


def test_one_pattern_at_most_is_taken(kv: EngineClient) -> None:
    with refused("ERR unknown subcommand or wrong number of arguments for 'Channels'. Try PUBSUB HELP."):
        kv("PUBSUB", "Channels", "a", "b")


def test_a_client_that_goes_leaves_no_subscription_behind(kv: EngineClient, other: EngineClient) -> None:
    listen(other, "SUBSCRIBE", "news")
    listen(other, "PSUBSCRIBE", "n*")
    kv.engine.leave(other.session)
    assert kv("PUBLISH", "news", "rain") == 0
    assert kv("PUBSUB", "NUMPAT") == 0


def test_reset_ends_all_subscriptions(kv: EngineClient, other: EngineClient) -> None:
    listen(other, "SUBSCRIBE", "news")
    listen(other, "SSUBSCRIBE", "news")
    assert other("RESET") == "RESET"
    assert kv("PUBLISH", "news", "rain") == 0
    assert kv("SPUBLISH", "news", "rain") == 0
    assert other("GET", "name") is None


# ---- in a cluster


@dataclass
class FakeCluster:
    """The cluster side as PUBLISH needs it."""

    orders: list[Any] = field(default_factory=list)
    machine: Any = None

    def order(self, order: Any) -> Any:
        self.orders.append(order)
        return "OK"

    @property
    def hesitates(self) -> bool:
        """Never."""
        return False

    def lease_over(self) -> None:
        """There is no lease."""

    def links(self) -> list[Any]:
        return []

    def links_exceeded(self) -> int:
        return 0


def test_in_a_cluster_a_message_goes_to_the_other_nodes_too(kv: EngineClient, other: EngineClient) -> None:
    cluster = kv.engine.cluster = FakeCluster()  # type: ignore[assignment]  # as much of one as PUBLISH needs
    listen(other, "SUBSCRIBE", "news")
    assert kv("PUBLISH", "news", "rain") == 1
    assert kv("SPUBLISH", "news", "rain") == 0
    assert [(order.channel, order.payload, order.sharded) for order in cluster.orders] == [
        (b"news", b"rain", False),
        (b"news", b"rain", True),
    ]


def test_a_message_from_another_node_goes_no_further(kv: EngineClient, other: EngineClient) -> None:
    cluster = kv.engine.cluster = FakeCluster()  # type: ignore[assignment]  # as above
    listen(other, "SUBSCRIBE", "news")
    listen(other, "SSUBSCRIBE", "news")
    kv.engine.deliver(b"news", b"rain", False)
    kv.engine.deliver(b"news", b"snow", True)
    assert heard(other) == [["message", "news", "rain"], ["smessage", "news", "snow"]]
    assert cluster.orders == []


def test_a_slot_that_moves_away_takes_its_shard_channels_along(kv: EngineClient, other: EngineClient) -> None:
    listen(other, "SSUBSCRIBE", "{a}1", "{a}2", "{b}1")
    slot_of_b = key_slot(b"b")
    kv.engine.end_shard_channels(lambda slot: slot == slot_of_b)
    assert heard(other) == [["sunsubscribe", "{a}1", 2], ["sunsubscribe", "{a}2", 1]]
    assert kv("PUBSUB", "SHARDCHANNELS") == ["{b}1"]
