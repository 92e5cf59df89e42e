"""A node that logs is killed under load and comes back with all that it promised."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.support.crashing import crash_once

pytestmark = pytest.mark.wire


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_a_killed_node_comes_back_with_what_it_promised(tmp_path: Path, policy: str, seed: int) -> None:
    crash_once(tmp_path, policy, Random(f"{seed}/{policy}"), rewrites=True)
