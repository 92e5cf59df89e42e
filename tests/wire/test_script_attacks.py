"""Scripts that mean no good: the node goes on answering, its memory has an end, the next script sees nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.processes import Node, wait_for
from tests.support.script_attacks import BOMBS, ESCAPES, FINGERPRINT
from tests.support.wire import Client
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

LIMIT_SECONDS = 0.05
MEMORY_LIMIT = 48 * 1024 * 1024
#: What the node may hold beside Lua's memory, twice: replies on their way, and what the allocator keeps.
RESIDENT_MAX = 600 * 1024 * 1024


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node(
        busy_reply_threshold=int(LIMIT_SECONDS * 1000), lua_memory_limit=MEMORY_LIMIT, enable_debug_command="yes"
    ) as node:
        yield node


@pytest.fixture(scope="module")
def before(node: Node) -> object:
    """What the world of scripts looks like before any attack."""
    with node.client() as client:
        for at in range(0, 200_000, 10_000):
            client.must("RPUSH", "attacks:list", *range(at, at + 10_000))
        client.must("SET", "attacks:string", "x" * 1_000_000)
        return client.must("EVAL", FINGERPRINT, 0)


def answers_in_time(client: Client) -> None:
    """Somebody else is answered: PONG, or that the node is busy."""
    asked = time.monotonic()
    reply = client("PING")
    took = time.monotonic() - asked
    assert reply == "PONG" or (isinstance(reply, Refusal) and reply.text.startswith("BUSY ")), reply
    assert took < LIMIT_SECONDS + 1, took


def ended(attacker: Client, other: Client) -> None:
    """The script has come to an end, if need be by SCRIPT KILL."""
    until = time.monotonic() + 20
    while not attacker.pending(0.02):
        assert time.monotonic() < until, "the script goes on"
        answers_in_time(other)
        other("SCRIPT", "KILL")


def left_nothing(node: Node, other: Client, before: object) -> None:
    assert other.must("EVAL", FINGERPRINT, 0) == before
    assert not node.process_ended()
    wait_for(lambda: resident(node) < RESIDENT_MAX, what="the memory is given back")


def resident(node: Node) -> int:
    """Bytes of the process."""
    with open(f"/proc/{node.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize("name", ESCAPES)
def test_no_escape_succeeds(node: Node, before: object, name: str) -> None:
    with node.client() as attacker, node.client() as other:
        reply = attacker("EVAL", ESCAPES[name], 1, "key")
        assert reply not in (b"escaped", "escaped"), name
        left_nothing(node, other, before)


@pytest.mark.parametrize("name", BOMBS)
def test_no_bomb_does_harm(node: Node, before: object, name: str) -> None:
    with node.client(timeout=60) as attacker, node.client() as other:
        attacker.send("EVAL", BOMBS[name], 1, "key")
        answers_in_time(other)
        ended(attacker, other)
        left_nothing(node, other, before)
