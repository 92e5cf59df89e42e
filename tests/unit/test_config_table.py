"""A table of options as a program and CONFIG see it."""

from __future__ import annotations

import pytest

from shardkv.config import Config, ConfigFault, Line, fault_line
from shardkv.errors import ReplyError


def load(config: Config, *lines: str) -> None:
    config.load(Line("a.conf", number, text, tuple(text.split(" "))) for number, text in enumerate(lines, start=1))


def test_an_attribute_is_the_typed_value() -> None:
    config = Config()
    assert config.maxclients == 10_000
    assert config.protected_mode is True
    assert config.bind == ("*", "-::*")
    assert config.client_output_buffer_limit["pubsub"] == (32 * 2**20, 8 * 2**20, 60)
    assert config.save == ((3600, 1), (300, 100), (60, 10_000))
    assert config.requirepass == b""


def test_two_configs_share_nothing() -> None:
    one, other = Config(), Config()
    one.set([(b"maxclients", b"5"), (b"client-output-buffer-limit", b"normal 1 2 3")])
    assert other.maxclients == 10_000
    assert other.client_output_buffer_limit["normal"] == (0, 0, 0)


def test_set_names_what_changed_by_its_primary_name() -> None:
    config = Config()
    assert config.set([(b"slave-priority", b"7"), (b"hz", b"10"), (b"TIMEOUT", b"3")]) == (
        "replica-priority",
        "timeout",
    )
    assert config.replica_priority == 7


def test_set_is_all_or_nothing() -> None:
    config = Config()
    with pytest.raises(ReplyError, match="related to argument 'maxclients'"):
        config.set([(b"timeout", b"5"), (b"maxclients", b"0")])
    assert config.timeout == 0


def test_a_protected_option_needs_permission() -> None:
    config = Config()
    with pytest.raises(ReplyError, match="can't set protected config"):
        config.set([(b"dbfilename", b"x")])
    load(config, "enable-protected-configs local")
    with pytest.raises(ReplyError, match="can't set protected config"):
        config.set([(b"dbfilename", b"x")])
    assert config.set([(b"dbfilename", b"x")], local=True) == ("dbfilename",)
    with pytest.raises(ReplyError, match="dbfilename can't be a path, just a filename"):
        config.set([(b"dbfilename", b"a/b")], local=True)


def test_a_change_can_be_taken_back() -> None:
    config = Config()
    before = config.snapshot()
    config.set([(b"port", b"1"), (b"bind", b"127.0.0.1")])
    config.restore(before)
    assert (config.port, config.bind) == (6379, ("*", "-::*"))


def test_a_password_may_be_any_bytes() -> None:
    config = Config()
    config.set([(b"requirepass", b"\xff\x00 x")])
    assert config.requirepass == b"\xff\x00 x"
    assert config.get([b"requirepass"])["requirepass"].encode("utf-8", "surrogateescape") == b"\xff\x00 x"


def test_later_lines_win_and_save_lines_add_up() -> None:
    config = Config()
    load(config, "port 1", "save 60 1", "PORT 2", "save 300 10")
    assert config.port == 2
    load(config, "save 5 6")
    assert config.save == ((60, 1), (300, 10), (5, 6))


def test_an_empty_save_takes_all_rules_away() -> None:
    config = Config()
    load(config, "save 60 1", "save ", "save 1 2")
    assert config.save == ((1, 2),)


def test_an_empty_save_alone_means_never() -> None:
    config = Config()
    load(config, "save ")
    assert config.save == ()


def test_output_limits_of_other_classes_stay() -> None:
    config = Config()
    load(config, "client-output-buffer-limit slave 1mb 2k 3")
    assert config.client_output_buffer_limit["replica"] == (2**20, 2000, 3)
    assert config.client_output_buffer_limit["pubsub"] == (32 * 2**20, 8 * 2**20, 60)


def test_directives_are_known_to_files_only() -> None:
    config = Config()
    load(config, "rename-command GET XGET", "rename-command SET ", "user ada on >x", "list-max-ziplist-entries 5")
    assert config.rename_command == (("GET", "XGET"), ("SET", ""))
    assert config.user == (("ada", "on", ">x"),)
    assert config.get([b"*rename*", b"user", b"rename-command"]) == {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("foo bar", "Bad directive or wrong number of arguments"),
        ("maxclients", "wrong number of arguments"),
        ("maxclients 1 2", "wrong number of arguments"),
        ("port x", "argument couldn't be parsed into an integer"),
        ("unixsocketperm 999", "argument couldn't be parsed as an octal number"),
        ("unixsocketperm 7777", "argument must be between 0 and 777 inclusive"),
        ("rename-command get", "Bad directive or wrong number of arguments"),
        ("replicaof a", "wrong number of arguments"),
        ("replicaof a b", "Invalid master port"),
        ("appendfilename a/b", "appendfilename can't be a path, just a filename"),
        ("appenddirname ", "appenddirname can't be empty"),
        ("sentinel a b", "sentinel directive while not in sentinel mode"),
        ("loadmodule x", "modules are not supported: shardkv cannot load code made for redis-server"),
    ],
)
def test_a_bad_line_is_named_with_its_place(line: str, reason: str) -> None:
    with pytest.raises(ConfigFault) as caught:
        load(Config(), "timeout 1", line)
    assert fault_line(caught.value) == f"bad configuration in a.conf, line 2: '{line}': {reason}"


def test_new_keys_survive_a_rewrite_of_events() -> None:
    config = Config()
    config.set([(b"notify-keyspace-events", b"KEAn")])
    shown = config.get([b"notify-keyspace-events"])["notify-keyspace-events"]
    assert shown == "AKEn"
    config.set([(b"notify-keyspace-events", shown.encode())])
    assert config.notify_keyspace_events == shown
