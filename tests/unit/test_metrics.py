"""The metrics of an engine, and who is given them."""

from __future__ import annotations

import gc
import socket
import time

import trio
from prometheus_client.parser import text_string_to_metric_families
from shardkv_node.metrics import steps
from shardkv_node.metrics_server import MetricsServer

from shardkv.commands.spec import TABLE
from tests.support.engine_client import EngineClient

#: A step of a scrape holds clients up for as long as it takes; processor time, for the machine may be busy.
STEP_SECONDS_MAX = 0.01


def test_a_scrape_of_a_busy_node_goes_in_short_steps() -> None:
    kv = EngineClient()
    for _ in range(10_000):
        kv.engine.open()
    for command in TABLE.values():
        command.stats.calls += 1
        for microseconds in (1, 100, 5000, 70_000):
            command.stats.durations.add(microseconds)
    gc.disable()  # a node's collector walks no heap as a whole
    try:
        longest = 0.0
        text = b""
        started = time.thread_time()
        for piece in steps(kv.engine):
            text += piece
            longest = max(longest, time.thread_time() - started)
            started = time.thread_time()
    finally:
        gc.enable()
        for command in TABLE.values():
            command.stats.calls = 0
            command.stats.durations.reset()
    assert longest < STEP_SECONDS_MAX
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert {sample.labels["cmd"] for sample in families["redis_commands"].samples} >= {"get", "client|list"}
    assert len(families["redis_commands_latencies_usec"].samples) > 5 * len(TABLE)


def test_protected_mode_keeps_strangers_out() -> None:
    kv = EngineClient()
    answers: list[bytes] = []

    async def ask(denied: bool) -> None:
        server = MetricsServer(kv.engine, lambda peer: denied)
        door = socket.create_server(("127.0.0.1", 0))
        door.setblocking(False)
        server.listen([door])
        port = door.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run)
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            async with stream:
                await stream.send_all(b"GET /metrics HTTP/1.0\r\n\r\n")
                answers.append(b"".join([piece async for piece in stream]))
            nursery.cancel_scope.cancel()

    for denied in (True, False):
        trio.run(ask, denied)
    assert answers[0].startswith(b"HTTP/1.1 403 ")
    assert b"redis_up" not in answers[0]
    assert answers[1].startswith(b"HTTP/1.1 200 ")
    assert b"\nredis_up 1.0\n" in answers[1]
