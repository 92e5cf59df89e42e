"""Access control of one engine: who is who, what is refused and noted, and what happens to clients whose user changes.

A request asks nothing of this if its user may do everything (``User.unrestricted``, part of ``Session.plain``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ..acl.catalog import Catalog
from ..acl.log import RefusalLog
from ..acl.selector import Reason
from ..acl.user import User
from ..acl.users import Users
from ..commands.client_list import client_line
from ..commands.flags import Flags
from ..commands.rights import channels_of, keys_of, refusal_text
from ..commands.spec import CATEGORIES, TABLE, Command
from ..errors import ReplyError

if TYPE_CHECKING:
    from ..commands.session import Session
    from ..config import Config
    from .engine import Engine

#: What EXEC says of a command that was allowed when it was queued.
_NO_LONGER: Final = (
    "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
    "This command is no longer allowed for the following reason: "
)
_WHY: Final = {
    Reason.COMMAND: "no permission to execute the command or subcommand",
    Reason.KEY: "no permission to touch the specified keys",
    Reason.CHANNEL: "no permission to access one of the channels used as arguments to the command",
}


def users_of(config: Config) -> Users:
    """The users before any line that declares some: the default one, with ``requirepass`` as its password."""
    users = Users(Catalog(TABLE.values(), CATEGORIES), lambda: config.acl_pubsub_default == "allchannels")
    users.set_default_password(config.requirepass)
    return users


#: Commands that need no right of their own (asking a Flag each time would cost as much as all the rest).
_OPEN: Final = frozenset(command.name for command in TABLE.values() if command.flags & Flags.NO_AUTH)


class Access:
    """Implements ``shardkv.commands.ports.AccessPort``."""

    def __init__(self, engine: Engine) -> None:
        """The users of ``user`` lines; raises RuleFault for one that makes none."""
        self._engine = engine
        self.users = users_of(engine.config)
        declared: dict[bytes, User] = {}
        for line in engine.config.user:
            self.users.declare(line, declared)
        for user in declared.values():
            self.users.settle(user)
        self.log = RefusalLog()
        self.denied = dict.fromkeys((Reason.AUTH, Reason.COMMAND, Reason.KEY, Reason.CHANNEL), 0)

    def forget_counts(self) -> None:
        """CONFIG RESETSTAT."""
        self.denied = dict.fromkeys(self.denied, 0)

    # ---- coming in

    def greet(self, session: Session) -> None:
        """Make a client what a new one is: the default user, if that one needs no password. A primary is nobody's
        client and may do everything."""
        if session.is_primary:
            session.user, session.authenticated = None, True
            session.refresh()
            return
        session.user = self.users.default
        session.authenticated = self.users.default.lets_everybody_in
        session.refresh()

    def log_in(self, session: Session, name: bytes, password: bytes) -> bool:
        """Let a client in as another user; a wrong name or password is noted."""
        user = self.users.authenticated(name, password)
        if user is None:
            self._note(session, Reason.AUTH, self._engine.context.words[0], name)
            return False
        session.user = user
        session.authenticated = True
        session.refresh()
        return True

    def knows(self, session: Session) -> bool:
        """Whether a client needs no password: it has given one, or the default user asks for none (any more)."""
        return session.authenticated or self.users.default.lets_everybody_in

    def admits(self, who: tuple[bytes, bytes] | None, command: Command, words: list[bytes]) -> bool:
        """Whether somebody without a session (who asks for metrics) may say this: as the user of this name and
        password, or as the default user. What is refused is counted."""
        if who is None:
            user = self.users.default if self.users.default.lets_everybody_in else None
        else:
            user = self.users.authenticated(*who)
            self.denied[Reason.AUTH] += user is None
        if user is None:
            return False
        allowed = user.unrestricted or self.refusal(user, command, words) is None
        self.denied[Reason.COMMAND] += not allowed
        return allowed

    # ---- what a user may

    def refusal(self, user: User, command: Command, words: list[bytes]) -> tuple[Reason, int] | None:
        """Why a user may not carry out a request and the word that is to blame, or None."""
        return user.refuses(
            command.name,
            command.name in _OPEN,
            words,
            keys_of(command, words),
            channels_of(command, words),
        )

    def refuse(self, session: Session, command: Command, words: list[bytes], script: bool = False) -> ReplyError | None:
        """The error for a request that the client's user may not carry out, which is noted; None if they may."""
        refused = self._refused(session, command, words, "lua" if script else "toplevel")
        if refused is None or session.user is None:
            return None
        text = refusal_text(session.user.name, command, words, *refused, verbose=False)
        return ReplyError(f"NOPERM ACL failure in script: {text}" if script else f"NOPERM {text}")

    def refuse_queued(self, session: Session, command: Command, words: list[bytes]) -> ReplyError | None:
        """The same for a command of a transaction: rights may have gone since it was queued."""
        refused = self._refused(session, command, words, "multi")
        return None if refused is None else ReplyError(_NO_LONGER + _WHY[refused[0]])

    def _refused(
        self, session: Session, command: Command, words: list[bytes], context: str
    ) -> tuple[Reason, int] | None:
        user = session.user
        if user is None or user.unrestricted:
            return None
        refused = self.refusal(user, command, words)
        if refused is not None:
            reason, at = refused
            blamed = command.name.encode() if reason is Reason.COMMAND else words[at]
            self._note(session, reason, blamed, user.name, context)
        return refused

    def reads_every_key(self, session: Session, command: Command, words: list[bytes]) -> bool:
        """Whether a request may read keys that it does not name."""
        user = session.user
        return user is None or user.reads_every_key_with(command.name, words, keys_of(command, words))

    def _note(self, session: Session, reason: Reason, blamed: bytes, user: bytes, context: str = "toplevel") -> None:
        engine = self._engine
        self.denied[reason] += 1
        if context == "toplevel" and session.queue is not None:
            context = "multi"
        line = client_line(engine.context, session)
        self.log.add(reason, context, blamed, user, line, engine.now, engine.config.acllog_max_len)

    # ---- changes of users

    def settle(self, planned: User) -> None:
        """Make a changed user true. Subscribers whose channels are not all allowed any more are closed."""
        user = self.users.settle(planned)
        self._end_subscribers([session for session in self._sessions() if session.user is user], user)
        self._refresh()

    def remove(self, names: Iterable[bytes]) -> int:
        """Delete users and close their clients; how many users there were."""
        removed = [user for user in map(self.users.remove, names) if user is not None]
        self._expel([session for session in self._sessions() if session.user in removed])
        return len(removed)

    def replace(self, users: Iterable[User]) -> None:
        """Have these users instead. Clients whose user is gone, and subscribers who have lost a channel, are closed;
        the others go on as the new user of the same name."""
        self.users.replace(users)
        for session in self._sessions():
            if session.user is None:
                continue
            user = self.users.get(session.user.name)
            if user is None:
                self._expel([session])
            else:
                session.user = user
                self._end_subscribers([session], user)
        self._refresh()

    def set_default_password(self, password: bytes) -> None:
        """``requirepass`` was changed."""
        self.users.set_default_password(password)
        self._refresh()

    def _end_subscribers(self, sessions: list[Session], user: User) -> None:
        for session in sessions:
            channels = [*session.channels, *session.shard_channels]
            if session.subscribed and not user.keeps_subscriptions(channels, session.patterns):
                self._engine.kill(session)

    def _expel(self, sessions: Iterable[Session]) -> None:
        for session in sessions:
            session.user = self.users.default
            session.authenticated = False
            self._engine.kill(session)

    def _sessions(self) -> list[Session]:
        return list(self._engine.sessions.values())

    def _refresh(self) -> None:
        for session in self._sessions():
            session.refresh()
