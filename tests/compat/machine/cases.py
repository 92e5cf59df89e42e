"""What a difference is: between two replies, or in what is told of the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import copysign
from re import fullmatch
from typing import Any, Final, TypeAlias

from tests.support.wire_replies import Push, Refusal

from .replies import canonical, leaves, number

#: Channel and payload of a key event.
Event: TypeAlias = tuple[bytes, bytes]

#: Stands before the words of a request that was answered late.
WAITED: Final = b"waited:"


@dataclass(frozen=True, slots=True)
class Case:
    """Two replies that are not equal. ``name`` is the command's in upper case; for what is looked at between the
    commands it is that of the inspector's, or ``events``. The words of a request that had waited begin with
    ``WAITED``; the replies are lists then, for there may be none."""

    name: str
    words: tuple[bytes, ...]
    ours: Any
    theirs: Any

    @property
    def waited(self) -> bool:
        """Whether these are replies to a request that had waited."""
        return self.words[:1] == (WAITED,)

    @property
    def both_refuse(self) -> bool:
        """Whether both replies are errors."""
        return isinstance(self.ours, Refusal) and isinstance(self.theirs, Refusal)

    @property
    def refusal(self) -> str:
        """The text of theirs if it is an error."""
        return self.theirs.text if isinstance(self.theirs, Refusal) else ""

    @property
    def our_refusal(self) -> str:
        """The text of ours if it is an error."""
        return self.ours.text if isinstance(self.ours, Refusal) else ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference that is meant: between replies (``fits``), or between key events (``forgives``: this one does not
    count, given the words of requests that were refused or are ``telling``). With ``parts`` the data differ from here
    on, and the sequence ends; a difference that fits ``after`` is meant only behind a telling request, and ends it."""

    name: str
    reason: str
    fits: Callable[[Case], bool] = lambda case: False
    parts: bool = False
    forgives: Callable[[Event, Sequence[bytes]], bool] | None = None
    telling: Callable[[str, Sequence[bytes]], bool] = lambda name, words: False
    after: Callable[[Case], bool] = lambda case: False


def texts(*pairs: tuple[str, str]) -> Callable[[Case], bool]:
    """Errors of which only the text is another: pairs of patterns for ours and theirs."""

    def fits(case: Case) -> bool:
        one = case
        if case.waited and len(case.ours) == len(case.theirs) == 1:
            one = replace(case, ours=case.ours[0], theirs=case.theirs[0])
        refused = one.both_refuse
        return refused and any(fullmatch(a, one.our_refusal) and fullmatch(b, one.refusal) for a, b in pairs)

    return fits


def encoded(ours: bytes, theirs: bytes) -> Callable[[Case], bool]:
    """The same value, held in another way."""
    return lambda case: case.name == "OBJECT|ENCODING" and case.ours == ours and case.theirs == theirs


def only_invalidations(case: Case) -> bool:
    """Whether nothing differs but what clients that cache are told."""

    def rest(messages: Any) -> list[Any]:
        return [one for one in messages if not invalidates(one)] if isinstance(messages, list) else [messages]

    return rest(case.ours) == rest(case.theirs)


def invalidates(message: Any) -> bool:
    """Whether this is what a client that caches is told."""
    if isinstance(message, Push):
        return message[0] == b"invalidate" or b"__redis__:invalidate" in message.items
    return isinstance(message, list) and message[:2] == [b"message", b"__redis__:invalidate"]


def same_scores(case: Case, *, signed_zero: bool = True) -> bool:
    """Whether replies differ in the digits of numbers only. ``signed_zero``: 0 and -0 are two."""
    if not case.name.startswith(("Z", "BZ", "GEO", "messages")):
        return False
    found = leaves(canonical(case.name, case.ours), canonical(case.name, case.theirs))
    return all(_same_number(ours, theirs, signed_zero) for ours, theirs in found) if found else False


def _same_number(ours: Any, theirs: Any, signed_zero: bool) -> bool:
    one, other = number(ours), number(theirs)
    if one is None or other is None or one != other:
        return False
    return not signed_zero or copysign(1.0, one) == copysign(1.0, other)


def event_of(event: Event) -> tuple[bytes, bytes]:
    """The event and the key, whichever of the two channels told it."""
    channel, payload = event
    kind, _, rest = channel.partition(b"__:")
    return (payload, rest) if kind.startswith(b"__keyspace") else (rest, payload)


def missed(event: Event, words: Sequence[bytes]) -> bool:
    """A miss of one of these keys."""
    name, key = event_of(event)
    return name == b"keymiss" and key in words
