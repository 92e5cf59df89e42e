"""The oracles for random tests, which run many examples in one test, and for clusters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster_sides import Side, one_of_each, two_of_each
from tests.support.oracle import Redis, Valkey


@pytest.fixture(scope="module")
def alone() -> Iterator[tuple[Side, Side]]:
    """A node of ours and a redis-server in cluster mode, with the slots 0-10000."""
    with one_of_each(Redis) as sides:
        yield sides


@pytest.fixture(scope="module")
def pairs() -> Iterator[tuple[Side, Side]]:
    """Two nodes of ours and two redis-servers: ``a`` has the slots 0-10000, ``b`` 10001-16000."""
    with two_of_each(Redis) as sides:
        yield sides


@pytest.fixture(scope="session")
def redis_process(request: pytest.FixtureRequest) -> Redis:
    """The redis-server 7.0 behind ``oracle``, not emptied: ``differences`` does that for each example."""
    process = request.getfixturevalue("_redis_process")
    assert isinstance(process, Redis)
    return process


@pytest.fixture(scope="session")
def valkey_process(request: pytest.FixtureRequest) -> Valkey:
    """The valkey-server 9.1 behind ``valkey``, in the same way."""
    process = request.getfixturevalue("_valkey_process")
    assert isinstance(process, Valkey)
    return process
