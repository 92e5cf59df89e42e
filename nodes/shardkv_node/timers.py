"""What happens by the clock: expiry, what is freed and packed in the background, idle clients, rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from shardkv.engine.engine import Engine
from shardkv.engine.resting import Cradle, Resting

from . import clock
from .reactor import Reactor

#: One step of the expire cycle. Between two steps clients are served, so nobody waits longer than this for it.
EXPIRE_STEP_SECONDS: Final = 0.001
#: While many keys are due, the cycle works this share of the time; ``active-expire-effort`` adds to it (Redis: 25 %
#: plus 2 % a step).
EXPIRE_SHARE: Final = 0.25


async def expire_keys(engine: Engine, reactor: Reactor) -> None:
    """The active expire cycle, ``hz`` times a second, and more often while there is much to do."""
    while True:
        await trio.sleep(1 / engine.config.hz)
        while engine.expiring.step(clock.unix_ms(), EXPIRE_STEP_SECONDS):
            reactor.flush_woken()
            share = EXPIRE_SHARE + 0.02 * (engine.config.active_expire_effort - 1)
            await trio.sleep(EXPIRE_STEP_SECONDS * (1 / share - 1))
        reactor.flush_woken()


#: One step of freeing and packing; clients are served between two steps, in at least as long a pause.
TIDY_STEP_SECONDS: Final = 0.001
#: How often is looked for large values to free, and for collections to pack.
FREE_SECONDS: Final = 0.02
REST_SECONDS: Final = 0.5


def _spent_in(seconds: float) -> Callable[[], bool]:
    """What tells whether so many seconds have passed since now."""
    until = clock.stopwatch() + seconds
    return lambda: clock.stopwatch() >= until


async def free_values(engine: Engine) -> None:
    """Give the memory of large values that are gone back, and that which new collections do not need, step by step."""
    cradle = Cradle(engine)
    while True:
        more = cradle.step(_spent_in(TIDY_STEP_SECONDS))
        more = engine.databases.free(_spent_in(TIDY_STEP_SECONDS)) or more
        await trio.sleep(TIDY_STEP_SECONDS if more else FREE_SECONDS)


async def rest_values(engine: Engine) -> None:
    """Pack collections that nobody uses, step by step."""
    resting = Resting(engine)
    while True:
        more = resting.step(clock.unix_ms(), _spent_in(TIDY_STEP_SECONDS))
        await trio.sleep(4 * TIDY_STEP_SECONDS if more else REST_SECONDS)


async def sweep_clients(reactor: Reactor) -> None:
    """Idle clients and output limits, ten times a second."""
    while True:
        await trio.sleep(0.1)
        reactor.sweep()


async def watch_memory(engine: Engine, reactor: Reactor) -> None:
    """What memory is used beside keys, ten times a second; and making room, where that is left to do."""
    while True:
        await trio.sleep(0.1)
        if engine.memory.books is not None:
            engine.memory.learn()
        while engine.memory.deadline is not None:
            reactor.tick()
            await trio.sleep(TIDY_STEP_SECONDS)


async def sample(engine: Engine) -> None:
    """The rates of INFO stats."""
    while True:
        await trio.sleep(0.1)
        engine.stats.sample(clock.stopwatch())
