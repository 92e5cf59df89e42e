"""Replica equals primary: whatever is done to one engine, the stream of what it propagates makes another equal."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shardkv.commands.spec import TABLE
from shardkv.config import Config
from shardkv.keyspace.database import Database
from shardkv.values.hashes import HashValue
from shardkv.values.streams import StreamValue
from tests.compat.machine.pools import ALL_KEYS
from tests.compat.machine.profiles import Profile, drawn
from tests.compat.machine.sequences import Drawn, draw
from tests.support.engine_client import EngineClient
from tests.support.oracle import Redis

#: Every command that can be drawn, whatever its age.
EVERY = Profile("law", Redis, tuple(drawn()), ())
#: How far the clock may move between two requests, in milliseconds: most expiry times that are drawn lie within.
STEPS = (0, 0, 0, 1, 7, 40, 1200, 100_000)


class Follower:
    """An engine that does what another one propagates, as a replica does or a node that loads its log."""

    def __init__(self, leader: EngineClient) -> None:
        self.leader = leader
        self.client = EngineClient(config=config())
        self.refused: list[tuple[list[bytes], bytes]] = []
        leader.engine.sinks.append(self.take)

    def take(self, database: Database | None, words: list[bytes]) -> None:
        """One thing that was propagated."""
        self.client.engine.begin(self.leader.now, obeying=True)
        if database is not None and database.index != self.client.db.index:
            self.client.raw("SELECT", database.index)
        reply = self.client.raw(*words)
        if reply.startswith(b"-"):
            self.refused.append((words, reply))


def config() -> Config:
    """Options of an engine whose data are looked into."""
    config = Config()
    config.assign(Config.options["enable-debug-command"], "yes")
    return config


def play(drawn: Drawn, leader: EngineClient, rng: Random) -> None:
    """Carry out a sequence while time passes."""
    clients = [leader, leader.other()]
    for name, value in drawn.setup.options.items():
        leader("CONFIG", "SET", name, value)
    for step in drawn.steps:
        leader.now += rng.choice(STEPS)
        if rng.random() < 0.1:
            leader.engine.expiring.step(leader.now, 1.0)
        client = clients[step.client]
        client.send(*step.words)
        client.taken()
        if rng.random() < 0.05:
            _restore(leader.other(), rng)


def _restore(client: EngineClient, rng: Random) -> None:
    """Move a key's value to another key by its dump, which no grammar draws."""
    key = client.db.choose(rng)
    payload = None if key is None else client("DUMP", key)
    if isinstance(payload, str | bytes):
        ttl = rng.choice((0, 5, 50_000, client.now - 1, client.now + 1000))
        more = [word for word in ("REPLACE", "ABSTTL") if rng.random() < 0.5]
        client.raw("RESTORE", rng.choice(ALL_KEYS), ttl, payload, *more)


def state(engine: Any) -> dict[tuple[int, bytes], Any]:
    """Everything that a key is, in a form that can be compared."""
    looking = EngineClient(engine)
    found: dict[tuple[int, bytes], Any] = {}
    for database in engine.databases:
        if database is not None:
            looking.raw("SELECT", database.index)
            for key, value in database.items():
                digest = looking.raw("DEBUG", "DIGEST-VALUE", key)
                found[database.index, key] = digest, _more(value), database.expiry(key)
    return found


def _more(value: Any) -> Any:
    """What the digest does not tell. When a consumer was last seen, and how often something was delivered to it again,
    is told to nobody, as in Redis; nor that there is one, before it gets something."""
    if isinstance(value, HashValue):
        return dict(value.times.items()) if value.times else None
    if isinstance(value, StreamValue):
        groups = {
            name: (group.last_id, group.entries_read, {id: held.owner.name for id, held in group.pending.items()})
            for name, group in value.groups.items()
        }
        return value.length, value.last_id, value.max_deleted_id, value.entries_added, groups
    return None


@given(st.integers(0, 1 << 32))
def test_what_is_propagated_makes_another_engine_equal(number: int) -> None:
    leader = EngineClient(config=config())
    follower = Follower(leader)
    play(draw(EVERY, f"law:{number}", 120), leader, Random(number))
    # What has expired unnoticed is there still on both sides: the primary decides when it goes.
    for engine in (leader.engine, follower.client.engine):
        engine.begin(leader.now, obeying=True)
    ours, theirs = state(leader.engine), state(follower.client.engine)
    different = {
        key: (ours.get(key), theirs.get(key)) for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)
    }
    assert not follower.refused
    assert not different
    assert leader.other().raw("DEBUG", "DIGEST") == follower.client.raw("DEBUG", "DIGEST")


def test_every_command_that_writes_is_drawn_or_played() -> None:
    names = {command.name for command in EVERY.commands}
    writing = {command.name for command in TABLE.values() if command.is_write and command.group != "scripting"}
    assert writing - names - {"migrate"} <= {"restore", "restore-asking"}  # MIGRATE needs another node
