"""What a request would do to which keys and channels, as access control asks: positions of its words with a need."""

from __future__ import annotations

from functools import cache
from typing import Final

from ..acl.selector import READ, WRITE, Reason, Use
from ..config.quoting import to_text
from .flags import KeySpec, KeyUse
from .keyuse import depends_on_options, keys_with_use
from .spec import Command

_NEEDS: Final = (
    (KeyUse.ACCESS, READ),
    (KeyUse.INSERT, WRITE),
    (KeyUse.UPDATE, WRITE),
    (KeyUse.DELETE, WRITE),
)
#: Commands on channels: where these begin and end among the words, and whether they are patterns.
_CHANNELS: Final[dict[str, tuple[int, int | None, int]]] = {
    "publish": (1, 2, 0),
    "spublish": (1, 2, 0),
    "subscribe": (1, None, 0),
    "ssubscribe": (1, None, 0),
    "psubscribe": (1, None, 1),
}
#: The key specs of each command that was asked for, with what they need; None: it depends on the request's options.
#: (Asking a Flag costs much.)
_specs: dict[str, tuple[tuple[KeySpec, int], ...] | None] = {}


@cache
def _need(use: KeyUse) -> int | None:
    """What a pattern must allow for such a use; None for what is no key."""
    if KeyUse.NOT_KEY in use:
        return None
    return sum({right for flag, right in _NEEDS if flag in use})


def _fixed_specs(command: Command) -> tuple[tuple[KeySpec, int], ...] | None:
    if command.find_keys is not None or depends_on_options(command):
        return None
    needs = [(spec, _need(spec.use)) for spec in command.keys]
    return tuple((spec, need) for spec, need in needs if need is not None)


def keys_of(command: Command, words: list[bytes]) -> list[Use]:
    """The keys of a request, each with what is done to it."""
    name = command.name
    if name not in _specs:
        _specs[name] = _fixed_specs(command)
    fixed = _specs[name]
    if fixed is None:
        found = [(position, _need(use)) for position, use in keys_with_use(command, words)]
        return [(position, need) for position, need in found if need is not None]
    return [(position, need) for spec, need in fixed for position in spec.positions(words) or ()]


def channels_of(command: Command, words: list[bytes]) -> list[Use]:
    """The channels of a request that need a right: whoever leaves one needs none."""
    if command.name not in _CHANNELS:
        return []
    first, end, is_pattern = _CHANNELS[command.name]
    return [(position, is_pattern) for position in range(first, len(words) if end is None else end)]


def refusal_text(user: bytes, command: Command, words: list[bytes], reason: int, at: int, *, verbose: bool) -> str:
    """Why a user may not, in Redis's words; ``verbose`` names the key or channel."""
    name = to_text(user)
    if reason == Reason.COMMAND:
        return f"User {name} has no permissions to run the '{command.name}' command"
    what = "key" if reason == Reason.KEY else "channel"
    if verbose:
        return f"User {name} has no permissions to access the '{to_text(words[at])}' {what}"
    return f"No permissions to access a {what}"
