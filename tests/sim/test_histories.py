"""Random histories: nodes crash, restart, are cut off in one direction or both; messages are lost and late; clocks
drift; the operator orders failovers. Whatever happens:

- no slot has two primaries in one epoch, and no node votes twice in an epoch (asserted by the world at every step);
- once the faults end the cluster becomes ok and everybody agrees;
- what was agreed on survives: the owner of a slot is the one with the greatest epoch that ever owned it.

``SEED=n HISTORIES=1`` replays one; the seed stands in every message.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from shardkv.cluster.orders import Failover
from tests.sim.conftest import NODE_TIMEOUT
from tests.sim.network import Cluster

STEPS = 25


def disturb(world: Cluster, dice: Random) -> None:
    """One thing goes wrong, or right again."""
    names = list(world.hosts)
    running = world.up()
    what = dice.random()
    if what < 0.2 and len(running) > 1:
        world.crash(dice.choice(running))
    elif what < 0.45 and len(running) < len(names):
        world.restart(dice.choice([name for name in names if name not in running]))
    elif what < 0.6:
        side = dice.sample(names, dice.randrange(1, len(names)))
        world.partition(side, [name for name in names if name not in side])
    elif what < 0.7:
        world.cut(dice.sample(names, dice.randrange(1, 4)), dice.sample(names, dice.randrange(1, 4)))
    elif what < 0.8:
        world.heal()
    elif what < 0.9:
        world.loss, world.delay = dice.random() * 0.3, dice.random() * 0.2
    elif running:
        name = dice.choice(running)
        world.order(name, Failover(force=dice.random() < 0.3))


def live_through(seed: int) -> Cluster:
    """A history, and the peace after it."""
    world = Cluster(7, seed, node_timeout=NODE_TIMEOUT, validity_factor=10)
    world.form_shards(3, 1)
    dice = Random(f"{seed}/history")
    for _ in range(STEPS):
        disturb(world, dice)
        for host in world.hosts.values():
            host.skew += dice.uniform(-0.002, 0.004)
        for _ in range(dice.randrange(1, 12)):
            world.wait(0.25)
            for name in world.up():
                world.write(name)
        for name in world.up():
            world.view(name).check()
    world.heal()
    world.restart(*(name for name in world.hosts if name not in world.up()))
    world.until(world.agreed, 120, "peace after the faults")
    return world


def verify(world: Cluster) -> None:
    """What must hold in the end."""
    world.check()
    view = world.view("n0")
    latest: dict[int, tuple[int, str]] = {}
    for (epoch, slot), name in world.reigns.items():
        latest[slot] = max(latest.get(slot, (0, "")), (epoch, name))
    for slot, (_, name) in latest.items():
        assert view.owners[slot] == world.id(name), f"slot {slot} is not with its last owner (seed {world.seed})"


@pytest.mark.parametrize("number", range(int(os.environ.get("HISTORIES", "25"))))
def test_a_random_history_ends_well(seed: int, number: int) -> None:
    verify(live_through(seed * 1000 + number if "HISTORIES" not in os.environ else seed + number))


@pytest.mark.long
def test_hundreds_of_random_histories_end_well(seed: int) -> None:
    acknowledged = lost = 0
    for number in range(500):
        world = live_through(seed * 1000 + 100 + number)
        verify(world)
        acknowledged += len(world.acknowledged)
        lost += len(world.lost())
    print(
        f"\n500 histories: {acknowledged} writes acknowledged, {lost} of them lost ({100 * lost / acknowledged:.2f} %)"
    )
