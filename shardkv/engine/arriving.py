"""The tuned twin of RESTORE-ASKING: keys arrive by the dozen, each in a slot that is being imported (see ``fast``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..commands.context import STRING_TYPES
from ..keyspace.slots import key_slot
from ..persist.rdb.faults import RdbFault
from ..persist.rdb.payload import load, unsealed
from ..resp.encoder import OK_BYTES
from ..values.hashes import HashValue
from .fast import Twin

if TYPE_CHECKING:
    from ..keyspace.database import Database
    from .engine import Engine


def restore_asking(engine: Engine) -> Twin:
    """The twin for keys that are new and stay: whatever else may be asked for is for the plain command."""
    config = engine.config

    def restore(db: Database, words: list[bytes], nil: bytes) -> bytes | None:
        """RESTORE-ASKING key 0 serialized-value [REPLACE]."""
        count = len(words)
        if db.attended or count < 4 or words[2] != b"0" or (count > 4 and (count > 5 or words[4] != b"REPLACE")):
            return None
        key = words[1]
        slot = key_slot(key)
        if (not db.served[slot] and slot not in engine.imported) or engine.leaving or db.books is not None:
            return None
        held = db.values[slot]
        if key in held:
            return None
        opened = unsealed(words[3])
        if opened is None:
            return None
        try:
            value = load(*opened, config)
        except RdbFault:
            return None
        if type(value) is HashValue and value.times is not None:
            return None
        held[key] = value
        db.grown(slot, len(held))
        if type(value) not in STRING_TYPES:
            db.newborn.append(key)
        db.access[slot] = db.clock
        db.dirty += 1
        return OK_BYTES

    return restore
