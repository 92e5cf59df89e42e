"""The world as the engine's commands see it: files, process, clients' sockets, the log."""

from __future__ import annotations

import os
import platform
import secrets
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from shardkv.commands.migrate import Outcome, Shipment
from shardkv.commands.session import Session
from shardkv.commands.world import Facts
from shardkv.config import Config, rewrite
from shardkv.errors import ReplyError
from shardkv.scripting.debugger import Conversation

from . import clock, collation, process, users
from .child import Children
from .debugging import Line, debug_in_a_fork
from .disk import write_atomically
from .listeners import ListenFault
from .loading import LoadFault
from .standing_still import carry_now
from .tls import Tls, TlsFault

if TYPE_CHECKING:
    from shardkv.engine.engine import Engine

    from .aof import AppendOnly
    from .listeners import Doors
    from .logs import Log
    from .reactor import Reactor
    from .shipping import Shipping
    from .snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Shutdown:
    """How the node is to stop. ``save``: a last snapshot; None: if there are save points. ``force``: whatever goes
    wrong."""

    save: bool | None
    force: bool


class NodeWorld:
    """Implements ``shardkv.commands.world.World``. What has a type only is set once it exists.

    ``farewells`` are called in order when the node is told to stop; one that raises OSError keeps it from stopping,
    unless the order says ``force``: then it must not.
    """

    engine: Engine
    reactor: Reactor
    doors: Doors
    tls_doors: Doors
    metrics_doors: Doors
    shipping: Shipping
    snapshots: Snapshots
    append_only: AppendOnly

    def __init__(self, config: Config, log: Log, config_file: Path | None, run_id: str) -> None:
        self.config = config
        self.config_file = config_file
        self.run_id = run_id
        self.started = clock.unix_ms()
        self.stopping = trio.Event()
        self.farewells: list[Callable[[Shutdown], None]] = []
        self.supervised = "no"
        self.tls = Tls(config, log)
        self.user_lines: Callable[[], list[str]] = list  #: what CONFIG REWRITE keeps of the users
        self.on_options_changed: list[Callable[[frozenset[str]], None]] = []
        self.peak_memory = 0
        self.startup_memory = 0
        self.children = Children(log)
        self._log = log

    # ---- configuration

    def rewrite_config(self) -> None:
        """Write the options back to the file the node was started with. Raises ReplyError."""
        if self.config_file is None:
            raise ReplyError("ERR The server is running without a config file")
        try:
            try:
                old = self.config_file.read_text(encoding="utf-8", errors="surrogateescape")
            except FileNotFoundError:
                old = ""
            text = rewrite.rewrite(old, self.config, extra={"user": self.user_lines()})
            write_atomically(self.config_file, text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            self._log("warning", f"CONFIG REWRITE failed: {error.strerror}")
            raise ReplyError(f"ERR Rewriting config file: {error.strerror}") from error
        self._log("notice", "CONFIG REWRITE executed with success.")

    def options_changed(self, names: Iterable[str]) -> None:
        """Apply what has changed at once. Raises ReplyError for what cannot be had, and then nothing is changed."""
        changed = frozenset(names)
        came_from = os.open(".", os.O_RDONLY)  # it may have no name any more
        try:
            with ExitStack() as undo:
                self._apply(changed, came_from, undo)
                undo.pop_all()
        finally:
            os.close(came_from)
        self._log.level = self.config.loglevel
        self._log.format, self._log.stamp = self.config.log_format, self.config.log_timestamp_format

    def _apply(self, changed: frozenset[str], came_from: int, undo: ExitStack) -> None:
        """Each change with what takes it back, should a later one be impossible."""
        if "maxclients" in changed:
            self._allow_clients()
        if "dir" in changed:
            undo.callback(os.fchdir, came_from)
            self._enter_folder()
        if "locale-collate" in changed:
            undo.callback(setattr, self.engine, "collation", self.engine.collation)
            self._collate()
        undo.callback(setattr, self.tls, "contexts", self.tls.contexts)
        self._renew_tls(changed)
        self._move_doors(changed, undo)
        for apply in self.on_options_changed:
            apply(changed)

    def _collate(self) -> None:
        try:
            self.collate()
        except ValueError as fault:
            raise _refused("locale-collate", str(fault)) from fault

    def collate(self) -> None:
        """Have texts compared by the locale of ``locale-collate``. Raises ValueError if the system has none such."""
        self.engine.collation = collation.use(self.config.locale_collate)

    def _allow_clients(self) -> None:
        allowed = process.raise_descriptor_limit(self.config.maxclients)
        if allowed < self.config.maxclients:
            raise _refused(
                "maxclients",
                f"The operating system is not able to handle the specified number of clients, try with {allowed}",
            )

    def _enter_folder(self) -> None:
        """Work in the folder of ``dir``; the option holds its full path from then on."""
        try:
            os.chdir(self.config.dir or ".")
        except OSError as error:
            raise _refused("dir", error.strerror or str(error)) from error
        self.config.assign(Config.dir, str(Path.cwd()))

    def _move_doors(self, changed: frozenset[str], undo: ExitStack) -> None:
        """Listen where ``bind`` and the options of ports say now."""
        config = self.config
        for doors, option, port in (
            (self.doors, "port", config.port),
            (self.tls_doors, "tls-port", config.tls_port),
            (self.metrics_doors, "metrics-port", config.metrics_port),
        ):
            if not changed & {option, "bind"}:
                continue
            try:
                doors.open(config.bind, port)
            except ListenFault as fault:
                self._log("warning", f"Warning: {fault}")
                if option in changed:
                    raise _refused(option, "Unable to listen on this port. Check server logs.") from fault
                raise _refused("bind", "Failed to bind to specified addresses.") from fault
            undo.callback(doors.go_back)

    def cluster_tls(self) -> Tls | None:
        """TLS, if the nodes of the cluster speak it with each other."""
        return self.tls if self.config.tls_cluster else None

    def _renew_tls(self, changed: frozenset[str]) -> None:
        """Have the certificates, ciphers and versions that the options name now, for new connections."""
        asked = sorted(name for name in changed if name.startswith("tls-"))
        if not asked:
            return
        try:
            self.tls.renew()
        except TlsFault as fault:
            self._log("warning", str(fault))
            raise _refused(asked[0], "Unable to update TLS configuration. Check server logs.") from fault

    # ---- users

    def secret(self, count: int) -> bytes:
        """Bytes from the system's own source of randomness."""
        return secrets.token_bytes(count)

    def read_users(self) -> str:
        """The text of the ACL file."""
        return users.read_file(self.config.aclfile)

    def write_users(self, text: str) -> None:
        """Put a new text in its place, safely."""
        users.write_file(self.config.aclfile, text)

    # ---- clients

    def purge_memory(self) -> None:
        """Give memory that is free back to the system."""
        process.trim_heap()

    def close(self, session: Session) -> None:
        """Close a client's connection."""
        self.reactor.close(session)

    def wake(self, session: Session) -> None:
        """Serve a session again."""
        self.reactor.wake(session)

    def ship(self, shipment: Shipment, landed: Callable[[Outcome], None]) -> None:
        """MIGRATE."""
        self.shipping.ship(shipment, landed)

    def ship_now(self, shipment: Shipment) -> Outcome:
        """MIGRATE in a transaction or script."""
        return carry_now(shipment, self.cluster_tls())

    # ---- the process

    def shutdown(self, *, save: bool | None, force: bool) -> None:
        """Stop the node, once all that ``farewells`` do is done. Raises OSError if that fails, unless ``force``."""
        order = Shutdown(save=save, force=force)
        try:
            for say_farewell in self.farewells:
                say_farewell(order)
        except OSError:
            self._log("warning", "Errors trying to shut down the server. Check the logs for more information.")
            raise
        self.stopping.set()

    # ---- snapshots

    @property
    def saving_child(self) -> str | None:
        """See World."""
        child = self.children.running
        return None if child is None else child.kind

    def save(self) -> None:
        """See World."""
        self.snapshots.save()

    def save_in_background(self) -> None:
        """See World."""
        self.snapshots.save_in_background()

    def reload(self, *, flush: bool, merge: bool) -> None:
        """See World."""
        try:
            self.snapshots.reload(flush=flush, merge=merge)
        except LoadFault as fault:
            self._log("warning", str(fault))
            raise ReplyError("ERR Error trying to load the RDB dump, check server logs.") from None

    def rewrite_log(self) -> None:
        """See World."""
        self.append_only.rewrite()

    def reload_log(self) -> None:
        """See World."""
        try:
            self.append_only.reload()
        except LoadFault as fault:
            self._log("warning", str(fault))
            raise ReplyError("ERR Error trying to load the AOF files, check server logs.") from None

    def emptied(self) -> bool:
        """See World."""
        return self.snapshots.emptied()

    def serve_others(self) -> None:
        """A script runs for long: let the reactor take what clients have sent."""
        self.reactor.serve_meanwhile()
        if self.stopping.is_set():
            self.reactor.abandon_script()

    def debug_script(self, session: Session, work: Callable[[Conversation], bytes], *, forked: bool) -> bytes | None:
        """See World."""
        line = Line(self.reactor.connection_of(session))
        if not forked:
            return work(line)
        debug_in_a_fork(line, work, self._log)
        return None

    def sleep(self, seconds: float) -> None:
        """DEBUG SLEEP."""
        clock.sleep(seconds)

    def log(self, level: str, text: str) -> None:
        """A line for the log."""
        self._log(level, text)

    def panic(self, text: str) -> None:
        """End the process at once."""
        self._log("warning", text)
        os._exit(1)

    def microseconds(self) -> int:
        """Unix time in microseconds (TIME)."""
        return clock.unix_us()

    def facts(self) -> Facts:
        """What INFO tells of the process."""
        resident = process.resident_bytes()
        self.peak_memory = max(self.peak_memory, resident)
        system, user, children_system, children_user = process.cpu_seconds()
        return {
            "pid": os.getpid(),
            "os": f"{platform.system()} {platform.release()} {platform.machine()}",
            "python": platform.python_version(),
            "compiler": platform.python_compiler(),
            "executable": sys.executable,
            "config_file": str(self.config_file or ""),
            "supervised": self.supervised,
            "multiplexing": "epoll" if sys.platform == "linux" else "kqueue",
            "tcp_port": self.config.port,
            "run_id": self.run_id,
            "started": self.started,
            "rss": resident,
            "rss_peak": self.peak_memory,
            "rss_startup": self.startup_memory,
            "memory_total": process.machine_bytes(),
            "cpu_user": user,
            "cpu_sys": system,
            "cpu_user_children": children_user,
            "cpu_sys_children": children_system,
            "cpu_user_main": user,
            "cpu_sys_main": system,
            "forks": self.children.forks,
            "fork_seconds": self.children.last_fork_seconds,
            "migrate_connections": self.shipping.kept,
            "child": self.children.facts(),
        }


def _refused(option: str, reason: str) -> ReplyError:
    return ReplyError(f"ERR CONFIG SET failed (possibly related to argument '{option}') - {reason}")
