"""Keeps node processes alive: starts them, waits until they answer, starts a crashed one again, passes signals on.

A node's life: starting -> ready -> crashed -> starting ..., and in the end stopped. Three ends are told apart: a first
start that fails ends everything (the options are wrong, or a port is taken, and trying again helps nobody); a later
crash is repaired; a node that leaves with code 0 was told to by a client (SHUTDOWN), and that is respected.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from .access import Access
from .address import Address
from .backoff import Backoff
from .board import Board, NodeStatus
from .client import connect, is_loading
from .exits import OK, PROBLEM, Failure

LOG = "node.log"
OUTPUT = "node.out"
PROBE_SECONDS = 0.1
PROBE_TIMEOUT = 2.0
REFRESH_SECONDS = 0.5
TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """How to start one node: ``words`` is the command line, ``probe`` where it must answer, ``home`` its folder."""

    probe: Address
    home: Path
    words: tuple[str, ...]


class Launcher:
    """Supervises the nodes of ``specs`` until a signal, or until all of them have been shut down."""

    def __init__(
        self, specs: Sequence[NodeSpec], as_json: bool, record: Callable[[list[tuple[int, int]]], None]
    ) -> None:
        self.nodes = [NodeStatus(spec.probe.port) for spec in specs]
        self.failure: str | None = None
        self._specs = specs
        self._record = record
        self._board = Board(self.nodes, as_json)
        self._processes: dict[int, trio.Process] = {}
        self._ready: set[int] = set()
        self._stop = trio.Event()
        self._stop_signal = signal.SIGTERM

    async def run(self) -> int:
        """Starts all nodes and stays until they have ended; gives the exit code."""
        with (
            self._board,
            trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals,
        ):
            try:
                async with trio.open_nursery() as helpers:
                    helpers.start_soon(self._obey, signals)
                    if self._board.live:
                        helpers.start_soon(self._refresh)
                    async with trio.open_nursery() as keepers:
                        for spec, node in zip(self._specs, self.nodes, strict=True):
                            keepers.start_soon(self._keep, spec, node)
                    helpers.cancel_scope.cancel()
            finally:
                for process in self._processes.values():  # none is left but after a fault of our own
                    process.kill()
        return PROBLEM if self.failure is not None else OK

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number == signal.SIGHUP:
                continue  # the terminal has gone; the nodes stay
            if self._stop.is_set():
                self._board.say("Killing the nodes that are left.")
                for process in self._processes.values():
                    process.kill()
            else:
                self._board.say("Stopping the nodes; once more kills them.")
                self._begin_stop(signal.Signals(number))

    def _begin_stop(self, number: signal.Signals) -> None:
        self._stop_signal = number
        self._stop.set()
        for process in self._processes.values():
            process.send_signal(number)

    async def _refresh(self) -> None:
        while True:
            self._board.refresh(trio.current_time())
            await trio.sleep(REFRESH_SECONDS)

    async def _keep(self, spec: NodeSpec, node: NodeStatus) -> None:
        backoff = Backoff()
        while not self._stop.is_set():
            log_before = size_of(spec.home / LOG)
            backoff.started(trio.current_time())
            code = await self._run_once(spec, node)
            if self._stop.is_set() or (code == 0 and node.port in self._ready):
                break
            if node.port not in self._ready:
                self._give_up(node, last_line(spec.home, log_before) or f"it ended with code {code}")
                return
            wait = backoff.crashed(trio.current_time())
            self._tell(node, "crashed", f"code {code}, next start in {wait:g} s")
            node.restarts += 1
            with trio.move_on_after(wait):
                await self._stop.wait()
        self._tell(node, "stopped")

    async def _run_once(self, spec: NodeSpec, node: NodeStatus) -> int:
        """One run of one node, from its start to its exit code."""
        with (spec.home / OUTPUT).open("wb") as output:
            process = await trio.lowlevel.open_process(
                list(spec.words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C reaches only the launcher, which passes it on once
            )
        self._processes[node.port] = process
        if self._stop.is_set():  # the order to stop came while it was being started
            process.send_signal(self._stop_signal)
        node.pid, node.since = process.pid, trio.current_time()
        self._tell(node, "starting")
        self._write_record()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_start, spec, node)
            code = await process.wait()
            nursery.cancel_scope.cancel()
        del self._processes[node.port]
        node.pid = node.since = None
        self._write_record()
        return code

    async def _watch_start(self, spec: NodeSpec, node: NodeStatus) -> None:
        """Waits until the node serves. Any answer will do (NOAUTH is one), but for LOADING."""
        while True:
            await trio.sleep(PROBE_SECONDS)
            try:
                async with connect(spec.probe, Access(timeout=PROBE_TIMEOUT)) as client:
                    reply = await client.call("PING")
            except Failure:
                continue
            if not is_loading(reply):
                break
        self._ready.add(node.port)
        self._tell(node, "ready")
        if not node.restarts and len(self._ready) == len(self.nodes):
            self._board.say(f"All {len(self.nodes)} node(s) answer.")

    def _give_up(self, node: NodeStatus, reason: str) -> None:
        self._tell(node, "failed", reason)
        if self.failure is None and not self._stop.is_set():
            self.failure = f"the node on port {node.port} cannot be started: {reason}"
            self._begin_stop(signal.SIGTERM)

    def _tell(self, node: NodeStatus, state: str, note: str = "") -> None:
        node.state, node.note = state, note
        self._board.changed(node, trio.current_time())

    def _write_record(self) -> None:
        self._record([(port, process.pid) for port, process in sorted(self._processes.items())])


def size_of(path: Path) -> int:
    """Bytes in a file; 0 when it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def last_line(home: Path, log_before: int) -> str:
    """The last thing a node said in its latest run: in its log (from byte ``log_before`` on), else on its output."""
    for path, begin in ((home / LOG, log_before), (home / OUTPUT, 0)):
        size = size_of(path)
        if size <= begin:
            continue
        with path.open("rb") as file:
            file.seek(max(begin, size - TAIL_BYTES))
            lines = [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        if lines:
            return lines[-1].strip()
    return ""
