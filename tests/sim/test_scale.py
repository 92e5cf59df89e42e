"""What a large cluster costs: a thousand nodes form, elect and agree; what a node sends and works as the cluster grows.

The figures are printed. Simulated seconds say how long people would wait; processor seconds are those of the whole
simulation, the virtual network included.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator

import pytest

from shardkv.cluster.messages import Message
from shardkv.cluster.wire import BUS
from tests.sim.network import START, Cluster

TIMEOUT = 15.0
HEADER_BYTES = 2600
"""Two kilobytes of slots, ids and names."""
ENTRY_BYTES = 110


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:
    """A thousand tables of a thousand nodes are no garbage, and to look through them for some takes longer than all
    else."""
    gc.disable()
    yield
    gc.enable()


def weight(message: Message) -> int:
    """Bytes of a message's frame."""
    return len(BUS.pack(message)) + 4


class Meter:
    """What a world does over a stretch of its time, by node."""

    def __init__(self, world: Cluster) -> None:
        self._world = world
        self._from = (world.now, world.messages, world.bytes, time.process_time())

    def __str__(self) -> str:
        seconds, messages, sent, work = self.measured()
        return (
            f"{messages:.1f} messages and {sent / 1000:.0f} KB a second and node sent, "
            f"{work * 1e3:.1f} ms of processor (in {seconds:.0f} s)"
        )

    def measured(self) -> tuple[float, float, float, float]:
        """Seconds of the world, and messages, bytes and processor seconds by node and second."""
        now, messages, sent, work = self._from
        world = self._world
        seconds = world.now - now
        each = seconds * len(world.hosts)
        used = time.process_time() - work
        return seconds, (world.messages - messages) / each, (world.bytes - sent) / each, used / each


def test_a_node_has_no_more_to_do_than_in_redis_however_many_there_are(seed: int) -> None:
    """Redis asks each node once in half a node timeout, and tells about a tenth of all in every packet. So do we at
    most, and a question of which the answer is all that matters has no gossip with it."""
    print()
    for count in (20, 40, 80):
        world = Cluster(count, seed, node_timeout=TIMEOUT)
        world.form_shards(count // 2, 1)
        world.wait(TIMEOUT)
        world.bytes_of = weight
        meter = Meter(world)
        world.wait(TIMEOUT)
        _, messages, sent, work = meter.measured()
        print(f"{count} nodes: {meter}")
        asked = 1 + count / (TIMEOUT / 2)
        assert messages <= 2 * asked  # and as many answers
        assert sent <= 2 * asked * (HEADER_BYTES + ENTRY_BYTES * max(3, count // 10))
        assert work < 0.02


def test_a_packet_tells_about_a_tenth_of_the_nodes(seed: int) -> None:
    world = Cluster(60, seed, node_timeout=TIMEOUT)
    world.form()
    told: list[int] = []

    def count_entries(message: Message) -> int:
        told.append(len(getattr(message, "gossip", ())))
        return 0

    world.bytes_of = count_entries
    world.wait(TIMEOUT)
    assert 0 < max(told) <= 6
    world.crash("n1", "n2")
    world.until(lambda: world.failed("n1", "n0") and world.failed("n2", "n0"), 2 * TIMEOUT, "both are found out")
    assert max(told) <= 6 + 2  # and about all who are under suspicion


@pytest.mark.long
def test_a_thousand_nodes_elect_and_agree(seed: int) -> None:
    """A quarter of them are primaries with three replicas each, a fifth of which die in one moment."""
    count = int(os.environ.get("NODES", "1000"))
    shards = count // 4
    world = Cluster(count, seed, node_timeout=TIMEOUT)
    began = time.process_time()
    world.form_shards(shards, 3)
    formed, work = world.messages, time.process_time() - began
    print(
        f"\n{count} nodes: formed after {world.now - START:.0f} s with {formed / count:.0f} messages a node "
        f"({work:.0f} s of processor)"
    )
    victims = [f"n{number}" for number in range(shards // 5)]
    heirs = [[f"n{number + shards * turn}" for turn in (1, 2, 3)] for number in range(shards // 5)]
    began = time.process_time()
    world.crash(*victims)

    def replaced() -> bool:
        return all(sum(bool(world.view(heir).me.slots) for heir in shard) == 1 for shard in heirs)

    took = world.until(replaced, 60, "one replica of each takes over")
    agreed = took + world.until(world.agreed, 300, "all agree", every=1.0)
    work = time.process_time() - began
    print(
        f"{len(victims)} primaries lost: replaced after {took:.1f} s, agreed after {agreed:.1f} s, "
        f"{(world.messages - formed) / count:.0f} messages a node ({work:.0f} s of processor)"
    )
    assert took < TIMEOUT + 5.0
    assert world.agreed()
    world.bytes_of = weight
    meter = Meter(world)
    world.wait(TIMEOUT / 3)
    print(f"at peace: {meter}")
    world.check()
