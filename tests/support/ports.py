"""Ports that nobody uses: a client port whose bus port (10000 above) is free too."""

from __future__ import annotations

import random
import socket

BUS_OFFSET = 10_000
# Both the port and its bus port stay below 32768, where Linux begins to hand out ports to outgoing connections:
# one of those can take a port between our look and the server's bind.
FIRST, LAST = 11_000, 22_000

_pick = random.SystemRandom()
_handed_out: set[int] = set()


def free_port() -> int:
    """A port on 127.0.0.1 that is free, and so is the one BUS_OFFSET above it. Never the same twice in a process."""
    for _ in range(1000):
        port = _pick.randrange(FIRST, LAST)
        if port not in _handed_out and _is_free(port) and _is_free(port + BUS_OFFSET):
            _handed_out.add(port)
            return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")


def free_ports(count: int) -> list[int]:
    """Several of them, in rising order."""
    return sorted(free_port() for _ in range(count))


def free_run_of_ports(count: int) -> int:
    """The first of ``count`` ports in a row that are all free, with their bus ports."""
    for _ in range(1000):
        first = _pick.randrange(FIRST, LAST - count)
        run = range(first, first + count)
        if _handed_out.isdisjoint(run) and all(_is_free(port) and _is_free(port + BUS_OFFSET) for port in run):
            _handed_out.update(run)
            return first
    raise RuntimeError(f"no {count} free ports in a row between {FIRST} and {LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: ports in TIME_WAIT count as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
