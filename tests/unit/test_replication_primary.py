"""A primary's view of its replicas: when signs of life are due."""

from __future__ import annotations

from shardkv.replication.primary import Due, Ping, Primary, Replica, Rules

RULES = Rules(
    timeout=60_000, ping_period=10_000, backlog_ttl=0, diskless=True, diskless_delay=5_000, diskless_max=0, max_lag=10
)
BEGIN = 1_700_000_000_000


def due(primary: Primary, now: int) -> list[Due]:
    """What is to be done at a time."""
    return primary.due(now, RULES, quiet=False, has_backlog=True)


def test_the_first_ping_comes_a_period_after_the_first_replica() -> None:
    primary = Primary()
    primary.attach_online(Replica(1, speaks=False), 0, BEGIN)
    assert due(primary, BEGIN + 100) == []
    primary.attach_online(Replica(2, speaks=False), 0, BEGIN + 5_000)
    assert due(primary, BEGIN + 9_999) == []
    assert due(primary, BEGIN + 10_000) == [Ping()]
    assert due(primary, BEGIN + 10_100) == []
