"""The plans that move slots: pure, so no sockets here."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from shardkv_cli.fix import repairs
from shardkv_cli.moves import Move, MoveError, empty_out, rebalance, reshard, shares_of, slots_of
from shardkv_cli.survey import NodeReport, Survey
from shardkv_cli.view import NodeLine

ONES = dict.fromkeys(range(16384), 1.0)


def primary(number: int, *ranges: tuple[int, int], migrating: object = (), importing: object = ()) -> NodeReport:
    """A primary with these slots, as it sees itself."""
    line = NodeLine(
        f"{number}" * 40, "127.0.0.1", 7000 + number, 17000 + number, ("master",), None, number, True, ranges
    )
    own = NodeLine(
        *(line.id, line.host, line.port, line.bus_port, ("myself", "master"), None, number, True, ranges),
        migrating,  # type: ignore[arg-type]  # the stars hide the places
        importing,  # type: ignore[arg-type]  # as above
    )
    return NodeReport(line, line.address, (own,), "ok", 0)


THREE = [primary(1, (0, 5460)), primary(2, (5461, 10922)), primary(3, (10923, 16383))]


def after(nodes: list[NodeReport], moves: tuple[Move, ...]) -> Counter[str]:
    """How many slots each has once the moves are made."""
    counts = Counter({node.line.id: node.line.slot_count for node in nodes})
    for move in moves:
        counts[move.source.line.id] -= 1
        counts[move.target.line.id] += 1
    return counts


def test_a_reshard_takes_from_each_in_proportion() -> None:
    new = primary(4)
    moves = reshard(THREE, new, 4096)
    assert after([*THREE, new], moves)[new.line.id] == 4096
    assert max(Counter(move.source.line.id for move in moves).values()) == 1366
    assert len({move.slot for move in moves}) == 4096


@pytest.mark.parametrize("count", [0, 20000])
def test_more_slots_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(MoveError):
        reshard(THREE[:1], THREE[1], count)


def test_who_leaves_gives_all_it_has_evenly_and_in_runs() -> None:
    moves = empty_out(THREE[0], THREE[1:])
    assert len(moves) == 5461
    counts = after(THREE, moves)
    assert counts[THREE[0].line.id] == 0
    assert abs(counts[THREE[1].line.id] - counts[THREE[2].line.id]) <= 1
    assert sum(a.target is not b.target for a, b in itertools.pairwise(moves)) == 1
    with pytest.raises(MoveError):
        empty_out(THREE[0], [])


def test_an_even_cluster_is_left_alone() -> None:
    assert rebalance(THREE, dict.fromkeys((n.line.id for n in THREE), 1.0), ONES, 2.0) == ()


def test_a_new_primary_gets_its_share_by_weight() -> None:
    nodes = [*THREE, primary(4)]
    weights = dict.fromkeys((node.line.id for node in nodes), 1.0)
    assert set(after(nodes, rebalance(nodes, weights, ONES, 2.0)).values()) == {4096}
    weights[nodes[3].line.id] = 2.0
    assert after(nodes, rebalance(nodes, weights, ONES, 2.0))[nodes[3].line.id] == pytest.approx(6553, abs=2)
    weights[nodes[3].line.id] = 0.0
    assert after(nodes, rebalance(nodes, weights, ONES, 2.0))[nodes[3].line.id] == 0


def test_by_keys_the_heavy_slots_are_spread() -> None:
    costs = dict.fromkeys(range(30), 100.0)
    moves = rebalance(THREE, dict.fromkeys((n.line.id for n in THREE), 1.0), costs, 2.0)
    assert len(moves) == 20
    assert Counter(move.target.line.id for move in moves) == {THREE[1].line.id: 10, THREE[2].line.id: 10}


def test_shares_add_up() -> None:
    assert sum(shares_of({"a": 1, "b": 1, "c": 1}, 100).values()) == 100
    with pytest.raises(MoveError):
        shares_of({"a": 0}, 1)


def test_what_an_interrupted_move_leaves_is_found_and_mended_the_right_way() -> None:
    one, two, three = "1" * 40, "2" * 40, "3" * 40
    nodes = (
        primary(1, (0, 5460), migrating=((5, two), (6, three))),
        primary(2, (5461, 10922), importing=((5, one), (7, one))),
        primary(3, (10923, 16382)),
    )
    found = repairs(Survey(nodes[0].address, nodes))
    assert [(repair.how, repair.slot) for repair in found] == [
        ("finish", 5),
        ("close", 6),
        ("return", 7),
        ("assign", 16383),
    ]
    assert slots_of(nodes[2])[-1] == 16382
