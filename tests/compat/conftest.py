"""The oracle for random tests, which run many examples in one test."""

from __future__ import annotations

import pytest

from tests.support.oracle import Redis, Valkey


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
