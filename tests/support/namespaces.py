"""Two network namespaces, ``left`` and ``right``, joined by a bridge in a third one: a network that can be cut.

What passes between the sides vanishes while the network is cut, as in a switch that has died: no connection is reset,
no interface goes down. Everything in here needs Linux, iproute2 and the right to make namespaces; ``why_not`` says
what is missing.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

Side = Literal["left", "right"]
SIDES: Final[tuple[Side, Side]] = ("left", "right")

_NEWNET: Final = 0x40000000
_NAMED: Final = Path("/run/netns")
_OWN: Final = Path("/proc/thread-self/ns/net")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _enter(namespace: int) -> None:
    """Have this thread, and the processes that it starts, live in a namespace (a descriptor of it)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@cache
def why_not() -> str:
    """Why there can be no such network on this machine; empty if there can."""
    if shutil.which("ip") is None:
        return "needs ip (Debian: iproute2)"
    try:
        with Network():
            return ""
    except OSError as error:
        return f"needs the right to make network namespaces: {error}"


class Network:
    """The three namespaces, for as long as a ``with`` lasts."""

    _made = 0

    def __init__(self) -> None:
        Network._made += 1
        self._prefix = f"shardkv-{os.getpid()}-{Network._made}"
        self._spaces = {name: f"{self._prefix}-{name}" for name in (*SIDES, "between")}

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for space in self._spaces.values():
            if (_NAMED / space).exists():
                _ip("netns", "del", space)

    def _make(self) -> None:
        for space in self._spaces.values():
            _ip("netns", "add", space)
        between = self._spaces["between"]
        _ip("-n", between, "link", "add", "bridge0", "type", "bridge")
        _ip("-n", between, "link", "set", "bridge0", "up")
        for side in SIDES:
            space = self._spaces[side]
            _ip("-n", between, "link", "add", side, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("-n", between, "link", "set", side, "master", "bridge0", "up")
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "addr", "add", f"{self.address(side)}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")

    @staticmethod
    def address(side: Side) -> str:
        """The address of a side."""
        return {"left": "10.77.0.1", "right": "10.77.0.2"}[side]

    @contextmanager
    def inside(self, side: Side) -> Iterator[None]:
        """Sockets that this thread opens, and processes that it starts, are on a side."""
        home = os.open(_OWN, os.O_RDONLY)
        there = os.open(_NAMED / self._spaces[side], os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(there)
            os.close(home)

    def cut(self) -> None:
        """From now on nothing passes between the sides."""
        _ip("-n", self._spaces["between"], "link", "set", "left", "nomaster")

    def heal(self) -> None:
        """It does again."""
        _ip("-n", self._spaces["between"], "link", "set", "left", "master", "bridge0")
