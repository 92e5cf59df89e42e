"""The faults, each a short story told to a world under load; all leave the cluster whole again."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable

from tests.support.processes import wait_for

from .load import Load
from .world import NODE_TIMEOUT_MS, TAGS, World

WARM = 1.0  # seconds of load before a fault, so that there is something to lose
Story = Callable[[World, Load], None]


def kill_a_primary(world: World, load: Load) -> None:
    """kill -9 of a primary; it comes back when its replica serves."""
    primary, replica = world.shard_of(TAGS[0])
    primary.kill()
    wait_for(lambda: world.is_primary(replica), 30, "the replica takes over")
    time.sleep(WARM)
    primary.start()


def stop_a_primary(world: World, load: Load) -> None:
    """SIGSTOP of a primary for three node timeouts: it is alive and silent, and then believes that nothing happened."""
    primary, replica = world.shard_of(TAGS[0])
    primary.signal(signal.SIGSTOP)
    wait_for(lambda: world.is_primary(replica), 30, "the replica takes over")
    time.sleep(WARM)
    primary.signal(signal.SIGCONT)


def cut_a_primary_off(world: World, load: Load) -> None:
    """A primary is cut off from all others for three node timeouts; a client on its side writes on."""
    primary, replica = world.shard_of(TAGS[0])
    assert primary is world.servers[0]
    world.partition()
    wait_for(lambda: world.is_primary(replica), 30, "the replica takes over")
    time.sleep(max(0.0, world.cut_at + 3 * NODE_TIMEOUT_MS / 1000 - time.monotonic()))
    world.heal()


def order_a_failover(world: World, load: Load) -> None:
    """CLUSTER FAILOVER at a replica."""
    _, replica = world.shard_of(TAGS[0])
    with replica.client() as client:
        assert client("CLUSTER", "FAILOVER") == "OK"
    wait_for(lambda: world.is_primary(replica), 10, "the replica takes over")


def restart_empty(world: World, load: Load) -> None:
    """A primary is killed, loses its disk but for nodes.conf, and is back before anybody has missed it."""
    primary, _ = world.shard_of(TAGS[0])
    primary.kill()
    shutil.rmtree(primary.directory / "appendonlydir", ignore_errors=True)
    primary.start()


def lose_a_stale_pair(world: World, load: Load) -> None:
    """A replica's link is refused for eight seconds of writes (its primary takes the right to it away); then that one
    dies, and comes back ten seconds later with its log."""
    primary, _ = world.shard_of(TAGS[0])
    with primary.client() as client:
        assert client("ACL", "SETUSER", "default", "-psync", "-sync") == "OK"
        client("CLIENT", "KILL", "TYPE", "SLAVE")
    time.sleep(8)
    primary.kill()
    time.sleep(10)
    primary.start()


def cut_the_power(world: World, load: Load) -> None:
    """kill -9 of all six at once, and all start again."""
    for server in world.servers:
        server.kill()
    for server in world.servers:
        server.start()


def restart_one_by_one(world: World, load: Load) -> None:
    """A rolling restart: replicas first, then each primary after its replica has taken over by order."""
    shards = [world.shard_of(tag) for tag in TAGS]
    for _, replica in shards:
        replica.restart()
        wait_for(world.settled, 60, "the replica is back")
    for primary, replica in shards:
        with replica.client() as client:
            client("CLUSTER", "FAILOVER")
        wait_for(lambda replica=replica: world.is_primary(replica), 10, "the replica takes over")  # type: ignore[misc]  # mypy knows no default of a lambda
        wait_for(world.settled, 60, "the old primary follows")
        primary.restart()
        wait_for(world.settled, 60, "the old primary is back")


STORIES: dict[str, Story] = {
    "kill -9 of a primary": kill_a_primary,
    "SIGSTOP of a primary": stop_a_primary,
    "a primary cut off": cut_a_primary_off,
    "ordered failover": order_a_failover,
    "primary restarts empty": restart_empty,
    "stale replica, dead primary": lose_a_stale_pair,
    "rolling restart of all": restart_one_by_one,
    "power cut (appendfsync always)": cut_the_power,
}


ON_A_NETWORK: frozenset[str] = frozenset({"a primary cut off"})
"""Stories that need a network that can be cut."""


def tell(world: World, story: Story) -> tuple[Load, float, float]:
    """Tell a story under load; the load, and from when to when. Afterwards the cluster is whole."""
    with Load(world.addresses, TAGS, world.network) as load:
        time.sleep(WARM)
        began = time.monotonic()
        story(world, load)
        wait_for(world.settled, 90, "the cluster is whole again")
        time.sleep(WARM)
        ended = time.monotonic()
    return load, began, ended
