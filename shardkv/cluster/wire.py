"""The bus on the wire: length-prefixed msgpack frames to messages and back, for any registered vocabulary.

A frame is four bytes of big-endian length and that many bytes of payload. A payload is one msgpack array::

    [version of the sender, type code, field, field, ...]

Fields are positional, in the order in which the dataclass (or NamedTuple) declares them; a nested record is an array
of its fields. Everything that a reader must believe about a message is derived from the class's type hints, once, at
import: a class whose hints can't be checked is refused there and then, not when a peer first sends one.

**Rolling upgrade.** A class may only ever grow at its end, with a default: fields beyond those that we know are
ignored, missing ones take their default. A type code that we don't know is skipped when the sender's version is newer
than ours.

**A stranger's bytes never raise.** ``FrameReader.feed`` returns what was whole and sound and says in ``fault`` why it
reads no further. Every size is bounded before memory is taken for it: msgpack reserves an array by its header, so the
limit of items is what keeps a few kilobytes of nested headers from becoming gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from .messages import MESSAGES
from .records import ITEMS_MAX, Compiler, Malformed

#: What this build speaks. Raised when the vocabulary changes; the oldest version that a peer may have stands in
#: ``handshake``.
VERSION = 3

#: Bytes of a payload. A ping of a 1,000-node cluster is 2 KB of slots and 100 gossip entries, some 20 KB in all; with
#: every node suspected it is 200 KB. A mebibyte leaves room for growth and is what one link can make a node hold
#: before it is found out.
FRAME_LIMIT = 1024 * 1024

TEXT_MAX = 4096  # bytes of one str: ids, addresses, hostnames, reasons

HEADER = 4  # bytes of the length before a payload

__all__ = ["BUS", "FRAME_LIMIT", "VERSION", "Codec", "FrameCutter", "FrameReader", "Malformed", "encode", "frame"]


class Codec:
    """One vocabulary: which class has which type code, and how each is checked."""

    def __init__(self, vocabulary: Mapping[int, type], version: int = VERSION, limit: int = FRAME_LIMIT) -> None:
        """``limit``: bytes of the largest payload that is written or read. ``TypeError`` for an unfit class."""
        compiler = Compiler()
        self.version = version
        self.limit = limit
        self._readers = {code: compiler.record(cls)[0] for code, cls in vocabulary.items()}
        self._writers = {cls: (code, compiler.record(cls)[1]) for code, cls in vocabulary.items()}
        self._packer = msgpack.Packer(use_bin_type=True)

    def pack(self, message: object) -> bytes:
        """The payload of a message. ``ValueError`` if it is too large for a frame, ``KeyError`` if it is not of the
        vocabulary."""
        code, write = self._writers[type(message)]
        payload: bytes = self._packer.pack((self.version, code, *write(message)))
        if len(payload) > self.limit:
            raise ValueError(f"{type(message).__name__} of {len(payload)} bytes is larger than a bus frame may be")
        return payload

    def unpack(self, payload: bytes) -> Any:
        """The message in a payload, or None for a type that only a newer version knows. ``Malformed`` for all else."""
        if len(payload) > self.limit:
            raise Malformed("a payload beyond the limit")
        try:
            row = msgpack.unpackb(
                payload,
                raw=False,
                use_list=False,
                strict_map_key=True,
                max_str_len=TEXT_MAX,
                max_bin_len=self.limit,
                max_array_len=ITEMS_MAX,
                max_map_len=0,
                max_ext_len=0,
            )
        except (ValueError, RecursionError, OverflowError) as why:
            raise Malformed(f"no msgpack of ours ({type(why).__name__})") from None
        if type(row) is not tuple or len(row) < 2 or type(row[0]) is not int or type(row[1]) is not int:
            raise Malformed("no version and type code")
        reader = self._readers.get(row[1])
        if reader is not None:
            return reader(row[2:])
        if row[0] > self.version:
            return None
        raise Malformed(f"unknown type code {row[1]}")


BUS = Codec(MESSAGES)


def frame(payload: bytes) -> bytes:
    """A payload with its length before it."""
    return len(payload).to_bytes(HEADER, "big") + payload


def encode(message: object) -> bytes:
    """The whole frame of a bus message, for a link without seals. ``ValueError`` if it is too large."""
    return frame(BUS.pack(message))


class FrameCutter:
    """Cuts a stream of bytes into payloads. ``fault`` says why it stopped, once it has."""

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        """``limit``: bytes of the largest payload; a longer one is a fault as soon as its header is seen."""
        self.limit = limit
        self.fault: str | None = None
        self._held = bytearray()

    @property
    def held(self) -> bytes:
        """What has arrived of a frame that isn't whole yet."""
        return bytes(self._held)

    def cut(self, data: bytes, most: int | None = None) -> list[bytes]:
        """The payloads that are whole with ``data`` added, at most ``most`` of them; the rest stays held."""
        if self.fault is not None:
            return []
        held = self._held
        held += data
        found: list[bytes] = []
        at, end = 0, len(held)
        while end - at >= HEADER and (most is None or len(found) < most):
            size = int.from_bytes(held[at : at + HEADER], "big")
            if size > self.limit:
                self.fault = f"a frame of {size} bytes, more than {self.limit}"
                at = end
                break
            if end - at - HEADER < size:
                break
            at += HEADER
            found.append(bytes(held[at : at + size]))
            at += size
        del held[:at]
        return found


class FrameReader:
    """Bytes in, messages out, for one direction of one link.

    ``unseal`` takes the payload of an authenticated link and returns what was sealed, or raises ``Malformed``; None
    for an open link. ``overhead`` is how many bytes a seal adds to the largest payload.
    """

    def __init__(self, codec: Codec = BUS, unseal: Callable[[bytes], bytes] | None = None, overhead: int = 0) -> None:
        self._codec = codec
        self._unseal = unseal
        self._cutter = FrameCutter(codec.limit + overhead)
        self.fault: str | None = None
        self.skipped = 0  # frames of a type that only a newer version knows

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are whole with ``data`` added. Never raises; after a ``fault`` it returns nothing more."""
        if self.fault is not None:
            return []
        messages: list[Any] = []
        try:
            for payload in self._cutter.cut(data):
                plain = payload if self._unseal is None else self._unseal(payload)
                message = self._codec.unpack(plain)
                if message is None:
                    self.skipped += 1
                else:
                    messages.append(message)
        except ValueError as why:  # Malformed, or a class that refuses values of the right type
            self.fault = str(why)
        else:
            self.fault = self._cutter.fault
        return messages
