"""What a node takes of the memory, and what it learns from how its process grows."""

from __future__ import annotations

import pytest

from shardkv.engine.footprint import LEAST_WASTE, MOST_WASTE, STARTUP
from tests.support.engine_client import EngineClient

MB = 2**20
LIMIT = 64 * MB


@pytest.fixture
def limited() -> EngineClient:
    """A client of a node that holds some megabytes, far below its limit."""
    kv = EngineClient()
    kv("CONFIG", "SET", "maxmemory", LIMIT, "maxmemory-policy", "allkeys-random")
    for number in range(4000):
        kv("SET", f"key:{number}", "x" * 2000)
    kv.engine.memory.measure()
    return kv


def looked(kv: EngineClient, grown: int, times: int = 1) -> float:
    """What is used for each byte in the books after so many looks at a process that has grown so far, and a bit more
    each time."""
    memory, facts = kv.engine.memory, kv.world.known
    for more in range(times):
        facts["rss"] = facts["rss_startup"] + grown + more
        memory.learn()
    books = memory.books
    assert books is not None
    return (memory.footprint.used(books.used) - memory.footprint.beside) / books.used


def test_more_in_the_books_is_more_used_and_less_room(limited: EngineClient) -> None:
    footprint = limited.engine.memory.footprint
    assert footprint.used(0) == footprint.beside >= STARTUP
    assert footprint.used(10 * MB) > footprint.beside + 10 * MB * LEAST_WASTE
    assert abs(footprint.used(footprint.room(LIMIT)) - LIMIT) < 2


def test_a_process_that_grows_by_more_than_is_known_wastes_memory(limited: EngineClient) -> None:
    before = looked(limited, 5 * MB)
    assert looked(limited, 14 * MB, 5) > before
    assert looked(limited, 100 * MB, 200) < MOST_WASTE * 1.1


def test_it_is_unlearnt_little_by_little_when_it_grows_no_more(limited: EngineClient) -> None:
    high = looked(limited, 14 * MB, 30)
    for _ in range(100):
        limited.engine.memory.learn()
    lower = looked(limited, 14 * MB)
    assert high - 0.05 < lower < high


def test_a_limit_is_exceeded_sooner_where_memory_is_wasted(limited: EngineClient) -> None:
    books = limited.engine.memory.books
    assert books is not None
    room = books.limit
    looked(limited, 14 * MB, 30)
    assert books.limit < room
