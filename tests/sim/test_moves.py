"""Slots that move by SETSLOT and MIGRATE while nodes are killed: the owner of whom the operator was told stays the
owner, a slot has an owner on some disk at every moment, and no key is lost.

Each story is one move, killed once after one of its steps and resumed by the operator as ``redis-cli --cluster fix``
and ``shardkv-admin`` do it. ``SEED=n`` replays a run; the seed of a story stands in what it complains of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from shardkv.cluster.found import claims_of
from shardkv.cluster.nodes import slots_of
from shardkv.cluster.orders import BumpEpoch, SetSlotImporting, SetSlotMigrating, SetSlotNode, TakeSlots
from shardkv.resp.replies import OK
from tests.sim.network import Cluster

SLOT = 1
KEYS = frozenset({"a", "b", "c"})
SOURCE, TARGET, WITNESS = "n0", "n1", "n2"
STEPS = ("importing", "migrating", "a", "b", "c", "node at the target", "node at the source", "node at the witness")


@pytest.fixture
def trio_of_primaries(seed: int) -> Cluster:
    """``n0 n1 n2`` share the slots, and n1 has the greatest epoch."""
    world = Cluster(3, seed, node_timeout=10.0)
    world.form()
    world.order(TARGET, BumpEpoch())
    world.wait(1)
    return world


def raise_unheard(world: Cluster) -> None:
    """The source takes a greater epoch, of which the witness hears and the target does not."""
    world.cut([SOURCE, WITNESS], [TARGET])
    world.order(SOURCE, BumpEpoch())
    world.wait(0.01)
    assert world.view(WITNESS).current_epoch > world.view(TARGET).current_epoch
    world.heal()


def test_the_new_owner_outbids_an_epoch_of_which_it_had_not_heard(trio_of_primaries: Cluster) -> None:
    """The witness, who knows the source's epoch, corrects the target; the source believes the operator meanwhile."""
    world = trio_of_primaries
    assert world.order(TARGET, SetSlotImporting(SLOT, world.id(SOURCE))) == OK
    assert world.order(SOURCE, SetSlotMigrating(SLOT, world.id(TARGET))) == OK
    raise_unheard(world)
    assert world.order(TARGET, SetSlotNode(SLOT, world.id(TARGET), keys=3)) == OK
    world.wait(0.01)
    assert world.order(SOURCE, SetSlotNode(SLOT, world.id(TARGET), keys=0)) == OK
    world.until(world.agreed, 30, "everyone knows the new owner")
    assert all(world.view(name).owners[SLOT] == world.id(TARGET) for name in world.hosts)
    assert world.hosts[TARGET].dropped == []
    world.until(lambda: not world.hosts[TARGET].disk.taken, 30, "the source is known to have given it up")
    world.check()


def test_so_does_the_new_owner_of_slots_that_move_as_a_whole(trio_of_primaries: Cluster) -> None:
    world = trio_of_primaries
    raise_unheard(world)
    assert world.order(TARGET, TakeSlots(0xFF, world.id(SOURCE))) == OK
    world.until(world.agreed, 30, "everyone knows the new owner")
    assert world.hosts[SOURCE].dropped == [tuple(range(8))]
    assert world.hosts[TARGET].dropped == []
    world.check()


def test_a_slot_that_goes_back_at_once_is_not_held(trio_of_primaries: Cluster) -> None:
    """The target has not heard that the source gave the slot up when the operator moves it back."""
    world = trio_of_primaries
    for giver, taker in ((SOURCE, TARGET), (TARGET, SOURCE)):
        assert world.order(taker, SetSlotImporting(SLOT, world.id(giver))) == OK
        assert world.order(giver, SetSlotMigrating(SLOT, world.id(taker))) == OK
        assert world.order(taker, SetSlotNode(SLOT, world.id(taker), keys=3)) == OK
        assert world.order(giver, SetSlotNode(SLOT, world.id(taker), keys=0)) == OK
    world.until(world.agreed, 30, "everyone knows the owner")
    assert world.view(WITNESS).owners[SLOT] == world.id(SOURCE)
    assert all(host.dropped == [] for host in world.hosts.values())
    world.check()


def test_a_target_that_forgot_its_mark_wins_all_the_same(trio_of_primaries: Cluster) -> None:
    """An empty slot, and a target that was killed before the mark was on disk: SETSLOT NODE takes it by a new epoch."""
    world = trio_of_primaries
    world.order(SOURCE, BumpEpoch())
    world.wait(1)
    assert world.order(SOURCE, SetSlotMigrating(SLOT, world.id(TARGET))) == OK
    assert world.order(TARGET, SetSlotNode(SLOT, world.id(TARGET), keys=0)) == OK
    world.wait(6)
    assert world.order(SOURCE, SetSlotNode(SLOT, world.id(TARGET), keys=0)) == OK
    world.until(world.agreed, 30, "everyone knows the new owner")
    assert world.view(WITNESS).owners[SLOT] == world.id(TARGET)
    assert world.hosts[TARGET].dropped == []


class Move:
    """One slot on its way from ``n0`` to ``n1``, with three keys in it."""

    def __init__(self, seed: int, unheard: bool) -> None:
        self.dice = Random(f"{seed}/move")
        self.world = world = Cluster(3, seed, node_timeout=10.0)
        self.told = f"seed {seed}"
        world.form()
        world.order(TARGET, BumpEpoch())
        world.wait(1 + self.dice.random())
        if unheard:
            self.cut_off()
        self.keys: dict[str, set[str]] = {SOURCE: set(KEYS), TARGET: set(), WITNESS: set()}
        self.settled = False
        """The target has answered OK to SETSLOT NODE."""

    def cut_off(self) -> None:
        """The source takes an epoch of which some do not hear for a while."""
        self.world.cut([SOURCE, *self.dice.choice([[], [WITNESS]])], [TARGET])
        self.world.order(SOURCE, BumpEpoch())
        self.world.wait(0.01)

    def steps(self) -> Iterator[str]:
        """The operator's work, from wherever it is to be resumed; says what it has done."""
        world, source, target = self.world, self.world.id(SOURCE), self.world.id(TARGET)
        if world.view(TARGET).owners[SLOT] != target or world.view(SOURCE).owners[SLOT] == source:
            world.order(TARGET, SetSlotImporting(SLOT, source))
            yield "importing"
            world.order(SOURCE, SetSlotMigrating(SLOT, target))
            yield "migrating"
            for key in sorted(self.keys[SOURCE]):
                # MIGRATE waits for the disk before it deletes; the target keeps what it has of a newer life.
                world.settle(SOURCE)
                self.keys[TARGET].add(key)
                self.keys[SOURCE].discard(key)
                yield key
        assert world.order(TARGET, SetSlotNode(SLOT, target, len(self.keys[TARGET]))) == OK
        self.settled = True
        yield "node at the target"
        assert world.order(SOURCE, SetSlotNode(SLOT, target, len(self.keys[SOURCE]))) == OK
        yield "node at the source"
        world.order(WITNESS, SetSlotNode(SLOT, target, 0))
        yield "node at the witness"

    def drop(self) -> None:
        """Carry out the deletions that nodes were told to make."""
        for name, host in self.world.hosts.items():
            for slots in host.dropped:
                if SLOT in slots:
                    assert not (self.settled and name == TARGET), f"the new owner deletes its keys ({self.told})"
                    self.keys[name].clear()
            host.dropped.clear()

    def check(self) -> None:
        """What holds at every moment."""
        self.drop()
        assert self.keys[SOURCE] | self.keys[TARGET] == KEYS, f"keys are lost ({self.told})"
        claims = [name for name, host in self.world.hosts.items() if host.disk.me.slots >> SLOT & 1]
        assert claims, f"nobody has the slot on disk ({self.told})"
        assert not self.settled or TARGET in claims, f"the new owner has not ({self.told})"

    def kill(self, victims: list[str], forgetful: bool) -> None:
        """Kill -9, and a new start a moment later. ``forgetful``: what the source deleted last is back, as it may be
        with appendfsync everysec."""
        before = set(self.keys[SOURCE])
        self.world.crash(*victims)
        self.wait(self.dice.choice([0.001, 0.5, 2.0]))
        self.world.restart(*victims)
        for name in victims:
            if name == SOURCE and forgetful and not self.settled:
                self.keys[SOURCE] = before | self.keys[TARGET]
            orders, _ = claims_of(self.world.view(name), [SLOT] if self.keys[name] else [])
            for order in orders:
                self.world.order(name, order)

    def wait(self, seconds: float) -> None:
        """Time passes, and all that must hold does."""
        end = self.world.now + seconds
        while self.world.now < end:
            self.world.wait(min(0.001, end - self.world.now) if seconds < 0.1 else 0.05)
            self.check()


def live_through(seed: int, fatal: str, victims: list[str], unheard: bool) -> None:
    """A move, killed after this step, and resumed."""
    move = Move(seed, unheard)
    world, dice = move.world, move.dice
    for step in move.steps():
        move.check()
        move.wait(dice.choice([0.0005, 0.003, 0.2]))
        if step == fatal:
            break
    move.kill(victims, forgetful=dice.random() < 0.5)
    move.wait(dice.choice([0.0005, 0.5]))
    world.heal()
    world.until(lambda: all(world.view(name).state == "ok" for name in world.hosts), 60, "the cluster is ok again")
    move.check()
    for _ in move.steps():
        move.check()
    world.until(world.agreed, 60, f"peace after the fault ({move.told})")
    world.until(
        lambda: not world.hosts[TARGET].disk.taken, 60, f"the source gives up what it is asked for ({move.told})"
    )
    move.wait(0.5)
    world.check()
    assert world.view(WITNESS).owners[SLOT] == world.id(TARGET)
    assert move.keys[TARGET] == KEYS
    assert not world.view(TARGET).importing
    assert not world.view(SOURCE).migrating
    assert SLOT not in slots_of(world.view(SOURCE).me.slots)


@pytest.mark.parametrize("victims", [[SOURCE], [TARGET], [SOURCE, TARGET]], ids="+".join)
@pytest.mark.parametrize("fatal", STEPS)
def test_a_move_that_is_killed_at_any_step_ends_well(seed: int, fatal: str, victims: list[str]) -> None:
    for number in range(4):
        live_through(seed * 1000 + number, fatal, victims, unheard=bool(number & 1))


@pytest.mark.long
def test_hundreds_of_killed_moves_end_well(seed: int) -> None:
    everyone: list[Callable[[], list[str]]] = [lambda: [SOURCE], lambda: [TARGET], lambda: [SOURCE, TARGET]]
    for number in range(600):
        dice = Random(f"{seed}/{number}")
        live_through(seed * 1000 + number, dice.choice(STEPS), dice.choice(everyone)(), dice.random() < 0.5)
