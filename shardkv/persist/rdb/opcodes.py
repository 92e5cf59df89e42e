"""The numbers of the RDB format: versions, opcodes, types of values, forms of lengths."""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"REDIS"
MAGIC_VALKEY: Final = b"VALKEY"
#: Bytes of the magic with its version, the same for both: ``REDIS0010``, ``VALKEY080``.
MAGIC_SIZE: Final = 9

#: What is written unless the data needs more: redis-server 7.0 and all later read it.
VERSION_WRITTEN: Final = 10
#: What is written when fields of hashes have times of their own: Redis 7.4.
VERSION_FIELD_TIMES: Final = 12
#: The highest version of Redis's that is read.
VERSION_READ: Final = 12
#: The version of Valkey's that is read.
VERSION_VALKEY: Final = 80

# ---- between keys

SLOT_IMPORT: Final = 243  #: Valkey: a slot was being imported
SLOT_INFO: Final = 244
FUNCTION2: Final = 245
FUNCTION_OLD: Final = 246
MODULE_AUX: Final = 247
IDLE: Final = 248
FREQ: Final = 249
AUX: Final = 250
RESIZEDB: Final = 251
EXPIRE_MS: Final = 252
EXPIRE_SECONDS: Final = 253
SELECTDB: Final = 254
EOF: Final = 255
#: The smallest byte that is an opcode and no type.
FIRST_OPCODE: Final = SLOT_IMPORT

# ---- types of values

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3  #: scores as texts
HASH: Final = 4
ZSET_2: Final = 5  #: scores as doubles
MODULE: Final = 6
MODULE_2: Final = 7
HASH_ZIPMAP: Final = 9
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14  #: nodes are ziplists
STREAM: Final = 15
HASH_LISTPACK: Final = 16
ZSET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18  #: nodes are listpacks or single elements
STREAM_2: Final = 19  #: with counters
SET_LISTPACK: Final = 20
STREAM_3: Final = 21  #: with the last activity of consumers
HASH_FIELD_TIMES_OLD: Final = 22  #: before Redis 7.4 was released; Valkey 9: its hash with field times
HASH_LISTPACK_TIMES_OLD: Final = 23
HASH_FIELD_TIMES: Final = 24
HASH_LISTPACK_TIMES: Final = 25

# ---- lengths: the two highest bits of the first byte, or the whole of it

LENGTH_14: Final = 0x40
LENGTH_32: Final = 0x80
LENGTH_64: Final = 0x81
SPECIAL: Final = 0xC0
INT8: Final = 0xC0
INT16: Final = 0xC1
INT32: Final = 0xC2
LZF: Final = 0xC3

# ---- nodes of a quicklist

PLAIN: Final = 1
PACKED: Final = 2
