"""Who takes over when a primary dies, hangs, is cut off, or comes back with less than it had."""

from __future__ import annotations

import pytest

from shardkv.cluster.orders import Failover
from shardkv.errors import ReplyError
from shardkv.resp.replies import OK
from tests.sim.conftest import NODE_TIMEOUT
from tests.sim.network import Cluster


def primaries(world: Cluster) -> list[str]:
    """The running nodes that own slots by their own account."""
    return [name for name in world.up() if world.view(name).me.slots]


def takeover(world: Cluster, *candidates: str, limit: float = 30.0) -> float:
    """How long it takes until one of these serves."""

    def served() -> bool:
        return any(world.view(name).me.slots and world.view(name).state == "ok" for name in candidates)

    start = world.now
    while not served():
        assert world.now - start < limit, f"none of {candidates} takes over (seed {world.seed})"
        world.wait(0.01)
    return world.now - start


def write(world: Cluster, name: str, seconds: float, every: float = 0.01) -> int:
    """Write to a node for a while; how many writes it acknowledged."""
    end, done = world.now + seconds, 0
    while world.now < end:
        done += world.write(name)
        world.wait(every)
    return done


def test_a_replica_takes_over_as_soon_as_a_majority_has_lost_its_primary(pairs: Cluster) -> None:
    slots = pairs.view("n0").me.slots
    pairs.crash("n0")
    assert takeover(pairs, "n3") <= NODE_TIMEOUT + 0.4
    assert pairs.view("n3").me.slots == slots
    assert pairs.hosts["n3"].following is None
    pairs.until(lambda: pairs.agreed(pairs.up()), 5, "all know the new primary")
    pairs.check()


def test_other_shards_serve_on_while_an_heir_takes_over_and_stop_when_there_is_none(pairs: Cluster) -> None:
    """Where all slots are to be covered, the cluster is down without a primary; not in the moment of its succession."""
    pairs.crash("n0")
    until = pairs.now + 2 * NODE_TIMEOUT
    while pairs.now < until:
        assert pairs.view("n1").state == pairs.view("n2").state == "ok"
        pairs.wait(0.002)
    assert primaries(pairs) == ["n1", "n2", "n3"]
    pairs.crash("n3")
    pairs.until(lambda: pairs.failed("n3", "n1"), 3 * NODE_TIMEOUT, "it is missed")
    pairs.wait(0.1)
    assert pairs.view("n1").state == "fail"


def test_a_primary_that_hangs_is_replaced_as_fast_as_one_that_dies(pairs: Cluster) -> None:
    """Its connections stay open: nobody would notice before the next ping. Its replica does, and alerts the others."""
    pairs.partition(["n0"], ["n1", "n2", "n3", "n4", "n5"])
    assert takeover(pairs, "n3") <= NODE_TIMEOUT + 0.4


def test_the_former_primary_comes_back_as_a_replica(pairs: Cluster) -> None:
    pairs.crash("n0")
    takeover(pairs, "n3")
    pairs.restart("n0")
    pairs.until(lambda: pairs.view("n0").me.primary == pairs.id("n3"), 10, "n0 follows n3")
    pairs.until(pairs.agreed, 20, "all agree")
    pairs.check()


def test_nobody_takes_over_while_most_primaries_are_out_of_reach(pairs: Cluster) -> None:
    pairs.crash("n0", "n1")
    pairs.wait(10 * NODE_TIMEOUT)
    assert primaries(pairs) == ["n2"]
    assert pairs.view("n2").state == "fail"


def test_the_replica_with_the_most_data_goes_first(shards: Cluster) -> None:
    write(shards, "n0", 1)
    shards.partition(["n3"], ["n0"])
    write(shards, "n0", 1)
    shards.wait(0.2)
    shards.crash("n0")
    shards.heal()
    takeover(shards, "n3", "n6")
    assert shards.view("n6").me.slots
    assert not shards.lost()
    shards.until(lambda: shards.view("n3").me.primary == shards.id("n6"), 10, "n3 follows n6")


def test_of_equal_replicas_one_is_elected_without_a_split_vote(shards: Cluster) -> None:
    write(shards, "n0", 1)
    shards.wait(0.5)
    shards.crash("n0")
    assert takeover(shards, "n3", "n6") <= NODE_TIMEOUT + 0.4
    shards.until(lambda: shards.agreed(shards.up()), 10, "all agree")
    assert shards.view("n1").current_epoch == max(shards.view(name).me.config_epoch for name in shards.up())


def test_the_second_best_takes_over_when_the_best_is_dead_too(shards: Cluster) -> None:
    best = min("n3", "n6", key=shards.id)
    other = "n6" if best == "n3" else "n3"
    shards.crash("n0", best)
    assert takeover(shards, other) <= NODE_TIMEOUT + 1.0


def test_a_stale_replica_does_not_stand_unless_it_is_allowed_to(seed: int) -> None:
    """It was cut off from its primary for eight seconds of writes: what it has is not worth the shard."""
    for factor in (1, 10):
        world = Cluster(6, seed, node_timeout=NODE_TIMEOUT, validity_factor=factor)
        world.form_shards(3, 1)
        world.partition(["n3"], ["n0"])
        write(world, "n0", 8)
        world.crash("n0")
        world.wait(10 * NODE_TIMEOUT)
        assert primaries(world) == (["n1", "n2"] if factor == 1 else ["n1", "n2", "n3"])
        if factor == 1:
            assert "cluster-replica-validity-factor" in "\n".join(world.hosts["n3"].logs)
            assert world.order("n3", Failover(force=True)) == OK
            takeover(world, "n3", limit=3)


def test_an_idle_primary_does_not_make_its_replica_stale(pairs: Cluster) -> None:
    pairs.wait(60)
    pairs.crash("n0")
    assert takeover(pairs, "n3") <= NODE_TIMEOUT + 0.4


def test_a_replica_that_never_had_a_whole_copy_does_not_stand(pairs: Cluster) -> None:
    pairs.crash("n3")
    pairs.partition(["n3"], ["n0"])
    pairs.restart("n3")
    pairs.wait(3)
    pairs.crash("n0")
    pairs.wait(10 * NODE_TIMEOUT)
    assert primaries(pairs) == ["n1", "n2"]


def test_a_primary_in_a_minority_stops_writing_within_the_node_timeout(pairs: Cluster) -> None:
    pairs.partition(["n0"], ["n1", "n2", "n3", "n4", "n5"])
    cut = pairs.now
    last = cut
    while pairs.now < cut + 4 * NODE_TIMEOUT:
        if pairs.write("n0"):
            last = pairs.now
        pairs.wait(0.01)
    assert last - cut <= NODE_TIMEOUT
    assert pairs.view("n3").me.slots


def test_a_primary_that_nobody_hears_stops_writing_though_it_hears_them(pairs: Cluster) -> None:
    rest = ["n1", "n2", "n3", "n4", "n5"]
    pairs.cut(["n0"], rest)
    cut = pairs.now
    pairs.wait(NODE_TIMEOUT)
    assert not pairs.write("n0")
    assert takeover(pairs, "n3") + pairs.now - cut < 2 * NODE_TIMEOUT + 4


def test_a_healthy_cluster_never_loses_its_lease(shards: Cluster) -> None:
    for _ in range(600):
        shards.wait(0.1)
        assert all(shards.view(name).state == "ok" for name in shards.up())


def test_a_primary_that_restarts_empty_steps_aside_for_its_replica(pairs: Cluster) -> None:
    """It is back before anybody has missed it. Redis's replica would copy the emptiness."""
    written = write(pairs, "n0", 2)
    pairs.wait(0.3)
    pairs.crash("n0")
    pairs.hosts["n0"].data.clear()
    pairs.wait(0.2)
    pairs.restart("n0")
    pairs.until(lambda: pairs.view("n0").me.primary == pairs.id("n3"), 10, "n0 follows n3")
    pairs.until(pairs.agreed, 20, "all agree")
    assert not pairs.lost()
    pairs.until(lambda: len(pairs.hosts["n0"].data) == written, 10, "n0 has the data again")


def test_a_primary_that_restarts_with_all_its_data_stays_primary(pairs: Cluster) -> None:
    write(pairs, "n0", 1)
    pairs.wait(0.3)
    pairs.crash("n0")
    pairs.wait(0.2)
    pairs.restart("n0")
    pairs.until(lambda: pairs.view("n0").state == "ok", 10, "n0 serves again")
    assert pairs.view("n0").me.slots
    assert not pairs.lost()


def test_an_ordered_failover_loses_nothing_and_takes_no_time(pairs: Cluster) -> None:
    write(pairs, "n0", 1)
    assert pairs.order("n3", Failover()) == OK
    start = pairs.now
    while not pairs.view("n3").me.slots:
        pairs.write("n0")
        pairs.wait(0.002)
        assert pairs.now - start < 1
    pairs.until(lambda: pairs.agreed(pairs.up()), 5, "all agree")
    assert pairs.hosts["n0"].following == pairs.id("n3")
    assert pairs.hosts["n0"].paused_until <= pairs.now
    pairs.wait(1)
    assert not pairs.lost()
    pairs.check()


def test_an_ordered_failover_survives_the_loss_of_its_question_and_of_the_answer(pairs: Cluster) -> None:
    for lost in (("n3", "n0"), ("n0", "n3")):
        pairs.cut([lost[0]], [lost[1]])
        assert pairs.order("n3", Failover()) == OK
        pairs.wait(0.2)
        pairs.heal()
        pairs.until(lambda: bool(pairs.view("n3").me.slots), 3, "the replica has taken over")
        pairs.until(lambda: pairs.agreed(pairs.up()), 5, "all agree")
        pairs.wait(1)
        assert not pairs.lost()
        assert pairs.order("n0", Failover(takeover=True)) == OK
        pairs.until(lambda: pairs.agreed(pairs.up()), 5, "all agree again")


def test_an_ordered_failover_that_cannot_finish_is_called_off(pairs: Cluster) -> None:
    pairs.partition(["n3"], ["n1", "n2"])
    assert pairs.order("n3", Failover()) == OK
    pairs.wait(1)
    assert not pairs.write("n0")
    pairs.wait(5)
    assert pairs.write("n0")
    pairs.heal()
    pairs.wait(5)
    assert primaries(pairs) == ["n0", "n1", "n2"]


def test_force_does_without_the_primary_and_takeover_without_the_others(pairs: Cluster) -> None:
    pairs.crash("n0")
    pairs.wait(0.1)
    refusal = pairs.order("n3", Failover())
    assert isinstance(refusal, ReplyError)
    assert refusal.text == "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE"
    assert pairs.order("n3", Failover(force=True)) == OK
    assert takeover(pairs, "n3") < 0.2
    pairs.crash("n1", "n2")
    assert pairs.order("n4", Failover(takeover=True)) == OK
    assert pairs.view("n4").me.slots
    refusal = pairs.order("n4", Failover())
    assert isinstance(refusal, ReplyError)
    assert refusal.text == "ERR You should send CLUSTER FAILOVER to a replica"


def test_a_replica_told_not_to_take_over_does_not(seed: int) -> None:
    world = Cluster(6, seed, node_timeout=NODE_TIMEOUT, no_failover=True)
    world.form_shards(3, 1)
    world.crash("n0")
    world.wait(10 * NODE_TIMEOUT)
    assert primaries(world) == ["n1", "n2"]


def test_a_replica_goes_where_one_is_missing(shards: Cluster) -> None:
    shards.crash("n4", "n7")
    shards.until(
        lambda: any(shards.view(name).me.primary == shards.id("n1") for name in ("n3", "n5", "n6", "n8")),
        20,
        "n1 gets a replica",
    )
    shards.wait(10)
    followers = [name for name in shards.up() if shards.view(name).me.primary == shards.id("n1")]
    assert len(followers) == 1


def test_no_replica_goes_when_the_operator_forbids_it(seed: int) -> None:
    world = Cluster(9, seed, node_timeout=NODE_TIMEOUT, allow_replica_migration=False)
    world.form_shards(3, 2)
    world.crash("n4", "n7")
    world.wait(30)
    assert all(world.view(name).me.primary != world.id("n1") for name in world.up())


def test_no_replica_goes_that_its_own_primary_must_keep(seed: int) -> None:
    """cluster-migration-barrier: a primary keeps so many working replicas."""
    world = Cluster(9, seed, node_timeout=NODE_TIMEOUT, migration_barrier=2)
    world.form_shards(3, 2)
    world.crash("n4", "n7")
    world.wait(30)
    assert all(world.view(name).me.primary != world.id("n1") for name in world.up())


@pytest.mark.parametrize("number", range(5))
def test_replicas_of_several_dead_primaries_do_not_share_the_votes_for_ever(seed: int, number: int) -> None:
    """Three of eight primaries die at once, and each has three replicas that hold the same."""
    world = Cluster(32, seed * 100 + number, node_timeout=NODE_TIMEOUT)
    world.form_shards(8, 3)
    world.crash("n0", "n1", "n2")

    def replaced() -> bool:
        return all(any(world.view(f"n{shard + 8 * turn}").me.slots for turn in (1, 2, 3)) for shard in range(3))

    took = world.until(replaced, 60, "every primary is replaced")
    assert took < NODE_TIMEOUT + 4
    world.until(world.agreed, 30, "all agree")
    world.check()
