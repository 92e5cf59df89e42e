"""Lines of the log in each of its forms, and that programs read them back."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shardkv_node.clock import log_stamp
from shardkv_node.log_lines import Record, as_json, legacy, logfmt

TEXTS = ["plain", 'with "quotes" and a \\ too', "two\nlines", "a=b c=d", "", "\r\t\0\x1b", "snow ☃", "byte \udcff"]


def record(text: str, role: str = "primary", stamp: str = "25 Nov 2026 22:47:34.270") -> Record:
    """An event."""
    return Record(7, role, stamp, "notice", text)


def parsed(line: str) -> dict[str, str]:
    """What a reader of logfmt makes of a line: bare words, and values in quotes with backslashes before what is meant
    literally."""
    found: dict[str, str] = {}
    rest = line.removesuffix("\n")
    while rest:
        match = re.match(r'([a-z]+)=("(?:[^"\\]|\\.)*"|[^ "=]+)(?: |$)', rest)
        assert match, rest
        name, shown = match.groups()
        found[name] = json.loads(shown) if shown.startswith('"') else shown
        rest = rest[match.end() :]
    return found


def test_the_form_of_redis_has_a_line_for_each_of_the_text() -> None:
    assert legacy(record("a\nb")) == "7:M 25 Nov 2026 22:47:34.270 * a\n7:M 25 Nov 2026 22:47:34.270 * b\n"
    assert legacy(record("a", role="replica")).startswith("7:S ")
    assert legacy(record("a", role="child")).startswith("7:C ")


def test_logfmt_is_as_valkey_writes_it() -> None:
    line = 'pid=7 role=primary timestamp="25 Nov 2026 22:47:34.270" level=notice message="Server initialized"\n'
    assert logfmt(record("Server initialized")) == line


@pytest.mark.parametrize("text", TEXTS)
def test_whatever_a_text_holds_is_read_back_from_one_line(text: str) -> None:
    meant = text.replace("\udcff", "\\udcff")
    for line in (logfmt(record(text)), as_json(record(text))):
        assert line.count("\n") == 1
        assert line.endswith("\n")
        line.encode()
    fields = {"role": "primary", "timestamp": "25 Nov 2026 22:47:34.270", "level": "notice", "message": meant}
    assert parsed(logfmt(record(text))) == {"pid": "7", **fields}
    assert json.loads(as_json(record(text))) == {"pid": 7, **fields}


@given(st.text())
def test_any_text_is_read_back(text: str) -> None:
    line = logfmt(record(text))
    assert len(line.split("\n")) == len(as_json(record(text)).split("\n")) == 2
    assert parsed(line)["message"] == json.loads(as_json(record(text)))["message"]


def test_json_is_as_valkey_writes_it() -> None:
    line = '{"pid":7,"role":"primary","timestamp":"1795651145159","level":"warning","message":"DEBUG LOG: a\\"b\\nd"}\n'
    assert as_json(Record(7, "primary", "1795651145159", "warning", 'DEBUG LOG: a"b\nd')) == line


def test_what_is_starting_is_no_child_for_programs() -> None:
    assert legacy(record("a", role="starting")).startswith("7:C ")
    assert parsed(logfmt(record("a", role="starting")))["role"] == "primary"
    assert parsed(logfmt(record("a", role="child")))["role"] == "RDB/AOF"


def test_the_styles_of_the_time() -> None:
    assert re.fullmatch(r"\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}", log_stamp())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", log_stamp("iso8601"))
    assert abs(int(log_stamp("milliseconds")) - int(log_stamp("milliseconds"))) < 10_000
