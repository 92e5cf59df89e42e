"""Libraries of functions in one string, for FUNCTION DUMP and FUNCTION RESTORE: as they stand in a snapshot, sealed."""

from __future__ import annotations

from collections.abc import Iterable

from ...values.damage import Malformed
from . import opcodes
from .faults import Short
from .payload import sealed, unsealed
from .primitives import read_string, short_string


def dump_libraries(codes: Iterable[bytes]) -> bytes:
    """The sources of libraries in one string."""
    return sealed(b"".join(bytes((opcodes.FUNCTION2,)) + short_string(code) for code in codes))


def read_libraries(payload: bytes) -> list[bytes] | None:
    """The sources in such a string; None if it is damaged, or of a version that is not known here.

    Raises Malformed for what is whole but holds something else.
    """
    opened = unsealed(payload)
    if opened is None:
        return None
    body, _ = opened
    codes = []
    at = 0
    while at < len(body):
        if body[at] != opcodes.FUNCTION2:
            raise Malformed("given type is not a function")
        try:
            code, at = read_string(body, at + 1)
        except (Short, IndexError):
            raise Malformed("failed loading functions") from None
        codes.append(code)
    return codes
