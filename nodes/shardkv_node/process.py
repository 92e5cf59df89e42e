"""The process around the node: descriptors, memory figures, pid file, background."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

#: Descriptors that the node needs beside its clients'.
RESERVED_DESCRIPTORS = 64


def raise_descriptor_limit(clients: int) -> int:
    """Ask the system for descriptors for so many clients; how many clients it allows."""
    wanted = clients + RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Beyond the hard limit only who is privileged comes.
        for target, ceiling in ((wanted, hard), (wanted, wanted), (hard, hard)):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (target, ceiling))
            except (OSError, ValueError):
                continue
            soft = target
            break
    if soft == resource.RLIM_INFINITY:
        return clients
    return max(1, min(clients, soft - RESERVED_DESCRIPTORS))


def resident_bytes() -> int:
    """Resident memory of this process, in bytes."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return usage if sys.platform == "darwin" else usage * 1024


def private_dirty_bytes() -> int:
    """Memory that this process shares with nobody because it was written to: in a forked child, and in its parent,
    what copy-on-write has cost. 0 where the system does not tell."""
    try:
        with open("/proc/self/smaps_rollup", "rb") as rollup:
            for line in rollup:
                if line.startswith(b"Private_Dirty:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def trim_heap() -> None:
    """Collect cycles, and have the C library give free memory back where it can (glibc)."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return  # another C library, which has no such word


def machine_bytes() -> int:
    """Memory of the machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def cpu_seconds() -> tuple[float, float, float, float]:
    """System and user time of this process, then of its children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_stime, own.ru_utime, children.ru_stime, children.ru_utime


def tune_collector() -> None:
    """Keep the cycle collector away from the data.

    What lives long is frozen, young objects are looked at in larger portions, and the oldest generation is never walked
    by itself: a pass over a million containers would stall every client. The engine makes no cycles on the way of a
    request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 1_000_000_000)


def go_to_background() -> None:
    """Detach from the terminal (``daemonize yes``). Must run before trio and threads."""
    if os.fork():
        os._exit(0)
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    if quiet > 2:
        os.close(quiet)


def write_pid_file(path: Path) -> bool:
    """Write the process id; False if that is impossible (the node goes on, as Redis does)."""
    try:
        path.write_text(f"{os.getpid()}\n")
    except OSError:
        return False
    return True


class Insisted(BaseException):
    """Somebody asks again that the node end, and at once."""


@contextmanager
def insistence(*, heard: bool) -> Iterator[None]:
    """Have SIGINT raise ``Insisted`` meanwhile, if it is to be heard: nobody reads signals while everybody waits."""

    def insist(number: int, frame: object) -> NoReturn:
        raise Insisted

    if not heard:
        yield
        return
    before = signal.signal(signal.SIGINT, insist)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
