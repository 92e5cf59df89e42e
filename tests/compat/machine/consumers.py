"""XINFO of two servers of which one knows consumers that the other has not met yet."""

from __future__ import annotations

from typing import Any, Final

from tests.support.wire_replies import Map

from .cases import Case
from .replies import near

_READ: Final = (b"lag", b"entries-read")
_TIMES: Final = (b"idle", b"inactive", b"seen-time", b"active-time")


def consumers_apart(case: Case) -> bool:
    """Ours knows consumers, with nothing pending, that theirs does not, and tells of each when it was active."""
    if case.name == "XGROUP|CREATECONSUMER":
        return bool(case.ours == 0 and case.theirs == 1)
    if not case.name.startswith("XINFO|"):
        return False
    return near(_without_consumers(case.ours), _without_consumers(case.theirs))


def lag_apart(case: Case) -> bool:
    """Nothing but the lag of groups differs, and how many entries they are said to have read."""
    return case.name.startswith("XINFO|") and near(_without_lag(case.ours), _without_lag(case.theirs))


def _pairs(reply: Any) -> list[tuple[bytes, Any]] | None:
    """A map, or the flat array that stands for one."""
    if isinstance(reply, Map):
        return list(reply.pairs)
    if (
        isinstance(reply, list)
        and reply
        and len(reply) % 2 == 0
        and all(isinstance(name, bytes) for name in reply[::2])
    ):
        return list(zip(reply[::2], reply[1::2], strict=True))
    return None


def _without_lag(reply: Any) -> Any:
    pairs = _pairs(reply)
    if pairs is not None:
        return {name: _without_lag(value) for name, value in pairs if name not in _READ}
    return [_without_lag(item) for item in reply] if isinstance(reply, list) else reply


def _without_consumers(reply: Any) -> Any:
    """What XINFO tells, but for consumers that have nothing pending, for their number, for times, and for the lag."""
    pairs = _pairs(reply)
    if pairs is not None:
        return {name: _without_consumers(value) for name, value in pairs if _counts(name, value)}
    if isinstance(reply, list):
        return [_without_consumers(item) for item in reply if not _idle(item)]
    return reply


def _counts(name: bytes, value: Any) -> bool:
    return name not in _TIMES + _READ and not (name == b"consumers" and isinstance(value, int))


def _idle(item: Any) -> bool:
    """Whether this describes a consumer with nothing pending."""
    told = dict(_pairs(item) or ())
    if not (b"name" in told and (b"idle" in told or b"seen-time" in told)):
        return False
    return bool(told.get(b"pel-count", told.get(b"pending")) == 0)
