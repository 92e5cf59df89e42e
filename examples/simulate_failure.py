"""Five cluster nodes in one process, without a network: form a cluster, lose a node, and watch the others notice.

The cluster machine is an ordinary object: events and a clock go in, effects come out. All that a simulator has to do
is to keep a heap of
events. The same seed gives the same story on any machine; ``tests/sim`` has a larger harness with loss, delay and
partitions.

    python examples/simulate_failure.py
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from random import Random

from shardkv.cluster.effects import Connect, Log, Send
from shardkv.cluster.events import Event, LinkUp, Ordered, Received, Tick
from shardkv.cluster.machine import ClusterMachine
from shardkv.cluster.nodes import FAIL, MASTER, Node
from shardkv.cluster.orders import AddSlots, MeetNode
from shardkv.cluster.settings import Settings
from shardkv.cluster.view import ClusterView

DELAY = 0.01
COUNT = 5


class Network:
    """Nodes by their number, and the events that are on their way."""

    def __init__(self, seed: int) -> None:
        self.now = 1_700_000_000.0
        self.heap: list[tuple[float, int, int, Event | None]] = []
        self.order = count()
        self.machines: dict[int, ClusterMachine] = {}
        self.links: dict[tuple[int, int], tuple[int, int]] = {}  # (node, link) -> (peer, its link)
        self.accepted = count(1)
        for number in range(1, COUNT + 1):
            identity = f"{number:040x}"
            node = Node(identity, ip="", port=7000 + number, bus_port=17000 + number, flags=MASTER, shard_id=identity)
            settings = Settings(node_timeout=2.0)
            self.machines[number] = ClusterMachine(
                ClusterView.alone(node), settings, Random(f"{seed}/{number}"), self.now
            )
            self.post(0.0, number, Tick())

    def post(self, delay: float, to: int, event: Event) -> None:
        """Something will happen to a node."""
        heappush(self.heap, (self.now + delay, next(self.order), to, event))

    def give(self, to: int, event: Event) -> None:
        """Something happens to a node, and what follows from it."""
        machine = self.machines.get(to)
        if machine is None:
            return  # it is dead
        for effect in machine.handle(event, self.now):
            if isinstance(effect, Connect) and effect.port - 17000 in self.machines:
                peer, theirs = effect.port - 17000, -next(self.accepted)
                self.links[to, effect.link] = (peer, theirs)
                self.links[peer, theirs] = (to, effect.link)
                self.post(DELAY, to, LinkUp(effect.link))
            elif isinstance(effect, Send) and (to, effect.link) in self.links:
                peer, link = self.links[to, effect.link]
                self.post(DELAY, peer, Received(link, effect.message, f"10.0.0.{to}", f"10.0.0.{peer}"))
            elif isinstance(effect, Log) and effect.level in ("notice", "warning"):
                print(f"{self.now - 1_700_000_000:6.2f} s  node {to}: {effect.text}")

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            due = min(((machine.deadline, number) for number, machine in self.machines.items()), default=(end, 0))
            if self.heap and self.heap[0][0] <= min(due[0], end):
                self.now, _, to, event = heappop(self.heap)
                assert event is not None
                self.give(to, event)
            elif due[0] <= end:
                self.now = max(self.now, due[0])
                self.give(due[1], Tick())
            else:
                self.now = end
                return


def main() -> None:
    """Meet, share the slots out, kill one, look."""
    network = Network(seed=7)
    for number in range(1, COUNT + 1):
        share = 16384 // COUNT
        last = 16383 if number == COUNT else number * share - 1
        network.give(number, Ordered(AddSlots((((number - 1) * share, last),)), ticket=number))
    for number in range(2, COUNT + 1):
        network.give(1, Ordered(MeetNode(f"10.0.0.{number}", 7000 + number, 17000 + number), ticket=100 + number))
    network.run(10)
    print({number: (machine.view.state, len(machine.view.nodes)) for number, machine in network.machines.items()})

    print("--- node 3 dies")
    del network.machines[3]
    network.run(6)
    for number, machine in network.machines.items():
        dead = [int(node.id, 16) for node in machine.view.nodes.values() if node.flags & FAIL]
        print(f"node {number} believes dead: {dead}, cluster is {machine.view.state}")


if __name__ == "__main__":
    main()
