"""Client-side caching: who may hold which key in a cache of its own, and who must hear that it has changed.

A machine without input or output: clients are numbers, and what it returns says whom to tell. In the *default* mode it
remembers every key that a client has read, until the key changes once. In *broadcast* mode it remembers nothing but
prefixes, and gathers the keys that changed until the end of a round (``broadcasts``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import ReplyError


@dataclass(slots=True)
class Tracking:
    """How one client is tracked. A session has one of these while tracking is on."""

    redirect: int = 0  #: the client that gets the messages instead, 0: none
    broadcast: bool = False
    optin: bool = False  #: only what follows CLIENT CACHING YES is remembered
    optout: bool = False  #: what follows CLIENT CACHING NO is not remembered
    noloop: bool = False  #: a client is not told of its own changes
    caching: bool = False  #: CLIENT CACHING was given for the next command
    broken: bool = False  #: the client that should get the messages is gone
    prefixes: dict[bytes, None] = field(default_factory=dict)
    prefixes_bytes: int = 0  #: the length of all of them

    @property
    def remembers(self) -> bool:
        """Whether the keys of the command that runs are to be remembered."""
        if self.broadcast:
            return False
        return self.caching if self.optin else not (self.optout and self.caching)

    @property
    def flags(self) -> list[bytes]:
        """What CLIENT TRACKINGINFO tells of it."""
        told = [
            (b"on", True),
            (b"bcast", self.broadcast),
            (b"optin", self.optin),
            (b"caching-yes", self.optin and self.caching),
            (b"optout", self.optout),
            (b"caching-no", self.optout and self.caching),
            (b"noloop", self.noloop),
            (b"broken_redirect", self.broken),
        ]
        return [name for name, holds in told if holds]


@dataclass(slots=True)
class _Prefix:
    """One broadcast prefix: who asked for it, and which keys have changed since the last round, with who changed each
    last (0: nobody)."""

    clients: dict[int, None] = field(default_factory=dict)
    changed: dict[bytes, int] = field(default_factory=dict)


class InvalidationTable:
    """All tracking of one node. ``clients`` maps the number of each tracked client to its settings."""

    __slots__ = ("_prefixes", "_readers", "clients", "items")

    def __init__(self) -> None:
        self.clients: dict[int, Tracking] = {}
        self.items = 0  #: pairs of a key and a client that has read it
        # A key's only reader stands there by itself: nearly all keys have one, and a dict for each would cost more than
        # the key.
        self._readers: OrderedDict[bytes, int | dict[int, None]] = OrderedDict()
        self._prefixes: dict[bytes, _Prefix] = {}

    def __bool__(self) -> bool:
        """Whether a change of a key could concern anybody."""
        return bool(self.clients or self._readers)

    @property
    def keys(self) -> int:
        """How many keys are remembered."""
        return len(self._readers)

    @property
    def prefixes(self) -> int:
        """How many prefixes are broadcast."""
        return len(self._prefixes)

    # ---- on and off

    def turn_on(self, client: int, wish: Tracking, prefixes: Sequence[bytes]) -> Tracking:
        """Begin to track a client, or change how. ``wish`` has the new settings, ``prefixes`` are added to those it has
        (none at all: every key).

        Returns the settings that hold from now on. Raises ReplyError for what does not go together.
        """
        held = self.clients.get(client)
        _refuse_mismatch(held, wish, prefixes)
        if wish.broadcast:
            _refuse_overlap(held, prefixes)
        if held is None:
            held = self.clients[client] = wish
        else:
            held.redirect, held.noloop, held.broken = wish.redirect, wish.noloop, False
            held.optin, held.optout = wish.optin, wish.optout
        if held.broadcast:
            for prefix in prefixes or (b"",):
                if prefix not in held.prefixes:
                    held.prefixes[prefix] = None
                    held.prefixes_bytes += len(prefix)
                self._prefixes.setdefault(prefix, _Prefix()).clients[client] = None
        return held

    def turn_off(self, client: int) -> None:
        """Track a client no more. What it has read stays remembered, as it may come back and must hear of changes."""
        held = self.clients.pop(client, None)
        if held is None:
            return
        for prefix in held.prefixes:
            state = self._prefixes[prefix]
            del state.clients[client]
            if not state.clients:
                del self._prefixes[prefix]

    def leave(self, client: int) -> None:
        """A client is gone for good. After the last one, nothing that was remembered concerns anybody."""
        self.turn_off(client)
        if not self.clients:
            self._clear()

    # ---- reading

    def remember(self, client: int, keys: Iterable[bytes]) -> None:
        """A client in default mode has read these keys."""
        readers = self._readers
        for key in keys:
            held = readers.get(key)
            if held is None:
                readers[key] = client
            elif isinstance(held, int):
                if held == client:
                    continue
                readers[key] = {held: None, client: None}
            elif client in held:
                continue
            else:
                held[client] = None
            self.items += 1

    def overflow(self, most: int) -> list[tuple[bytes, list[int]]]:
        """Forget keys until ``most`` are left (0: no limit), those first that were remembered first; each with whom to
        tell."""
        forgotten = []
        while most and len(self._readers) > most:
            key, held = self._readers.popitem(last=False)
            forgotten.append((key, self._concerned(held, 0)))
        return forgotten

    # ---- changes

    def changed(self, key: bytes, writer: int, running: int) -> tuple[list[int], bool]:
        """A key has changed. Returns whom to tell at once, and whether this is the first of a round that somebody wants
        to have broadcast.

        ``writer`` is the client that changed it, 0 for a key that expired or was evicted; ``running`` the client whose
        command that happened in, 0 for none.
        """
        first = False
        for prefix, state in self._prefixes.items():
            if key.startswith(prefix):
                first = first or not state.changed
                state.changed[key] = writer
        held = self._readers.pop(key, None)
        return ([] if held is None else self._concerned(held, running)), first

    def flushed(self) -> list[int]:
        """Keys were deleted in bulk: every tracked client is to forget all it has."""
        self._clear()
        return list(self.clients)

    def broadcasts(self) -> list[tuple[int, list[bytes]]]:
        """The end of a round: whom to tell of which keys, prefix by prefix."""
        due: list[tuple[int, list[bytes]]] = []
        for _, state in sorted(self._prefixes.items()):
            if not state.changed:
                continue
            keys = sorted(state.changed)
            for client in state.clients:
                if self.clients[client].noloop:
                    foreign = [key for key in keys if state.changed[key] != client]
                    if foreign:
                        due.append((client, foreign))
                else:
                    due.append((client, keys))
            state.changed = {}
        return due

    @property
    def awaiting(self) -> int | None:
        """A client that ``broadcasts`` would look at, None if there is none."""
        for state in self._prefixes.values():
            if state.changed:
                return next(iter(state.clients))
        return None

    def _concerned(self, held: int | dict[int, None], running: int) -> list[int]:
        """Which of a forgotten key's readers are to be told."""
        readers = [held] if isinstance(held, int) else list(held)
        self.items -= len(readers)
        told = []
        for client in readers:
            tracking = self.clients.get(client)
            # Who has switched to broadcasts since then does not want to hear of single keys.
            if tracking is not None and not tracking.broadcast and not (tracking.noloop and client == running):
                told.append(client)
        return told

    def _clear(self) -> None:
        self._readers = OrderedDict()
        self.items = 0

    def check(self) -> None:
        """Assert the invariants."""
        assert self.items == sum(1 if isinstance(held, int) else len(held) for held in self._readers.values())
        assert all(not isinstance(held, dict) or len(held) > 1 for held in self._readers.values())
        pairs = {(client, prefix) for prefix, state in self._prefixes.items() for client in state.clients}
        assert pairs == {(client, prefix) for client, tracking in self.clients.items() for prefix in tracking.prefixes}
        assert all(state.clients for state in self._prefixes.values())
        assert all(bool(tracking.prefixes) == tracking.broadcast for tracking in self.clients.values())


def _refuse_mismatch(held: Tracking | None, wish: Tracking, prefixes: Sequence[bytes]) -> None:
    if prefixes and not wish.broadcast:
        raise ReplyError("ERR PREFIX option requires BCAST mode to be enabled")
    if held is not None and held.broadcast != wish.broadcast:
        raise ReplyError(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
            "with a different mode."
        )
    if wish.broadcast and (wish.optin or wish.optout):
        raise ReplyError("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if wish.optin and wish.optout:
        raise ReplyError("ERR You can't specify both OPTIN mode and OPTOUT mode")
    if held is not None and ((wish.optin and held.optout) or (wish.optout and held.optin)):
        raise ReplyError(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
            "with a different mode."
        )


def _refuse_overlap(held: Tracking | None, prefixes: Sequence[bytes]) -> None:
    for place, prefix in enumerate(prefixes):
        for other in sorted(held.prefixes) if held is not None else ():
            if _overlap(prefix, other):
                raise _overlapping(prefix, "an existing prefix", other)
        for other in prefixes[place + 1 :]:
            if _overlap(prefix, other):
                raise _overlapping(prefix, "another provided prefix", other)


def _overlap(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


def _overlapping(prefix: bytes, kind: str, other: bytes) -> ReplyError:
    first, second = (word.decode("utf-8", "surrogateescape") for word in (prefix, other))
    return ReplyError(
        f"ERR Prefix '{first}' overlaps with {kind} '{second}'. Prefixes for a single client must not overlap."
    )
