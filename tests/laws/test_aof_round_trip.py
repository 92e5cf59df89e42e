"""What is written is read: databases as commands, through the log's own reader, make another engine equal."""

from __future__ import annotations

from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from shardkv.engine.replay import Replay
from shardkv.persist.aof.reader import AofReader
from shardkv.persist.aof.rewriting import CommandSnapshot
from shardkv.values.zsets import ZSetValue
from tests.compat.machine.sequences import draw
from tests.laws.test_propagation import EVERY, config, play, state
from tests.support.engine_client import EngineClient


@given(st.integers(0, 1 << 32), st.integers(1, 5000))
def test_databases_as_commands_make_another_engine_equal(number: int, step: int) -> None:
    writer = EngineClient(config=config())
    play(draw(EVERY, f"aof:{number}", 120), writer, Random(number))
    # ZADD knows one zero only; arithmetic knows two.
    values = [value for database in writer.engine.databases.opened for _, value in database.items()]
    assume(not any(str(score) == "-0.0" for value in values if isinstance(value, ZSetValue) for score, _ in value))
    log = b"".join(CommandSnapshot(writer.engine.databases, seconds=1_700_000_000))
    reader = EngineClient(config=config())
    for engine in (writer.engine, reader.engine):
        engine.begin(writer.now, obeying=True)
    replay, cutter = Replay(reader.engine), AofReader()
    for at in range(0, len(log), step):
        for run in cutter.feed(log[at : at + step]):
            replay.feed(run.commands)
    for run in cutter.held_back():
        replay.feed(run.commands)
    assert cutter.finish()
    assert not replay.refused
    ours, theirs = state(writer.engine), state(reader.engine)
    assert {
        key: (ours.get(key), theirs.get(key)) for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)
    } == {}
    reader.engine.begin(writer.now, obeying=True)
    assert writer.other().raw("DEBUG", "DIGEST") == reader.raw("DEBUG", "DIGEST")
