"""Nodes that die, hang, are cut off, move and come back."""

from __future__ import annotations

import os

import pytest

from shardkv.cluster.nodes import FAIL, PFAIL
from tests.sim.conftest import NODE_TIMEOUT
from tests.sim.network import Cluster


def test_a_dead_node_is_marked_failed_by_the_majority_and_comes_back_with_its_slots(cluster: Cluster) -> None:
    slots = cluster.view("n2").me.slots
    cluster.crash("n2")
    survivors = cluster.up()
    took = cluster.until(
        lambda: all(cluster.failed("n2", by) for by in survivors), 2 * NODE_TIMEOUT, "all mark n2 FAIL"
    )
    assert took >= NODE_TIMEOUT / 2
    assert all(cluster.view(name).state == "fail" for name in survivors)
    cluster.restart("n2")
    assert cluster.view("n2").me.slots == slots
    cluster.until(cluster.agreed, 4 * NODE_TIMEOUT, "n2 is one of them again")
    cluster.check()


@pytest.mark.parametrize("silenced", ["out", "in", "both"])
def test_a_node_that_is_cut_off_in_any_direction_is_marked_failed(cluster: Cluster, silenced: str) -> None:
    rest = ["n0", "n1", "n3", "n4"]
    if silenced != "in":
        cluster.cut(["n2"], rest)
    if silenced != "out":
        cluster.cut(rest, ["n2"])
    cluster.until(lambda: cluster.failed("n2", "n0"), 3 * NODE_TIMEOUT, "n0 marks n2 FAIL")
    cluster.heal()
    cluster.until(cluster.agreed, 8 * NODE_TIMEOUT, "all is well after the cut")


def test_a_minority_stops_serving_and_never_marks_the_others_failed(cluster: Cluster) -> None:
    cluster.partition(["n0", "n1"], ["n2", "n3", "n4"])
    cluster.wait(3 * NODE_TIMEOUT)
    assert [cluster.view(name).state for name in ("n0", "n1")] == ["fail", "fail"]
    assert not any(node.flags & FAIL for node in cluster.view("n0").nodes.values())
    assert cluster.failed("n0", "n3")
    healed = cluster.now
    cluster.heal()
    cluster.until(lambda: cluster.view("n0").state == "ok", 20, "n0 serves again")
    # It waits before it does: somebody may have taken its slots meanwhile.
    assert cluster.now - healed >= NODE_TIMEOUT
    cluster.until(cluster.agreed, 20, "all agree")
    cluster.check()


def test_the_majority_goes_on_serving_when_slots_may_be_uncovered(seed: int) -> None:
    world = Cluster(5, seed, node_timeout=NODE_TIMEOUT, require_full_coverage=False)
    world.form()
    world.partition(["n0", "n1"], ["n2", "n3", "n4"])
    world.wait(3 * NODE_TIMEOUT)
    assert [world.view(name).state for name in world.hosts] == ["fail", "fail", "ok", "ok", "ok"]


def test_a_link_that_breaks_between_two_is_no_failure(cluster: Cluster) -> None:
    cluster.partition(["n0"], ["n1"])
    cluster.wait(5 * NODE_TIMEOUT)
    assert cluster.view("n0").nodes[cluster.id("n1")].flags & (PFAIL | FAIL) in (0, PFAIL)
    assert all(cluster.view(name).state == "ok" for name in cluster.up())
    cluster.heal()
    cluster.until(cluster.agreed, 20, "all is well")


def test_a_node_that_moved_is_found_by_its_id(cluster: Cluster) -> None:
    cluster.crash("n2")
    cluster.wait(1)
    cluster.restart("n2", ip="10.9.9.9")
    cluster.until(cluster.agreed, 10 * NODE_TIMEOUT, "n2 is found at its new address")
    assert {cluster.view(name).nodes[cluster.id("n2")].ip for name in cluster.up()} == {"10.9.9.9"}
    cluster.check()


def test_another_node_at_a_known_address_is_not_taken_for_the_old_one(cluster: Cluster) -> None:
    old = cluster.id("n2")
    cluster.crash("n2")
    cluster.wipe("n2")
    cluster.restart("n2")
    cluster.wait(5 * NODE_TIMEOUT)
    assert "noaddr" in cluster.view("n0").nodes[old].flag_text
    assert "fail" in cluster.view("n0").nodes[old].flag_text
    assert cluster.id("n2") not in cluster.view("n0").nodes
    cluster.check()


def test_everyone_restarts_at_once_and_agrees_again(cluster: Cluster) -> None:
    names = cluster.up()
    cluster.crash(*names)
    cluster.wait(1)
    cluster.restart(*names)
    cluster.wait(1)
    # Not before it has had time to hear of what it missed.
    assert all(cluster.view(name).state == "fail" for name in names)
    cluster.until(cluster.agreed, 10 * NODE_TIMEOUT, "all agree again")
    cluster.check()


def test_skewed_clocks_do_no_harm(cluster: Cluster) -> None:
    cluster.hosts["n0"].skew = 3600.0
    cluster.hosts["n1"].skew = 7.0
    cluster.wait(30)
    assert cluster.agreed()
    cluster.crash("n4")
    cluster.until(lambda: cluster.failed("n4", "n3"), 2.5 * NODE_TIMEOUT, "n4 is marked FAIL")


def test_a_hundred_nodes_with_a_tenth_of_all_messages_lost(seed: int) -> None:
    count, timeout = int(os.environ.get("NODES", "100")), 15.0
    world = Cluster(count, seed, node_timeout=timeout)
    world.form()
    world.loss = 0.1
    world.crash("n7")
    survivors = world.up()
    world.until(
        lambda: sum(world.failed("n7", by) for by in survivors) > len(survivors) / 2,
        2 * timeout,
        "a majority marks n7 FAIL",
    )
    world.restart("n7")
    seven = world.id("n7")
    world.until(
        lambda: not any(view.nodes[seven].flags & FAIL for view in map(world.view, survivors)),
        4 * timeout,
        "n7 is one of them again",
    )
    assert {view.nodes[seven].slots for view in map(world.view, world.up())} == {world.view("n7").me.slots}
    world.check()
