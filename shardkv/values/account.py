"""What the books of the keyspace (``keyspace/books``) remember of a collection, beside the collection itself."""

from __future__ import annotations


class Account:
    """One collection as it stands in the books. ``weight`` and ``loose`` are bytes."""

    __slots__ = ("length", "loose", "packed", "weight")

    def __init__(self, weight: int, length: int, packed: bool) -> None:
        self.weight = weight  #: what the books hold of it
        self.length = length  #: elements, as it was last looked at
        self.packed = packed  #: the same for its form
        self.loose = 0  #: what has been written since it was last weighed


class Accounted:
    """A value that has room for an account. It is empty until books are kept: ask by ``getattr`` with a default."""

    __slots__ = ("account",)

    account: Account
