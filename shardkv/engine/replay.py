"""Carrying out a log: every command as it stands there, with no gate before it and nothing propagated.

A transaction is carried out when its EXEC has come, or not at all. Replies go nowhere. A command that is refused is
counted and passed over, as Redis does it; but what cannot be meant as it stands (no such command, no such database)
ends the replay: going on would make something else than what was logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..commands.session import Session
from ..commands.spec import TABLE, Command
from ..errors import ReplyError
from ..resp.encoder import NULL2

if TYPE_CHECKING:
    from .engine import Engine


class ReplayFault(ValueError):
    """A command that cannot be carried out. ``index``: which of those that were given."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


class Replay:
    """Carries out the commands of one log on an engine that obeys (``begin(now, obeying=True)``)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # The log's word is the truth, as a primary's is: no check of what a script calls may stand against it.
        self._session = Session(id=0, db=engine.databases.open(0), created=engine.now, is_primary=True)
        self._session.refresh()
        self._queue: list[list[bytes]] | None = None
        self._shortcuts = engine.short_way.shortcuts
        self.commands = 0  #: carried out
        self.refused: list[tuple[list[bytes], str]] = []  #: the first few that were answered with an error
        self.refusals = 0

    @property
    def inside_transaction(self) -> bool:
        """Whether a transaction has begun and not ended."""
        return self._queue is not None

    def feed(self, commands: list[list[bytes]]) -> int | None:
        """Carry commands out, in order. The index of the transaction that begins among them and does not end, or None.
        Raises ReplayFault."""
        ctx = self._engine.context  # that of DEBUG LOADAOF, perhaps, and the one in which scripts call
        outer = (ctx.session, ctx.db, ctx.command, ctx.words, ctx.dirty, ctx.effects, ctx.inside)
        try:
            return self._feed(commands)
        finally:
            ctx.session, ctx.db, ctx.command, ctx.words, ctx.dirty, ctx.effects, ctx.inside = outer

    def _feed(self, commands: list[list[bytes]]) -> int | None:
        begun: int | None = None
        for index, words in enumerate(commands):
            try:
                if self._queue is None:
                    if self._is(words, b"MULTI"):
                        self._queue = []
                        begun = index
                    else:
                        self._carry_out(words)
                elif self._is(words, b"EXEC"):
                    queue, self._queue, begun = self._queue, None, None
                    for queued in queue:
                        self._carry_out(queued)
                else:
                    self._queue.append(words)
            except LookupError as error:
                raise ReplayFault(index, str(error)) from None
        return begun

    def forget_transaction(self) -> None:
        """The log ends inside a transaction: it never happened."""
        self._queue = None

    @staticmethod
    def _is(words: list[bytes], name: bytes) -> bool:
        return len(words) == 1 and words[0].upper() == name

    def _carry_out(self, words: list[bytes]) -> None:
        self.commands += 1
        session = self._session
        shortcut = self._shortcuts.get(words[0])
        if shortcut is not None and shortcut.twin(session.db, words, NULL2) is not None:
            return
        command = self._command(words)
        ctx = self._engine.context
        ctx.session, ctx.db = session, session.db
        ctx.dirty, ctx.effects = 0, None
        ctx.inside = 1  # nothing waits
        ctx.command, ctx.words = command, words
        reply: Any
        try:
            if not command.fewest <= len(words) <= command.most:
                raise ReplyError(f"ERR wrong number of arguments for '{command.name}' command")
            reply = command.run(ctx, words)
        except ReplyError as error:
            reply = error
        ctx.db.dirty += ctx.dirty
        if isinstance(reply, ReplyError):
            self._refuse(command, words, reply)

    def _command(self, words: list[bytes]) -> Command:
        """The command of these words, which may have been renamed since. Raises LookupError."""
        command = self._engine.look_up(words) or TABLE.get(words[0].decode("latin-1").lower())
        if command is None:
            shown = words[0][:64].decode("utf-8", "backslashreplace")
            raise LookupError(f"Unknown command '{shown}'")
        return command

    def _refuse(self, command: Command, words: list[bytes], error: ReplyError) -> None:
        if command.name == "select":
            raise LookupError(f"Unknown database {words[-1][:20].decode('utf-8', 'backslashreplace')}")
        if self._engine.config.propagation_error_behavior == "panic":
            raise LookupError(f"{error.text}: command '{command.name}' failed")
        self.refusals += 1
        if len(self.refused) < 3:
            self.refused.append((words, error.text))
