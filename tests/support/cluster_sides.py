"""Cluster mode beside another server: one node of each kind, or two of each that know each other, and scripts for both.

Both sides answer the same scripts, in RESP2 and RESP3. What must differ (node ids, ports, times) is made alike first;
ids and ports are equally long on both sides, so the lengths on the wire are compared too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .differential import requests_of
from .processes import Node, OptionValue, Server, wait_for
from .wire import Client

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
    if sub == b"bumpepoch":
        return raw.split()[0]  # every slot that is taken by order costs an epoch here
    if sub == b"slot-stats":
        return re.sub(rb"(cpu-usec\r\n:)[1-9]\d*", rb"\1some", raw)
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


@contextmanager
def one_of_each(other: type[Server], **options: OptionValue) -> Iterator[tuple[Side, Side]]:
    """One node of each kind, with the slots 0-10000."""
    with ExitStack() as stack:
        sides = [stack.enter_context(kind(**OPTIONS, **options)) for kind in (Node, other)]
        for node in sides:
            with node.client() as client:
                client.must("CLUSTER", "ADDSLOTSRANGE", 0, 10000)
        for node in sides:
            wait_for(lambda node=node: _serves(node))  # type: ignore[misc]  # mypy knows no default of a lambda
        yield Side(sides[0]), Side(sides[1])


@contextmanager
def two_of_each(other: type[Server], **options: OptionValue) -> Iterator[tuple[Side, Side]]:
    """Two nodes of each kind that know each other; ``a`` has the slots 0-10000, ``b`` 10001-16000."""
    with ExitStack() as stack:
        sides = [Side(*(stack.enter_context(kind(**OPTIONS, **options)) for _ in "ab")) for kind in (Node, other)]
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
