"""How long one client waits for its replies while others make trouble: a process of its own, so that it measures the
node and not the test.

A wait is measured twice: by the clock, and by the CPU time that the node has used meanwhile. The second is what the
first would be on a machine that does nothing else, and is the same on a busy one. Where the system allows it, node and
client come before everything else on the machine meanwhile (``undisturbed``), and then the clock tells the truth too.

``python -m tests.support.latency PORT PID`` asks until its standard input ends, and then prints what it has seen.
"""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

#: Between two requests, in seconds: the client is one that works, not one that floods.
PAUSE = 0.001


class Latency:
    """A client that asks for a small value again and again inside a ``with`` block; afterwards milliseconds of waiting,
    and of the node's CPU time while it waited."""

    def __init__(self, port: int, pid: int) -> None:
        self._command = [sys.executable, "-m", "tests.support.latency", str(port), str(pid)]
        self._node = pid
        self.undisturbed = False
        self.requests = 0
        self.waited: dict[str, float] = {}
        self.worked: dict[str, float] = {}

    def __enter__(self) -> Self:
        self.undisturbed = _urgent(self._node, 1)
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it has begun
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _urgent(self._node, 0)
        told, _ = self._process.communicate("", timeout=60)
        seen = json.loads(told)
        self.requests, self.waited, self.worked = seen["requests"], seen["waited"], seen["worked"]

    def __str__(self) -> str:
        shown = [
            f"{name} {self.worked[name]:.2f} ({self.waited[name]:.2f} by the clock)"
            for name in ("median", "p99", "worst")
        ]
        return f"{self.requests} requests, ms: {', '.join(shown)}"


def _urgent(pid: int, priority: int) -> bool:
    """Let a process (0: this one) go before all others, or (priority 0) no longer; whether that is allowed."""
    policy = os.SCHED_FIFO if priority else os.SCHED_OTHER
    try:
        os.sched_setscheduler(pid, policy, os.sched_param(priority))
    except (PermissionError, ProcessLookupError):
        return False
    return True


def _wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> None:
    """Ask and measure until standard input ends."""
    over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True).start()
    waited: list[float] = []
    worked: list[float] = []
    address = ("127.0.0.1", int(sys.argv[1]))
    _urgent(0, 2)
    with open(f"/proc/{sys.argv[2]}/schedstat", "rb", buffering=0) as cpu, socket.create_connection(address) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("begun", flush=True)
        while not over.is_set():
            used, began = _used(cpu), time.perf_counter()
            sock.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nsmall\r\n")
            assert sock.recv(100)
            waited.append((time.perf_counter() - began) * 1000)
            worked.append(_used(cpu) - used)
            time.sleep(PAUSE)
    print(json.dumps({"requests": len(waited), "waited": _summary(waited), "worked": _summary(worked)}))


def _used(cpu: io.FileIO) -> float:
    """CPU time of the node so far, in milliseconds."""
    cpu.seek(0)
    return int(cpu.read(100).split()[0]) / 1e6


def _summary(times: list[float]) -> dict[str, float]:
    times.sort()
    return {"median": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "worst": times[-1]}


if __name__ == "__main__":
    main()
