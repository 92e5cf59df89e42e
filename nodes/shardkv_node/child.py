"""The saving child: a fork of the node that writes the data set as it stood, while the node goes on serving.

There is one at a time, for whoever comes first: a snapshot, a rewrite of the log, the full copy for replicas. Rules of
the child: it never touches trio, it closes every descriptor that is not its own (or a client that the node drops
would not see its connection end), it collects no garbage (that would copy the heap), and it leaves by ``os._exit``.
What it has to say it says through a pipe, a line at a time; the pipe's end is how the node learns that it is gone.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from shardkv.commands.world import ChildFacts

from . import clock
from .process import private_dirty_bytes

#: The child tells how far it is so often, in seconds.
REPORT_SECONDS: Final = 1.0
#: Measuring what was copied must not take more than this share of the child's time.
MEASURE_SHARE: Final = 0.01
#: A child that ends by this signal was told to by somebody: that is no failure (Redis does the same).
ABORT_SIGNAL: Final = signal.SIGUSR1


class Report:
    """The child's side of the pipe. ``report(keys)`` may be called as often as one likes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._node = os.getppid()
        self._next = clock.stopwatch() + REPORT_SECONDS
        self._keys = 0

    def __call__(self, keys: int) -> None:
        """So many keys are written by now."""
        self._keys = keys
        if clock.stopwatch() >= self._next:
            self.measure()

    def check_parent(self) -> None:
        """Raise OSError if the node is gone. Called before what the child has written takes an old file's place: a node
        that was started since may have written a newer one."""
        if os.getppid() != self._node:
            raise OSError(errno.ESRCH, "the node has ended")

    def measure(self) -> None:
        """Tell the keys written, and the bytes that the fork has made the kernel copy."""
        started = clock.stopwatch()
        copied = private_dirty_bytes()
        ended = clock.stopwatch()
        self._next = ended + max(REPORT_SECONDS, (ended - started) / MEASURE_SHARE)
        self._tell(f"progress {self._keys} {copied}")

    def failed(self, reason: str) -> None:
        """Tell why the work could not be done."""
        self._tell("failed " + " ".join(reason.split()))

    def _tell(self, line: str) -> None:
        try:
            os.write(self._descriptor, line.encode("utf-8", "backslashreplace")[:500] + b"\n")
        except OSError:
            pass  # nobody listens any more: the node is gone, and the file is still worth finishing


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended. ``aborted``: it was told to end, which is nobody's fault; ``reason`` says what went wrong."""

    kind: str
    pid: int
    ok: bool
    aborted: bool
    reason: str
    seconds: float
    copied: int  #: bytes copied on write


@dataclass(slots=True)
class Child:
    """The running child as the node knows it. Times are those of ``clock.stopwatch``."""

    kind: str
    pid: int
    started: float
    total: int  #: keys it will write
    done: Callable[[Outcome], None]
    pipe: int
    keys: int = 0  #: written so far
    copied: int = 0  #: bytes copied on write, as last measured
    copied_peak: int = 0
    measured: float = 0.0  #: when that was, 0 before the first time
    reason: str = ""
    heard: bytes = b""  #: an unfinished line

    def hear(self, data: bytes) -> None:
        """Take in what came through the pipe."""
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            verb, _, rest = line.decode("utf-8", "backslashreplace").partition(" ")
            if verb == "progress":
                keys, copied = rest.split()
                self.keys, self.copied, self.measured = int(keys), int(copied), clock.stopwatch()
                self.copied_peak = max(self.copied_peak, self.copied)
            else:
                self.reason = rest


class Children:
    """Starts, watches and ends the one saving child. ``log(level, text)`` writes a line."""

    def __init__(self, log: Callable[[str, str], None]) -> None:
        self._log = log
        self.running: Child | None = None
        self.forks = 0
        self.last_fork_seconds = 0.0
        self.forked: Callable[[float], None] | None = None  #: is told how many seconds each fork took
        self.born: list[Callable[[str], None]] = []  #: are told in the child what it is for
        self._started = trio.Event()

    def start(
        self,
        kind: str,
        work: Callable[[Report], None],
        done: Callable[[Outcome], None],
        *,
        total: int = 0,
        keep: Iterable[int] = (),
    ) -> Child:
        """Fork, and run ``work(report)`` in the child; what it raises is its failure. Here, ``done`` is called once
        when it has ended. ``keep``: descriptors that the child needs. ``total``: keys that it will write. Raises
        OSError: EBUSY while there is a child, else what the kernel says.
        """
        if self.running is not None:
            raise OSError(errno.EBUSY, f"a child is active already ({self.running.kind})")
        hearing, telling = os.pipe()
        os.set_blocking(hearing, False)
        gc.freeze()
        started = clock.stopwatch()
        try:
            pid = fork()
        except OSError:
            os.close(hearing)
            os.close(telling)
            raise
        if pid == 0:
            _be_child(partial(self._begin, kind, work), Report(telling), {telling, *keep})
        os.close(telling)
        now = clock.stopwatch()
        self.forks += 1
        self.last_fork_seconds = now - started
        if self.forked is not None:
            self.forked(self.last_fork_seconds)
        self.running = Child(kind, pid, now, total, done, hearing)
        self._started.set()
        return self.running

    def _begin(self, kind: str, work: Callable[[Report], None], report: Report) -> None:
        for tell in self.born:
            tell(kind)
        work(report)

    def kill(self) -> None:
        """Ask the child to end, if there is one; its outcome is told as soon as it has."""
        child = self.running
        if child is not None:
            what = "running AOF rewrite child" if child.kind == "aof" else f"saving child ({child.kind})"
            self._log("notice", f"Killing {what}: {child.pid}")
            os.kill(child.pid, ABORT_SIGNAL)

    def end(self) -> None:
        """The same, and wait for it: its outcome is told before this returns."""
        child = self.running
        if child is not None:
            self.kill()
            self._finish(child)

    def facts(self) -> ChildFacts | None:
        """What INFO tells of the running child."""
        child = self.running
        if child is None:
            return None
        now = clock.stopwatch()
        return {
            "kind": child.kind,
            "keys": child.keys,
            "keys_total": child.total,
            "copied": child.copied,
            "copied_peak": child.copied_peak,
            "copied_age": now - child.measured if child.measured else 0.0,
            "seconds": now - child.started,
        }

    async def run(self) -> None:
        """Listen to children until cancelled, which ends the one that runs."""
        try:
            while True:
                await self._started.wait()
                self._started = trio.Event()
                child = self.running
                while child is not None and child is self.running:
                    await self._listen(child)
        finally:
            self.end()

    async def _listen(self, child: Child) -> None:
        try:
            await trio.lowlevel.wait_readable(child.pipe)
        except trio.ClosedResourceError:
            return  # ended meanwhile
        data = os.read(child.pipe, 65536)
        if data:
            child.hear(data)
        else:
            self._finish(child)

    def _finish(self, child: Child) -> None:
        """The child has ended, or is about to: learn how, and tell whoever started it."""
        _, status = os.waitpid(child.pid, 0)
        while data := _read_rest(child.pipe):
            child.hear(data)
        trio.lowlevel.notify_closing(child.pipe)
        os.close(child.pipe)
        self.running = None
        code = os.waitstatus_to_exitcode(status)
        aborted = code == -ABORT_SIGNAL
        reason = child.reason
        if code < 0:
            reason = reason or f"it was ended by signal {-code}"
        seconds = clock.stopwatch() - child.started
        child.done(Outcome(child.kind, child.pid, code == 0, aborted, reason, seconds, child.copied_peak))


def _read_rest(pipe: int) -> bytes:
    try:
        return os.read(pipe, 65536)
    except BlockingIOError:
        return b""


def fork() -> int:
    """``os.fork``. Raises OSError."""
    with warnings.catch_warnings():
        # Worker threads exist only in the parent, and the child takes no lock that one of them could have held.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _be_child(work: Callable[[Report], None], report: Report, keep: set[int]) -> None:
    """The child's whole life. Does not return."""
    code = 1
    try:
        gc.disable()
        shed_signals()
        close_all_but(keep)
        work(report)
        report.measure()
        code = 0
    except OSError as error:
        report.failed(error.strerror or str(error))
    except BaseException as error:  # whatever it is, this process must not run on as a second node
        report.failed(f"{type(error).__name__}: {error}")
    finally:
        os._exit(code)


def shed_signals() -> None:
    """Signals are the node's business; what ends a child is SIGKILL, SIGTERM, or ``ABORT_SIGNAL``."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, ABORT_SIGNAL):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)


def close_all_but(keep: set[int]) -> None:
    """Close every descriptor beyond the standard ones that is not in ``keep``."""
    try:
        held = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        held = list(range(os.sysconf("SC_OPEN_MAX")))
    for descriptor in held:
        if descriptor > 2 and descriptor not in keep:
            try:
                os.close(descriptor)
            except OSError:
                pass  # the one that the list was read through
