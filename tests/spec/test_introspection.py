"""COMMAND and the HELP of containers, as a client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from shardkv.commands.spec import TABLE
from tests.support.engine_client import EngineClient, refused


def test_command_lists_every_command_with_its_subcommands(kv: EngineClient) -> None:
    entries = {entry[0]: entry for entry in kv("COMMAND")}
    assert len(entries) == kv("COMMAND", "COUNT")
    assert [child[0] for child in entries["config"][9]] == [
        child.name for child in TABLE["config"].subcommands.values()
    ]


def test_command_info_tells_of_commands_and_subcommands_by_name(kv: EngineClient) -> None:
    get, missing, listing = kv("COMMAND", "INFO", "GET", "nosuch", "client|list")
    assert get[:6] == ["get", 2, ["readonly", "fast"], 1, 1, 1]
    assert get[6] == ["@read", "@string", "@fast"]
    assert missing is None
    assert listing[0] == "client|list"
    assert len(kv("COMMAND", "INFO")) == kv("COMMAND", "COUNT")


def test_command_info_has_key_specs(kv: EngineClient) -> None:
    ((*_, specs, _subcommands),) = kv.other(resp3=True)("COMMAND", "INFO", "config|get")
    assert specs == set()
    reply = kv.raw("COMMAND", "INFO", "get")
    assert b"$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n" in reply


def test_command_list_is_all_names_or_those_that_pass_a_filter(kv: EngineClient) -> None:
    assert kv("COMMAND", "LIST") == list(TABLE)
    assert set(kv("COMMAND", "LIST", "FILTERBY", "PATTERN", "CONFIG|*")) == {
        "config|get",
        "config|set",
        "config|help",
        "config|rewrite",
        "config|resetstat",
    }
    assert "exec" in kv("COMMAND", "LIST", "FILTERBY", "ACLCAT", "TRANSACTION")
    assert kv("COMMAND", "LIST", "FILTERBY", "ACLCAT", "nonsense") == []
    assert kv("COMMAND", "LIST", "FILTERBY", "MODULE", "any") == []
    for words in (["x"], ["FILTERBY"], ["FILTERBY", "COLOUR", "red"], ["FILTERBY", "PATTERN", "x", "y"]):
        with refused("ERR syntax error"):
            kv("COMMAND", "LIST", *words)


def as_map(flat: list[Any]) -> dict[str, Any]:
    """A RESP2 map."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def docs(kv: EngineClient, *names: str) -> dict[str, dict[str, Any]]:
    """COMMAND DOCS, the maps of the first two levels unfolded."""
    return {name: as_map(entry) for name, entry in as_map(kv("COMMAND", "DOCS", *names)).items()}


def test_command_docs_tells_what_a_command_does_and_takes(kv: EngineClient) -> None:
    found = docs(kv, "client|kill", "nosuch")
    assert list(found) == ["client|kill"]
    entry = found["client|kill"]
    assert list(entry) == ["summary", "since", "group", "complexity", "history", "arguments"]
    (choice,) = map(as_map, entry["arguments"])
    assert choice["type"] == "oneof"
    old, new = map(as_map, choice["arguments"])
    assert old == {"name": "old-format", "type": "string", "display_text": "old-format"}
    assert new["flags"] == ["multiple"]
    assert as_map(new["arguments"][0]) == {
        "name": "client-id",
        "type": "integer",
        "display_text": "client-id",
        "token": "ID",
        "flags": ["optional", "multiple"],
    }


def test_command_docs_are_maps_and_sets_in_resp3(kv: EngineClient) -> None:
    entry = kv.other(resp3=True)("COMMAND", "DOCS", "ping")["ping"]
    (argument,) = entry["arguments"]
    assert argument["flags"] == {"optional"}
    assert argument["type"] == "string"


def test_command_docs_points_from_keys_to_their_specs(kv: EngineClient) -> None:
    (key,) = map(as_map, docs(kv, "get")["get"]["arguments"])
    assert (key["type"], key["key_spec_index"]) == ("key", 0)


def test_command_docs_knows_what_is_out_of_date(kv: EngineClient) -> None:
    entry = docs(kv, "getset")["getset"]
    assert entry["doc_flags"] == ["deprecated"]
    assert entry["replaced_by"] == TABLE["getset"].replaced_by
    assert entry["deprecated_since"] == TABLE["getset"].deprecated_since


def test_command_docs_without_a_name_is_about_all(kv: EngineClient) -> None:
    found = docs(kv)
    assert len(found) == kv("COMMAND", "COUNT")
    children = TABLE["config"].subcommands.values()
    assert list(as_map(found["config"]["subcommands"])) == [child.name for child in children]


# ---- GETKEYS


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["GET", "a"], ["a"]),
        (["MSET", "a", "1", "b", "2"], ["a", "b"]),
        (["object", "encoding", "a"], ["a"]),
        (["RENAME", "a", "b"], ["a", "b"]),
    ],
)
def test_getkeys_finds_the_keys_of_a_request(kv: EngineClient, words: list[str], keys: list[str]) -> None:
    assert kv("COMMAND", "GETKEYS", *words) == keys


def test_getkeysandflags_says_how_they_would_be_used(kv: EngineClient) -> None:
    assert kv("COMMAND", "GETKEYSANDFLAGS", "COPY", "a", "b") == [["a", ["RO", "access"]], ["b", ["OW", "update"]]]
    assert kv("COMMAND", "GETKEYSANDFLAGS", "SET", "a", "1") == [["a", ["OW", "update"]]]
    assert kv("COMMAND", "GETKEYSANDFLAGS", "SET", "a", "1", "GET") == [["a", ["RW", "access", "update"]]]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nosuch", "a"], "ERR Invalid command specified"),
        (["config", "nosuch"], "ERR Invalid command specified"),
        (["ping", "a"], "ERR The command has no key arguments"),
        (["get", "a", "b"], "ERR Invalid number of arguments specified for command"),
        (["get"], "ERR wrong number of arguments for 'command|getkeys' command"),
    ],
)
def test_getkeys_says_why_there_are_none(kv: EngineClient, words: list[str], text: str) -> None:
    with refused(text):
        kv("COMMAND", "GETKEYS", *words)


# ---- HELP


def test_every_container_has_a_help_that_names_all_its_subcommands(kv: EngineClient) -> None:
    containers = [command for command in TABLE.values() if command.subcommands]
    assert containers
    for container in containers:
        name = container.name.upper()
        first, *rest = kv(name, "HELP")
        assert first == f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        words = {line.split(" ")[0].lower() for line in rest if not line.startswith((" ", "("))}
        assert words == {word.decode() for word in container.subcommands}


def test_help_of_debug_is_of_the_same_form(kv: EngineClient) -> None:
    kv.engine.config.assign(type(kv.engine.config).options["enable-debug-command"], "yes")
    lines = kv("DEBUG", "HELP")
    assert lines[0] == "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert "DIGEST-VALUE <key> [<key> ...]" in lines


def test_an_unknown_subcommand_points_to_help(kv: EngineClient) -> None:
    with refused("ERR unknown subcommand 'COLOUR'. Try CLIENT HELP."):
        kv("CLIENT", "COLOUR")
