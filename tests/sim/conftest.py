"""Worlds for the simulation tests. ``SEED=n`` replays a run, ``NODES=n`` sizes the large world."""

from __future__ import annotations

import os

import pytest

from tests.sim.network import Cluster

NODE_TIMEOUT = 2.0


@pytest.fixture
def seed() -> int:
    """The seed of this run; printed with a failure."""
    return int(os.environ.get("SEED", "1"))


@pytest.fixture
def cluster(seed: int) -> Cluster:
    """Five primaries that know each other and share the slots."""
    world = Cluster(5, seed, node_timeout=NODE_TIMEOUT)
    world.form()
    return world


@pytest.fixture
def strangers(seed: int) -> Cluster:
    """Three nodes that have not met."""
    return Cluster(3, seed, node_timeout=NODE_TIMEOUT)


@pytest.fixture
def shards(seed: int) -> Cluster:
    """Three primaries ``n0 n1 n2``; ``n3`` and ``n6`` follow n0, ``n4 n7`` n1, ``n5 n8`` n2; data flow."""
    world = Cluster(9, seed, node_timeout=NODE_TIMEOUT)
    world.form_shards(3, 2)
    return world


@pytest.fixture
def pairs(seed: int) -> Cluster:
    """Three primaries ``n0 n1 n2`` with one replica each, ``n3 n4 n5``; data flow."""
    world = Cluster(6, seed, node_timeout=NODE_TIMEOUT)
    world.form_shards(3, 1)
    return world
