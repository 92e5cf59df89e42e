"""The filters of CLIENT LIST and CLIENT KILL: which clients are meant.

Redis knows a type or ids for LIST, and pairs of an option and a word for KILL; Valkey 8.1 and 9 joined the two and
added filters, and the same with NOT- in front. Both are understood, and where they differ in the text of an error
Redis's is given for what Redis knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..config.quoting import to_text
from ..errors import NotAnInteger, ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from .context import Context
from .session import Session

Filter: TypeAlias = Callable[[Session], bool]

#: Types by the words for them, with the older one and Valkey's for the same.
_TYPES: Final = {
    b"NORMAL": "normal",
    b"MASTER": "master",
    b"PRIMARY": "master",
    b"REPLICA": "replica",
    b"SLAVE": "replica",
    b"PUBSUB": "pubsub",
}
#: The letters that ``flags=`` may have, in Redis or Valkey.
_LETTERS: Final = frozenset("bcdeirtuxABEIMNOPRSTU")
#: What clients can claim to be capable of (redirection of Valkey 8); none can here.
_CAPABILITIES: Final = frozenset("r")
_NOT: Final = b"NOT-"


def flags_of(session: Session) -> str:
    """The letters of ``flags=``, in Redis's order."""
    tracking = session.tracking
    letters = (
        ("O", session.is_replica and session.monitoring),
        ("S", session.is_replica and not session.monitoring),
        ("M", session.is_primary),
        ("P", session.subscribed),
        ("x", session.queue is not None),
        ("b", session.held),
        ("t", tracking is not None),
        ("R", tracking is not None and tracking.broken),
        ("B", tracking is not None and tracking.broadcast),
        ("d", session.watch_broken),
        ("c", session.close_after_reply),
        ("U", session.unix_socket),
        ("r", session.readonly),
        ("e", session.no_evict),
        ("T", session.no_touch),
    )
    return "".join(letter for letter, applies in letters if applies) or "N"


def client_type(word: bytes) -> str:
    """A client's type from its name in either case. Raises ReplyError."""
    kind = _TYPES.get(word.upper())
    if kind is None:
        shown = word[:128].decode("utf-8", "surrogateescape")
        raise ReplyError(f"ERR Unknown client type '{shown}'")
    return kind


@dataclass(slots=True)
class Choice:
    """What was asked for: all ``filters`` have to pass, of which a later one takes the place of an earlier one."""

    filters: dict[bytes, Filter] = field(default_factory=dict)
    ids: dict[bytes, set[int]] = field(default_factory=dict)  #: of ID and NOT-ID, which may come again
    skip_me: bool | None = None  #: None: not said

    def passes(self, session: Session) -> bool:
        """Whether a client is meant."""
        for name, ids in self.ids.items():
            if (session.id in ids) == name.startswith(_NOT):
                return False
        return all(passes(session) for passes in self.filters.values())


def chosen(ctx: Context, words: Sequence[bytes]) -> Choice:
    """The filters that these words ask for. Raises ReplyError."""
    choice = Choice()
    at = 0
    while at < len(words):
        option = words[at].upper()
        at += 1
        if at == len(words):
            raise SyntaxFault
        if option in (b"ID", b"NOT-ID"):
            found = _ids(words[at:])
            choice.ids.setdefault(option, set()).update(found)
            at += len(found)
            continue
        word = words[at]
        at += 1
        if option == b"SKIPME":
            if word.upper() not in (b"YES", b"NO"):
                raise SyntaxFault
            choice.skip_me = word.upper() == b"YES"
            continue
        negated = option.startswith(_NOT)
        make = _FILTERS.get(option.removeprefix(_NOT))
        if make is None or (negated and make in _NEVER_NEGATED):
            raise SyntaxFault
        passes = make(ctx, word, option.decode())
        choice.filters[option] = _negated(passes) if negated else passes
    return choice


def is_option(word: bytes) -> bool:
    """Whether a word names a filter."""
    name = word.upper().removeprefix(_NOT)
    return name in _FILTERS or name in (b"ID", b"SKIPME")


def _negated(passes: Filter) -> Filter:
    return lambda session: not passes(session)


def _ids(words: Sequence[bytes]) -> list[int]:
    """The ids at the beginning of these words."""
    ids = []
    for word in words:
        try:
            ids.append(parse_int(word))
        except NotAnInteger:
            break
    if not ids or min(ids) < 1:
        raise ReplyError("ERR client-id should be greater than 0")
    return ids


def _number(word: bytes, name: str) -> int:
    try:
        return parse_int(word)
    except NotAnInteger:
        raise ReplyError(f"ERR {name} is not an integer or out of range") from None


def _positive(word: bytes, name: str) -> int:
    number = _number(word, name)
    if number < 1:
        raise ReplyError(f"ERR {name} should be greater than 0")
    return number


def _letters(word: bytes, known: frozenset[str], what: str, option: str) -> str:
    letters = to_text(word)
    if not known.issuperset(letters):
        where = f"the {option}" if option.startswith("NOT-") else "the provided"
        raise ReplyError(f"ERR Unknown {what} found in {where} filter: {letters[:128]}")
    return letters


def _by_type(ctx: Context, word: bytes, option: str) -> Filter:
    kind = client_type(word)
    return lambda session: session.kind == kind


def _by_user(ctx: Context, word: bytes, option: str) -> Filter:
    user = ctx.host.access.users.get(word)
    if user is None:
        raise ReplyError(f"ERR No such user '{to_text(word)}'")
    return lambda session: session.user is user


def _by_address(ctx: Context, word: bytes, option: str) -> Filter:
    return lambda session: session.address.encode() == word


def _by_local_address(ctx: Context, word: bytes, option: str) -> Filter:
    return lambda session: session.local_address.encode() == word


def _by_ip(ctx: Context, word: bytes, option: str) -> Filter:
    return lambda session: session.address.rpartition(":")[0].strip("[]").encode() == word


def _by_age(ctx: Context, word: bytes, option: str) -> Filter:
    seconds = _positive(word, "maxage")
    now = ctx.now
    return lambda session: now // 1000 - session.created // 1000 >= seconds


def _by_idle(ctx: Context, word: bytes, option: str) -> Filter:
    seconds = _positive(word, "idle")
    now = ctx.now
    return lambda session: now // 1000 - session.last_seen // 1000 >= seconds


def _by_name(ctx: Context, word: bytes, option: str) -> Filter:
    return lambda session: bool(word) and session.name == word


def _by_library(ctx: Context, word: bytes, option: str) -> Filter:
    return lambda session: bool(word) and session.library_name == word


def _by_library_version(ctx: Context, word: bytes, option: str) -> Filter:
    return lambda session: bool(word) and session.library_version == word


def _by_database(ctx: Context, word: bytes, option: str) -> Filter:
    number = _number(word, option)
    most = len(ctx.host.databases) - 1
    if not 0 <= number <= most:
        raise ReplyError(f"ERR {option} number should be between 0 and {most}")
    return lambda session: session.db.index == number


def _by_flags(ctx: Context, word: bytes, option: str) -> Filter:
    letters = set(_letters(word, _LETTERS, "flags", option))
    return lambda session: letters.issubset(flags_of(session))


def _by_capability(ctx: Context, word: bytes, option: str) -> Filter:
    nothing = not _letters(word, _CAPABILITIES, "capa", option)
    return lambda session: nothing


_FILTERS: Final[dict[bytes, Callable[[Context, bytes, str], Filter]]] = {
    b"TYPE": _by_type,
    b"USER": _by_user,
    b"ADDR": _by_address,
    b"LADDR": _by_local_address,
    b"MAXAGE": _by_age,
    b"IDLE": _by_idle,
    b"NAME": _by_name,
    b"LIB-NAME": _by_library,
    b"LIB-VER": _by_library_version,
    b"DB": _by_database,
    b"IP": _by_ip,
    b"FLAGS": _by_flags,
    b"CAPA": _by_capability,
}
_NEVER_NEGATED: Final = (_by_age, _by_idle)
