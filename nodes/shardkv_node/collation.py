"""How SORT ALPHA compares texts: by the locale of ``locale-collate``, which is the environment's if it is empty."""

from __future__ import annotations

import locale
from collections.abc import Callable
from typing import Final, TypeAlias

Collation: TypeAlias = Callable[[bytes], str]

#: Locales in which texts compare as their bytes do.
_BYTEWISE: Final = frozenset({"c", "posix", "c.utf8", "c.utf-8"})


def use(name: str) -> Collation | None:
    """Compare by a locale from now on; what makes a key to compare of a text, or None where texts compare as their
    bytes do. Raises ValueError for a locale that the system does not have, and then nothing is changed."""
    try:
        found = locale.setlocale(locale.LC_COLLATE, name)
    except locale.Error as error:
        raise ValueError("Invalid locale name") from error
    return None if found.lower() in _BYTEWISE else _key


def _key(text: bytes) -> str:
    shown = text.partition(b"\0")[0].decode("utf-8", "backslashreplace")
    try:
        return locale.strxfrm(shown)
    except OSError:
        return shown  # the C library knows no such letter
