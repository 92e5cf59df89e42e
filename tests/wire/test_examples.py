"""Every example runs, and says what it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.wire

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "cluster_in_a_test.py": "done",
    "embed_engine.py": "the worker got: [b'jobs', b'paint the fence']",
    "simulate_failure.py": "node 1 believes dead: [3], cluster is fail",
}


def test_every_example_is_run_by_this_test() -> None:
    """None is forgotten."""
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_and_says_what_it_promises(name: str) -> None:
    """In a process of its own, as a reader would run it."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[name] in done.stdout
