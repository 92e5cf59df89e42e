"""The primary's end of a full synchronization: a snapshot from the saving child, through a file or a pipe, to replicas.

A replica's connection stays with the reactor; while its snapshot is sent, a second descriptor of the same socket is
written here, and the reactor has nothing to say to it. A replica that is dropped meanwhile has its socket shut down,
which ends what is waiting for it here.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import trio

from shardkv.engine.engine import Engine
from shardkv.persist.rdb.writer import Snapshot as RdbSnapshot
from shardkv.replication.primary import Replica, Snapshot

from .child import Outcome, Report
from .reactor import Reactor
from .snapshot_files import write_descriptor
from .snapshots import Snapshots, paced

if TYPE_CHECKING:
    from .child import Children
    from .tls import Sharing

#: Bytes that are read from the file or the pipe at a time.
PORTION: Final = 1 << 18
#: Until the reactor has sent what stands before the snapshot.
_SHORT: Final = 0.001


class Transfer:
    """One replica's socket, while its snapshot is on its way."""

    def __init__(self, replica: Replica, sock: Sharing) -> None:
        self.replica = replica
        self._sock = sock
        self.gone = False

    async def send(self, data: bytes, timeout: float) -> int:
        """Send all of it; the bytes sent. Raises OSError, also when the replica takes none for ``timeout`` seconds."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                with trio.move_on_after(timeout) as waiting:
                    await trio.lowlevel.wait_writable(self._sock)
                if waiting.cancelled_caught:
                    raise TimeoutError(f"it took nothing for {timeout:g} seconds") from None
        return len(data)

    def abort(self) -> None:
        """The replica is gone: whoever waits for its socket goes on."""
        self.gone = True
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was not connected any more

    def close(self) -> None:
        """Give the second descriptor back; the connection goes on."""
        self._sock.close()


class SnapshotSender:
    """Makes the snapshots that replicas wait for. ``nursery`` is set while the node serves."""

    nursery: trio.Nursery

    def __init__(
        self,
        engine: Engine,
        reactor: Reactor,
        snapshots: Snapshots,
        children: Children,
        log: Callable[[str, str], None],
    ) -> None:
        self._engine = engine
        self._reactor = reactor
        self._snapshots = snapshots
        self._children = children
        self._log = log
        self._transfers: dict[int, Transfer] = {}
        self._idle_file = False  #: a file is being written that is of use to replicas alone

    def make(self, order: Snapshot) -> None:
        """Begin a snapshot, unless a child is at work: it is ordered again soon."""
        if self._children.running is not None:
            return
        target = "disk" if order.to_file else "replicas sockets"
        self._log("notice", f"Starting BGSAVE for SYNC with target: {target}")
        try:
            if order.to_file:
                self._begin_file(order)
            else:
                self._begin_pipe(order)
        except OSError as error:
            self._log("warning", f"BGSAVE for replication failed: {error.strerror}")
            for replica in order.replicas:
                self._drop(replica, "no snapshot could be made")

    def forget(self, replica: Replica) -> None:
        """A replica is gone. A file that none waits for any more is not worth the child that writes it."""
        transfer = self._transfers.get(replica.id)
        if transfer is not None:
            transfer.abort()
        if self._idle_file and not self._engine.replication.primary.wants_snapshot():
            self._idle_file = False
            self._children.kill()

    # ---- through a file

    def _begin_file(self, order: Snapshot) -> None:
        path = self._snapshots.path
        lone = order.replicas[0]
        apart = lone.without_data or lone.without_functions
        if apart:
            path = path.with_name(f"temp-repl-{os.getpid()}.rdb")
            snapshot = self._content(order)
            self._children.start(
                "replication file",
                lambda report: self._write(snapshot, path, report),
                lambda outcome: self._file_done(path, outcome, remove=True),
                total=snapshot.total,
            )
        else:
            self._snapshots.save_in_background(lambda outcome: self._file_done(path, outcome, remove=False))
        self._idle_file = apart or not self._engine.config.save
        self._engine.replication.syncs.snapshot_begins(order)

    def _write(self, snapshot: RdbSnapshot, path: Path, report: Report) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        write_descriptor(descriptor, paced(snapshot, self._engine.config.rdb_key_save_delay, report))

    def _content(self, order: Snapshot) -> RdbSnapshot:
        lone = order.replicas[0]
        return self._snapshots.snapshot(without_data=lone.without_data, without_functions=lone.without_functions)

    def _file_done(self, path: Path, outcome: Outcome, *, remove: bool) -> None:
        replicas = self._engine.replication.primary.snapshot_written()
        self._idle_file = False
        try:
            if not outcome.ok:
                raise OSError(0, outcome.reason or "the child was told to end")
            for replica in replicas:
                self.nursery.start_soon(self._send_file, replica, path.open("rb"))
            if remove or self._deletes_files():
                path.unlink(missing_ok=True)
        except OSError as error:
            for replica in replicas:
                self._drop(replica, f"SYNC failed. BGSAVE child returned an error: {error.strerror}")

    def _deletes_files(self) -> bool:
        config = self._engine.config
        return config.rdb_del_sync_files and not config.save and not config.appendonly

    async def _send_file(self, replica: Replica, file: BinaryIO) -> None:
        with file as opened:
            size = os.fstat(opened.fileno()).st_size
            transfer = await self._open(replica)
            if transfer is None:
                return
            timeout = self._engine.config.repl_timeout
            try:
                await transfer.send(b"$%d\r\n" % size, timeout)
                while data := opened.read(PORTION):
                    self._engine.stats.replication_bytes_out += await transfer.send(data, timeout)
                    await trio.lowlevel.checkpoint()
            except OSError as error:
                self._close(transfer)
                self._give_up(replica, error)
                return
            self._finish(transfer, to_file=True)

    # ---- through a pipe

    def _begin_pipe(self, order: Snapshot) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        snapshot = self._content(order)
        delay = self._engine.config.rdb_key_save_delay
        ended = _Ending()
        try:
            child = self._children.start(
                "replication",
                lambda report: _write_pipe(writing, snapshot, delay, report),
                ended.tell,
                total=snapshot.total,
                keep=(writing,),
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._log("notice", f"Background RDB transfer started by pid {child.pid}")
        self._engine.replication.syncs.snapshot_begins(order)
        self.nursery.start_soon(self._pump, order.replicas, reading, ended)

    async def _pump(self, replicas: tuple[Replica, ...], reading: int, ended: _Ending) -> None:
        """From the child to all replicas. The slowest of them sets the pace, as in Redis."""
        mark = secrets.token_hex(20).encode()
        transfers = [transfer for replica in replicas if (transfer := await self._open(replica)) is not None]
        transfers = await self._send_to(transfers, b"$EOF:" + mark + b"\r\n")
        try:
            while transfers:
                try:
                    data = os.read(reading, PORTION)
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(reading)
                    continue
                if not data:
                    left = f"{len(transfers)} replicas still up"
                    self._log("notice", f"Diskless rdb transfer, done reading from pipe, {left}.")
                    break
                transfers = await self._send_to(transfers, data)
        finally:
            os.close(reading)
        if not transfers and not ended.event.is_set():
            self._log("warning", "Diskless rdb transfer, last replica dropped, killing fork child.")
            self._children.kill()
        await ended.event.wait()
        self._engine.replication.primary.snapshot_ends()
        if ended.outcome is None or not ended.outcome.ok:
            reason = "" if ended.outcome is None else ended.outcome.reason
            for transfer in transfers:
                self._close(transfer)
                self._drop(transfer.replica, f"the child that made its snapshot failed: {reason}")
            return
        self._log("notice", "Background RDB transfer terminated with success")
        for transfer in await self._send_to(transfers, mark):
            self._finish(transfer, to_file=False)

    async def _send_to(self, transfers: list[Transfer], data: bytes) -> list[Transfer]:
        """Send to each; those that are left."""
        left: list[Transfer] = []
        for transfer in transfers:
            try:
                sent = await transfer.send(data, self._engine.config.repl_timeout)
                self._engine.stats.replication_bytes_out += sent
                left.append(transfer)
            except OSError as error:
                self._close(transfer)
                self._give_up(transfer.replica, error)
        return left

    # ---- both

    async def _open(self, replica: Replica) -> Transfer | None:
        """The replica's socket, when what stands before the snapshot is sent; None if the replica is gone."""
        session = self._engine.sessions.get(replica.id)
        # The reactor tells nobody when a socket has taken everything.
        while session is not None and not session.closed and (session.out or session.unsent):  # noqa: ASYNC110  # so
            await trio.sleep(_SHORT)
        sock = None if session is None or session.closed else self._reactor.duplicate(session)
        if sock is None:
            return None
        transfer = self._transfers[replica.id] = Transfer(replica, sock)
        return transfer

    def _close(self, transfer: Transfer) -> None:
        self._transfers.pop(transfer.replica.id, None)
        transfer.close()

    def _finish(self, transfer: Transfer, *, to_file: bool) -> None:
        self._close(transfer)
        if not transfer.gone and transfer.replica.phase is not None:
            self._engine.replication.syncs.snapshot_sent(transfer.replica, to_file=to_file)
            self._reactor.flush_woken()

    def _give_up(self, replica: Replica, error: OSError) -> None:
        """A snapshot cannot be sent."""
        if isinstance(error, TimeoutError):
            name = f"{replica.shown_address}:{replica.port}"
            self._log("warning", f"Disconnecting timedout replica (full sync): {name}")
        self._drop(replica, f"sending the snapshot failed: {error.strerror or error}")

    def _drop(self, replica: Replica, reason: str) -> None:
        session = self._engine.sessions.get(replica.id)
        if session is not None and not session.closed:
            self._log("warning", f"Closing the connection of replica {replica.shown_address}:{replica.port}: {reason}")
            self._reactor.close(session)


class _Ending:
    """Tells the pump how the child ended."""

    def __init__(self) -> None:
        self.event = trio.Event()
        self.outcome: Outcome | None = None

    def tell(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.event.set()


def _write_pipe(descriptor: int, snapshot: RdbSnapshot, delay: int, report: Report) -> None:
    """In the child."""
    write_descriptor(descriptor, paced(snapshot, delay, report))
