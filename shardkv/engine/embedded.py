"""An engine without a node: no socket, no process, no file. For tests and tools that want Redis's behaviour as an
object.

``store = Embedded(now_ms)`` and then ``store("SET", "name", "ada")``. Time stands still unless ``store.now`` is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hiredis import Reader

from ..commands.migrate import Outcome, Shipment
from ..commands.session import Session
from ..commands.world import Facts
from ..config import Config
from ..errors import ReplyError
from .engine import Engine

if TYPE_CHECKING:
    from random import Random

    from ..scripting.debugger import Conversation


class NoWorld:
    """Implements ``shardkv.commands.world.World`` for an engine that has none: what needs a process is refused."""

    def __init__(self) -> None:
        self.engine: Engine
        self.woken: list[Session] = []

    def rewrite_config(self) -> None:
        """There is no file to write to."""
        raise ReplyError("ERR The server is running without a config file")

    def options_changed(self, names: Iterable[str]) -> None:
        """The engine reads its options when it needs them."""

    def close(self, session: Session) -> None:
        """The session ends."""
        self.engine.leave(session)

    def wake(self, session: Session) -> None:
        """It goes on when the running request has ended."""
        self.woken.append(session)

    def purge_memory(self) -> None:
        """The memory is the embedding process's."""

    def shutdown(self, *, save: bool | None, force: bool) -> None:
        """There is no process to end."""
        raise ReplyError("ERR SHUTDOWN makes no sense for an embedded engine")

    saving_child: str | None = None

    def save(self) -> None:
        """There is no disk to save to."""
        raise ReplyError("ERR an embedded engine has no files")

    def save_in_background(self) -> None:
        """As ``save``."""
        self.save()

    def reload(self, *, flush: bool, merge: bool) -> None:
        """There is nothing to load."""
        self.save()

    def rewrite_log(self) -> None:
        """As ``save``."""
        self.save()

    def reload_log(self) -> None:
        """As ``save``."""
        self.save()

    def emptied(self) -> bool:
        """No file holds the keys that are gone."""
        return False

    def serve_others(self) -> None:
        """There is nobody else."""

    def debug_script(self, session: Session, work: Callable[[Conversation], bytes], *, forked: bool) -> bytes | None:
        """There is no connection to talk through."""
        raise ReplyError("ERR Scripts of an embedded engine cannot be debugged")

    def sleep(self, seconds: float) -> None:
        """Nobody waits."""

    def microseconds(self) -> int:
        """The engine's time."""
        return self.engine.now * 1000

    def log(self, level: str, text: str) -> None:
        """Nobody reads it."""

    def secret(self, count: int) -> bytes:
        """From the engine's own dice, which a caller may have loaded."""
        return self.engine.rng.randbytes(count)

    def read_users(self) -> str:
        """There is no file to read from."""
        raise ReplyError("ERR there is no ACL file for an embedded engine")

    def write_users(self, text: str) -> None:
        """Nor to write to."""
        raise ReplyError("ERR there is no ACL file for an embedded engine")

    def panic(self, text: str) -> None:
        """There is no process to end."""
        raise AssertionError(text)

    def ship(self, shipment: Shipment, landed: Callable[[Outcome], None]) -> None:
        """There is no way to another node."""
        landed(self.ship_now(shipment))

    def ship_now(self, shipment: Shipment) -> Outcome:
        """The same for those that can't wait."""
        return Outcome(fault="connecting to the client")

    def facts(self) -> Facts:
        """An embedded engine knows nothing of the process that it lives in."""
        started = self.engine.now
        return Facts(
            pid=0, os="", python="", compiler="", executable="", config_file="", supervised="no", multiplexing="none",
            tcp_port=0, run_id="0" * 40, started=started, rss=0, rss_peak=0, rss_startup=0,
            memory_total=0,
            cpu_user=0.0, cpu_sys=0.0, cpu_user_children=0.0, cpu_sys_children=0.0, cpu_user_main=0.0, cpu_sys_main=0.0,
            forks=0, fork_seconds=0.0, migrate_connections=0, child=None,
        )  # fmt: skip


class Embedded:
    """One client of an engine in this process. ``other()`` makes a second one of the same engine."""

    def __init__(self, now: int, rng: Random, config: Config | None = None, engine: Engine | None = None) -> None:
        """``now``: Unix milliseconds. ``rng`` decides what is random (SPOP, RANDOMKEY)."""
        self._rng = rng
        if engine is None:
            world = NoWorld()
            engine = Engine(config or Config(), world, rng, lambda: 0.0)
            world.engine = engine
            engine.begin(now)
        self.engine = engine
        self._session = engine.open()
        self._reader = Reader(replyError=ReplyError)

    def __call__(self, *words: bytes | str | float) -> Any:
        """One request; its reply as hiredis gives it (bytes, int, list, None). Raises ReplyError for an error.

        A request that waits (BLPOP) answers None for now; ``reply()`` has what comes later.
        """
        request = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.engine.run(self._session, [request])
        self._settle()
        return self.reply()

    def reply(self) -> Any:
        """The next reply or message that waits for this client, or None."""
        self._reader.feed(b"".join(self._session.out))
        self._session.out.clear()
        answer = self._reader.gets()
        if isinstance(answer, ReplyError):
            raise answer
        return None if answer is False else answer

    def other(self) -> Embedded:
        """Another client of the same engine."""
        return Embedded(self.now, self._rng, engine=self.engine)

    @property
    def now(self) -> int:
        """The engine's time, in Unix milliseconds."""
        return self.engine.now

    @now.setter
    def now(self, at: int) -> None:
        self.engine.tick(at)
        self._settle()

    def _settle(self) -> None:
        world = self.engine.world
        assert isinstance(world, NoWorld)
        while world.woken:
            while world.woken:
                self.engine.resume(world.woken.pop(0))
            self.engine.end_round()
        self.engine.databases.free(lambda: False)  # there is no later in which it could be done bit by bit
