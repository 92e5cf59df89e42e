"""What happens by the clock: expiry, idle clients, rates."""

from __future__ import annotations

from typing import Final

import trio

from shardkv.engine.engine import Engine

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
        while engine.expire_some(clock.unix_ms(), EXPIRE_STEP_SECONDS):
            reactor.flush_woken()
            share = EXPIRE_SHARE + 0.02 * (engine.config.active_expire_effort - 1)
            await trio.sleep(EXPIRE_STEP_SECONDS * (1 / share - 1))
        reactor.flush_woken()


async def sweep_clients(reactor: Reactor) -> None:
    """Idle clients and output limits, ten times a second."""
    while True:
        await trio.sleep(0.1)
        reactor.sweep()


async def sample(engine: Engine) -> None:
    """The rates of INFO stats."""
    while True:
        await trio.sleep(0.1)
        engine.stats.sample(clock.stopwatch())
