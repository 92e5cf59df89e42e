"""What can be wrong with bytes that should be RDB."""

from __future__ import annotations


class RdbFault(Exception):
    """These bytes are no RDB, or one that cannot be read here. ``offset`` counts bytes from the beginning."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} (at byte {offset})")
        self.offset = offset
        self.reason = reason


class Short(Exception):
    """The bytes end before the value does. ``need``: the position that they must reach at least, 0 if unknown."""

    def __init__(self, need: int = 0) -> None:
        super().__init__(need)
        self.need = need


class EmptyValue(Exception):
    """A collection without elements, where the value ended (``position``). Files may hold such; keys may not."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position
