"""Slots and epochs: who owns what when nodes disagree."""

from __future__ import annotations

from shardkv.cluster.nodes import slots_of
from shardkv.cluster.orders import (
    AddSlots,
    DelSlots,
    Replicate,
    SetConfigEpoch,
    SetSlotImporting,
    SetSlotMigrating,
    SetSlotNode,
)
from shardkv.resp.replies import OK
from tests.sim.network import Cluster


def test_primaries_that_share_an_epoch_come_to_have_one_each(seed: int) -> None:
    world = Cluster(8, seed, node_timeout=2.0)
    for index, name in enumerate(world.hosts):
        world.order(name, AddSlots(((index * 2048, index * 2048 + 2047),)))
    for name in list(world.hosts)[1:]:
        world.meet("n0", name)
    world.until(world.agreed, 60, "the epochs settle")
    epochs = [world.view(name).me.config_epoch for name in world.hosts]
    assert len(set(epochs)) == 8
    world.check()


def give_epochs(world: Cluster) -> None:
    """1, 2, 3 ... as redis-cli does when it creates a cluster."""
    for epoch, name in enumerate(world.hosts, 1):
        assert world.order(name, SetConfigEpoch(epoch)) == OK


def test_of_two_that_claim_a_slot_the_greater_epoch_has_it(strangers: Cluster) -> None:
    give_epochs(strangers)
    strangers.order("n0", AddSlots(((0, 16383),)))
    strangers.order("n1", AddSlots(((100, 199),)))
    strangers.meet("n0", "n1")
    strangers.meet("n0", "n2")
    strangers.until(strangers.agreed, 20, "the claims settle")
    assert slots_of(strangers.view("n2").nodes[strangers.id("n1")].slots) == tuple(range(100, 200))
    # The loser is told to delete what it holds of them.
    assert strangers.hosts["n0"].dropped == [tuple(range(100, 200))]
    strangers.check()


def test_a_primary_that_loses_its_last_slot_follows_the_winner(strangers: Cluster) -> None:
    give_epochs(strangers)
    strangers.order("n0", AddSlots(((0, 16383),)))
    strangers.order("n1", AddSlots(((0, 16383),)))
    strangers.meet("n0", "n1")
    strangers.until(lambda: strangers.view("n0").me.primary == strangers.id("n1"), 20, "n0 follows n1")
    assert strangers.hosts["n0"].following == strangers.id("n1")
    assert strangers.hosts["n0"].dropped == []
    strangers.until(lambda: strangers.agreed(["n0", "n1"]), 20, "both agree")
    strangers.check()


def test_a_node_that_missed_a_takeover_is_corrected(cluster: Cluster) -> None:
    """n4 loses a slot by order of the operator while it is cut off: a stale claim never wins against the new epoch."""
    slot = slots_of(cluster.view("n4").me.slots)[0]
    rest = ["n0", "n1", "n2", "n3"]
    cluster.partition(["n4"], rest)
    cluster.wait(5)
    assert cluster.order("n0", SetSlotImporting(slot, cluster.id("n4"))) == OK
    assert cluster.order("n0", SetSlotNode(slot, cluster.id("n0"), keys=0)) == OK
    assert cluster.view("n4").owners[slot] == cluster.id("n4")
    cluster.heal()
    cluster.until(cluster.agreed, 30, "n4 learns of it")
    assert cluster.view("n4").owners[slot] == cluster.id("n0")
    assert cluster.hosts["n4"].dropped == [(slot,)]
    cluster.check()


def test_a_slot_moves_by_the_steps_of_a_reshard(cluster: Cluster) -> None:
    slot, source, target = 0, "n0", "n1"
    assert cluster.order(target, SetSlotImporting(slot, cluster.id(source))) == OK
    assert cluster.order(source, SetSlotMigrating(slot, cluster.id(target))) == OK
    cluster.wait(10)
    # Open slots stay as they are, across a restart too.
    cluster.crash(source)
    cluster.restart(source)
    cluster.wait(10)
    assert cluster.view(source).migrating == {slot: cluster.id(target)}
    assert cluster.view(target).importing == {slot: cluster.id(source)}
    assert cluster.order(target, SetSlotNode(slot, cluster.id(target), keys=0)) == OK
    assert cluster.order(source, SetSlotNode(slot, cluster.id(target), keys=0)) == OK
    cluster.until(cluster.agreed, 20, "everyone knows the new owner")
    assert all(cluster.view(name).owners[slot] == cluster.id(target) for name in cluster.up())
    assert not cluster.view(source).migrating
    assert not cluster.view(target).importing
    cluster.check()


def test_a_slot_that_its_owner_gave_up_may_be_taken_with_a_lower_epoch(cluster: Cluster) -> None:
    last = slots_of(cluster.view("n4").me.slots)[-1]
    assert cluster.order("n4", DelSlots(((last, last),))) == OK
    cluster.wait(5)
    assert cluster.order("n0", DelSlots(((last, last),))) == OK
    assert cluster.order("n0", AddSlots(((last, last),))) == OK
    assert cluster.view("n0").me.config_epoch < cluster.view("n4").me.config_epoch
    cluster.until(cluster.agreed, 30, "n0 has it everywhere")
    assert cluster.view("n2").owners[last] == cluster.id("n0")


def test_replicas_follow_when_their_primary_loses_everything(strangers: Cluster) -> None:
    strangers.form(slots_for=["n0"])
    strangers.order("n1", Replicate(strangers.id("n0"), empty=True))
    strangers.until(strangers.agreed, 20, "n1 follows n0")
    for slot in range(3):
        strangers.order("n2", SetSlotImporting(slot, strangers.id("n0")))
        strangers.order("n2", SetSlotNode(slot, strangers.id("n2"), keys=0))
    strangers.until(strangers.agreed, 20, "n2 has three slots")
    assert strangers.view("n1").me.primary == strangers.id("n0")
    assert strangers.hosts["n1"].dropped == []
    strangers.check()
