"""Scripts that are in use: published packages that bring Lua with them, unchanged, against a node."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.processes import Node

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node() as node:
        yield node


# Each in a process of its own: some leave sockets open, which this suite counts as errors.

REDIS_PY_LOCK = """
import sys, redis
from redis.exceptions import LockError, LockNotOwnedError

client = redis.Redis(port=int(sys.argv[1]))
first, second = client.lock("lock", timeout=10), client.lock("lock", timeout=10, blocking=False)
assert first.acquire() and not second.acquire()
assert first.extend(5) and 10 < first.reacquire() * 11
assert client.pttl("lock") > 9000
first.release()
assert second.acquire()
try:
    first.local.token = b"not mine"
    first.release()
except LockNotOwnedError:
    pass
else:
    raise AssertionError("released by a stranger")
second.release()
with client.lock("lock", timeout=1):
    assert client.exists("lock")
assert not client.exists("lock")
"""

LIMITS = """
import sys
from limits import parse
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

storage = RedisStorage(f"redis://127.0.0.1:{sys.argv[1]}")
three = parse("3/minute")
for kind in (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter):
    limiter = kind(storage)
    name = kind.__name__
    assert [limiter.hit(three, name) for _ in range(5)] == [True, True, True, False, False], name
    assert not limiter.test(three, name)
    assert limiter.get_window_stats(three, name).remaining == 0
    assert limiter.test(three, name + "other", cost=3)
    limiter.clear(three, name)
    assert limiter.hit(three, name, cost=3)
assert storage.reset() > 0
"""

RQ = """
import sys, operator, redis
from rq import Queue, SimpleWorker, Retry

connection = redis.Redis(port=int(sys.argv[1]))
queue = Queue("work", connection=connection)
jobs = [queue.enqueue(operator.add, number, 1) for number in range(5)]
unique = [queue.enqueue(operator.add, 1, 1, job_id="one-and-only") for _ in range(1)]
dependent = queue.enqueue(operator.mul, 6, 7, depends_on=jobs)
failing = queue.enqueue(operator.truediv, 1, 0)
worker = SimpleWorker([queue], connection=connection)
worker.work(burst=True, logging_level="CRITICAL")
assert [job.latest_result().return_value for job in jobs] == [1, 2, 3, 4, 5]
assert dependent.latest_result().return_value == 42
assert failing.is_failed and failing.id in queue.failed_job_registry.get_job_ids()
assert queue.finished_job_registry.count == 7
"""

DRAMATIQ = """
import sys, dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend

url = f"redis://127.0.0.1:{sys.argv[1]}"
broker = RedisBroker(url=url)
dramatiq.set_broker(broker)
done = []

@dramatiq.actor
def work(number):
    done.append(number)

for number in range(20):
    work.send(number)
work.send_with_options(args=(20,), delay=50)
worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=2)
worker.start()
broker.join("default", timeout=20_000)
worker.join()
worker.stop()
assert sorted(done) == list(range(21)), done
limiter = ConcurrentRateLimiter(RedisBackend(url=url), "mutex", limit=1)
with limiter.acquire():
    with limiter.acquire(raise_on_failure=False) as acquired:
        assert not acquired
"""

POTTERY = """
import sys, redis
from pottery import NextID, Redlock

masters = {redis.Redis(port=int(sys.argv[1]))}
lock = Redlock(key="resource", masters=masters, auto_release_time=10)
assert lock.acquire() and 0 < lock.locked() <= 10
lock.extend()
other = Redlock(key="resource", masters=masters, auto_release_time=10)
assert not other.acquire(blocking=False)
lock.release()
assert other.acquire()
other.release()
ids = NextID(key="ids", masters=masters)
assert [next(ids) for _ in range(3)] == [1, 2, 3]
"""


BULLMQ = """
import asyncio, sys
from bullmq import FlowProducer, Queue, Worker

options = {"connection": {"host": "127.0.0.1", "port": int(sys.argv[1])}}

async def talk():
    queue = Queue("work", options)
    seen = []
    jobs = [await queue.add("plain", {"number": number}) for number in range(10)]
    await queue.add("urgent", {"number": 10}, {"priority": 1})
    await queue.add("later", {"number": 11}, {"delay": 50})
    await queue.addBulk([{"name": "bulk", "data": {"number": number}} for number in (12, 13)])
    await queue.add("fails", {"number": 14}, {"attempts": 2})
    flow = FlowProducer(options["connection"])
    tree = await flow.add({
        "name": "parent", "queueName": "work", "data": {"number": 15},
        "children": [{"name": "child", "queueName": "work", "data": {"number": 16}}],
    })
    counts = await queue.getJobCounts("waiting", "prioritized", "delayed", "waiting-children")
    assert sum(counts.values()) == 17, counts
    async def work(job, token):
        if job.name == "fails" and job.attemptsMade < 1:
            raise ValueError("once")
        seen.append(job.data["number"])
        return job.data["number"]
    worker = Worker("work", work, options)
    for _ in range(1000):
        if len(seen) == 17:
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError(seen)
    await worker.close(True)
    assert sorted(seen) == list(range(17))
    assert seen.index(16) < seen.index(15)
    assert await queue.getCompletedCount() == 17
    assert await queue.getFailedCount() == 0
    await queue.pause()
    assert await queue.isPaused()
    await queue.obliterate(force=True)
    await flow.close()
    await queue.close()

asyncio.run(talk())
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(REDIS_PY_LOCK, id="redis-py"),
        pytest.param(LIMITS, id="limits"),
        pytest.param(RQ, id="rq"),
        pytest.param(DRAMATIQ, id="dramatiq"),
        pytest.param(POTTERY, id="pottery"),
        pytest.param(BULLMQ, id="bullmq"),
    ],
)
def test_a_published_package_works_unchanged(node: Node, program: str) -> None:
    with node.client() as client:
        client.must("FLUSHALL")
        client.must("SCRIPT", "FLUSH")
    done = subprocess.run(
        [sys.executable, "-c", program, str(node.port)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
