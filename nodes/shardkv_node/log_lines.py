"""How an event of the log is written: Redis's form, logfmt, or JSON (``log-format``).

The last two are for programs: one line an event, whatever its text holds, and fields with the names of Valkey's logfmt.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Record:
    """One event. ``role``: primary, replica, child, or starting for what is no node yet."""

    pid: int
    role: str
    timestamp: str
    level: str
    message: str


_MARKS: Final = {"debug": ".", "verbose": "-", "notice": "*", "warning": "#"}
_LETTERS: Final = {"primary": "M", "replica": "S", "child": "C", "starting": "C"}
#: What the roles are called in Valkey.
_NAMES: Final = {"primary": "primary", "replica": "replica", "child": "RDB/AOF", "starting": "primary"}


def plain_lines(text: str) -> list[str]:
    """The lines of a text."""
    return text.split("\n")


def legacy(record: Record) -> str:
    """``PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL text``, for each line of the text."""
    head = f"{record.pid}:{_LETTERS[record.role]} {record.timestamp} {_MARKS[record.level]} "
    return "".join(f"{head}{line}\n" for line in plain_lines(record.message))


def logfmt(record: Record) -> str:
    """``pid=1 role=primary timestamp="..." level=notice message="..."``, quoted as JSON quotes."""
    return (
        f"pid={record.pid} role={_NAMES[record.role]} timestamp={_quoted(record.timestamp)} "
        f"level={record.level} message={_quoted(record.message)}\n"
    )


def as_json(record: Record) -> str:
    """An object with the same fields."""
    fields = {
        "pid": record.pid,
        "role": _NAMES[record.role],
        "timestamp": record.timestamp,
        "level": record.level,
        "message": _clean(record.message),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(_clean(text), ensure_ascii=False)


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which stand for bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


FORMATS: Final[dict[str, Callable[[Record], str]]] = {"legacy": legacy, "logfmt": logfmt, "json": as_json}
