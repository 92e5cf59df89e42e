"""The log of a running node in its forms: all lines of one, whatever is logged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.support.oracle import Valkey
from tests.support.processes import Node, Server, wait_for

pytestmark = pytest.mark.wire

Start = Callable[..., Node]

ODD = 'he said "no"\nand left\\ a=b'


def test_json_holds_all_lines_and_odd_texts(start_node: Start) -> None:
    node = start_node(log_format="json", log_timestamp_format="milliseconds", enable_debug_command="yes")
    with node.client() as client:
        client.must("DEBUG", "LOG", ODD)
        client.must("BGSAVE")
        wait_for(lambda: b"rdb_bgsave_in_progress:0" in client.raw("INFO", "persistence"))
    node.terminate()
    events = [json.loads(line) for line in node.log().splitlines()]
    assert {event["role"] for event in events} == {"primary"}
    assert all(event["pid"] == node.pid for event in events if event["role"] == "primary")
    stamps = [int(event["timestamp"]) for event in events]
    assert stamps == sorted(stamps)
    texts = [event["message"] for event in events]
    assert any(ODD in text for text in texts)
    assert f"Running mode=standalone, port={node.port}." in texts
    assert texts[-1] == "Redis is now ready to exit, bye bye..."
    assert [event["level"] for event in events if "SIGTERM" in event["message"]] == ["warning"]


def test_the_form_changes_while_the_node_runs(start_node: Start) -> None:
    node = start_node(enable_debug_command="yes")
    with node.client() as client:
        client.must("DEBUG", "LOG", ODD)
        line = node.log().splitlines()[-1]
        assert re.fullmatch(rf"{node.pid}:M \d\d \w{{3}} \d{{4}} [\d:.]{{12}} # and left\\ a=b", line), line
        client.must("CONFIG", "SET", "log-format", "logfmt", "log-timestamp-format", "iso8601")
        client.must("DEBUG", "LOG", ODD)
        line = node.log().splitlines()[-1]
        found = re.fullmatch(
            r'pid=(\d+) role=primary timestamp="\d{4}-\d\d-\d\dT[\d:.]{12}[+-]\d\d:\d\d" level=\w+ message=(".*")', line
        )
        assert found, line
        assert int(found[1]) == node.pid
        assert ODD in json.loads(found[2])


def test_a_replica_logs_as_one(start_node: Start) -> None:
    primary = start_node()
    replica = start_node(replicaof=("127.0.0.1", primary.port))
    with replica.client() as client:
        wait_for(lambda: b"master_link_status:up" in client.raw("INFO", "replication"))
        assert f"{replica.pid}:S " in replica.log()
        client.must("REPLICAOF", "NO", "ONE")
        client.must("CONFIG", "SET", "loglevel", "debug")
    replica.terminate()
    assert replica.log().splitlines()[-1].startswith(f"{replica.pid}:M ")


def test_a_line_of_json_is_that_of_valkey() -> None:
    def said(make: Callable[..., Server]) -> str:
        with make(log_format="json", enable_debug_command="yes", save="") as server, server.client() as client:
            client.must("DEBUG", "LOG", 'a"b\\c\nd\te\x01f')
            line = server.log().splitlines()[-1]
        return re.sub(r'("pid":)\d+|("timestamp":")[^"]+', r"\1\2", line)

    assert said(Node) == said(Valkey)
