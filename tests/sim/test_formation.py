"""How strangers become a cluster, and how one leaves it."""

from __future__ import annotations

from shardkv.cluster.orders import AddSlots, ForgetNode, Replicate, ResetNode
from shardkv.errors import ReplyError
from shardkv.resp.replies import OK
from tests.sim.network import Cluster


def test_nodes_that_meet_agree_on_slots_and_on_each_other(cluster: Cluster) -> None:
    cluster.check()
    assert cluster.view("n0").assigned.bit_count() == 16384
    assert [cluster.view("n3").nodes[cluster.id(name)].ip for name in ("n0", "n3")] == ["10.0.0.0", "10.0.0.3"]


def test_a_chain_of_meets_is_enough(strangers: Cluster) -> None:
    strangers.order("n0", AddSlots(((0, 16383),)))
    strangers.meet("n0", "n1")
    strangers.meet("n1", "n2")
    strangers.until(strangers.agreed, 20, "all three agree")
    strangers.check()


def test_meeting_works_though_a_third_of_all_messages_is_lost(seed: int) -> None:
    world = Cluster(6, seed, node_timeout=5.0)
    world.loss = 0.3
    world.join()
    for _ in range(3):
        # A handshake is given up after five seconds; an operator looks, and tries again.
        world.wait(10)
        for name in list(world.hosts)[1:]:
            if world.id(name) not in world.view("n0").nodes:
                world.meet("n0", name)
    world.wait(20)
    assert {len(world.view(name).nodes) for name in world.hosts} == {6}
    world.loss = 0.0
    world.until(world.agreed, 30, "all agree")
    world.check()


def test_meeting_oneself_or_nobody_leaves_no_trace(strangers: Cluster) -> None:
    strangers.meet("n0", "n0")
    strangers.crash("n1")
    strangers.meet("n0", "n1")
    strangers.wait(5)
    assert list(strangers.view("n0").nodes) == [strangers.id("n0")]


def test_a_stranger_that_is_not_met_stays_one(cluster: Cluster) -> None:
    stranger = cluster.add("x", cluster.hosts["n0"].settings)
    cluster.wait(10)
    assert len(cluster.view("x").nodes) == 1
    assert stranger.machine is not None
    assert stranger.machine.view.myself not in cluster.view("n0").nodes


def test_a_replica_is_known_as_one_by_all(strangers: Cluster) -> None:
    strangers.form(slots_for=["n0", "n1"])
    assert strangers.order("n2", Replicate(strangers.id("n1"), empty=True)) == OK
    strangers.until(strangers.agreed, 10, "all know the replica")
    strangers.check()
    assert [node.id for node in strangers.view("n0").replicas_of(strangers.id("n1"))] == [strangers.id("n2")]
    assert strangers.hosts["n2"].following == strangers.id("n1")
    assert strangers.view("n0").nodes[strangers.id("n2")].shard_id == strangers.view("n1").me.shard_id


def test_a_forgotten_node_does_not_come_back_by_gossip_for_a_minute(cluster: Cluster) -> None:
    gone = cluster.id("n4")
    cluster.crash("n4")
    assert cluster.order("n0", ForgetNode(gone)) == OK
    cluster.wait(5)
    # The word spreads: a FORGET at one node is one everywhere.
    assert all(gone not in cluster.view(name).nodes for name in cluster.up())
    cluster.wait(50)
    assert all(gone not in cluster.view(name).nodes for name in cluster.up())
    cluster.check()


def test_a_reset_node_stands_alone_and_may_join_again(cluster: Cluster) -> None:
    old = cluster.id("n4")
    assert isinstance(cluster.order("n4", ResetNode(hard=True, empty=False)), ReplyError)
    assert cluster.order("n4", ResetNode(hard=True, empty=True)) == OK
    assert list(cluster.view("n4").nodes) == [cluster.id("n4")]
    assert (cluster.id("n4") != old, cluster.view("n4").current_epoch, cluster.view("n4").me.slots) == (True, 0, 0)
    cluster.order("n0", ForgetNode(old))
    cluster.wait(5)
    cluster.meet("n0", "n4")
    cluster.wait(5)
    assert cluster.id("n4") in cluster.view("n2").nodes
    assert old not in cluster.view("n2").nodes
    cluster.check()


def test_a_node_that_crashed_while_it_was_met_is_met_all_the_same(strangers: Cluster) -> None:
    """n1 dies between its answer to the MEET and its own handshake with n0: n0 knows n1, n1 knows nobody."""
    strangers.meet("n0", "n1")
    while strangers.id("n1") not in strangers.view("n0").nodes:
        strangers.wait(0.0005)
        if strangers.id("n0") in strangers.view("n1").nodes:
            break
    strangers.crash("n1")
    strangers.wipe_table("n1")
    strangers.restart("n1")
    strangers.until(lambda: strangers.id("n0") in strangers.view("n1").nodes, 10, "n0 meets n1 again")
