"""Replicas equal their primary, whatever is written, and wherever and however often the link breaks."""

from __future__ import annotations

from random import Random
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from tests.compat.machine.profiles import Profile, drawn
from tests.compat.machine.sequences import draw
from tests.support.oracle import Redis
from tests.support.replication_sim import SimNode, SimWorld, digest

EVERY = Profile("replication law", Redis, tuple(drawn()), ())
#: How far the clock may move between two requests, in seconds.
STEPS: Final = (0.0, 0.0, 0.0, 0.001, 0.04, 1.2)
#: What may be delivered between two requests, in bytes: so that the link breaks inside a command, too.
PORTIONS: Final = (0, 1, 13, 200, 1 << 20)


def _play(world: SimWorld, primary: SimNode, number: int, requests: int) -> None:
    """Drawn requests, with deliveries, breaks and passing time in between."""
    rng = Random(number)
    steps = draw(EVERY, f"replication:{number}", requests)
    clients = [primary, primary.other()]
    for name, value in steps.setup.options.items():
        primary("CONFIG", "SET", name, value)
    for step in steps.steps:
        clients[step.client].send(*step.words)
        clients[step.client].taken()
        world.deliver(rng.choice(PORTIONS))
        if rng.random() < 0.3:
            world.wait(rng.choice(STEPS))
        if rng.random() < 0.1:
            primary.engine.expiring.step(primary.now, 1.0)
        if rng.random() < 0.05:
            world.cut()
            world.wait(0.1)


def _same(nodes: list[SimNode]) -> None:
    for node in nodes:
        node.engine.begin(node.now, obeying=True)  # what has expired unnoticed is there on both sides
    assert len({digest(node) for node in nodes}) == 1
    assert len({node.offset for node in nodes}) == 1


@given(st.integers(0, 1 << 32))
def test_a_replica_of_a_replica_equals_the_primary_when_the_link_is_back(number: int) -> None:
    world = SimWorld()
    primary, middle, last = (world.node(**{"repl-timeout": "3600"}) for _ in range(3))
    middle("REPLICAOF", primary.name, 1)
    last("REPLICAOF", middle.name, 1)
    _play(world, primary, number, 60)
    world.settle(120)
    _same(world.nodes)


@given(st.integers(0, 1 << 32))
def test_a_promoted_replica_never_has_what_the_primary_never_had(number: int) -> None:
    """The primary goes in the middle of everything. Its replica is then at an offset at which the primary once was, and
    becomes a primary whose own replica equals it."""
    world = SimWorld()
    primary, second, third = (world.node(**{"repl-timeout": "3600"}) for _ in range(3))
    for node in (second, third):
        node("REPLICAOF", primary.name, 1)
    _play(world, primary, number, 40)
    world.nodes.remove(primary)
    world.cut()
    if second.replication.history.known:
        assert second.offset <= primary.offset
    further, other = sorted((second, third), key=lambda node: -node.offset * node.replication.history.known)
    further("REPLICAOF", "NO", "ONE")
    other("REPLICAOF", further.name, 1)
    _play(world, further, number + 1, 20)
    world.settle(120)
    _same([second, third])
