"""What encodes a value, by its class, and what decodes one, by its type.

An encoder appends what stands behind the type to ``out`` and returns the type. A decoder takes the bytes and the
position behind the type, and gives back the value and where it ends; it raises ``Short`` or IndexError when the bytes
end too early, ``Malformed`` when they are wrong, and ``EmptyValue``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...values.damage import Malformed
from ...values.hashes import HashValue
from ...values.lists import ListValue
from ...values.sets import SetValue
from ...values.streams import StreamValue
from ...values.zsets import ZSetValue
from . import hash_codec, list_codec, opcodes, set_codec, stream_codec, ziplist, zipmap, zset_codec
from .packing import Packing
from .primitives import read_string
from .rows import Decode, Encode

if TYPE_CHECKING:
    from ...config import Config


def _encode_bytes(value: bytes, out: list[bytes], packing: Packing) -> int:
    out.append(packing.text(value))
    return opcodes.STRING


def _encode_integer(value: int, out: list[bytes], packing: Packing) -> int:
    out.append(packing.text(b"%d" % value))
    return opcodes.STRING


def _encode_buffer(value: bytearray, out: list[bytes], packing: Packing) -> int:
    out.append(packing.text(bytes(value)))
    return opcodes.STRING


def _decode_string(data: bytes, at: int, config: Config) -> tuple[bytes, int]:
    return read_string(data, at)


def _refused(reason: str) -> Decode:
    def decode(data: bytes, at: int, config: Config) -> tuple[Any, int]:
        raise Malformed(reason)

    return decode


ENCODERS: Final[dict[type, Encode]] = {
    bytes: _encode_bytes,
    int: _encode_integer,
    bytearray: _encode_buffer,
    ListValue: list_codec.encode_list,
    SetValue: set_codec.encode_set,
    ZSetValue: zset_codec.encode_zset,
    HashValue: hash_codec.encode_hash,
    StreamValue: stream_codec.encode,
}
"""What encodes a value, by its class."""

_PREVIEW: Final = _refused("a hash with field times in the form of a preview of Redis 7.4")
_MODULE: Final = _refused("a value of a module, and there are no modules here")

DECODERS: Final[dict[int, Decode]] = {
    opcodes.STRING: _decode_string,
    opcodes.LIST: list_codec.decode_list,
    opcodes.SET: set_codec.decode_set,
    opcodes.ZSET: zset_codec.decode_zset,
    opcodes.HASH: hash_codec.decode_hash,
    opcodes.ZSET_2: zset_codec.decode_zset_2,
    opcodes.MODULE: _MODULE,
    opcodes.MODULE_2: _MODULE,
    opcodes.HASH_ZIPMAP: hash_codec.packed_hash(zipmap.decode),
    opcodes.LIST_ZIPLIST: list_codec.decode_list_ziplist,
    opcodes.SET_INTSET: set_codec.decode_intset,
    opcodes.ZSET_ZIPLIST: zset_codec.decode_zset_ziplist,
    opcodes.HASH_ZIPLIST: hash_codec.packed_hash(ziplist.decode),
    opcodes.LIST_QUICKLIST: list_codec.decode_quicklist,
    opcodes.STREAM: stream_codec.decoder(opcodes.STREAM),
    opcodes.HASH_LISTPACK: hash_codec.unpack_hash,
    opcodes.ZSET_LISTPACK: zset_codec.decode_zset_listpack,
    opcodes.LIST_QUICKLIST_2: list_codec.decode_quicklist_2,
    opcodes.STREAM_2: stream_codec.decoder(opcodes.STREAM_2),
    opcodes.SET_LISTPACK: set_codec.decode_set_listpack,
    opcodes.STREAM_3: stream_codec.decoder(opcodes.STREAM_3),
    opcodes.HASH_FIELD_TIMES_OLD: _PREVIEW,
    opcodes.HASH_LISTPACK_TIMES_OLD: _PREVIEW,
    opcodes.HASH_FIELD_TIMES: hash_codec.decode_timed_hash,
    opcodes.HASH_LISTPACK_TIMES: hash_codec.decode_timed_listpack,
}
"""What decodes a value, by its type in files of Redis."""

DECODERS_VALKEY: Final[dict[int, Decode]] = DECODERS | {opcodes.HASH_FIELD_TIMES_OLD: hash_codec.decode_valkey_hash}
"""The same in files of Valkey."""

KEEPERS: Final[dict[int, Decode]] = {
    opcodes.HASH_LISTPACK: hash_codec.keep_hash,
    opcodes.ZSET_LISTPACK: zset_codec.keep_zset,
    opcodes.LIST_QUICKLIST_2: list_codec.keep_quicklist_2,
    opcodes.STREAM_2: stream_codec.keeper(opcodes.STREAM_2),
    opcodes.STREAM_3: stream_codec.keeper(opcodes.STREAM_3),
}
"""What leaves small collections packed as they are, by the type, where a check sum vouches for their inside."""
