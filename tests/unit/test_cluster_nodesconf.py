"""nodes.conf: written, read back, read from others, and refused when it was cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shardkv.cluster.nodes import FAIL, HANDSHAKE, MASTER, MIGRATE_TO, SLAVE, Node, bitmap_of_range
from shardkv.cluster.nodesconf import NodesConfFault, dump, load
from shardkv.cluster.view import ClusterView

A, B, C = "a" * 40, "b" * 40, "c" * 40


def a_view() -> ClusterView:
    """Two primaries, a replica, slots on the move, a stranger."""
    me = Node(A, "127.0.0.1", 7000, 17000, hostname="host.a", shard_id=A, config_epoch=3)
    view = ClusterView.alone(me).with_nodes(
        [
            Node(B, "127.0.0.1", 7001, 17001, 7101, "", "bee", B, MASTER | MIGRATE_TO, config_epoch=7),
            Node(C, "::1", 7002, 17002, flags=SLAVE | FAIL, primary=B, shard_id=B),
            Node("d" * 40, "127.0.0.1", 7003, 17003, flags=HANDSHAKE),
        ]
    )
    view = view.assign(A, bitmap_of_range(0, 99) | 1 << 5000).assign(B, bitmap_of_range(100, 4999))
    return ClusterView(A, view.nodes, 9, 4, migrating={5: B}, importing={100: B})


def test_strays_are_remembered_in_a_var_of_our_own() -> None:
    """One that is this node's slot after all is none."""
    view = replace(a_view(), strays=bitmap_of_range(200, 210) | 1 << 300 | 1)
    text = dump(view)
    assert text.endswith("vars currentEpoch 9 lastVoteEpoch 4 straySlots 0-0,200-210,300-300\n")
    again = load(text)
    assert again is not None
    assert again.strays == bitmap_of_range(200, 210) | 1 << 300
    with pytest.raises(NodesConfFault, match="not a range of slots: 5-99999"):
        load(text.replace("0-0", "5-99999"))


def test_what_was_taken_by_order_is_remembered_as_well() -> None:
    """Of slots that are this node's, from nodes that are in the table."""
    view = replace(a_view(), taken={B: bitmap_of_range(7, 9) | 1 << 5000, C: 1 << 20})
    text = dump(view)
    assert text.endswith(f" lastVoteEpoch 4 takenSlots {B}:7-9,5000-5000;{C}:20-20\n")
    again = load(text)
    assert again is not None
    assert not again.differs_durably(view)
    text = text.replace(f"{C}:", "e" * 40 + ":").replace("7-9", "98-101")
    again = load(text)
    assert again is not None
    assert again.taken == {B: bitmap_of_range(98, 99) | 1 << 5000}
    for word in (f"{B}:5-99999", "x:5-5", f"{B}:5-x"):
        with pytest.raises(NodesConfFault, match="line 4"):
            load(dump(view).replace(f"{C}:20-20", word))


def test_what_is_written_is_read_and_strangers_are_not_written() -> None:
    view = a_view()
    again = load(dump(view))
    assert again is not None
    assert again == ClusterView(A, {i: n for i, n in view.nodes.items() if i[0] != "d"}, 9, 4, {5: B}, {100: B})


def test_the_text_is_redis_own_format() -> None:
    lines = dump(a_view()).splitlines()
    assert lines[0] == (
        f"{A} 127.0.0.1:7000@17000,host.a,shard-id={A} myself,master - 0 0 3 connected 0-99 5000 [5->-{B}] [100-<-{B}]"
    )
    assert lines[2] == f"{C} ::1:7002@17002,,shard-id={B} slave,fail {B} 0 0 7 disconnected"
    assert lines[-1] == "vars currentEpoch 9 lastVoteEpoch 4"


def test_a_file_of_redis_7_0_is_read() -> None:
    view = load(
        f"{B} 127.0.0.1:27882@37882 master,fail? - 1795449938042 1795449937038 2 disconnected 9001-16383\n"
        f"{C} 127.0.0.1:27883@37883 slave {A} 0 1795449931709 0 connected\n"
        f"{A} 127.0.0.1:27881@37881,h.example myself,master - 0 1795449929000 0 connected 0-9000\n"
        "vars currentEpoch 2 lastVoteEpoch 0\n"
    )
    assert view is not None
    assert (view.myself, view.me.hostname, view.nodes[B].flags) == (A, "h.example", MASTER)
    assert view.nodes[C].shard_id == A
    assert view.assigned.bit_count() == 16384
    view.check()


def test_a_file_cut_at_any_byte_is_refused_by_line() -> None:
    text = dump(a_view())
    assert load("") is None
    for length in range(1, len(text)):
        with pytest.raises(NodesConfFault, match=r"^line \d+: "):
            load(text[:length])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "8 fields"),
        (f"{A[:-1]}! 127.0.0.1:1@2 myself,master - 0 0 0 connected", "node id"),
        (f"{B} 127.0.0.1:1@2 master,slave - 0 0 0 connected", "neither master nor slave"),
        (f"{B} 127.0.0.1@2 master - 0 0 0 connected", "not an address"),
        (f"{B} 127.0.0.1:1@99999 master - 0 0 0 connected", "not an address"),
        (f"{B} 127.0.0.1:1@2 king - 0 0 0 connected", "not a flag: king"),
        (f"{B} 127.0.0.1:1@2 master - 0 0 0 connected 16384", "not a slot: 16384"),
        (f"{B} 127.0.0.1:1@2 master - 0 0 0 connected 9-3", "no range"),
        (f"{B} 127.0.0.1:1@2 master - 0 0 0 connected 1-3 2", "an owner already"),
        (f"{B} 127.0.0.1:1@2 slave {A} 0 0 0 connected 1", "a replica owns slots"),
        (f"{B} 127.0.0.1:1@2 master - 0 0 -4 connected", "not a number"),
        (f"{B} 127.0.0.1:1@2 master - 0 0 0 connected [1>{A}]", "on the move"),
        ("vars currentEpoch", "pairs"),
    ],
)
def test_a_line_that_does_not_fit_is_named(line: str, reason: str) -> None:
    text = f"{A} :1@2 myself,master - 0 0 0 connected\n{line}\nvars currentEpoch 0 lastVoteEpoch 0\n"
    with pytest.raises(NodesConfFault, match=r"^line 2: ") as fault:
        load(text)
    assert reason in fault.value.reason
