"""Cluster mode beside redis-server 7.0: one node of each kind, then two of each that know each other.

Both sides answer the same scripts, in RESP2 and RESP3. What must differ (node ids, ports, times) is made alike first;
ids and ports are equally long on both sides, so the lengths on the wire are compared too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.differential import requests_of
from tests.support.oracle import Redis, redis_is_here
from tests.support.processes import Node, OptionValue, Server, wait_for
from tests.support.wire import Client

pytestmark = [pytest.mark.wire, pytest.mark.skipif(not redis_is_here(), reason="needs redis-server")]

OPTIONS: dict[str, OptionValue] = {
    "cluster_enabled": "yes",
    "cluster_node_timeout": 2000,
    "cluster_require_full_coverage": "no",
    "save": "",
    "appendonly": "no",
}

#: What redis-server 7.0 answers otherwise than the line of compatibility (7.4), by request.
SINCE_7_0: dict[bytes, str] = {
    b"CLUSTER MEET 127.0.0.1 x": "7.0 says 'TCP base port'",
    b"CLUSTER MEET 127.0.0.1 99999999999999999999": "7.0 says 'TCP base port'",
    b"CLUSTER MEET 127.0.0.1 7000 x": "7.0 says 'TCP bus port'",
    b"SORT l{b} BY w*": "7.0 says only that BY is denied",
    b"SORT l{b} GET x*": "7.0 says only that GET is denied",
    b"SORT l{b} GET x{c}*": "7.0 says only that GET is denied",
    b"SORT l{b} GET #": "since 7.4 allowed: it names no key",
    b"SORT l{b} BY w{b}*": "since 7.4 allowed where the pattern's hash tag names the key's slot",
    b"SORT l{b} BY nosort GET x{b}* GET #": "since 7.4 allowed where the pattern's hash tag names the key's slot",
    b"XREAD COUNT 1 STREAMS x{b}": "7.4 names the command as the client knows it: 'xread'",
}


class Side:
    """The nodes of one kind, ``a`` and perhaps ``b``, and how their names are made alike."""

    def __init__(self, *nodes: Server) -> None:
        self.nodes = dict(zip("ab", nodes, strict=False))
        self.names: list[tuple[bytes, bytes]] = []
        self.learn()

    def learn(self) -> None:
        """Take the ids as they are now (CLUSTER RESET HARD makes others)."""
        self.names = []
        for letter, node in self.nodes.items():
            with node.client() as client:
                known = client.must("CLUSTER", "MYID")
            self.names += [
                (known, letter.encode() * 40),
                (b"%d" % node.port, letter.encode() * 5),
                (b"%d" % (node.port + 10_000), letter.upper().encode() * 5),
            ]

    def filled(self, words: list[bytes]) -> list[bytes]:
        """A request with this side's own ids and ports in it."""
        places = {b"<%b>" % shown[:1]: name for name, shown in self.names if len(name) == 40}
        return [places.get(word, word) for word in words]

    def plain(self, raw: bytes) -> bytes:
        """A reply without what belongs to this side only."""
        for name, shown in self.names:
            raw = raw.replace(name, shown)
        return raw


def _shape(words: list[bytes], raw: bytes) -> bytes:
    """Without times and counts in the replies that tell of the nodes."""
    sub = words[1].lower() if words[0].lower() == b"cluster" and len(words) > 1 else b""
    if sub == b"info":
        raw = re.sub(rb"cluster_(stats_messages_\w+|current_epoch|my_epoch):\d+\r\n", rb"", raw)
        return re.sub(rb"^([$=])\d+", rb"\1", raw)
    if sub in (b"nodes", b"replicas", b"slaves"):
        raw = re.sub(rb" \d+ \d+ \d+ (dis)?connected", rb" ping pong epoch \1connected", raw)
        # Nodes come in no order, and times make the length differ.
        lines = re.findall(rb"[ab]{40} [^\n]*", raw)
        return b"\n".join([raw[:1], b"%d" % raw.count(b"\n"), *sorted(lines)]) if lines else raw
    if sub == b"shards":
        # Shards come in no order. Each begins with its slots.
        head, *shards = re.split(rb"(?=[*%]\d+\r\n\$5\r\nslots\r\n)", raw)
        return b"".join([head, *sorted(shards)])
    if sub == b"getkeysinslot" or words[0].lower() in (b"scan", b"keys"):
        return b"\n".join(sorted(raw.split(b"\n")))
    if sub == b"help":
        return raw.split(b"\r\n")[1]
    return raw


class Player:
    """One side at work on a script: its connections by name (``a``, ``a2``, ``b``), opened when first named."""

    def __init__(self, side: Side, resp3: bool) -> None:
        self.side = side
        self.resp3 = resp3
        self.clients: dict[str, Client] = {}

    def client(self, name: str) -> Client:
        if name not in self.clients:
            self.clients[name] = self.side.nodes[name[0]].client(self.resp3)
        return self.clients[name]

    def play(self, line: list[bytes]) -> bytes:
        """``a: WORD ...`` answers; ``a< WORD ...`` only sends; ``a>`` reads what comes; ``wait 30`` is in ms."""
        head, words = line[0].decode(), self.side.filled(line[1:])
        if head == "wait":
            time.sleep(int(words[0]) / 1000)
            return b""
        client = self.client(head[:-1])
        if head[-1] == "<":
            client.send(*words)
            return b""
        if head[-1] == ":":
            client.send(*words)
        raw = client.read_raw()
        if words and words[0].lower().endswith(b"subscribe"):
            while client.pending(0.02):
                raw += client.read_raw()
        return _shape(words, self.side.plain(raw)) if words else self.side.plain(raw)

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


def agree(ours: Side, theirs: Side, script: str) -> None:
    found = []
    for resp3 in (False, True):
        left, right = Player(ours, resp3), Player(theirs, resp3)
        for line in requests_of(script):
            if line[0][-1:] not in (b":", b"<", b">") and line[0] != b"wait":
                line = [b"a:", *line]
            got, expected = left.play(line), right.play(line)
            if got != expected and b" ".join(line[1:]) not in SINCE_7_0:
                shown = b" ".join(line).decode("utf-8", "backslashreplace")
                found.append(f"RESP{3 if resp3 else 2} {shown}\n    ours   {got!r}\n    theirs {expected!r}")
        left.close()
        right.close()
    assert not found, "\n" + "\n".join(found)


def _serves(node: Server) -> bool:
    with node.client() as client:
        return b"cluster_state:ok" in client.must("CLUSTER", "INFO")


def _knows_both(node: Server) -> bool:
    with node.client() as client:
        table = client.must("CLUSTER", "NODES")
    return table.count(b" connected") == 2 and b"handshake" not in table


@pytest.fixture(scope="module")
def alone() -> Iterator[tuple[Side, Side]]:
    """One node of each kind, with the slots 0-10000."""
    with ExitStack() as stack:
        sides = [stack.enter_context(kind(**OPTIONS)) for kind in (Node, Redis)]
        for node in sides:
            with node.client() as client:
                client.must("CLUSTER", "ADDSLOTSRANGE", 0, 10000)
        for node in sides:
            wait_for(lambda node=node: _serves(node))  # type: ignore[misc]  # mypy knows no default of a lambda
        yield Side(sides[0]), Side(sides[1])


@pytest.fixture(scope="module")
def pairs() -> Iterator[tuple[Side, Side]]:
    """Two nodes of each kind that know each other; ``a`` has the slots 0-10000, ``b`` 10001-16000."""
    with ExitStack() as stack:
        sides = [Side(*(stack.enter_context(kind(**OPTIONS)) for _ in "ab")) for kind in (Node, Redis)]
        for side in sides:
            for epoch, (letter, slots) in enumerate((("a", (0, 10000)), ("b", (10001, 16000))), 1):
                with side.nodes[letter].client() as client:
                    client.must("CLUSTER", "SET-CONFIG-EPOCH", epoch)
                    client.must("CLUSTER", "ADDSLOTSRANGE", *slots)
            with side.nodes["a"].client() as client:
                client.must("CLUSTER", "MEET", "127.0.0.1", side.nodes["b"].port)
        for side in sides:
            for node in side.nodes.values():
                wait_for(lambda node=node: _knows_both(node) and _serves(node))  # type: ignore[misc]  # mypy knows no default of a lambda
        yield sides[0], sides[1]


# "x{1}" is in slot 9842 (owned by a), "x{a}" in 15495, "x{b}" in 3300, "x{c}" in 7365, "x{3}" in 1584
WORDS = r"""
    CLUSTER
    CLUSTER FOO
    CLUSTER foo bar
    CLUSTER HELP
    CLUSTER HELP more
    CLUSTER INFO
    CLUSTER INFO more
    CLUSTER NODES
    CLUSTER NODES more
    CLUSTER SLOTS
    CLUSTER SLOTS more
    CLUSTER SHARDS
    CLUSTER SHARDS more
    CLUSTER LINKS
    CLUSTER LINKS more
    CLUSTER MYID
    CLUSTER MYID more
    CLUSTER KEYSLOT
    CLUSTER KEYSLOT a
    CLUSTER KEYSLOT a{b}c
    CLUSTER KEYSLOT a{}c
    CLUSTER KEYSLOT {}
    CLUSTER KEYSLOT a{b
    CLUSTER KEYSLOT a{{b}}
    CLUSTER KEYSLOT ""
    CLUSTER KEYSLOT \xff\x00
    CLUSTER KEYSLOT a b
    CLUSTER COUNTKEYSINSLOT
    CLUSTER COUNTKEYSINSLOT 1 2
    CLUSTER COUNTKEYSINSLOT x
    CLUSTER COUNTKEYSINSLOT -1
    CLUSTER COUNTKEYSINSLOT 16384
    CLUSTER COUNTKEYSINSLOT 16383
    CLUSTER COUNTKEYSINSLOT 99999999999999999999
    CLUSTER COUNTKEYSINSLOT 4294967297
    CLUSTER COUNTKEYSINSLOT 007
    CLUSTER GETKEYSINSLOT
    CLUSTER GETKEYSINSLOT 1
    CLUSTER GETKEYSINSLOT 1 x
    CLUSTER GETKEYSINSLOT x 1
    CLUSTER GETKEYSINSLOT 16384 1
    CLUSTER GETKEYSINSLOT -1 1
    CLUSTER GETKEYSINSLOT 1 -1
    CLUSTER GETKEYSINSLOT 1 0
    CLUSTER GETKEYSINSLOT 1 1 1
    CLUSTER GETKEYSINSLOT 1 9999999999
    SET x{b} 1
    CLUSTER COUNTKEYSINSLOT 3300
    CLUSTER GETKEYSINSLOT 3300 10
    CLUSTER GETKEYSINSLOT 3300 0
    CLUSTER GETKEYSINSLOT 3300 1000000000
    CLUSTER FLUSHSLOTS
    CLUSTER RESET
    CLUSTER RESET SOFT
    CLUSTER RESET HARD
    CLUSTER RESET FOO
    CLUSTER RESET HARD SOFT
    CLUSTER REPLICATE <a>
    CLUSTER REPLICATE ffffffffffffffffffffffffffffffffffffffff
    DEL x{b}
    CLUSTER REPLICATE
    CLUSTER REPLICATE x
    CLUSTER REPLICATE ffffffffffffffffffffffffffffffffffffffff
    CLUSTER REPLICATE <a>
    CLUSTER REPLICATE <a> x
    CLUSTER REPLICAS
    CLUSTER REPLICAS x
    CLUSTER REPLICAS <a>
    CLUSTER SLAVES <a>
    CLUSTER SLAVES x
    CLUSTER SLAVES
    CLUSTER SLAVES x y
    CLUSTER REPLICAS ffffffffffffffffffffffffffffffffffffffff
    CLUSTER COUNT-FAILURE-REPORTS
    CLUSTER COUNT-FAILURE-REPORTS x
    CLUSTER COUNT-FAILURE-REPORTS <a>
    CLUSTER COUNT-FAILURE-REPORTS <a> <a>
    CLUSTER FORGET
    CLUSTER FORGET x
    CLUSTER FORGET \xff\r\n
    CLUSTER FORGET <a>
    CLUSTER FORGET <a> x
    CLUSTER FORGET ffffffffffffffffffffffffffffffffffffffff
    CLUSTER MEET
    CLUSTER MEET 127.0.0.1
    CLUSTER MEET foo 7000
    CLUSTER MEET 127.0.0.1 x
    CLUSTER MEET 127.0.0.1 0
    CLUSTER MEET 127.0.0.1 -1
    CLUSTER MEET 127.0.0.1 65536
    CLUSTER MEET 127.0.0.1 55536
    CLUSTER MEET 127.0.0.1 60000
    CLUSTER MEET 127.0.0.1 7000 x
    CLUSTER MEET 127.0.0.1 7000 0
    CLUSTER MEET 127.0.0.1 7000 65536
    CLUSTER MEET 127.0.0.1 7000 -5
    CLUSTER MEET 127.0.0.1 7000 7001 7002
    CLUSTER MEET 127.0.0.1 99999999999999999999
    CLUSTER MEET 127.0.0.256 7000
    CLUSTER MEET "" 7000
    CLUSTER MEET localhost 7000
    CLUSTER ADDSLOTS
    CLUSTER ADDSLOTS x
    CLUSTER ADDSLOTS -1
    CLUSTER ADDSLOTS 16384
    CLUSTER ADDSLOTS 1
    CLUSTER ADDSLOTS 12000 12000
    CLUSTER ADDSLOTS 12000 1
    CLUSTER ADDSLOTS 12000 12000 1
    CLUSTER ADDSLOTS 12000 1 12000
    CLUSTER ADDSLOTS 12000 1 x
    CLUSTER ADDSLOTS 012
    CLUSTER ADDSLOTS 12000 12002
    CLUSTER NODES
    CLUSTER SLOTS
    CLUSTER SHARDS
    CLUSTER INFO
    CLUSTER DELSLOTS
    CLUSTER DELSLOTS x
    CLUSTER DELSLOTS 12001
    CLUSTER DELSLOTS 12000 12000
    CLUSTER DELSLOTS 12000 12001
    CLUSTER DELSLOTS 12000 16384
    CLUSTER DELSLOTS 12000 12002
    CLUSTER DELSLOTS 12000
    CLUSTER ADDSLOTSRANGE
    CLUSTER ADDSLOTSRANGE 1
    CLUSTER ADDSLOTSRANGE 1 2 3
    CLUSTER ADDSLOTSRANGE x 1
    CLUSTER ADDSLOTSRANGE 1 x
    CLUSTER ADDSLOTSRANGE 12000 16384
    CLUSTER ADDSLOTSRANGE 12001 12000
    CLUSTER ADDSLOTSRANGE 9999 12000
    CLUSTER ADDSLOTSRANGE 12000 12010 12005 12020
    CLUSTER ADDSLOTSRANGE 12000 12010 12005 12000
    CLUSTER ADDSLOTSRANGE 12000 12010 12005 12020 1 2
    CLUSTER ADDSLOTSRANGE 12000 12010 12020 12020
    CLUSTER NODES
    CLUSTER SLOTS
    CLUSTER SHARDS
    CLUSTER DELSLOTSRANGE
    CLUSTER DELSLOTSRANGE 1
    CLUSTER DELSLOTSRANGE 1 2 3
    CLUSTER DELSLOTSRANGE 12010 12011
    CLUSTER DELSLOTSRANGE 12010 12009
    CLUSTER DELSLOTSRANGE 12000 12005 12004 12010
    CLUSTER DELSLOTSRANGE 12000 12010 12020 12020
    CLUSTER SLOTS
    CLUSTER SETSLOT
    CLUSTER SETSLOT 1
    CLUSTER SETSLOT x STABLE
    CLUSTER SETSLOT 16384 STABLE
    CLUSTER SETSLOT -1 STABLE
    CLUSTER SETSLOT 1 FOO
    CLUSTER SETSLOT 1 stable
    CLUSTER SETSLOT 1 STABLE x
    CLUSTER SETSLOT 1 IMPORTING
    CLUSTER SETSLOT 1 IMPORTING x
    CLUSTER SETSLOT 12000 IMPORTING x
    CLUSTER SETSLOT 12000 IMPORTING <a>
    CLUSTER SETSLOT 12000 STABLE
    CLUSTER SETSLOT 1 MIGRATING
    CLUSTER SETSLOT 1 MIGRATING x
    CLUSTER SETSLOT 12000 MIGRATING x
    CLUSTER SETSLOT 1 MIGRATING <a>
    CLUSTER NODES
    CLUSTER SETSLOT 1 STABLE
    CLUSTER SETSLOT 1 MIGRATING <a> x
    CLUSTER SETSLOT 1 NODE
    CLUSTER SETSLOT 1 NODE x
    CLUSTER SETSLOT 1 NODE <a>
    CLUSTER SETSLOT 12000 NODE x
    CLUSTER SETSLOT 1 NODE <a> x
    CLUSTER SETSLOT 1 NODE ffffffffffffffffffffffffffffffffffffffff
    CLUSTER NODES
    CLUSTER SET-CONFIG-EPOCH
    CLUSTER SET-CONFIG-EPOCH x
    CLUSTER SET-CONFIG-EPOCH -1
    CLUSTER SET-CONFIG-EPOCH 1 2
    CLUSTER SET-CONFIG-EPOCH 99999999999999999999
    CLUSTER SET-CONFIG-EPOCH 0
    CLUSTER BUMPEPOCH x
    CLUSTER SAVECONFIG
    CLUSTER SAVECONFIG x
    READONLY x
    READWRITE x
    ASKING x
"""


def test_every_subcommand_answers_alike(alone: tuple[Side, Side]) -> None:
    agree(*alone, WORDS)


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


def test_there_is_only_database_0(alone: tuple[Side, Side]) -> None:
    agree(*alone, DATABASES)


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
