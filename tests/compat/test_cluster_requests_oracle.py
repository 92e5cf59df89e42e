"""What one node of a cluster serves, redirects and refuses, beside redis-server 7.0."""

from __future__ import annotations

import pytest

from tests.support.cluster_sides import Side, agree
from tests.support.oracle import redis_is_here

pytestmark = [pytest.mark.wire, pytest.mark.skipif(not redis_is_here(), reason="needs redis-server")]


ROUTING = r"""
    FLUSHALL
    GET x{a}
    GET x{b}
    SET x{b} 1
    MGET x{b} y{b}
    MSET x{b} 1 y{b} 2
    MGET x{b} x{c}
    MGET x{a} x{b}
    MGET x{b} x{a}
    MGET x{a} y{a}
    DEL x{b} x{c}
    EXISTS x{a} x{a}
    PING
    ECHO hi
    TIME x
    GET
    GET x{a} x
    NOSUCH x{a}
    MULTI
    GET x{a}
    GET x{b}
    EXEC
    GET x{b}
    MULTI
    GET x{b}
    GET x{c}
    EXEC
    GET x{b}
    MULTI
    MGET x{b} x{c}
    EXEC
    MULTI
    NOSUCH
    GET x{b}
    EXEC
    MULTI
    PING
    EXEC
    MULTI
    GET x{b}
    EXEC x
    DISCARD
    MULTI
    GET x{b}
    GET x{c}
    NOSUCH
    EXEC
    MULTI
    NOSUCH
    GET x{b}
    GET x{c}
    EXEC
    PING
    EXEC
    WATCH x{a}
    WATCH x{b} x{c}
    WATCH x{b}
    a2: SET x{b} 5
    MULTI
    GET x{b}
    EXEC
    MULTI
    WATCH x{a}
    WATCH x{b}
    EXEC
    MULTI
    GET x{b}
    EXEC
    UNWATCH
    WATCH x{b}
    a2: SET x{b} 6
    MULTI
    GET x{b}
    GET x{c}
    EXEC
    MULTI
    GET x{b}
    EXEC
    ASKING
    GET x{a}
    GET x{b}
    ASKING
    MULTI
    GET x{a}
    EXEC
    READONLY
    GET x{a}
    GET x{b}
    READWRITE
    GET x{b}
    MULTI
    ASKING
    READONLY
    READWRITE
    GET x{b}
    EXEC
    SELECT 0
    SELECT x
    SWAPDB 0 1
    SWAPDB 0 0
    SWAPDB 0
    SWAPDB x 1
    MOVE x{b} 1
    MOVE x{b} 0
    MOVE x{a} 1
    MOVE x{b} x
    MOVE nokey{b} 1
    COPY x{b} z{b} DB 1
    COPY x{b} z{b} DB x
    COPY x{b} z{a}
    COPY x{b} z{b}
    COPY nokey{b} z{b} DB 1
    RENAME x{b} x{c}
    RENAME x{b} w{b}
    RENAMENX w{b} w{a}
    DBSIZE
    SCAN 0
    KEYS *w*
    DEL w{b} z{b}
    RANDOMKEY
    DBSIZE
    FLUSHDB
    FLUSHALL
    FLUSHALL ASYNC
    BLPOP x{a} 1
    BLPOP x{b} x{c} 1
    BLPOP x{b} 0.01
    BLMOVE x{a} x{b} LEFT LEFT 1
    BZPOPMIN x{a} 1
    BZMPOP 1 2 x{b} x{c} MIN
    LMPOP 2 x{b} x{c} LEFT
    LMPOP x x{b} LEFT
    LMPOP 0 x{b} LEFT
    LMPOP 5 x{b} LEFT
    XREAD BLOCK 1 STREAMS x{a} 0
    XREAD STREAMS x{b} x{c} 0 0
    XREAD COUNT 1 STREAMS x{b}
    XREADGROUP GROUP g c STREAMS x{a} >
    ZUNIONSTORE d{b} 2 x{b} x{c}
    ZUNIONSTORE d{b} 1 x{b}
    ZUNIONSTORE d{a} 1 x{a}
    ZUNION 2 x{a} x{b}
    ZUNION x x{a}
    ZINTERCARD 2 x{b} x{c}
    SINTERSTORE d{b} x{b} x{c}
    BITOP AND d{b} x{b} x{c}
    PFMERGE d{b} x{c}
    PFCOUNT x{b} x{c}
    GEOSEARCHSTORE d{b} x{c} FROMLONLAT 1 1 BYRADIUS 1 m
    GEORADIUS x{b} 1 1 1 m STORE x{c}
    LCS x{b} x{c}
    MSETNX x{b} 1 x{c} 1
    OBJECT ENCODING x{a}
    OBJECT ENCODING x{b}
    OBJECT HELP x
    XINFO STREAM x{a}
    XGROUP CREATE x{a} g 0
    DEBUG OBJECT x{a}
    TOUCH x{b} x{c}
    UNLINK x{b} x{c}
    COMMAND GETKEYS MGET x{a} x{b}
    WAIT 0 1
    RPUSH l{b} 3 1 2
    SORT l{b}
    SORT l{b} BY nosort
    SORT l{b} BY w
    SORT l{b} STORE x{c}
    SORT l{b} STORE s{b}
    SORT l{a}
    SORT_RO l{b} DESC
    SORT l{b} GET "#"
    SORT l{b} BY w*
    SORT l{b} GET x*
    SORT l{b} BY w{b}*
    SORT l{b} BY nosort GET x{b}* GET "#"
    SORT l{b} GET x{c}*
    DEL l{b} s{b}
"""


def test_requests_are_routed_alike(alone: tuple[Side, Side]) -> None:
    agree(*alone, ROUTING)


DATABASES = r"""
    SELECT 0
    SELECT 1
    SELECT -1
    SELECT 99
    SELECT x
    MULTI
    SELECT 1
    EXEC
    SET x{b} 1
    COPY x{b} z{b} DB 0
    COPY x{b} z{b} DB 1
    COPY x{b} z{b} DB -1
    COPY x{b} z{b} DB 16
    COPY x{b} z{b} DB 99
    SWAPDB 0 1
    MOVE x{b} 1
    CONFIG GET databases
    FLUSHALL
"""


def test_there_is_only_database_0(alone: tuple[Side, Side]) -> None:
    agree(*alone, DATABASES)


CHANNELS = r"""
    PUBLISH c m
    SPUBLISH x{a} m
    SPUBLISH x{b} m
    SPUBLISH x{b}
    PUBSUB SHARDCHANNELS
    PUBSUB SHARDNUMSUB x{a} x{b}
    a2: SSUBSCRIBE x{a}
    a2: SSUBSCRIBE x{b} x{c}
    a2: SSUBSCRIBE x{b} x{a}
    a2: SSUBSCRIBE x{b} y{b}
    PUBSUB SHARDNUMSUB x{a} x{b}
    a2: SUBSCRIBE x{a} z
    SPUBLISH x{b} m
    a2>
    PUBLISH z m
    a2>
    a2: SUNSUBSCRIBE x{a}
    a2: SUNSUBSCRIBE x{b} x{c}
    a2: GET x{a}
    a2: SUNSUBSCRIBE y{b}
    a2: SUNSUBSCRIBE
    a2: UNSUBSCRIBE z
    a2: UNSUBSCRIBE
    a3: MULTI
    a3: SSUBSCRIBE x{b}
    a3: EXEC
    a3: MULTI
    a3: SSUBSCRIBE x{a}
    a3: EXEC
    a3: MULTI
    a3: SPUBLISH x{b} m
    a3: GET x{c}
    a3: EXEC
    a3: MULTI
    a3: SPUBLISH x{b} m
    a3: GET x{b}
    a3: EXEC
    a3: SUNSUBSCRIBE x{a}
    a3: SUNSUBSCRIBE
    a4: SSUBSCRIBE s{b}
    CLUSTER DELSLOTS 3300
    a4>
    SPUBLISH s{b} m
    CLUSTER ADDSLOTS 3300
    SPUBLISH s{b} m
"""


def test_channels_are_routed_alike(alone: tuple[Side, Side]) -> None:
    agree(*alone, CHANNELS)


WITHOUT_KEYS = r"""
    SET x{b} 1
    CLUSTER DELSLOTS 3300
    DBSIZE
    GET x{b}
    SCAN 0
    KEYS *
    RANDOMKEY
    CLUSTER COUNTKEYSINSLOT 3300
    CLUSTER ADDSLOTS 3300
    GET x{b}
    FLUSHALL
"""


def test_keys_of_a_slot_that_is_given_up(alone: tuple[Side, Side]) -> None:
    agree(*alone, WITHOUT_KEYS)


DOWN = r"""
    SET x{b} 1
    a2: WATCH x{b}
    a2: MULTI
    a2: GET x{b}
    a3: MULTI
    a3: SET x{b} 1
    CONFIG SET cluster-require-full-coverage yes
    CLUSTER ADDSLOTS 12000
    wait 600
    CLUSTER INFO
    GET x{b}
    GET x{a}
    SET x{b} 1
    MGET x{b} x{c}
    PING
    DBSIZE
    SCAN 0
    a2: EXEC
    a3: EXEC
    PUBLISH c m
    SPUBLISH x{b} m
    a5: SSUBSCRIBE x{b}
    a5: SUNSUBSCRIBE x{b}
    WATCH x{b}
    MULTI
    GET x{b}
    EXEC
    CONFIG SET cluster-allow-pubsubshard-when-down no
    SPUBLISH x{b} m
    CONFIG SET cluster-allow-pubsubshard-when-down yes
    CONFIG SET cluster-allow-reads-when-down yes
    GET x{b}
    GET x{a}
    MGET x{b} x{c}
    SET x{b} 1
    WATCH x{b}
    PFCOUNT x{b}
    SPUBLISH x{b} m
    BLPOP q{b} 0.01
    MULTI
    GET x{b}
    EXEC
    MULTI
    GET x{b}
    SET x{b} 2
    EXEC
    CONFIG SET cluster-allow-reads-when-down no
    ASKING
    GET x{b}
    CONFIG SET cluster-require-full-coverage no
    CLUSTER DELSLOTS 12000
    wait 1000
    CLUSTER INFO
    GET x{b}
    FLUSHALL
"""


def test_a_cluster_that_is_down(alone: tuple[Side, Side]) -> None:
    agree(*alone, DOWN)


WAITING = r"""
    a2< BLPOP q{b} 4
    wait 30
    CLUSTER DELSLOTS 3300
    a2>
    CLUSTER ADDSLOTS 3300
    a2< BZPOPMIN q{b} 4
    a3< XREAD BLOCK 4000 STREAMS q{b} $
    wait 30
    CONFIG SET cluster-require-full-coverage yes
    CLUSTER ADDSLOTS 12000
    a2>
    a3>
    CONFIG SET cluster-require-full-coverage no
    CLUSTER DELSLOTS 12000
    wait 600
    GET x{b}
"""


def test_who_waits_for_keys_that_are_no_longer_served_is_told(alone: tuple[Side, Side]) -> None:
    agree(*alone, WAITING)
