"""What came to clusters after Redis 7.0, beside valkey-server 9.1: numbered databases and CLUSTER SLOT-STATS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster_sides import Side, agree, one_of_each, two_of_each
from tests.support.oracle import Valkey

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def several() -> Iterator[tuple[Side, Side]]:
    """One node of each kind, with four databases."""
    with one_of_each(Valkey, cluster_databases=4) as sides:
        yield sides


@pytest.fixture(scope="module")
def moving() -> Iterator[tuple[Side, Side]]:
    """Two nodes of each kind, with four databases."""
    with two_of_each(Valkey, cluster_databases=4) as sides:
        yield sides


DATABASES = r"""
    CONFIG GET cluster-databases
    CONFIG GET databases
    SET x{b} 0
    SELECT 1
    GET x{b}
    SET x{b} 1
    SET y{b} 1
    SELECT 4
    SELECT -1
    SELECT 99
    SELECT x
    GET x{b}
    MOVE x{b} 0
    MOVE y{b} 0
    MOVE y{b} 0
    MOVE x{b} 1
    MOVE x{b} 4
    MOVE x{b} -1
    MOVE x{b} x
    MOVE x{a} 2
    COPY x{b} x{b} DB 2
    COPY x{b} x{b} DB 2
    COPY x{b} x{b} DB 2 REPLACE
    COPY x{b} z{b} DB 4
    COPY x{b} z{b} DB -1
    COPY x{b} x{b} DB 1
    COPY x{b} x{c} DB 2
    COPY x{a} y{a} DB 2
    SWAPDB 0 1
    SWAPDB 0 9
    SWAPDB x 1
    DBSIZE
    CLUSTER COUNTKEYSINSLOT 3300
    CLUSTER GETKEYSINSLOT 3300 10
    KEYS *
    SCAN 0
    RANDOMKEY
    SELECT 0
    CLUSTER COUNTKEYSINSLOT 3300
    CLUSTER GETKEYSINSLOT 3300 10
    MULTI
    SELECT 2
    GET x{b}
    MOVE x{b} 3
    EXEC
    DBSIZE
    SELECT 3
    GET x{b}
    EVAL "redis.call('SELECT', 1); redis.call('SET', KEYS[1], 'lua'); return redis.call('DBSIZE')" 1 s{b}
    DBSIZE
    EVAL "return redis.call('MOVE', KEYS[1], 2)" 1 x{b}
    CLUSTER SLOT-STATS SLOTSRANGE 3300 3300
    FLUSHDB
    SELECT 1
    DBSIZE
    FLUSHALL
    DBSIZE
    SELECT 0
    DBSIZE
    SELECT 3
    CLUSTER DELSLOTS 3300
    SET x{b} 1
    CLUSTER ADDSLOTS 3300
    RESET
    GET x{b}
"""


def test_a_cluster_with_four_databases(several: tuple[Side, Side]) -> None:
    agree(*several, DATABASES)


STATS = r"""
    SET x{b} 1
    SET y{b} 1
    SET x{3} 1
    CLUSTER SLOT-STATS
    CLUSTER SLOT-STATS SLOTSRANGE
    CLUSTER SLOT-STATS SLOTSRANGE 0
    CLUSTER SLOT-STATS SLOTSRANGE 3299 3301
    CLUSTER SLOT-STATS slotsrange 1 2 3
    CLUSTER SLOT-STATS SLOTSRANGE 5 3
    CLUSTER SLOT-STATS SLOTSRANGE 5 16384
    CLUSTER SLOT-STATS SLOTSRANGE -1 5
    CLUSTER SLOT-STATS SLOTSRANGE a 5
    CLUSTER SLOT-STATS SLOTSRANGE 9999 10003
    CLUSTER SLOT-STATS SLOTSRANGE 10001 10003
    CLUSTER slot-stats foo 1
    CLUSTER SLOT-STATS ORDERBY
    CLUSTER SLOT-STATS ORDERBY key-count LIMIT 3
    CLUSTER SLOT-STATS ORDERBY KEY-COUNT LIMIT 3 DESC
    CLUSTER SLOT-STATS ORDERBY key-count DESC LIMIT 1
    CLUSTER SLOT-STATS ORDERBY key-count ASC LIMIT 2
    CLUSTER SLOT-STATS ORDERBY key-count LIMIT 0
    CLUSTER SLOT-STATS ORDERBY key-count LIMIT 16385
    CLUSTER SLOT-STATS ORDERBY key-count LIMIT x
    CLUSTER SLOT-STATS ORDERBY key-count LIMIT
    CLUSTER SLOT-STATS ORDERBY key-count LIMIT 1 LIMIT 2
    CLUSTER SLOT-STATS ORDERBY key-count ASC DESC
    CLUSTER SLOT-STATS ORDERBY key-count ASC ASC
    CLUSTER SLOT-STATS ORDERBY key-count LIMIT 1 foo
    CLUSTER SLOT-STATS ORDERBY cpu-usec
    CLUSTER SLOT-STATS ORDERBY network-bytes-in LIMIT 1
    CLUSTER SLOT-STATS ORDERBY memory-bytes
    CLUSTER SLOT-STATS ORDERBY foo
    CONFIG GET cluster-slot-stats-enabled
    FLUSHALL
"""


def test_slots_are_counted_alike(several: tuple[Side, Side]) -> None:
    agree(*several, STATS)


COUNTED = r"""
    CONFIG SET cluster-slot-stats-enabled yes
    CLUSTER SLOT-STATS SLOTSRANGE 3300 3301
    SET x{b} 1
    GET x{b}
    GET none{b}
    LPUSH x{b} wrong
    MGET x{b} y{b}
    GET
    MGET x{b} x{c}
    GET x{a}
    SPUBLISH x{b} m
    DBSIZE
    CLUSTER SLOT-STATS SLOTSRANGE 3300 3301
    SET x{3} 1
    CLUSTER SLOT-STATS ORDERBY network-bytes-in LIMIT 3
    CLUSTER SLOT-STATS ORDERBY network-bytes-out LIMIT 3 DESC
    CLUSTER SLOT-STATS ORDERBY cpu-usec LIMIT 2 ASC
    CLUSTER SLOT-STATS ORDERBY memory-bytes
    CONFIG RESETSTAT
    CLUSTER SLOT-STATS SLOTSRANGE 3300 3300
    MULTI
    SET x{b} 1
    DISCARD
    a2: SSUBSCRIBE x{b}
    SPUBLISH x{b} hello
    CLUSTER SLOT-STATS SLOTSRANGE 3300 3300
    GET x{b}
    CLUSTER DELSLOTS 3300
    CLUSTER SLOT-STATS SLOTSRANGE 3300 3300
    CLUSTER ADDSLOTS 3300
    CLUSTER SLOT-STATS SLOTSRANGE 3300 3300
    CONFIG SET cluster-slot-stats-enabled no
    CLUSTER SLOT-STATS SLOTSRANGE 3300 3300
    CLUSTER SLOT-STATS ORDERBY cpu-usec
    FLUSHALL
"""


def test_time_and_traffic_are_counted_alike(several: tuple[Side, Side]) -> None:
    agree(*several, COUNTED)


MOVING = r"""
    SELECT 1
    SET x{b} 1
    SET y{b} 1
    CLUSTER SETSLOT 3300 MIGRATING <b>
    b: CLUSTER SETSLOT 3300 IMPORTING <a>
    GET x{b}
    MOVE x{b} 2
    MOVE none{b} 2
    COPY x{b} y{b} REPLACE
    COPY x{b} y{b} DB 2
    COPY x{b} none{b}
    COPY none{b} other{b} DB 2
    MGET x{b} y{b}
    MGET x{b} none{b}
    EVAL "return redis.call('GET', KEYS[1])" 1 x{b}
    MULTI
    MOVE x{b} 0
    EXEC
    SELECT 0
    GET x{b}
    a2: EXISTS x{b}
    CLUSTER SETSLOT 3300 NODE <b>
    b: SELECT 3
    b: MOVE i{b} 2
    b: ASKING
    b: SET i{b} 1
    b: ASKING
    b: MOVE i{b} 2
    b: ASKING
    b: COPY i{b} i{b} DB 2
    b: ASKING
    b: COPY i{b} j{b}
    b: ASKING
    b: GET i{b}
    b: ASKING
    b: DEL i{b}
    CLUSTER SETSLOT 3300 STABLE
    b: CLUSTER SETSLOT 3300 STABLE
    SELECT 1
    MOVE x{b} 2
    FLUSHALL
    b: FLUSHALL
"""


def test_databases_of_slots_on_the_move(moving: tuple[Side, Side]) -> None:
    agree(*moving, MOVING)
