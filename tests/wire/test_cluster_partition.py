"""A primary that is cut off together with a client, in network namespaces."""

from __future__ import annotations

import pytest

from tests.faults.stories import cut_a_primary_off, tell
from tests.faults.world import NODE_TIMEOUT_MS, World
from tests.support.namespaces import Network, why_not
from tests.support.processes import Node

pytestmark = [pytest.mark.wire, pytest.mark.skipif(bool(why_not()), reason=why_not())]

#: Replication is asynchronous: what was acknowledged so shortly before the cut may not have left (seconds).
ON_THE_WAY = 0.1


def test_a_primary_that_is_cut_off_stops_in_time_and_the_others_go_on() -> None:
    timeout = NODE_TIMEOUT_MS / 1000
    with Network() as network, World(Node, network) as world:
        load, _, _ = tell(world, cut_a_primary_off)
        assert load.wrote_on(world.cut_at, world.healed_at) <= timeout
        # The client on the other side has found the new primary before the cut ended.
        right = load.shards[0]
        assert any(world.cut_at + timeout < when < world.healed_at for _, when in right.acknowledged)
        # What is missing is what was written on the side that lost, after the cut.
        missing = load.missing()
        print(f"\n{len(missing)} acknowledged writes lost, all on the side that was cut off")
        for shard, when in missing:
            assert shard.side == "left" or when < world.cut_at
            assert world.cut_at - ON_THE_WAY < when <= world.cut_at + timeout
