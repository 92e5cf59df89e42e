"""kill -9 of a primary or its replica at random moments: the pair converges, nothing acknowledged is lost, and the
replica never shows what the primary never had."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from tests.support.oracle import SETTINGS
from tests.support.processes import Node, wait_for
from tests.support.replication import digests_agree, link_is_up
from tests.support.wire import Client
from tests.support.wire_replies import Refusal

pytestmark = pytest.mark.wire

#: The primary keeps what it acknowledges; the replica has nothing but what it is sent.
PRIMARY = {**SETTINGS, "appendonly": "yes", "appendfsync": "always", "repl_diskless_sync_delay": 0}
REPLICA = {**SETTINGS, "repl_diskless_sync_delay": 0, "repl_diskless_load": "swapdb"}


class Writer:
    """Counts up on the primary, two keys at a time in one transaction, whenever there is a primary."""

    def __init__(self, primary: Node) -> None:
        self._primary = primary
        self._stopping = threading.Event()
        self.sent = 0
        self.acknowledged = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._primary.client(timeout=5) as client:
                    while not self._stopping.is_set():
                        self._write(client)
            except OSError:
                self._stopping.wait(0.02)

    def _write(self, client: Client) -> None:
        number = self.sent + 1
        requests: list[list[Any]] = [
            ["MULTI"],
            ["SET", "one", number],
            ["RPUSH", f"list{number % 50}", number],
            ["SET", "two", number],
            ["EXEC"],
        ]
        self.sent = number
        if not isinstance(client.pipeline(requests)[-1], Refusal):
            self.acknowledged = number

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def _look(replica: Node, writer: Writer) -> None:
    """What the replica shows is a state of the primary: both counters are one number, which was sent."""
    try:
        with replica.client(timeout=5) as client:
            reply: Any = client("MGET", "one", "two")
    except OSError:
        return
    if isinstance(reply, Refusal):
        assert reply.code == "LOADING"
        return
    one, two = reply
    assert one == two
    assert one is None or int(one) <= writer.sent


def _crash(rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    with Node(**PRIMARY) as primary, Node(**REPLICA, replicaof=(primary.host, primary.port)) as replica:
        with Writer(primary) as writer:
            for _ in range(rounds):
                victim = rng.choice((primary, replica))
                wait = rng.choice((0.0, 0.05, 0.3, 1.0))
                threading.Event().wait(wait * rng.random())
                _look(replica, writer)
                kept = writer.acknowledged
                victim.kill()
                if victim is primary:
                    _look(replica, writer)
                victim.start()
                _look(replica, writer)
                if victim is primary:
                    with primary.client() as client:
                        held: Any = client("GET", "one")
                        assert int(held or 0) >= kept, "an acknowledged write is lost"
        with primary.client() as one, replica.client() as two:
            wait_for(lambda: link_is_up(two), 30)
            wait_for(lambda: digests_agree(one, two), 20)
            held = one("GET", "one")
            assert writer.acknowledged <= int(held or 0) <= writer.sent
        for node in (primary, replica):
            assert "BUG" not in node.log()
            assert "Traceback" not in node.log()


def test_a_pair_survives_kills_of_either_side() -> None:
    _crash(4, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_a_pair_survives_hundreds_of_kills(seed: int) -> None:
    _crash(25, seed)
