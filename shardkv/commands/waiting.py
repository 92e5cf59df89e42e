"""What the blocking commands share: their timeout, and the pop that is tried now and again when a key was touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Final

from ..errors import NotAFloat, ReplyError
from ..resp.numbers import DECIMAL, INT64_MAX, parse_float
from ..resp.replies import NullArray
from .context import Context

_OUT_OF_RANGE: Final = "ERR timeout is out of range"


def deadline_of(ctx: Context, word: bytes) -> int | None:
    """When a wait with this timeout (seconds, perhaps a fraction) ends, in Unix milliseconds; None for 0: never.

    Raises ReplyError.
    """
    try:
        seconds = parse_float(word)
    except NotAFloat:
        if DECIMAL.fullmatch(word) is None:
            raise ReplyError("ERR timeout is not a float or out of range") from None
        # Redis reads a long double, in which what is too large or too small for a double is a number all the same.
        seconds = float(word) or 1e-9
    if seconds * 1000 > INT64_MAX:
        raise ReplyError(_OUT_OF_RANGE)
    if seconds <= -0.001:
        raise ReplyError("ERR timeout is negative")
    milliseconds = ceil(seconds * 1000)
    if milliseconds == 0:
        return None
    deadline = milliseconds + ctx.now
    if deadline > INT64_MAX:
        raise ReplyError(_OUT_OF_RANGE)
    return deadline


def now_or_later(
    ctx: Context, keys: Sequence[bytes], kind: type, deadline: int | None, attempt: Callable[[Context], Any]
) -> Any:
    """The reply of ``attempt``, or if that is None a wait for one of ``keys`` to hold a ``kind``.

    A null array when time is up.

    Later attempts run the whole command anew, so that the keys are tried in the order given, as in Redis since 7.2. But
    a key that comes to hold another type wakes nobody.
    """
    reply = attempt(ctx)
    if reply is not None:
        return reply

    def again(ctx: Context) -> Any:
        if any(isinstance(ctx.peek(key), kind) for key in keys):
            return attempt(ctx)
        return None

    return ctx.block(keys, deadline, again, NullArray)
