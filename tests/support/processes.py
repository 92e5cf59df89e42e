"""Real server processes: started in a folder of their own, ready when they answer, always ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from .ports import free_port
from .wire import Client
from .wire_replies import Refusal

OptionValue: TypeAlias = str | int | Sequence[str | int]

READY_WITHIN = 30.0  # seconds; a machine with every core busy starts Python slowly


def wait_for(condition: Callable[[], object], timeout: float = 10.0, what: str = "") -> None:
    """Polls until the condition is true; an AssertionError inside it counts as not yet.

    Raises AssertionError after ``timeout`` seconds, with the last failure as its cause.
    """
    end = time.monotonic() + timeout
    pause = 0.005
    while True:
        last: AssertionError | None = None
        try:
            if condition():
                return
        except AssertionError as failure:
            last = failure
        if time.monotonic() >= end:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"{name} did not come true within {timeout} seconds") from last
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Server:
    """One server process on 127.0.0.1.

    Options are given as keywords, ``_`` for ``-``, a tuple for several values: ``cluster_enabled="yes"``,
    ``save=""``. Without a ``port`` it takes a free one; without a ``dir`` it has a folder that goes with the process.
    """

    program: Sequence[str] = ()
    host = "127.0.0.1"

    def __init__(self, **options: OptionValue) -> None:
        self.port = int(str(options["port"])) if "port" in options else free_port()
        self._own_directory = "dir" not in options
        self.directory = Path(tempfile.mkdtemp(prefix="shardkv-") if self._own_directory else str(options["dir"]))
        self.log_path = self.directory / f"{self.port}.log"
        self.options: dict[str, OptionValue] = {name.replace("_", "-"): value for name, value in options.items()}
        self.options |= {"port": self.port, "dir": str(self.directory)}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def command_line(self) -> list[str]:
        """The words the process is started with."""
        words = list(self.program)
        for name, value in self.options.items():
            values = [value] if isinstance(value, str | int) else value
            words += [f"--{name}", *map(str, values)]
        return words

    def start(self) -> Self:
        """Starts the process and returns once it answers PING. Raises RuntimeError with its log if it doesn't."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command_line,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},  # else each start compiles every module anew
            )
        try:
            wait_for(lambda: self.process_ended() or self.answers(), READY_WITHIN, "an answer to PING")
        except AssertionError as failure:
            self.stop()
            raise RuntimeError(f"{self.program} never answered:\n{self.log()}") from failure
        if self.process_ended():
            raise RuntimeError(f"{self.program} ended with {self.process.returncode}:\n{self.log()}")
        return self

    def answers(self) -> bool:
        """Whether it is ready for clients: PING is answered, or refused for want of a password."""
        try:
            with Client(self.host, self.port, timeout=2.0) as client:
                reply = client("PING")
        except OSError:
            return False
        return reply == "PONG" or (isinstance(reply, Refusal) and reply.code == "NOAUTH")

    def process_ended(self) -> bool:
        """Whether the process is gone, or was never started."""
        return self.process is None or self.process.poll() is not None

    @property
    def pid(self) -> int:
        """The process's id. Raises RuntimeError when it isn't started."""
        if self.process is None:
            raise RuntimeError(f"{self.program} is not started")
        return self.process.pid

    def client(self, resp3: bool = False, timeout: float = 20.0) -> Client:
        """A new connection to it; the caller closes it."""
        return Client(self.host, self.port, resp3, timeout)

    def log(self) -> str:
        """All it has written to stdout and stderr so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def cpu_seconds(self) -> float:
        """CPU time that it has used in user and kernel mode."""
        # The name in parentheses may hold spaces; the fields are counted from behind it.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal; SIGSTOP and SIGCONT make a node that is alive and silent."""
        if not self.process_ended():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it as a crash would: SIGKILL, no last word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def terminate(self, timeout: float = 10.0) -> int:
        """Asks it to end with SIGTERM and returns its exit code; SIGKILL after ``timeout`` seconds."""
        if self.process is None:
            return 0
        self.process.terminate()
        # One that was stopped by a test would never see it.
        self.signal(signal.SIGCONT)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def stop(self) -> None:
        """Ends it for good and removes its folder if that was temporary."""
        self.terminate()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def restart(self) -> Self:
        """Ends it with SIGTERM and starts it again in the same folder, on the same port."""
        self.terminate()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class Node(Server):
    """A ``shardkv-node``."""

    program: Sequence[str] = (sys.executable, "-m", "shardkv_cli.node")


def start_nodes(count: int, **options: OptionValue) -> list[Node]:
    """Nodes in cluster mode that know nothing of each other yet; all ended again if one fails to start."""
    settings: dict[str, OptionValue] = {"cluster_enabled": "yes", "save": "", "appendonly": "no"}
    nodes = [Node(**(settings | options)) for _ in range(count)]
    try:
        for node in nodes:
            node.start()
    except BaseException:
        for node in nodes:
            node.stop()
        raise
    return nodes
