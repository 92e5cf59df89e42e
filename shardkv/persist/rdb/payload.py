"""Single values for DUMP and RESTORE: type, value, version of the format, check sum."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from ...values.damage import Malformed
from . import opcodes
from .codecs import DECODERS, DECODERS_VALKEY, ENCODERS
from .faults import EmptyValue, RdbFault, Short
from .hash_codec import needs_field_times
from .packing import Packing
from .primitives import crc64

if TYPE_CHECKING:
    from ...config import Config

_VERSION: Final = Struct("<H")
_CRC: Final = Struct("<Q")
_STRING: Final = bytes((opcodes.STRING,))
_WRITTEN: Final = _VERSION.pack(opcodes.VERSION_WRITTEN)
_FOOTER: Final = _VERSION.size + _CRC.size


def dump(value: Any, config: Config) -> bytes:
    """A value as DUMP gives it, in the lowest version that holds it."""
    return dump_packed(value, Packing.of(config))


def dump_packed(value: Any, packing: Packing) -> bytes:
    """The same, for who has many to dump."""
    if type(value) is bytes:  # the commonest by far
        body = _STRING + packing.text(value) + _WRITTEN
        return body + _CRC.pack(crc64(body))
    out = [b""]
    out[0] = bytes((ENCODERS[type(value)](value, out, packing),))
    return sealed(b"".join(out), opcodes.VERSION_FIELD_TIMES if needs_field_times(value) else opcodes.VERSION_WRITTEN)


def sealed(body: bytes, version: int = opcodes.VERSION_WRITTEN) -> bytes:
    """A body with the version and the check sum behind it."""
    body += _VERSION.pack(version)
    return body + _CRC.pack(crc64(body))


def unsealed(payload: bytes) -> tuple[bytes, int] | None:
    """The body of a payload and its version; None if that cannot be read here, or the check sum is wrong."""
    end = len(payload) - _FOOTER
    if end < 0:
        return None
    (version,) = _VERSION.unpack_from(payload, end)
    (crc,) = _CRC.unpack_from(payload, end + _VERSION.size)
    known = 1 <= version <= opcodes.VERSION_READ or version == opcodes.VERSION_VALKEY
    if not known or crc64(memoryview(payload)[: -_CRC.size]) != crc:
        return None
    return payload[:end], version


def load(body: bytes, version: int, config: Config) -> Any:
    """The value in an unsealed payload. Raises RdbFault whatever the bytes are, unless they are one whole value."""
    decoders = DECODERS_VALKEY if version == opcodes.VERSION_VALKEY else DECODERS
    decode = decoders.get(body[0]) if body else None
    if decode is None:
        raise RdbFault(0, "no type of value that is known here")
    try:
        value, end = decode(body, 1, config)
    except Malformed as malformed:
        raise RdbFault(0, str(malformed)) from None
    except EmptyValue as empty:
        raise RdbFault(empty.position, "a collection without elements") from None
    except (Short, IndexError):
        raise RdbFault(len(body), "the value ends too early") from None
    if end != len(body):
        raise RdbFault(min(end, len(body)), "the value ends too early" if end > len(body) else "more than one value")
    return value
