"""``make faults``: acknowledged writes that are lost, and how long writes stand still, beside real Redis Cluster.

``python -m tests.faults [--only TEXT] [--server shardkv|redis]``; each line is one run.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from tests.support.namespaces import Network, why_not
from tests.support.oracle import Redis
from tests.support.processes import Node, OptionValue, Server

from .stories import ON_A_NETWORK, STORIES, tell
from .world import World

KINDS: dict[str, type[Server]] = {"shardkv": Node, "redis": Redis}


def main() -> None:
    """Runs the stories and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="stories whose name has this in it")
    parser.add_argument("--server", choices=list(KINDS), help="only this one")
    chosen = parser.parse_args()
    print("acknowledged, lost, and the longest pause of the shard concerned and of the others (s)", flush=True)
    for name, story in STORIES.items():
        if chosen.only not in name:
            continue
        if name in ON_A_NETWORK and why_not():
            print(f"{name:32} left out: {why_not()}", flush=True)
            continue
        options: dict[str, OptionValue] = {"appendfsync": "always" if "always" in name else "everysec"}
        for kind, server in KINDS.items():
            if chosen.server not in (None, kind):
                continue
            with ExitStack() as stack:
                network = stack.enter_context(Network()) if name in ON_A_NETWORK else None
                world = stack.enter_context(World(server, network, **options))
                load, began, ended = tell(world, story)
                lost = sum(load.lost().values())
            done = sum(len(shard.acknowledged) for shard in load.shards)
            pauses = [shard.longest_pause(began, ended) for shard in load.shards if shard.side == "right"]
            wrote_on = f", written on for {load.wrote_on(world.cut_at, world.healed_at):.2f}" if network else ""
            print(
                f"{name:32} {kind:8} {done:7} acknowledged {lost:6} lost ({100 * lost / max(done, 1):5.2f} %)  "
                f"pause {pauses[0]:6.2f}, others {max(pauses[1:]):5.2f}{wrote_on}",
                flush=True,
            )


if __name__ == "__main__":
    main()
