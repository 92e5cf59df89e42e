"""Replies as the debugger shows them to people."""

from __future__ import annotations

from typing import Final

_ESCAPES: Final = {
    0x0A: b"\\n",
    0x0D: b"\\r",
    0x09: b"\\t",
    0x07: b"\\a",
    0x08: b"\\b",
    0x22: b'\\"',
    0x5C: b"\\\\",
}
_SHOWN: Final = [_ESCAPES.get(code, bytes([code]) if 32 <= code < 127 else b"\\x%02x" % code) for code in range(256)]
_OPEN: Final = {b"*": (b"[", b"]"), b"~": (b"~(", b")"), b"%": (b"{", b"}")}


def quoted(text: bytes) -> bytes:
    """A string in quotation marks, with what cannot be printed written out."""
    return b'"' + b"".join([_SHOWN[code] for code in text]) + b'"'


def human(reply: bytes) -> bytes:
    """A complete reply of either protocol on one line."""
    return _one(reply, 0)[0]


def _one(reply: bytes, at: int) -> tuple[bytes, int]:
    """The reply that begins here, and the place behind it."""
    end = reply.index(b"\r\n", at)
    sign, head, behind = reply[at : at + 1], reply[at + 1 : end], end + 2
    if sign == b"$":
        size = int(head)
        return (b"NULL", behind) if size < 0 else (quoted(reply[behind : behind + size]), behind + size + 2)
    if sign == b"=":
        size = int(head)
        return quoted(reply[behind + 4 : behind + size]), behind + size + 2
    if sign in _OPEN:
        return _many(reply, sign, int(head), behind)
    if sign in (b"+", b"-"):
        return quoted(reply[at:end]), behind
    simple = {b":": head, b"_": b"(null)", b"#": b"#true" if head == b"t" else b"#false", b",": b"(double) " + head}
    return simple.get(sign, head), behind


def _many(reply: bytes, sign: bytes, count: int, at: int) -> tuple[bytes, int]:
    if count < 0:
        return b"NULL", at
    parts = []
    for _ in range(count):
        part, at = _one(reply, at)
        if sign == b"%":
            value, at = _one(reply, at)
            part += b" => " + value
        parts.append(part)
    opening, closing = _OPEN[sign]
    return opening + b",".join(parts) + closing, at
