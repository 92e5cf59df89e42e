"""Replication as the engine sees it: the history this node is in, its replicas, and the primary that it may follow.

The parts are in ``shardkv.replication``; here they meet sessions and databases. What needs sockets, files or a forked
child is asked of the ``Rim``, the node's replication manager. A node without one (an embedded engine) is a primary
whose replicas never get their snapshot.

While nobody follows and there is no backlog, nothing here is on the way of a write: the engine's list of sinks is
empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from ..commands.session import Session
from ..config import Config
from ..errors import ReplyError
from ..replication.history import History
from ..replication.primary import (
    Drop,
    EndBacklog,
    KeepWaiting,
    Ping,
    Primary,
    Replica,
    Rules,
    Snapshot,
)
from ..replication.replica import ReplicaLink, Settings, State, acknowledgement
from ..replication.stream import PING
from .acknowledgements import Acknowledgements
from .failover import Failover
from .following import PrimaryFeed
from .replication_rim import NoRim, Rim
from .synchronizing import Synchronizing, name

if TYPE_CHECKING:
    from ..keyspace.database import Database
    from .engine import Engine

Endpoint: TypeAlias = tuple[str, int]

_FORCED: Final = ReplyError(
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
)


class Replication:
    """One node's replication. ``address`` is the primary that it follows, None for a primary."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._config: Config = engine.config
        self.rim: Rim = NoRim()
        self.history = History(self.new_id())
        self.primary = Primary()
        self.failover = Failover(engine, self)
        self.address: Endpoint | None = None
        self.link: ReplicaLink | None = None
        self.feed_in: PrimaryFeed | None = None
        self.syncs = Synchronizing(engine, self)
        self.acks = Acknowledgements(engine, self)
        self.restored = True  #: what is on disk was loaded (the node says when it was not yet)
        self.enough = True  #: ``min-replicas-to-write`` is satisfied

    def new_id(self) -> str:
        """A name for a history."""
        return self._engine.rng.randbytes(20).hex()

    # ---- the stream out

    def feed(self, database: Database | None, words: list[bytes]) -> None:
        """A sink of the engine: a command for whoever follows. It goes out with the next ``flush``."""
        self.history.offset += self.history.stream.feed(database, words)

    def _feed_run(self, database: Database, requests: list[list[bytes]]) -> None:
        """The same for several of one database."""
        self.history.offset += self.history.stream.feed_run(database, requests)

    def feed_raw(self, data: bytes) -> None:
        """The same for bytes that are a command already."""
        self.history.offset += self.history.stream.add(data)

    def flush(self) -> None:
        """Hand what has gathered to the backlog and the replicas, whatever the number of commands. The rim calls it
        once a round, before the replies of the round leave."""
        if self.history.stream.pieces:
            self.acks.begin_round()
            self._share(self.history.gather())

    def _share(self, data: bytes) -> None:
        sessions, wake = self._engine.sessions, self._engine.world.wake
        for replica in self.primary.share(data):
            session = sessions[replica.id]
            session.out.append(data)
            wake(session)
            self._engine.stats.replication_bytes_out += len(data)

    def pass_on(self, data: bytes) -> None:
        """Bytes of the primary that were applied: they belong to the history, and go to this node's replicas as they
        are."""
        if self.feed_in is not None:
            self.feed_in.session.out.clear()
        self.history.append(data)
        if self.primary.replicas:
            self._share(data)

    def listen(self) -> None:
        """Take part in what the engine propagates, or don't: a primary with a backlog does."""
        engine = self._engine
        wanted = self.address is None and self.history.backlog is not None
        if wanted and self.feed not in engine.sinks:
            engine.sinks.append(self.feed)
            engine.propagation.listeners.append(self.feed)
            engine.propagation.in_one_go[self.feed] = self._feed_run
        elif not wanted and self.feed in engine.sinks:
            self.flush()
            engine.sinks.remove(self.feed)
            engine.propagation.listeners.remove(self.feed)
            del engine.propagation.in_one_go[self.feed]

    # ---- replicas come and go

    def introduce(self, session: Session) -> Replica:
        """What a client has told of itself as a replica, or will."""
        if session.replica is None:
            session.replica = Replica(session.id, session.address.rpartition(":")[0].strip("[]"))
        return session.replica

    def gone(self, session: Session) -> None:
        """A client that may have been a replica, or may have waited for some, has left."""
        self.acks.forget(session)
        replica = session.replica
        if replica is None or replica.phase is None:
            return
        self.flush()
        self.primary.detach(replica, self._engine.now)
        self.rim.forget(replica)
        self._log("notice", f"Connection with replica {name(replica)} lost.")
        self.count_near()

    def answered(self, session: Session) -> None:
        """A replica has asked for something that has an answer, which would stand in its stream."""
        told = f"Replica generated a reply to command '{session.last_command}', disconnecting it: {session.address}"
        self._log("warning", told)
        session.close_after_reply = True

    def disconnect_replicas(self) -> None:
        """End the links of all replicas: they come back and are told what has changed."""
        self.flush()
        for replica in list(self.primary.replicas.values()):
            self._engine.world.close(self._engine.sessions[replica.id])

    @property
    def selected(self) -> int:
        """The database that the stream has selected."""
        if self.feed_in is not None:
            return self.feed_in.session.db.index
        return max(self.history.stream.database, 0)

    def count_near(self) -> None:
        """Set ``enough`` anew."""
        config = self._config
        wanted, lag = config.min_replicas_to_write, config.min_replicas_max_lag
        enough = not wanted or not lag or self.primary.near(self._engine.now, lag) >= wanted
        if enough != self.enough:
            self.enough = enough
            self._engine.refresh_calm()

    # ---- following

    @property
    def following(self) -> bool:
        """Whether this node is a replica."""
        return self.address is not None

    @property
    def stale(self) -> bool:
        """Whether this node is a replica that has lost its primary."""
        return self.address is not None and not self.linked

    @property
    def linked(self) -> bool:
        """Whether this node is a replica whose primary's stream flows."""
        return self.link is not None and self.link.state is State.CONNECTED

    @property
    def silence(self) -> float | None:
        """Seconds since the last byte of the primary's stream; None as long as there is no whole copy of its data."""
        link = self.link
        if link is None or link.streamed is None or not self.history.known:
            return None
        return self._engine.stopwatch() - link.streamed

    def follow(self, host: str, port: int) -> None:
        """Become a replica of this node. What this node holds may be a part of the new primary's history, unless it
        has not even loaded what it had. Its own replicas stay: they have to begin anew when the history has another
        name, or all data are replaced, but it may come to neither."""
        engine = self._engine
        was_primary = self.address is None
        if was_primary:
            self.flush()
            if self.restored:
                self.history.known = True
                self.history.keep(self._config.repl_backlog_size)
        self.address = (host, port)
        self._remember(self.address)
        self.listen()
        engine.waiting.end_all(_FORCED)
        self.acks.forget_all()
        if self.feed_in is None:
            self.feed_in = PrimaryFeed(engine)
        self.feed_in.restart()
        self.feed_in.session.address = f"{host}:{port}"
        self.link = ReplicaLink(self.settings(), engine.stopwatch(), failover=self.failover.in_progress)
        engine.following = True
        engine.refresh_calm()
        self.rim.follow()

    def lead(self) -> None:
        """Become a primary: a new history that goes on from the old one."""
        if self.address is None:
            return
        engine = self._engine
        self.address = None
        self._remember(None)
        self.link = None
        if self.feed_in is not None:
            self.feed_in.close()
            self.feed_in = None
        self.disconnect_replicas()
        self.history.branch(self.new_id())
        self.primary.empty_since = engine.now
        engine.following = False
        engine.expiring.remembered.clear()
        self.listen()
        engine.refresh_calm()
        self.rim.follow()

    def _remember(self, address: Endpoint | None) -> None:
        """For CONFIG GET and REWRITE. In a cluster it is for nodes.conf to remember."""
        if self._engine.cluster is None:
            self._config.assign(Config.replicaof, address)

    def settings(self) -> Settings:
        """The options of the link as they are now."""
        config = self._config
        return Settings(
            timeout=config.repl_timeout,
            user=config.masteruser.encode("utf-8", "surrogateescape"),
            password=config.masterauth,
            announce_ip=config.replica_announce_ip.encode("utf-8", "surrogateescape"),
            announce_port=config.replica_announce_port or (config.tls_port if config.tls_replication else config.port),
        )

    def offer(self) -> Endpoint | None:
        """The history and offset from which the primary may go on, if any."""
        return (self.history.id, self.history.offset) if self.history.known else None

    def continued(self, replication_id: str) -> None:
        """The primary goes on from where this node is."""
        if self.history.renamed(replication_id):
            self._log("warning", f"Master replication ID changed to {replication_id}")
            self.disconnect_replicas()
        self.history.keep(self._config.repl_backlog_size)
        self.failover.succeeded()

    def restore(
        self, replication_id: str, offset: int, left_out: Sequence[tuple[int, bytes]], *, complete: bool, copy: bool
    ) -> None:
        """The data that were loaded belong to a history at this offset. A replica (``copy``) goes on there; a primary
        lets its replicas go on there, under a name of its own, and with the deletion of those keys, by database, that
        had expired meanwhile: unless these are not all there were (``complete``)."""
        history = self.history
        history.offset = offset
        if copy:
            history.id = replication_id
            history.known = True
        elif complete:
            history.id2, history.second_offset = replication_id, offset + 1
            history.keep(self._config.repl_backlog_size)
            self.primary.empty_since = self._engine.now
            self.listen()
            verb = b"UNLINK" if self._config.lazyfree_lazy_expire else b"DEL"
            for index, key in left_out:
                self.feed(self._engine.databases.open(index), [verb, key])
            self.flush()

    def replacing(self) -> None:
        """All data are about to be replaced: this node's replicas have to begin anew, too."""
        self.history.known = False
        self.disconnect_replicas()

    def replaced(self, replication_id: str, offset: int, selected: int) -> None:
        """All data are those of the primary's snapshot."""
        self.history.replace(replication_id or self.new_id(), offset, self._config.repl_backlog_size)
        self.history.known = bool(replication_id)
        if self.feed_in is not None:
            self.feed_in.restart()
            self.feed_in.session.db = self._engine.databases.open(selected)

    def online(self) -> None:
        """The stream flows."""
        if self.feed_in is not None:
            self.feed_in.restart()
        self._engine.refresh_calm()

    def offline(self) -> None:
        """The link is broken."""
        if self.feed_in is not None:
            self.feed_in.restart()
        self._engine.refresh_calm()

    def acknowledge(self, offset: int) -> None:
        """The primary asks how far this node is: tell it now."""
        self.rim.tell(acknowledgement(offset, self.rim.logged_offset()))

    def disagreed(self, words: list[bytes], error: ReplyError) -> None:
        """A command of the primary failed here, and not there: the data are not the same any more."""
        self._engine.stats.unexpected_errors += 1
        name = words[0].decode("ascii", "backslashreplace")
        self._log(
            "warning",
            f"== CRITICAL == This replica is sending an error to its master: '{error.text}' after processing the "
            f"command '{name}'",
        )
        if self._config.propagation_error_behavior != "ignore" and self._config.replica_read_only:
            self._engine.world.panic(
                "The propagated command failed, and propagation-error-behavior says that the node is to stop"
            )

    # ---- time

    def rules(self) -> Rules:
        """The options of a primary as they are now."""
        config = self._config
        return Rules(
            timeout=config.repl_timeout * 1000,
            ping_period=config.repl_ping_replica_period * 1000,
            backlog_ttl=config.repl_backlog_ttl * 1000,
            diskless=config.repl_diskless_sync,
            diskless_delay=config.repl_diskless_sync_delay * 1000,
            diskless_max=config.repl_diskless_sync_max_replicas,
            max_lag=config.min_replicas_max_lag,
        )

    def tick(self) -> None:
        """Do what is due; called about ten times a second."""
        engine = self._engine
        self.flush()
        quiet = self.failover.waiting or self.address is not None
        has_backlog = self.history.backlog is not None and self.address is None
        for due in self.primary.due(engine.now, self.rules(), quiet=quiet, has_backlog=has_backlog):
            match due:
                case Ping():
                    self.feed_raw(PING)
                case KeepWaiting(replica):
                    session = engine.sessions[replica.id]
                    session.out.append(b"\n")
                    engine.world.wake(session)
                case Drop(replica):
                    self._log("warning", f"Disconnecting timedout replica (streaming sync): {name(replica)}")
                    engine.world.close(engine.sessions[replica.id])
                case Snapshot():
                    self.rim.snapshot(due)
                case EndBacklog():
                    self._log("notice", "Replication backlog freed: no replica has been here for repl-backlog-ttl")
                    self.history.end(self.new_id())
                    self.listen()
        self.count_near()
        self.acks.serve_waits()
        self._hold_to_limits()
        self.failover.look(engine.now)
        engine.stopping.look(engine.now)

    def _hold_to_limits(self) -> None:
        """A replica that gets its snapshot too slowly is dropped before its queue outgrows the output limit."""
        hard, _, _ = self._config.client_output_buffer_limit.get("replica", (0, 0, 0))
        if not hard:
            return
        hard = max(hard, self._config.repl_backlog_size)
        for replica in list(self.primary.replicas.values()):
            if replica.queued > hard:
                self._log(
                    "warning",
                    f"Client id={replica.id} addr={name(replica)} scheduled to be closed ASAP for overcoming of "
                    "output buffer limits.",
                )
                self._engine.stats.output_limit_disconnections += 1
                self._engine.world.close(self._engine.sessions[replica.id])

    def options_changed(self, names: frozenset[str]) -> None:
        """Options have new values; all that concern replication are looked at anew."""
        if self.history.backlog is not None:
            self.history.backlog.resize(self._config.repl_backlog_size)
        if self.link is not None:
            self.link.settings = self.settings()
        self.count_near()

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self.syncs.reset_stats()

    def _log(self, level: str, text: str) -> None:
        self._engine.world.log(level, text)
