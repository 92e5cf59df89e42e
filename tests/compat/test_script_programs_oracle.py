"""Larger scripts, beside redis-server: a rate limiter, a leaderboard, and a queue of jobs as a library of functions.

Each is driven by the same drawn calls on both sides; the replies are compared byte by byte, and at the end the data.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from tests.support.differential import agree
from tests.support.oracle import Redis

PROGRAMS = Path(__file__).parent / "lua" / "programs"
SEEDS = (1, 2, 3)
CALLS = 300
START = 1_700_000_000_000


def words(*given: object) -> list[bytes]:
    return [word if isinstance(word, bytes) else str(word).encode() for word in given]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rate_limiter_lets_the_same_calls_through(oracle: Redis, seed: int) -> None:
    random = Random(seed)
    script = (PROGRAMS / "rate_limiter.lua").read_bytes()
    now, requests = START, []
    for call in range(CALLS):
        now += random.choice((0, 1, 10, 100, 1500))
        cost = random.choice((1, 1, 1, 2, 5))
        requests.append(words("EVAL", script, 2, "bucket", "window", now, 10_000, 20, 8, 2.5, cost, f"call{call}"))
    requests += [words("HGETALL", "bucket"), words("ZRANGE", "window", 0, -1, "WITHSCORES")]
    agree(oracle, requests)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leaderboard_has_the_same_places(oracle: Redis, seed: int) -> None:
    random = Random(seed)
    script = (PROGRAMS / "leaderboard.lua").read_bytes()
    players = [f"player{number}" for number in range(12)]
    requests = []
    for _ in range(CALLS // 5):
        steps: list[list[object]] = []
        for _ in range(random.randint(1, 6)):
            steps.append(
                random.choice(
                    [
                        ["add", random.choice(players), random.randint(-20, 100)],
                        ["add", random.choice(players), random.randint(1, 9) / 4],
                        ["top", random.randint(1, 15)],
                        ["around", random.choice(players), 2],
                        ["undo"],
                        ["close"],
                        ["add", random.choice(players), "much"],
                        ["nonsense"],
                    ]
                )
            )
        requests.append(words("EVAL", script, 3, "all", "season", "history", json.dumps(steps)))
    requests += [words("ZRANGE", key, 0, -1, "WITHSCORES") for key in ("all", "season")]
    requests.append(words("LRANGE", "history", 0, -1))
    agree(oracle, requests)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_queue_of_jobs_goes_the_same_way(oracle: Redis, seed: int) -> None:
    random = Random(seed)
    now = START
    requests = [words("FUNCTION", "LOAD", "REPLACE", (PROGRAMS / "job_queue.lua").read_bytes())]

    def job() -> dict[str, object]:
        made: dict[str, object] = {"name": random.choice("abc"), "data": {"n": random.randint(0, 9), "s": "äöü"}}
        if random.random() < 0.3:
            made["priority"] = random.choice(("urgent", "normal", "low", "no such"))
        if random.random() < 0.2:
            made["delay"] = random.randint(1, 5000)
        if random.random() < 0.2:
            made["unique"] = random.choice("xyz")
        if random.random() < 0.2:
            made["after"] = [f"{random.randint(1, 40):06d}"]
        if random.random() < 0.2:
            made["attempts"] = random.randint(1, 2)
        return made

    for _ in range(CALLS):
        now += random.choice((0, 5, 500, 40_000))
        some, worker = f"{random.randint(1, 60):06d}", random.choice(("w1", "w2"))
        requests.append(
            random.choice(
                (
                    words("FCALL", "jobs_put", 1, "q", now, json.dumps(job())),
                    words("FCALL", "jobs_put", 1, "q", now, json.dumps([job() for _ in range(3)])),
                    words("FCALL", "jobs_put", 1, "q", now, "{"),
                    words("FCALL", "jobs_take", 1, "q", now, worker, random.randint(1, 4)),
                    words("FCALL", "jobs_take", 1, "q", now, worker),
                    words("FCALL", "jobs_finish", 1, "q", now, some, worker, '{"r":[1,2.5,null]}'),
                    words("FCALL", "jobs_finish", 1, "q", now, some, worker),
                    words("FCALL", "jobs_fail", 1, "q", now, some, worker, "it broke"),
                    words("FCALL", "jobs_extend", 1, "q", now, some, worker, 100),
                    words("FCALL", "jobs_cancel", 1, "q", now, some),
                    words("FCALL_RO", "jobs_look", 1, "q", some),
                    words("FCALL_RO", "jobs_status", 1, "q"),
                    words("FCALL", "jobs_extend", 1, "q", "never", some, worker),
                )
            )
        )
    states = ("ready", "later", "running", "blocked", "done", "failed")
    requests += [words("ZRANGE", "{q}:" + state, 0, -1, "WITHSCORES") for state in states]
    requests += [words("XRANGE", "{q}:events", "-", "+"), words("HGET", "{q}:stats", "seconds")]
    requests.append(words("FUNCTION", "DELETE", "jobs"))
    agree(oracle, requests)
