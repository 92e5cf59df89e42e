"""COMMANDLOG beside valkey-server: what is noted, with which sizes, and how it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.oracle import Valkey
from tests.support.processes import Node, Server
from tests.support.wire import Client, Word
from tests.support.wire_replies import Refusal

MEGABYTE = 2**20
Story = Callable[[Client, Client], None]
Noted = tuple[int, list[bytes]]  #: a size and the words


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Node, Valkey]]:
    """Two servers whose options may be changed."""
    settings: dict[str, str] = {"save": "", "appendonly": "no"}
    with Node(**settings) as node, Valkey(**settings) as valkey:
        yield node, valkey


def noted(server: Server, story: Story, request: int = MEGABYTE, reply: int = MEGABYTE) -> dict[str, list[Noted]]:
    """The sizes and words that a story leaves in the logs, the oldest first."""
    with server.client() as client, server.client() as other:
        other.must("FLUSHALL")
        options = ("commandlog-request-larger-than", request, "commandlog-reply-larger-than", reply)
        other.must("CONFIG", "SET", "slowlog-log-slower-than", -1, *options)
        for kind in ("large-request", "large-reply"):
            other.must("COMMANDLOG", "RESET", kind)
        client.must("CLIENT", "SETNAME", "teller")
        story(client, other)
        found: dict[str, list[Noted]] = {}
        for kind in ("large-request", "large-reply"):
            entries = other.must("COMMANDLOG", "GET", -1, kind)
            assert isinstance(entries, list)
            # What the other client says is about the log itself.
            own = [entry for entry in reversed(entries) if entry[5] == b"teller" and entry[3][0] != b"CLIENT"]
            found[kind] = [(entry[2], entry[3]) for entry in own]
        return found


def values(client: Client, other: Client) -> None:
    client.must("SET", "a", "x" * MEGABYTE)
    client.must("SET", "b", "x" * (MEGABYTE - 100))
    client.must("GET", "b")
    client.must("GET", "a")
    client.must("STRLEN", "a")
    client.must("GETRANGE", "a", 0, 10)
    client.must("SET", "c", "x" * (MEGABYTE // 2))
    client.must("MGET", "c", "c")
    client.must("MGET", "c", "none")


def collections(client: Client, other: Client) -> None:
    client.must("RPUSH", "list", *["y" * 1000 for _ in range(1200)])
    client.must("LRANGE", "list", 0, -1)
    client.must("LRANGE", "list", 0, 10)
    client.must("HSET", "hash", *[word for number in range(700) for word in (f"f{number}", "z" * 1600)])
    client.must("HGETALL", "hash")
    client.must("HVALS", "hash")
    client.must("HKEYS", "hash")
    client.must("SORT", "list", "ALPHA", "LIMIT", 0, 1100)


def pipeline(client: Client, other: Client) -> None:
    """Large ones among small ones, in pipelines of all lengths."""
    client.must("SET", "a", "x" * MEGABYTE)
    client.must("SET", "small", "x")
    client.must("RPUSH", "list", *["y" * 10 for _ in range(70_000)])
    for length in (1, 7, 70, 200):
        small: list[list[Word]] = [["GET", "small"]] * length
        client.pipeline([*small, ["GET", "a"], *small])
        client.pipeline([["GET", "a"], *small, ["LRANGE", "list", 0, -1], ["INCR", "n"], ["GET", "a"]])
        client.pipeline([*small, ["SET", "b", "x" * MEGABYTE], ["NOSUCH"], ["GET"], *small])


def odd_clients(client: Client, other: Client) -> None:
    client.must("SET", "a", "x" * MEGABYTE)
    client.must("HELLO", 3)
    client.must("GET", "a")
    client.must("HELLO", 2)
    client.send("CLIENT", "REPLY", "OFF")
    client.send("GET", "a")
    client.must("CLIENT", "REPLY", "ON")
    client.send("BLPOP", "queue", 0)
    other.must("RPUSH", "queue", "q" * MEGABYTE)
    client.reply()
    client.must("EVAL", "return string.rep('x', 1048576)", 0)
    client("NOSUCH", "x" * MEGABYTE)
    client("GET", "x" * MEGABYTE, "y")
    client.must("MULTI")
    client.must("EXEC")
    client.must("GET", "a")


def small(client: Client, other: Client) -> None:
    """Sizes down to the byte."""
    client.must("SET", "a", "x" * 30)
    client.must("SET", "a", "x" * 29)
    client.must("GET", "a")
    client.must("SET", "a", "x" * 28)
    client.must("GET", "a")
    client.must("DEL", "a", "b")
    client("AUTH", "x" * 60)
    client.must("PING", "x" * 60)
    client.pipeline([["PING", "x" * size] for size in range(40)])


@pytest.mark.parametrize("story", [values, collections, pipeline, odd_clients])
def test_what_is_large_is_noted(servers: tuple[Node, Valkey], story: Story) -> None:
    node, valkey = servers
    theirs = noted(valkey, story)
    assert noted(node, story) == theirs
    assert theirs["large-reply"]


def test_thresholds_are_exact(servers: tuple[Node, Valkey]) -> None:
    node, valkey = servers
    assert noted(node, small, request=57, reply=36) == noted(valkey, small, request=57, reply=36)


def test_0_is_every_one_and_minus_1_none(servers: tuple[Node, Valkey]) -> None:
    node, valkey = servers
    assert noted(node, values, request=0, reply=0) == noted(valkey, values, request=0, reply=0)
    assert noted(node, values, request=-1, reply=-1) == {"large-request": [], "large-reply": []}


def test_what_a_transaction_answers_is_noted_part_by_part(servers: tuple[Node, Valkey]) -> None:
    """Valkey adds the sizes of what stands before a reply in the transaction to it; ours are those of each reply."""

    def story(client: Client, other: Client) -> None:
        client.must("SET", "a", "x" * MEGABYTE)
        client.must("MULTI")
        client.must("STRLEN", "a")
        client.must("GET", "a")
        client.must("EXEC")

    ours, theirs = (noted(server, story)["large-reply"] for server in servers)
    assert [words for _, words in ours] == [words for _, words in theirs] == [[b"GET", b"a"]]
    assert [size for size, _ in ours] == [MEGABYTE + 12]


ASKED: tuple[tuple[Word, ...], ...] = (
    ("COMMANDLOG",),
    ("COMMANDLOG", "GET"),
    ("COMMANDLOG", "GET", 1),
    ("COMMANDLOG", "GET", "x", "slow"),
    ("COMMANDLOG", "GET", -2, "slow"),
    ("COMMANDLOG", "GET", -2, "none"),
    ("COMMANDLOG", "GET", 1, "none"),
    ("COMMANDLOG", "GET", 0, "SLOW"),
    ("COMMANDLOG", "GET", 1, "slow", "x"),
    ("COMMANDLOG", "LEN"),
    ("COMMANDLOG", "LEN", "none"),
    ("COMMANDLOG", "RESET", "none"),
    ("COMMANDLOG", "RESET", "Large-Reply"),
    ("COMMANDLOG", "LEN", "large-reply"),
    ("COMMANDLOG", "NONE"),
    ("CONFIG", "SET", "commandlog-request-larger-than", -2),
    ("CONFIG", "SET", "commandlog-reply-larger-than", "x"),
    ("CONFIG", "SET", "commandlog-large-reply-max-len", -1),
    ("CONFIG", "SET", "commandlog-slow-execution-max-len", 7),
    ("CONFIG", "GET", "slowlog-max-len"),
    ("CONFIG", "SET", "slowlog-log-slower-than", 5000),
    ("CONFIG", "GET", "commandlog-execution-slower-than"),
)


@pytest.mark.parametrize("words", ASKED, ids=lambda words: " ".join(map(str, words)))
def test_it_is_asked_as_there(servers: tuple[Node, Valkey], words: tuple[Word, ...]) -> None:
    answers = []
    for server in servers:
        with server.client() as client:
            answers.append(client(*words))
    assert answers[0] == answers[1]


def test_the_slow_log_is_one_of_them(servers: tuple[Node, Valkey]) -> None:
    for server in servers:
        with server.client() as client:
            client.must("CONFIG", "SET", "commandlog-execution-slower-than", 0)
            client.must("COMMANDLOG", "RESET", "slow")
            client.must("PING")
            slow, same = client.must("SLOWLOG", "GET", -1), client.must("COMMANDLOG", "GET", -1, "slow")
            client.must("CONFIG", "SET", "slowlog-log-slower-than", 10000)
            assert isinstance(slow, list)
            assert isinstance(same, list)
            assert [entry[3] for entry in slow] == [[b"PING"], [b"COMMANDLOG", b"RESET", b"slow"]]
            assert same[1:] == slow
            assert isinstance(client("COMMANDLOG", "HELP"), list)
            assert not isinstance(client("SLOWLOG", "RESET"), Refusal)
            assert client("COMMANDLOG", "LEN", "slow") == 0


def test_the_oldest_are_forgotten(servers: tuple[Node, Valkey]) -> None:
    def story(client: Client, other: Client) -> None:
        other.must("CONFIG", "SET", "commandlog-large-reply-max-len", 2)
        for number in range(4):
            client.must("PING", f"{number}{'x' * 100}")
        other.must("CONFIG", "SET", "commandlog-large-reply-max-len", 128)

    ours, theirs = (noted(server, story, reply=100)["large-reply"] for server in servers)
    assert ours == theirs
    assert len(ours) == 2
