"""Secrets among the words of a request, which no log and no onlooker is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

HIDDEN: Final = b"(redacted)"
#: Options whose value is a secret.
SECRET_OPTIONS: Final = frozenset(
    {b"requirepass", b"masterauth", b"tls-key-file-pass", b"tls-client-key-file-pass", b"cluster-auth-secret"}
)


def redacted(name: str, words: Sequence[bytes]) -> Sequence[bytes]:
    """The words of the command ``name`` (lower case, ``config|set``) with what is secret hidden."""
    find = _SECRETS.get(name)
    if find is None:
        return words
    shown = list(words)
    for place in find(words):
        if place < len(shown):
            shown[place] = HIDDEN
    return shown


def _all_after(start: int) -> Callable[[Sequence[bytes]], Iterable[int]]:
    return lambda words: range(start, len(words))


def _hello(words: Sequence[bytes]) -> Iterable[int]:
    places = [place for place, word in enumerate(words[2:], 2) if word.lower() == b"auth"]
    return (places[0] + 1, places[0] + 2) if places else ()


def _config_set(words: Sequence[bytes]) -> Iterable[int]:
    return [place + 1 for place in range(2, len(words), 2) if words[place].lower() in SECRET_OPTIONS]


def _migrate(words: Sequence[bytes]) -> Iterable[int]:
    for place, word in enumerate(words[6:], 6):
        if word.lower() == b"auth":
            return (place + 1,)
        if word.lower() == b"auth2":
            return (place + 1, place + 2)
        if word.lower() == b"keys":
            break
    return ()


_SECRETS: Final[dict[str, Callable[[Sequence[bytes]], Iterable[int]]]] = {
    "auth": _all_after(1),
    "acl|setuser": _all_after(2),
    "acl|deluser": _all_after(2),
    "acl|getuser": _all_after(2),
    "config|set": _config_set,
    "hello": _hello,
    "migrate": _migrate,
}
