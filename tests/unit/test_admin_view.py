"""What nodes say, read; and what a check finds in it. No sockets here."""

from __future__ import annotations

import json
from dataclasses import replace

import click
import pytest
from shardkv_cli.address import Address, parse_address
from shardkv_cli.check import Finding, document, examine
from shardkv_cli.exits import Failure, run
from shardkv_cli.render import slot_bar
from shardkv_cli.survey import NodeReport, Survey, in_order
from shardkv_cli.view import NodeLine, keys_in, parse_info, parse_nodes, show_ranges, signature, to_ranges

A, B, C, R = (letter * 40 for letter in "abce")

TEXT = (
    f"{A} 127.0.0.1:7000@17000,node-a myself,master - 0 1700 1 connected 0-5460 [77->-{B}] [9000-<-{C}]\n"
    f"{B} 127.0.0.1:7001@17001 master - 0 1700 2 connected 5461-10922 16383\n"
    f"{R} ::1:7003@17003,,shard-id=1 slave,fail? {A} 0 1700 1 disconnected\n"
    f"{C} :0@0 master,noaddr - 0 0 0 disconnected\n"
)


def test_lines_of_cluster_nodes_are_read_to_the_last_word() -> None:
    a, b, r, c = parse_nodes(TEXT)
    assert (a.host, a.port, a.bus_port, a.myself, a.is_primary, a.epoch) == ("127.0.0.1", 7000, 17000, True, True, 1)
    assert (a.slots, a.migrating, a.importing) == (((0, 5460),), ((77, B),), ((9000, C),))
    assert (b.slots, b.slot_count) == (((5461, 10922), (16383, 16383)), 5463)
    assert (str(r.address), r.primary, r.connected, r.is_primary) == ("[::1]:7003", A, False, False)
    assert (c.joined, b.joined) == (False, True)


def test_a_line_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line of CLUSTER NODES"):
        parse_nodes("hello\n")


def test_two_views_agree_though_order_epochs_and_flags_differ() -> None:
    lines = parse_nodes(TEXT)
    other = [replace(line, epoch=9, flags=tuple(f for f in line.flags if f != "myself")) for line in reversed(lines)]
    assert signature(lines) == signature(other)
    assert signature(lines) != signature([replace(line, slots=()) for line in lines])


def test_keys_are_counted_over_all_databases() -> None:
    info = parse_info("# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb9:keys=4,expires=1,avg_ttl=0\r\ndbx:1\r\n")
    assert keys_in(info) == 7


def test_ranges_are_made_and_shown() -> None:
    assert to_ranges([5, 1, 2, 3]) == ((1, 3), (5, 5))
    assert show_ranges(((1, 3), (5, 5))) == "1-3, 5"
    assert show_ranges(()) == "-"
    assert slot_bar(((0, 8191), (16383, 16383)), cells=4) == "██·▌"


@pytest.mark.parametrize(
    ("text", "host", "port"), [("127.0.0.1:7000", "127.0.0.1", 7000), ("[::1]:7000", "::1", 7000), ("db:1", "db", 1)]
)
def test_addresses_are_read_and_shown_as_they_were(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)
    assert str(parse_address(text)) == text


@pytest.mark.parametrize("text", ["", "7000", "host", "host:", ":7000", "::1:7000", "h:0", "h:65536", "h:7²", "h:-1"])
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_address(text)


def node(
    line: NodeLine, view: tuple[NodeLine, ...] | None, state: str | None = "ok", failure: str | None = None
) -> NodeReport:
    """A report as a survey gives it, with ``line`` marked as its own in its view."""
    mine = view and tuple(replace(seen, flags=(*seen.flags, "myself")) if seen.id == line.id else seen for seen in view)
    return NodeReport(line, line.address, mine, state if view else None, 0 if view else None, failure)


def line(letter: str, first: int, last: int, primary: str | None = None) -> NodeLine:
    slots = () if primary else ((first, last),)
    flags = ("slave",) if primary else ("master",)
    return NodeLine(letter * 40, "10.0.0.1", 7000 + ord(letter), 17000, flags, primary, 1, True, slots)


def healthy() -> list[NodeReport]:
    """Two primaries and a replica that all agree."""
    lines = (line("a", 0, 8000), line("b", 8001, 16383), line("d", 0, 0, primary=A))
    return [node(one, lines) for one in lines]


def found(nodes: list[NodeReport]) -> dict[str, Finding]:
    return {finding.kind: finding for finding in examine(Survey(Address("10.0.0.1", 7000), tuple(nodes)))}


def test_a_whole_cluster_has_nothing_but_a_warning_about_the_bare_primary() -> None:
    findings = found(healthy())
    assert list(findings) == ["no-replica"]
    assert not findings["no-replica"].serious


def test_slots_of_nobody_are_found() -> None:
    lines = (line("a", 0, 8000), line("b", 8003, 16383))
    assert (
        "2 of 16384 slots are served by nobody: 8001-8002"
        in found([node(one, lines) for one in lines])["uncovered"].text
    )


def test_slots_of_two_masters_are_found_though_each_view_alone_is_sound() -> None:
    a, b = line("a", 0, 8000), line("b", 8001, 16383)
    wide = replace(a, slots=((0, 8010),))
    late = replace(b, slots=((8011, 16383),))
    findings = found([node(a, (wide, late)), node(b, (a, b))])
    assert findings["conflict"].text.startswith("slots 8001-8010 are claimed by")
    assert "disagreement" in findings


def test_a_node_that_cannot_be_asked_and_one_that_is_failing_are_found() -> None:
    nodes = healthy()
    nodes[1] = node(replace(nodes[1].line, flags=("master", "fail")), None, failure="cannot be reached")
    findings = found(nodes)
    assert {"unreachable", "failing"} <= set(findings)
    # Its slots count as covered: others still know the owner.
    assert "uncovered" not in findings


def test_open_slots_and_a_cluster_that_is_down_are_found() -> None:
    a = replace(line("a", 0, 8000), migrating=((5, B),))
    b = replace(line("b", 8001, 16383), importing=((5, A),))
    findings = examine(Survey(a.address, (node(a, (a, b), state="fail"), node(b, (a, b)))))
    assert [finding.text for finding in findings if finding.kind == "open-slot"] == [
        f"{a.address} has open slots, migrating: 5",
        f"{b.address} has open slots, importing: 5",
    ]
    assert [finding.nodes for finding in findings if finding.kind == "state"] == [(str(a.address),)]


def test_the_document_of_a_check_is_json_and_tells_replicas() -> None:
    seen = Survey(Address("10.0.0.1", 7000), tuple(in_order(healthy())))
    told = json.loads(json.dumps(document(seen, examine(seen))))
    assert told["ok"] is True
    assert [(entry["role"], entry["replicas"]) for entry in told["nodes"]] == [
        ("primary", 1),
        ("replica", 0),
        ("primary", 0),
    ]


def test_a_failure_in_a_nursery_comes_out_as_the_one_line_that_it_is() -> None:
    async def main() -> None:
        raise ExceptionGroup("nursery", [ExceptionGroup("inner", [Failure("no answer")])])

    with pytest.raises(click.ClickException, match="no answer"):
        run(main)


def test_a_bug_beside_a_failure_is_not_hidden() -> None:
    async def main() -> None:
        raise ExceptionGroup("nursery", [Failure("no answer"), ZeroDivisionError()])

    with pytest.raises(ExceptionGroup):
        run(main)
