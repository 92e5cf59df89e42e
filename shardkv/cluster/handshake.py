"""How two nodes agree to talk: a link's set-up as a machine, and the seals on what follows. No socket, clock or
randomness.

The dialer speaks first::

    dialer                                acceptor
    Hello(version, capabilities, nonce) ->
                                       <- Hello
    Proof                              ->                 only with a cluster-auth-secret on both sides
                                       <- Proof           only after the dialer's was right

A stranger that dials therefore gets a Hello and nothing else. Both Hellos, byte for byte, are what the proofs and the
keys are made from, so neither version nor capabilities nor nonces can be changed on the way. A proof names its role:
an answer can't be reflected. With a secret on one side only the link is refused, and both sides can say why.

After the proofs every frame carries its number and a truncated HMAC-SHA256 under a key of this link and this
direction, so that somebody on the path can neither inject, change, replay, reorder nor leave out a frame within the
stream.

What this is not: **it is not encryption.** Who can see the packets can read gossip and published messages, and can
test guesses of a weak secret against a recorded proof, so the secret must be long and random. Secrecy on the wire is
TLS's part (``tls-cluster yes``).
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from .records import Malformed
from .wire import VERSION, Codec, FrameCutter, frame

OLDEST = 1  # the oldest version of a peer that this build still understands
NONCE_SIZE = 32
SEAL_SIZE = 16  # bytes of the truncated HMAC: a forger's chance is 2**-128 a frame, and the first failure ends the link
NUMBER_SIZE = 8
SEAL_OVERHEAD = NUMBER_SIZE + SEAL_SIZE
SETUP_LIMIT = 4096  # bytes of a set-up frame: all that a stranger can make a node hold
CAPABILITIES_MAX = 64


class Role(enum.StrEnum):
    """Who dialled. Part of everything that is hashed, so that the two directions never share a key or a proof."""

    DIALER = "dialer"
    ACCEPTOR = "acceptor"

    @property
    def other(self) -> Role:
        """The peer's role."""
        return Role.ACCEPTOR if self is Role.DIALER else Role.DIALER


@dataclass(frozen=True, slots=True)
class Hello:
    """What each side says first. No node id: a stranger learns none, and every message names its sender anyway."""

    version: int
    oldest: int
    nonce: bytes
    secret: bool
    capabilities: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """That the sender knows the secret: an HMAC over its role and both Hellos."""

    proof: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the sender closes the link. Unauthenticated: for the log of the other side, and for nothing else."""

    reason: str


SETUP = Codec({1: Hello, 2: Proof, 3: Refusal}, limit=SETUP_LIMIT)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a finished set-up found out about the link."""

    version: int
    """The newest version that both sides speak."""
    capabilities: Mapping[str, int]
    """Those that both have, each with the smaller of the two levels."""
    sealed: bool


class Sealer:
    """Numbers and seals the payloads of one direction of a link."""

    __slots__ = ("_key", "_number")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._number = 0

    def seal(self, payload: bytes) -> bytes:
        """The payload with its number and seal behind it."""
        numbered = payload + self._number.to_bytes(NUMBER_SIZE, "big")
        self._number += 1
        return numbered + hmac.digest(self._key, numbered, "sha256")[:SEAL_SIZE]


class Unsealer:
    """Checks the numbers and seals of the other direction."""

    __slots__ = ("_key", "_number")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._number = 0

    def unseal(self, sealed: bytes) -> bytes:
        """What was sealed. ``Malformed`` if the seal is wrong or the frame isn't the next one."""
        if len(sealed) < SEAL_OVERHEAD:
            raise Malformed("a frame without a seal")
        numbered, seal = sealed[:-SEAL_SIZE], sealed[-SEAL_SIZE:]
        if not hmac.compare_digest(hmac.digest(self._key, numbered, "sha256")[:SEAL_SIZE], seal):
            raise Malformed("a frame with a wrong seal")
        if int.from_bytes(numbered[-NUMBER_SIZE:], "big") != self._number:
            raise Malformed("a frame out of turn")
        self._number += 1
        return numbered[:-NUMBER_SIZE]


class Handshake:
    """One side of one link's set-up. Bytes in, bytes out; ``agreed`` or ``fault`` says that it is over.

    The caller sends ``start()``, then whatever ``feed`` returns, also after a fault (it may hold the reason for the
    peer), and gives up on the link when its own deadline passes. When ``agreed`` is there, ``rest`` holds bytes that
    already belong to the link.
    """

    def __init__(
        self,
        role: Role,
        nonce: bytes,
        secret: bytes = b"",
        capabilities: Mapping[str, int] | None = None,
        version: int = VERSION,
    ) -> None:
        """``nonce``: 32 fresh random bytes. ``secret``: empty for an open link."""
        assert len(nonce) == NONCE_SIZE, "a nonce of another size"
        self.agreed: Agreed | None = None
        self.fault: str | None = None
        self.garbage = False  # the fault is that no node could have sent this
        self.sealer: Sealer | None = None
        self.unsealer: Unsealer | None = None
        self._role = role
        self._secret = secret
        self._mine = Hello(version, OLDEST, nonce, bool(secret), tuple(sorted((capabilities or {}).items())))
        self._mine_packed = SETUP.pack(self._mine)
        self._theirs: Hello | None = None
        self._transcript = b""
        self._cutter = FrameCutter(SETUP_LIMIT)

    @property
    def rest(self) -> bytes:
        """Bytes behind the set-up: the first of the link proper."""
        return self._cutter.held

    def start(self) -> bytes:
        """What to send at once: the dialer's Hello; nothing from the acceptor, who answers."""
        return frame(self._mine_packed) if self._role is Role.DIALER else b""

    def feed(self, data: bytes) -> bytes:
        """Takes what arrived, returns what to send. Never raises, whatever the bytes."""
        reply = b""
        while self.agreed is None and self.fault is None:
            # One frame at a time: behind the last one of the set-up the frames have other limits and another owner.
            payloads = self._cutter.cut(data, most=1)
            data = b""
            self.fault = self._cutter.fault
            self.garbage = self.fault is not None
            if not payloads:
                break
            try:
                reply += self._take(payloads[0])
            except ValueError as why:
                self.fault = f"no set-up of ours: {why}"
                self.garbage = True
        return reply

    def _take(self, payload: bytes) -> bytes:
        message = SETUP.unpack(payload)
        match message:
            case Refusal():
                self.fault = f"the peer refused: {_printable(message.reason)}"
                return b""
            case Hello() if self._theirs is None:
                return self._greeted(message, payload)
            case Proof() if self._theirs is not None and self._secret:
                return self._proven(message)
        raise Malformed("a set-up frame out of turn")

    def _greeted(self, theirs: Hello, packed: bytes) -> bytes:
        self._theirs = theirs
        mine, acceptor = self._mine_packed, self._role is Role.ACCEPTOR
        reply = frame(mine) if acceptor else b""
        why = self._objection(theirs)
        if why is not None:
            self.fault = why[0]
            return reply + _refusal(why[1])
        dialed, accepted = (packed, mine) if acceptor else (mine, packed)
        self._transcript = hashlib.sha256(dialed).digest() + hashlib.sha256(accepted).digest()
        if not self._secret:
            self._agree()
        elif not acceptor:
            reply += self._prove()
        return reply

    def _objection(self, theirs: Hello) -> tuple[str, str] | None:
        """Why no link can come of this Hello: for our log, and for the peer's. None if it can."""
        mine = self._mine
        if len(theirs.nonce) != NONCE_SIZE or theirs.nonce == mine.nonce or len(theirs.capabilities) > CAPABILITIES_MAX:
            return ("a Hello that no node sends",) * 2
        if min(mine.version, theirs.version) < max(mine.oldest, theirs.oldest):
            versions = f"{mine.oldest}-{mine.version} and {theirs.oldest}-{theirs.version}"
            return (f"bus versions {versions} have none in common",) * 2
        if mine.secret and not theirs.secret:
            return "the peer has no cluster-auth-secret, this node has one", "cluster-auth-secret is required here"
        if theirs.secret and not mine.secret:
            return "the peer requires a cluster-auth-secret, this node has none", "no cluster-auth-secret is set here"
        return None

    def _proven(self, message: Proof) -> bytes:
        if not hmac.compare_digest(self._derive("proof", self._role.other), message.proof):
            self.fault = "the peer's cluster-auth-secret is another one"
            return _refusal("wrong cluster-auth-secret")
        reply = self._prove() if self._role is Role.ACCEPTOR else b""
        self.sealer = Sealer(self._derive("key", self._role))
        self.unsealer = Unsealer(self._derive("key", self._role.other))
        self._agree()
        return reply

    def _prove(self) -> bytes:
        return frame(SETUP.pack(Proof(self._derive("proof", self._role))))

    def _derive(self, purpose: str, sender: Role) -> bytes:
        """A value that only holders of the secret can make, and that is of use for one purpose, role and link."""
        label = f"shardkv bus {purpose} {sender}\0".encode()
        return hmac.digest(self._secret, label + self._transcript, "sha256")

    def _agree(self) -> None:
        assert self._theirs is not None
        theirs, ours = self._theirs, dict(self._mine.capabilities)
        shared = {name: min(level, ours[name]) for name, level in theirs.capabilities if name in ours}
        version = min(self._mine.version, theirs.version)
        self.agreed = Agreed(version, shared, bool(self._secret))


def _refusal(reason: str) -> bytes:
    return frame(SETUP.pack(Refusal(reason)))


def _printable(text: str) -> str:
    """A stranger's text, fit for one line of a log."""
    return "".join(c if c.isprintable() else "?" for c in text[:120])
