"""Keyspace events, as a subscriber hears them."""

from __future__ import annotations

import pytest

from shardkv.config import Config
from tests.support.engine_client import EngineClient, decode_all


@pytest.fixture
def ear(kv: EngineClient) -> EngineClient:
    """A client that listens to every event of every key."""
    client = kv.other(resp3=True)
    client.send("PSUBSCRIBE", "__key*__:*")
    client.taken()
    return client


def heard(ear: EngineClient) -> list[tuple[str, str]]:
    """Channels and payloads since the last time."""
    return [(push[2].decode(), push[3].decode()) for push in decode_all(ear.taken())]


def events(ear: EngineClient) -> list[tuple[str, str]]:
    """Events and keys since the last time."""
    return [(channel.partition(":")[2], key) for channel, key in heard(ear)]


def ask_for(kv: EngineClient, classes: str) -> None:
    kv("CONFIG", "SET", "notify-keyspace-events", classes)


def test_nothing_is_told_unless_it_is_asked_for(kv: EngineClient, ear: EngineClient) -> None:
    kv("SET", "name", "ada")
    assert heard(ear) == []


def test_an_event_is_told_by_key_and_by_event(kv: EngineClient, ear: EngineClient) -> None:
    ask_for(kv, "KEA")
    kv("SET", "name", "ada")
    assert heard(ear) == [("__keyspace@0__:name", "set"), ("__keyevent@0__:set", "name")]
    ask_for(kv, "KA")
    kv("DEL", "name")
    assert heard(ear) == [("__keyspace@0__:name", "del")]
    ask_for(kv, "EA")
    kv("SET", "name", "ada")
    assert heard(ear) == [("__keyevent@0__:set", "name")]


@pytest.mark.parametrize("classes", ["K", "E", "A", "g$", "KE"])
def test_classes_without_a_channel_or_a_channel_without_classes_tell_nothing(
    kv: EngineClient, ear: EngineClient, classes: str
) -> None:
    ask_for(kv, classes)
    kv("SET", "name", "ada")
    assert heard(ear) == []


def test_the_channel_names_the_database(kv: EngineClient, ear: EngineClient) -> None:
    ask_for(kv, "EA")
    kv("SELECT", 3)
    kv("SET", "name", "ada")
    assert heard(ear) == [("__keyevent@3__:set", "name")]


def test_only_the_classes_asked_for_are_told(kv: EngineClient, ear: EngineClient) -> None:
    ask_for(kv, "E$")
    kv("SET", "name", "ada", "EX", 100)
    kv("DEL", "name")
    assert events(ear) == [("set", "name")]
    ask_for(kv, "Eg")
    kv("SET", "name", "ada", "EX", 100)
    kv("DEL", "name")
    assert events(ear) == [("expire", "name"), ("del", "name")]


def test_misses_and_new_keys_must_be_asked_for_by_themselves(kv: EngineClient, ear: EngineClient) -> None:
    ask_for(kv, "EA")
    kv("GET", "name")
    kv("SET", "name", "ada")
    assert events(ear) == [("set", "name")]
    ask_for(kv, "Emn")
    kv("GET", "other")
    kv("SET", "other", "ada")
    kv("SET", "other", "eve")
    assert events(ear) == [("keymiss", "other"), ("new", "other")]


def test_an_expired_key_is_told_of_when_it_is_deleted(kv: EngineClient, ear: EngineClient) -> None:
    ask_for(kv, "Exm")
    kv("SET", "name", "ada", "PX", 10)
    kv.wait(11)
    assert events(ear) == []
    kv("GET", "name")
    assert events(ear) == [("expired", "name"), ("keymiss", "name")]


def test_events_of_a_transaction_are_told_command_by_command(kv: EngineClient, ear: EngineClient) -> None:
    ask_for(kv, "EA")
    kv("MULTI")
    kv("SET", "name", "ada")
    kv("DEL", "name")
    assert events(ear) == []
    kv("EXEC")
    assert events(ear) == [("set", "name"), ("del", "name")]


def test_a_listener_hears_of_its_own_changes_after_the_reply(kv: EngineClient, ear: EngineClient) -> None:
    ask_for(kv, "EA")
    ear.send("SET", "name", "ada")
    reply, push = decode_all(ear.taken())
    assert (reply, push[3]) == ("OK", b"name")


def test_classes_from_the_configuration_count_from_the_start() -> None:
    config = Config()
    config.notify_keyspace_events = "AE"
    kv = EngineClient(config=config)
    ear = kv.other(resp3=True)
    ear.send("SUBSCRIBE", "__keyevent@0__:set")
    ear.taken()
    kv("SET", "name", "ada")
    assert [push[2] for push in decode_all(ear.taken())] == [b"name"]
