"""Two nodes that know each other, and slots on their way between them, beside redis-server 7.0."""

from __future__ import annotations

import pytest

from tests.support.cluster_sides import Side, agree
from tests.support.oracle import redis_is_here

pytestmark = [pytest.mark.wire, pytest.mark.skipif(not redis_is_here(), reason="needs redis-server")]


TABLES = r"""
    CLUSTER INFO
    CLUSTER NODES
    CLUSTER SLOTS
    CLUSTER SHARDS
    b: CLUSTER INFO
    b: CLUSTER NODES
    CLUSTER REPLICAS <b>
    CLUSTER COUNT-FAILURE-REPORTS <b>
    CLUSTER SET-CONFIG-EPOCH 5
    CLUSTER REPLICATE <b>
    GET x{a}
    GET x{b}
    b: GET x{b}
    MGET x{a} x{b}
    MGET x{a} y{a}
    XREAD BLOCK 0 STREAMS x{a} $
    BLPOP x{a} 0
    SPUBLISH x{a} m
    SSUBSCRIBE x{a}
    SUNSUBSCRIBE x{a}
    MULTI
    GET x{a}
    EXEC
    MULTI
    GET x{b}
    EXEC
    READONLY
    GET x{a}
    READWRITE
    ASKING
    GET x{a}
    CLUSTER ADDSLOTS 12000
    CLUSTER ADDSLOTSRANGE 16001 16002 12000 12001
    CLUSTER SETSLOT 12000 MIGRATING <b>
    CLUSTER SETSLOT 12000 IMPORTING <b>
    CLUSTER SETSLOT 12000 STABLE
    CLUSTER SETSLOT 3300 IMPORTING <b>
    CLUSTER SETSLOT 16100 MIGRATING <b>
    CLUSTER SETSLOT 16100 IMPORTING <b>
    CLUSTER NODES
    CLUSTER SETSLOT 16100 STABLE
    SET x{b} 1
    CLUSTER SETSLOT 3300 NODE <b>
    DEL x{b}
    CLUSTER SETSLOT 10000 MIGRATING <b>
    CLUSTER SETSLOT 3300 MIGRATING <b>
    b: CLUSTER SETSLOT 3300 IMPORTING <a>
    CLUSTER NODES
    b: CLUSTER NODES
    CLUSTER SETSLOT 10000 STABLE
    CLUSTER SETSLOT 3300 STABLE
    b: CLUSTER SETSLOT 3300 STABLE
"""


def test_tables_of_two_nodes(pairs: tuple[Side, Side]) -> None:
    agree(*pairs, TABLES)


MOVING = r"""
    SET x{b} 1
    SET y{b} 2
    CLUSTER SETSLOT 3300 MIGRATING <b>
    b: CLUSTER SETSLOT 3300 IMPORTING <a>
    GET x{b}
    GET none{b}
    SET none{b} 1
    MGET x{b} y{b}
    MGET x{b} none{b}
    MGET none{b} nil{b}
    MGET x{b} x{c}
    MSET x{b} 1 none{b} 2
    DEL none{b} none{b}
    COPY x{b} none{b}
    RENAME x{b} none{b}
    BLPOP none{b} 0
    EXISTS none{b}
    WATCH none{b}
    WATCH x{b}
    UNWATCH
    MULTI
    GET x{b}
    GET none{b}
    EXEC
    MULTI
    GET x{b}
    GET y{b}
    EXEC
    MULTI
    GET none{b}
    EXEC
    SSUBSCRIBE ch{b}
    SUNSUBSCRIBE ch{b}
    SPUBLISH none{b} m
    DEBUG SET-ACTIVE-EXPIRE 0
    SET brief{b} 1 PX 1
    PSETEX brief{b} 1 1
    wait 5
    GET brief{b}
    MGET x{b} brief{b}
    CLUSTER COUNTKEYSINSLOT 3300
    CLUSTER GETKEYSINSLOT 3300 10
    SCAN 0
    DBSIZE
    b: GET x{b}
    b: GET none{b}
    b: SET x{b} 1
    b: ASKING
    b: GET x{b}
    b: GET x{b}
    b: ASKING
    b: PING
    b: GET x{b}
    b: ASKING
    b: MGET x{b} none{b}
    b: ASKING
    b: MGET x{b}
    b: ASKING
    b: MGET x{b} x{b}
    b: ASKING
    b: SET z{b} 1
    b: ASKING
    b: MGET z{b} x{b}
    b: ASKING
    b: MGET z{b} z{b}
    b: ASKING
    b: MGET z{b} x{c}
    b: ASKING
    b: ASKING
    b: GET z{b}
    b: ASKING
    b: MULTI
    b: GET z{b}
    b: SET w{b} 1
    b: EXEC
    b: GET z{b}
    b: ASKING
    b: MULTI
    b: GET z{b}
    b: MGET z{b} none{b}
    b: EXEC
    b: MULTI
    b: ASKING
    b: GET z{b}
    b: EXEC
    b: ASKING
    b: WATCH z{b}
    b: MULTI
    b: GET z{b}
    b: DISCARD
    b: ASKING
    b: MULTI
    b: DISCARD
    b: GET z{b}
    b: ASKING
    b: ASKING
    b: SPUBLISH ch{b} m
    b: SPUBLISH ch{b} m
    b: SSUBSCRIBE ch{b}
    b: SUNSUBSCRIBE ch{b}
    b2: ASKING
    b2: SSUBSCRIBE ch{b}
    b2: SUNSUBSCRIBE ch{b}
    b: RESTORE-ASKING r{b} 0 x
    b: RESTORE r{b} 0 x
    b: ASKING
    b: CLUSTER SETSLOT 3300 NODE <a>
    b: ASKING
    b: DEL z{b} w{b}
    b: ASKING
    b: DEL z{b}
    b: ASKING
    b: DEL w{b}
    CLUSTER SETSLOT 3300 NODE <b>
    CLUSTER SETSLOT 3300 STABLE
    b: CLUSTER SETSLOT 3300 STABLE
    GET none{b}
    FLUSHALL
    b: FLUSHALL
    DEBUG SET-ACTIVE-EXPIRE 1
"""


def test_slots_on_the_move(pairs: tuple[Side, Side]) -> None:
    agree(*pairs, MOVING)


ASKED = r"""
    SET x{b} 1
    CLUSTER SETSLOT 3300 MIGRATING <b>
    b: CLUSTER SETSLOT 3300 IMPORTING <a>
    b: ASKING
    b: SET z{b} 1
    b: ASKING
    b: NOSUCH
    b: GET z{b}
    b: ASKING
    b: GET
    b: GET z{b}
    b: ASKING
    b: GET z{a} z{b}
    b: GET z{b}
    b: ASKING
    b: MGET z{b} none{b}
    b: GET z{b}
    b: ASKING
    b: GET z{b}
    CLUSTER SETSLOT 3300 STABLE
    b: CLUSTER SETSLOT 3300 STABLE
    b: FLUSHALL
    FLUSHALL
    a2< BLPOP q{b} 4
    wait 30
    CLUSTER SETSLOT 3300 MIGRATING <b>
    b: CLUSTER SETSLOT 3300 IMPORTING <a>
    b: CLUSTER SETSLOT 3300 NODE <b>
    CLUSTER SETSLOT 3300 NODE <b>
    a2>
    CLUSTER SETSLOT 3300 IMPORTING <b>
    CLUSTER SETSLOT 3300 NODE <a>
    b: CLUSTER SETSLOT 3300 NODE <a>
    wait 100
    GET x{b}
"""


def test_asking_covers_one_request_even_one_that_is_refused(pairs: tuple[Side, Side]) -> None:
    agree(*pairs, ASKED)


EARLY = r"""
    CLUSTER SETSLOT 3300 MIGRATING <b>
    b: CLUSTER SETSLOT 3300 IMPORTING <a>
    b2: ASKING
    b2: SSUBSCRIBE ch{b}
    b: CLUSTER SETSLOT 10 IMPORTING <a>
    b: CLUSTER SETSLOT 10 STABLE
    b: ASKING
    b: SPUBLISH ch{b} m
    b2>
    CLUSTER SETSLOT 3300 STABLE
    b: CLUSTER SETSLOT 3300 STABLE
"""


def test_a_subscription_in_a_slot_that_comes_lasts(pairs: tuple[Side, Side]) -> None:
    agree(*pairs, EARLY)


# The epoch is greater in the second round (RESP3), on both sides alike.
FINISHED = r"""
    a3: SSUBSCRIBE ch{b}
    CLUSTER SETSLOT 3300 MIGRATING <b>
    b: CLUSTER SETSLOT 3300 IMPORTING <a>
    b: CLUSTER SETSLOT 3300 NODE <b>
    b: GET x{b}
    CLUSTER SETSLOT 3300 NODE <b>
    a3>
    GET x{b}
    b: CLUSTER BUMPEPOCH
    CLUSTER SETSLOT 3300 IMPORTING <b>
    CLUSTER SETSLOT 3300 NODE <a>
    b: CLUSTER SETSLOT 3300 NODE <a>
    wait 100
    GET x{b}
    b: GET x{b}
    CLUSTER BUMPEPOCH
    CLUSTER BUMPEPOCH
    CLUSTER FORGET <a>
    CLUSTER FLUSHSLOTS
    CLUSTER NODES
    GET x{b}
    CLUSTER ADDSLOTSRANGE 0 10000
    CLUSTER SLOTS
    SET x{b} 1
    CLUSTER FLUSHSLOTS
    CLUSTER RESET
    DEL x{b}
"""


def test_a_move_that_ends(pairs: tuple[Side, Side]) -> None:
    agree(*pairs, FINISHED)
