"""A node that logs, writers that count what they were promised, and SIGKILL at a random moment."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .oracle import SETTINGS
from .processes import Node, wait_for
from .wire import Client, request

#: Under everysec what was written this long before a power cut may be lost; a killed process loses less.
EVERYSEC_SECONDS = 2.0


@dataclass
class Writer:
    """Counts up in a key of its own, pipelined, and remembers what was acknowledged."""

    name: str
    depth: int
    sent: int = 0
    acknowledged: int = 0
    moments: list[tuple[float, int]] = field(default_factory=list)

    def run(self, node: Node, stop: threading.Event) -> None:
        """Write until the node is gone."""
        try:
            with Client(node.host, node.port, timeout=30.0) as client:
                while not stop.is_set():
                    batch = range(self.sent + 1, self.sent + self.depth + 1)
                    client.send_bytes(b"".join(request("RPUSH", self.name, number) for number in batch))
                    self.sent = batch[-1]
                    for number in batch:
                        if client.read() == number:
                            self.acknowledged = number
                    self.moments.append((time.monotonic(), self.acknowledged))
        except OSError:
            return  # it was killed

    def acknowledged_before(self, moment: float) -> int:
        """What was acknowledged by then."""
        return max((count for at, count in self.moments if at <= moment), default=0)


def crash_once(folder: Path, policy: str, rng: Random, *, rewrites: bool) -> None:
    """Start a node in ``folder``, write, kill it at a random moment, start it again, and assert that nothing is missing
    that ``appendfsync`` promises, and that what is there is a beginning of what was sent."""
    options = SETTINGS | {"appendonly": "yes", "appendfsync": policy, "dir": str(folder)}
    options |= {"auto_aof_rewrite_min_size": "16kb", "auto_aof_rewrite_percentage": 20} if rewrites else {}
    writers = [Writer(f"list:{number}", depth) for number, depth in enumerate((1, 7, 40))]
    node = Node(**options).start()
    stop = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(node, stop)) for writer in writers]
    try:
        with node.client() as client:
            client.must("FLUSHALL")
        for thread in threads:
            thread.start()
        target = rng.randint(1, 4000)
        wait_for(lambda: sum(writer.acknowledged for writer in writers) >= target, 60.0)
        node.kill()
        killed = time.monotonic()
    finally:
        stop.set()
        node.kill()
        for thread in threads:
            thread.join()
    node.start()
    try:
        with node.client() as client:
            for writer in writers:
                found = [int(number) for number in client.must("LRANGE", writer.name, 0, -1)]
                assert found == list(range(1, len(found) + 1)), f"{writer.name} has a gap"
                # A killed process leaves to the kernel what it wrote: under any policy that is all before a reply.
                promised = writer.acknowledged
                if policy == "everysec":
                    promised = writer.acknowledged_before(killed - EVERYSEC_SECONDS)
                assert promised <= len(found) <= writer.sent, f"{writer.name}: {len(found)}, promised {promised}"
    finally:
        node.kill()
        shutil.rmtree(folder / "appendonlydir", ignore_errors=True)
