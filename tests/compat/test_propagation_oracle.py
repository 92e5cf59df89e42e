"""What a sequence of random commands becomes: our propagated stream against the log of a redis-server, word by word."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import hiredis
import pytest

from shardkv.keyspace.database import Database
from tests.compat.machine.contest import Contest
from tests.compat.machine.profiles import Profile, redis_profile, valkey_profile
from tests.compat.machine.sequences import Step, draw, shown
from tests.compat.machine.sides import InProcess, Process, Setup
from tests.compat.machine.valkey import says_a_past_time
from tests.support.oracle import SETTINGS
from tests.support.processes import OptionValue

Words = list[bytes]

SEED = os.environ.get("SHARDKV_SEED", "11")
LENGTH = 100
MOST = int(os.environ.get("SHARDKV_STREAMS", "50"))  # sequences
#: Times that both sides took from their own clocks may differ by this many milliseconds.
SLACK = 3000
LOGGED: Final[dict[str, OptionValue]] = {
    **SETTINGS,
    "appendonly": "yes",
    "appendfsync": "no",
    "auto_aof_rewrite_percentage": 0,
    "lazyfree_lazy_expire": "no",  # as in redis-server; Valkey would say UNLINK
}


class Telling(InProcess):
    """Our engine, with what it propagates written down as a log would have it, SELECT included."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: list[Words] = []
        self._selected = 0
        self.inspector.engine.sinks.append(self._take)

    def begin(self, setup: Setup, ids: Sequence[bytes]) -> None:
        """Each sequence has a stream of its own."""
        super().begin(setup, ids)
        self.stream = []
        self._selected = 0  # by the FLUSHALL that comes before

    def _take(self, database: Database | None, words: Words) -> None:
        if database is not None and database.index != self._selected:
            self._selected = database.index
            self.stream.append([b"SELECT", b"%d" % database.index])
        self.stream.append(list(words))


class Logging(Process):
    """A server that logs, and the part of its log that a sequence has made."""

    def begin(self, setup: Setup, ids: Sequence[bytes]) -> None:
        """Beyond this the log is the sequence's."""
        super().begin(setup, ids)
        self.settle()
        self._from = self._log().stat().st_size

    def _log(self) -> Path:
        [log] = self.server.directory.glob("appendonlydir/*.incr.aof")
        return log

    @property
    def stream(self) -> list[Words]:
        """What was logged; the server writes before it answers."""
        self.settle()
        reader = hiredis.Reader()
        with self._log().open("rb") as log:
            log.seek(self._from)
            reader.feed(log.read())
        found = []
        while (words := reader.gets()) is not False:
            found.append(words)
        return found


# ---- what is equal though it differs


def _same_word(ours: bytes, theirs: bytes) -> bool:
    if ours == theirs or ours.upper() == theirs.upper():
        return True
    try:
        one, two = float(ours), float(theirs)
    except ValueError:
        return _same_id(ours, theirs)
    # Redis 7.0 prints doubles with 17 digits, 7.2 and we the shortest that mean the same.
    return one == two or (one > 1e12 and abs(one - two) < SLACK)


def _same_id(ours: bytes, theirs: bytes) -> bool:
    (one, dash, first), (two, _, second) = ours.partition(b"-"), theirs.partition(b"-")
    return bool(dash) and first == second and one.isdigit() and two.isdigit() and abs(int(one) - int(two)) < SLACK


def _same(ours: Words, theirs: Words) -> bool:
    if [word.upper() for word in ours[:1]] == [b"SREM"] == [word.upper() for word in theirs[:1]]:
        return ours[1] == theirs[1] and len(ours) == len(theirs)  # SPOP's choice
    return len(ours) == len(theirs) and all(map(_same_word, ours, theirs))


def _plain(stream: Sequence[Words]) -> list[Words]:
    """A stream without what is there for other reasons: transactions are opened out, since one of two commands here may
    be one of one there, and where databases change is told by the commands between."""
    found: list[Words] = []
    for words in stream:
        name = words[0].upper()
        if name in (b"MULTI", b"EXEC"):
            continue
        if name == b"XGROUP" and words[1].upper() == b"SETID" and len(words) == 7:
            continue  # the position that 7.2 sends behind claims
        if name == b"SREM" and found and found[-1][:2] == words[:2]:
            found[-1] = found[-1] + words[2:]  # 7.0 says the members that SPOP took one by one
            continue
        found.append(words)
    return found


def _is_streamed_elsewise(profile: Profile, step: Step) -> bool:
    """Whether a request is known to become something else there: Valkey stores nothing whose time has passed."""
    return profile.name == "valkey" and says_a_past_time(step.words[0].decode("latin-1").upper(), step.words)


def _told(stream: Sequence[Words], at: int) -> str:
    return "\n".join("      " + " ".join(map(shown, words)) for words in stream[max(0, at - 3) : at + 4])


def _difference(ours: Sequence[Words], theirs: Sequence[Words]) -> str:
    for at in range(max(len(ours), len(theirs))):
        if at >= len(ours) or at >= len(theirs) or not _same(ours[at], theirs[at]):
            return f"at {at}\n    ours\n{_told(ours, at)}\n    theirs\n{_told(theirs, at)}"
    return ""


@pytest.mark.parametrize(("make", "most"), [(redis_profile, MOST), (valkey_profile, MOST)], ids=["redis", "valkey"])
def test_random_commands_become_the_same_stream(make: Callable[[], Profile], most: int) -> None:
    profile = make()
    # HSETEX becomes HSET and HPEXPIREAT here, which Redis 7.4 understands as well.
    profile = replace(profile, commands=tuple(each for each in profile.commands if each.name != "hsetex"))
    found: list[str] = []
    with profile.server(**LOGGED) as server:
        ours, theirs = Telling(), Logging(server)
        game: Any = Contest(ours, theirs, profile.differences)
        whole = 0
        for number in range(most):
            drawn = draw(profile, f"stream:{profile.name}:{SEED}:{number}", LENGTH)
            drawn = replace(
                drawn, steps=tuple(step for step in drawn.steps if not _is_streamed_elsewise(profile, step))
            )
            parted = sum(count for name, count in game.counted.items() if name.startswith("difference"))
            failure = game.run(drawn)
            if failure is not None or parted != sum(
                count for name, count in game.counted.items() if name.startswith("difference")
            ):
                continue  # where the replies differ the streams may
            whole += 1
            difference = _difference(_plain(ours.stream), _plain(theirs.stream))
            if difference:
                found.append(f"seed {drawn.seed} {difference}")
        theirs.close()
    assert whole > most // 4
    assert not found, f"{len(found)} of {whole}\n" + "\n".join(found[:5])
