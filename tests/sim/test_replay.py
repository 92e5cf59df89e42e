"""The same seed tells the same story, whatever the process and its hash order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.sim.network import Cluster

ROOT = Path(__file__).resolve().parents[2]


def story(seed: int) -> int:
    """A story with every kind of trouble in it; returns the trace."""
    world = Cluster(12, seed, node_timeout=2.0)
    world.form()
    world.loss, world.delay = 0.1, 0.05
    world.crash("n3")
    world.partition(["n0", "n1"], ["n2", "n4", "n5"])
    world.wait(8)
    world.restart("n3")
    world.heal()
    world.wait(8)
    world.check()
    return world.trace


def test_the_same_seed_tells_the_same_story(seed: int) -> None:
    assert story(seed) == story(seed)
    assert story(seed) != story(seed + 1)


def test_hash_order_does_not_matter(seed: int) -> None:
    told = []
    for hash_seed in ("1", "2"):
        script = f"from tests.sim.test_replay import story; print(story({seed}))"
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(int(done.stdout))
    assert told == [story(seed)] * 2
