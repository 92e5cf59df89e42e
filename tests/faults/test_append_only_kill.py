"""The same again and again: SIGKILL at hundreds of moments, with each policy, with rewrites going on and without."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.support.crashing import crash_once

pytestmark = pytest.mark.long

TIMES = int(os.environ.get("SHARDKV_CRASHES", "50"))  # of each kind, of which there are six


@pytest.mark.parametrize("rewrites", [False, True], ids=["plain", "rewriting"])
@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_a_node_may_be_killed_at_any_moment(tmp_path: Path, policy: str, rewrites: bool, seed: int) -> None:
    for number in range(TIMES):
        crash_once(tmp_path, policy, Random(f"{seed}/{policy}/{rewrites}/{number}"), rewrites=rewrites)
