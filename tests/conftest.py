"""Fixtures that every test may use, and how random tests are run and reported."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.oracle import SETTINGS, Redis, Valkey, redis_is_here
from tests.support.processes import Node, OptionValue, Server, start_nodes

# A busy machine with two cores makes every deadline a coin toss, so none of the profiles has one.
_common = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _common, max_examples=20)
# The same examples in each run of one commit: a verdict on the commit, not on luck. "laws" does the searching.
settings.register_profile("ci", _common, max_examples=30, derandomize=True)
settings.register_profile("laws", _common, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

SEED = int(os.environ.get("SHARDKV_SEED") or random.SystemRandom().randrange(1 << 32))


def pytest_report_header() -> str:
    """How to repeat what is random in this run."""
    return f"SHARDKV_SEED={SEED} HYPOTHESIS_PROFILE={settings.get_current_profile_name()}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the seed to the report of a failed test that used it."""
    report = yield
    if report.failed and "seed" in getattr(item, "fixturenames", ()):
        report.sections.append(("random", f"repeat with SHARDKV_SEED={SEED}"))
    return report


@pytest.fixture
def seed() -> int:
    """The seed of this run: SHARDKV_SEED, or a new one each time; printed when the test fails."""
    return SEED


@pytest.fixture(scope="session")
def _redis_process() -> Iterator[Redis]:
    if not redis_is_here():
        pytest.fail("redis-server is not installed (Debian packages: redis-server redis-tools)")
    with Redis(**SETTINGS) as server:
        yield server


@pytest.fixture(scope="session")
def _valkey_process() -> Iterator[Valkey]:
    with Valkey(**SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def _node_process() -> Iterator[Node]:
    with Node(**SETTINGS) as server:
        yield server


@pytest.fixture
def oracle(_redis_process: Redis) -> Redis:
    """A redis-server 7.0 with no keys in it, shared by all tests: leave its options as they are."""
    _empty(_redis_process)
    return _redis_process


@pytest.fixture
def valkey(_valkey_process: Valkey) -> Valkey:
    """A valkey-server 9.1 with no keys in it, shared by all tests: leave its options as they are."""
    _empty(_valkey_process)
    return _valkey_process


@pytest.fixture
def node(_node_process: Node) -> Node:
    """A standalone shardkv-node with no keys in it, shared by the tests of a module."""
    _empty(_node_process)
    return _node_process


@pytest.fixture
def start_node() -> Iterator[Callable[..., Node]]:
    """Starts a node of the test's own, with options: ``start_node(maxclients=10)``."""
    started: list[Node] = []

    def start(**options: OptionValue) -> Node:
        defaults: dict[str, OptionValue] = {"save": "", "appendonly": "no"}
        node = Node(**(defaults | options))
        started.append(node)
        return node.start()

    yield start
    for node in started:
        node.stop()


@pytest.fixture
def cluster_nodes() -> Iterator[Callable[..., list[Node]]]:
    """Starts nodes in cluster mode that haven't met: ``cluster_nodes(3, cluster_node_timeout=500)``."""
    started: list[Node] = []

    def start(count: int, **options: OptionValue) -> list[Node]:
        nodes = start_nodes(count, **options)
        started.extend(nodes)
        return nodes

    yield start
    for node in started:
        node.stop()


def _empty(server: Server) -> None:
    """Brings a shared server back to life if a test has ended it, and removes every key."""
    if server.process_ended():
        server.start()
    with server.client() as client:
        client.must("FLUSHALL")
