"""One node, wired: configuration, engine, client sockets, cluster bus, timers, signals. The nursery at the end is the
whole tree of tasks."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from textwrap import indent
from typing import Final

import trio

from shardkv.commands.spec import TABLE
from shardkv.commands.versions import REDIS_VERSION, SHARDKV_VERSION
from shardkv.config import Config, ConfigFault, Line, cmdline, conffile
from shardkv.engine.engine import Engine

from . import clock, process
from .aof import AppendOnly
from .cluster import ClusterNode, NodesFileFault
from .crashes import Crashes
from .listeners import Doors, ListenFault, listen_unix
from .loading import LoadFault
from .logs import Log
from .metrics_server import MetricsServer
from .process_title import ProcessTitle
from .reactor import Reactor
from .replication import ReplicationManager
from .shipping import Shipping
from .snapshots import Snapshots
from .standing import Standing
from .supervision import Supervisor
from .timers import expire_keys, free_values, rest_values, sample, sweep_clients, watch_memory
from .tls import TlsFault
from .users import UsersFault, kept_lines, load_users, refuse_bad_users
from .watchdog import Watchdog
from .world import NodeWorld

ReadFiles = Callable[[str], "list[tuple[str, str]]"]

#: How long clients that have replies outstanding are given when the node stops.
FAREWELL_SECONDS: Final = 0.05


class StartFault(Exception):
    """The node cannot start; ``str()`` is one line for the user."""


def run(line: cmdline.CommandLine, *, read_file: ReadFiles, read_stdin: Callable[[], str]) -> int:
    """Run a node by its command line until it is told to stop; the exit code. Raises ConfigFault and StartFault."""
    config, config_file, lines = configure(line, read_file=read_file, read_stdin=read_stdin)
    log = prepare(config, lines)
    supervisor = Supervisor(config.supervised, os.environ, log)
    if config.daemonize and not supervisor:
        process.go_to_background()
    node = Node(config, config_file, log, supervisor)
    supervisor.starting()
    try:
        node.open()
    except ListenFault as fault:
        log("warning", f"Warning: {fault}")
        log("warning", f"Failed listening on port {fault.port} (tcp), aborting." if fault.port else "Aborting.")
        if log.path:
            raise StartFault(f"failed listening on port {fault.port}: {fault}" if fault.port else str(fault)) from fault
        return 1
    except (NodesFileFault, StartFault, LoadFault, UsersFault) as fault:
        log("warning", str(fault))
        if log.path:
            raise StartFault(str(fault)) from fault
        return 1
    code = trio.run(node.serve)
    if node.fault is not None and log.path:
        raise StartFault(str(node.fault)) from node.fault
    return code


def prepare(config: Config, lines: Sequence[Line]) -> Log:
    """Enter the folder of ``dir`` and open the log: what options ask of the file system. Raises ConfigFault with the
    line that asks for what cannot be had."""
    refuse_renames(lines)
    refuse_bad_users(config, lines)
    try:
        os.chdir(config.dir or ".")
    except OSError as error:
        raise fault_of("dir", lines, error) from error
    config.assign(Config.dir, str(Path.cwd()))
    log = Log(
        str(Path(config.logfile).absolute()) if config.logfile else "",
        config.loglevel,
        config.log_format,
        config.log_timestamp_format,
    )
    if config.syslog_enabled:
        log.also_to_syslog(config.syslog_ident, config.syslog_facility)
    try:
        log.probe()
    except OSError as error:
        raise fault_of("logfile", lines, error) from error
    return log


def fault_of(option: str, lines: Sequence[Line], error: OSError) -> ConfigFault | StartFault:
    """The complaint about the line that gave ``option`` its value."""
    reason = error.strerror or str(error)
    for line in reversed(lines):
        if line.words[0].lower() == option:
            return ConfigFault(line.source, line.number, line.text, reason)
    return StartFault(f"{option}: {reason}")


def refuse_renames(lines: Sequence[Line]) -> None:
    """Raise ConfigFault for a ``rename-command`` of what is no command, or to a name that is taken."""
    names = {name for name, command in TABLE.items() if command.parent is None}
    for line in lines:
        if line.words[0].lower() != "rename-command":
            continue
        old, new = (word.lower() for word in line.words[1:])
        if old not in names:
            raise ConfigFault(line.source, line.number, line.text, "No such command in rename-command")
        names.remove(old)
        if new and new in names:
            raise ConfigFault(line.source, line.number, line.text, "Target command name already exists")
        names.add(new)


def configure(
    line: cmdline.CommandLine, *, read_file: ReadFiles, read_stdin: Callable[[], str]
) -> tuple[Config, Path | None, list[Line]]:
    """The options from file, standard input and command line, in that order, and their lines. Raises ConfigFault and
    StartFault."""
    lines: list[Line] = []
    config_file = None
    if line.file is not None:
        config_file = Path(line.file).absolute()
        try:
            text = read_file(str(config_file))[0][1]
        except OSError as error:
            raise StartFault(f"can't open config file '{line.file}': {error.strerror or error}") from error
        lines += conffile.read(text, str(config_file), read_file)
    if line.from_stdin:
        lines += conffile.read(read_stdin(), "standard input", read_file)
    lines += line.lines
    config = Config()
    config.load(lines)
    return config, config_file, lines


class Node:
    """The parts of one node and how they hang together."""

    def __init__(self, config: Config, config_file: Path | None, log: Log, supervisor: Supervisor) -> None:
        self.config = config
        self.log = log
        self.random = Random(secrets.randbits(128))
        self.world = NodeWorld(config, log, config_file, secrets.token_hex(20))
        self.engine = self.world.engine = Engine(config, self.world, self.random, clock.stopwatch)
        self.world.children.forked = partial(self.engine.observer.held_up, "fork")
        self.snapshots = self.world.snapshots = Snapshots(self.engine, self.world.children, log)
        self.append_only = self.world.append_only = AppendOnly(self.engine, self.snapshots, self.world.children, log)
        self.world.supervised = supervisor.kind
        self.supervisor = supervisor
        self._title = ProcessTitle(config, config_file)
        self._standing = Standing(config, self._is_replica, log)
        self.world.children.born += [self._title.show_child, self._standing.born]
        self.watchdog = Watchdog(config, log)
        self._crashes = Crashes(config, log)
        self.cluster: ClusterNode | None = None
        self.reactor: Reactor
        self.replication: ReplicationManager
        self.metrics: MetricsServer
        self.doors: Doors
        self.fault: LoadFault | None = None  #: what is on disk cannot be loaded
        self._pid_file: Path | None = None

    def _is_replica(self) -> bool:
        return self.engine.replication.address is not None

    def open(self) -> None:
        """Bind every socket and read nodes.conf: what can fail, fails before the node says that it is ready."""
        config = self.config
        log = self.log
        log("notice", "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo")
        log(
            "notice",
            f"Redis version={REDIS_VERSION}, bits=64, commit=00000000, modified=0, pid={os.getpid()}, just started",
        )
        log("notice", "Configuration loaded")
        log.node_is_here(self._is_replica)
        allowed = process.raise_descriptor_limit(config.maxclients)
        if allowed < config.maxclients:
            log(
                "warning",
                f"The system allows descriptors for {allowed} clients only; maxclients has been reduced to it.",
            )
            config.set([(b"maxclients", b"%d" % allowed)])
        try:
            self.world.collate()
        except ValueError as fault:
            raise StartFault(f"locale-collate: {fault}") from fault
        load_users(self.engine.access, config, log)
        self.world.user_lines = partial(kept_lines, self.engine.access, config)
        self.reactor = Reactor(self.engine, log)
        self.world.reactor = self.reactor
        self.world.shipping = Shipping(self.reactor, self.world.cluster_tls)
        self.append_only.reactor = self.reactor
        self.world.farewells += [self.append_only.say_farewell, self.snapshots.say_farewell]
        self.world.on_options_changed += [
            self._standing.options_changed,  # first, for this and the next may refuse
            self.append_only.options_changed,
            self.engine.replication.options_changed,
            self._title.options_changed,
            self.watchdog.options_changed,
            self._crashes.options_changed,
        ]
        self.replication = ReplicationManager(
            self.engine, self.reactor, self.snapshots, self.append_only, self.world.children, log, self.world.tls
        )
        self.doors = Doors(self.reactor.reception.listen, self.reactor.reception.stop_listening, config.tcp_backlog)
        self.world.doors = self.doors
        self.doors.open(config.bind, config.port)
        self._open_tls()
        self.metrics = MetricsServer(self.engine, self.reactor.reception.denies)
        self.world.metrics_doors = Doors(self.metrics.listen, self.metrics.stop_listening, config.tcp_backlog)
        self.world.metrics_doors.open(config.bind, config.metrics_port)
        if config.unixsocket:
            self.reactor.reception.listen([listen_unix(config.unixsocket, config.unixsocketperm, config.tcp_backlog)])
        elif not self.doors and not self.world.tls_doors:
            raise StartFault("Configured to not listen anywhere, exiting.")
        if config.cluster_enabled:
            self.cluster = ClusterNode(
                self.engine, self.reactor, config, log, Path(config.cluster_config_file), self.world.tls
            )
            self.cluster.open()
        self.engine.begin(clock.unix_ms())
        self.engine.snapshots.last_save = self.world.started // 1000
        self._show_who_this_is()
        if config.appendonly:
            self.append_only.open()
        else:
            self.snapshots.open()
        self._title.show()
        self._standing.take()
        self._crashes.watch()
        self.replication.role_changed = self._standing.role_changed
        if config.pidfile or config.daemonize:
            self._pid_file = Path(config.pidfile or "/var/run/redis.pid").absolute()
            if not process.write_pid_file(self._pid_file):
                log("warning", f"Failed to write PID file: {self._pid_file}")

    def _open_tls(self) -> None:
        """Listen for clients that speak TLS, if there is a port for them."""
        tls, config = self.world.tls, self.config
        try:
            tls.renew()
        except TlsFault as fault:
            self.log("warning", str(fault))
            raise StartFault("Failed to configure TLS. Check logs for more info.") from fault
        welcome = partial(self.reactor.reception.listen, secure=tls.welcome)
        self.world.tls_doors = Doors(welcome, self.reactor.reception.stop_listening, config.tcp_backlog)
        self.world.tls_doors.open(config.bind, config.tls_port)

    def _show_who_this_is(self) -> None:
        """The banner; a log file has one line instead, unless ``always-show-logo`` asks for it."""
        config = self.config
        mode = "cluster" if config.cluster_enabled else "standalone"
        in_short = f"Running mode={mode}, port={config.port}."
        if self.log.path and not config.always_show_logo:
            self.log("notice", in_short)
            return
        banner = (
            f"shardkv {SHARDKV_VERSION} (Redis {REDIS_VERSION}), {mode} mode\nPort: {config.port}\nPID: {os.getpid()}\n"
        )
        self.log.banner(f"{indent(banner, ' ' * 16)}\n", in_short)

    async def serve(self) -> int:
        """Serve until a signal or SHUTDOWN; the exit code."""
        process.tune_collector()
        self.world.startup_memory = process.resident_bytes()
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            self.log("notice", "Server initialized")
            async with trio.open_nursery() as nursery:
                if self.cluster is not None:
                    await nursery.start(self.cluster.run)
                nursery.start_soon(self.reactor.run)
                nursery.start_soon(self.metrics.run)
                nursery.start_soon(self.watchdog.run)
                nursery.start_soon(self.world.shipping.run)
                nursery.start_soon(self.world.children.run)
                nursery.start_soon(sweep_clients, self.reactor)
                nursery.start_soon(watch_memory, self.engine, self.reactor)
                nursery.start_soon(sample, self.engine)
                nursery.start_soon(self._obey_signals, signals)
                nursery.start_soon(self._load_and_go_on, nursery)
                await self.world.stopping.wait()
                nursery.cancel_scope.cancel()
        self._say_goodbye()
        return 0 if self.fault is None else 1

    async def _load_and_go_on(self, nursery: trio.Nursery) -> None:
        """Load what is on disk, while clients are told so, and then begin with all that works on the keys."""
        try:
            if self.config.appendonly:
                await self.append_only.load()
                self.append_only.start()
            else:
                await self.snapshots.load()
            if self.cluster is not None:
                self.cluster.claim_loaded()
        except LoadFault as fault:
            self.fault = fault  # it is told last of all
            self.world.stopping.set()
            return
        self.replication.restore()
        nursery.start_soon(self.replication.run)
        nursery.start_soon(expire_keys, self.engine, self.reactor)
        nursery.start_soon(free_values, self.engine)
        nursery.start_soon(rest_values, self.engine)
        nursery.start_soon(self.snapshots.run)
        nursery.start_soon(self.append_only.run)
        if self.doors:
            self.log("notice", "Ready to accept connections tcp")
        if self.world.tls_doors:
            self.log("notice", "Ready to accept connections tls")
        if self.config.unixsocket:
            self.log("notice", "Ready to accept connections unix")
        self.supervisor.ready()

    async def _obey_signals(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number == signal.SIGHUP:
                continue  # a terminal that closes is no reason to stop
            stopping = self.engine.stopping
            insists = number == signal.SIGINT and stopping.waiting and stopping.by_signal
            if insists or self.world.stopping.is_set():
                self.log("warning", "You insist... exiting now.")
                os._exit(1)
            self.log("warning", f"Received {signal.Signals(number).name} scheduling shutdown...")
            words = self.config.shutdown_on_sigint if number == signal.SIGINT else self.config.shutdown_on_sigterm
            save = True if "save" in words else False if "nosave" in words else None
            stopping.by_signal = True
            self.engine.begin(clock.unix_ms())
            try:
                stopping.begin(save=save, now="now" in words, force="force" in words)
            except OSError:
                stopping.by_signal = False  # the log has the reason, and the node goes on, as Redis does
            self.reactor.flush_woken()

    def _say_goodbye(self) -> None:
        self.supervisor.stopping()
        self.engine.replication.flush()
        self.reactor.close_all()
        self.append_only.close()
        if self.cluster is not None:
            self.cluster.close()
        if self.config.unixsocket:
            self.log("notice", "Removing the unix socket file.")
            self._remove(Path(self.config.unixsocket))
        if self._pid_file is not None:
            self.log("notice", "Removing the pid file.")
            self._remove(self._pid_file)
        if self.fault is None:
            self.log("warning", "Redis is now ready to exit, bye bye...")
        else:
            self.log("warning", f"{self.fault}. The file is left as it is. Exiting.")

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self.log("warning", f"Could not remove {path}: {error.strerror}")


__all__ = ["ConfigFault", "StartFault", "run"]
