"""Slots that move as a whole, by CLUSTER MIGRATESLOTS: the nodes do the work, this only watches.

Until the target has taken a group of slots all of them are the source's, and then the target's, so nothing is half done
whoever is killed when. A run that was interrupted leaves at most a group that the nodes finish by themselves; the next
one waits for that, and goes on with what is left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import trio

from shardkv.errors import ReplyError

from .client import Client
from .exits import Failure
from .moves import Move
from .survey import read_view
from .view import show_ranges, to_ranges

#: Slots that move under one epoch; what an interruption leaves to the nodes.
GROUP: Final = 128
POLL_SECONDS: Final = 0.02
ENDED: Final = ("success", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Job:
    """One line of GETSLOTMIGRATIONS."""

    name: str
    operation: str
    slots: frozenset[int]
    state: str
    message: str


def groups(moves: Sequence[Move]) -> Iterator[tuple[Move, ...]]:
    """The moves in their order, in groups with one source and one target each."""
    for _, run in groupby(moves, key=lambda move: (move.source.line.id, move.target.line.id)):
        same = tuple(run)
        for start in range(0, len(same), GROUP):
            yield same[start : start + GROUP]


async def so(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    while True:
        if await holds():
            return
        await trio.sleep(POLL_SECONDS)


async def understood(client: Client) -> bool:
    """Whether a node knows of slots that move as a whole."""
    return not isinstance(await client.call("CLUSTER", "GETSLOTMIGRATIONS"), ReplyError)


async def jobs_of(client: Client) -> list[Job]:
    """What a node tells of its migrations; nothing while it is loading."""
    reply = await client.call("CLUSTER", "GETSLOTMIGRATIONS")
    return [_job(entry) for entry in reply] if isinstance(reply, list) else []


def _job(entry: Any) -> Job:
    words = [word.decode() if isinstance(word, bytes) else str(word) for word in entry]
    fields = dict(zip(words[::2], words[1::2], strict=True))
    slots: set[int] = set()
    for part in fields["slot_ranges"].replace(",", " ").split():
        first, _, last = part.partition("-")
        slots.update(range(int(first), int(last or first) + 1))
    return Job(fields["name"], fields["operation"], frozenset(slots), fields["state"], fields["message"])


async def slots_at(client: Client) -> frozenset[int]:
    """The slots that a node says are its own."""
    own = next(line for line in await read_view(client) if line.myself)
    return frozenset(slot for first, last in own.slots for slot in range(first, last + 1))


async def move_whole(group: Sequence[Move], source: Client, target: Client) -> int:
    """Move a group of slots; how many keys they held. Raises Failure, and all are where they were."""
    wanted = {move.slot for move in group}

    async def idle() -> bool:
        return not any(job.slots & wanted for job in await jobs_of(source) if job.state not in ENDED)

    await so(idle)  # what a run that was interrupted has begun ends by itself
    wanted -= await slots_at(target)
    if not wanted:
        return 0
    if astray := wanted - await slots_at(source):
        raise Failure(f"{source.address} does not serve {show_ranges(to_ranges(astray))} any more")
    keys = sum([await keys_of(source, slot) for slot in sorted(wanted)])
    known = {job.name for job in await jobs_of(source)}
    ranges = [word for pair in to_ranges(wanted) for word in pair]
    await source.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", *ranges, "NODE", group[0].target.line.id)
    while not wanted <= await slots_at(target):
        for job in await jobs_of(source):
            if job.name not in known and job.slots & wanted and job.state in ("failed", "cancelled"):
                raise Failure(f"{source.address} could not give its slots away: {job.message}")
        await trio.sleep(POLL_SECONDS)
    return keys


async def keys_of(client: Client, slot: int) -> int:
    """How many keys a slot holds."""
    reply = await client.ask("CLUSTER", "COUNTKEYSINSLOT", slot)
    return reply if isinstance(reply, int) else 0
