"""Slow log, latency monitor, durations, memory and MONITOR, as a client sees them."""

from __future__ import annotations

import pytest

from tests.support.engine_client import BEGIN, EngineClient, refused


class SlowClock:
    """A stopwatch whose every look costs as many seconds as it is told."""

    def __init__(self, engine_client: EngineClient) -> None:
        self.seconds = 0.0
        self.each = 0.0
        engine = engine_client.engine
        engine.stopwatch = self
        engine.short_way._stopwatch = self

    def __call__(self) -> float:
        self.seconds += self.each
        return self.seconds


@pytest.fixture
def clock(kv: EngineClient) -> SlowClock:
    """What makes commands slow."""
    return SlowClock(kv)


# ---- the slow log


def test_the_slow_log_has_every_command_if_the_threshold_is_0(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "slowlog-log-slower-than", 0)
    kv("SLOWLOG", "RESET")
    kv("CLIENT", "SETNAME", "me")
    kv("SET", "a", "1")
    entries = kv("SLOWLOG", "GET", -1)
    assert [entry[3] for entry in entries] == [["SET", "a", "1"], ["CLIENT", "SETNAME", "me"], ["SLOWLOG", "RESET"]]
    assert [entry[0] for entry in entries] == [3, 2, 1]
    assert entries[0][1] == BEGIN // 1000
    assert entries[0][5] == "me"


def test_the_slow_log_has_what_took_long_and_nothing_else(kv: EngineClient, clock: SlowClock) -> None:
    kv("SET", "a", "1")
    clock.each = 0.02
    kv("GET", "a")
    kv("STRLEN", "a")
    clock.each = 0.0
    kv("GET", "a")
    assert [(entry[2], entry[3]) for entry in kv("SLOWLOG", "GET")] == [
        (20_000, ["STRLEN", "a"]),
        (20_000, ["GET", "a"]),
    ]
    assert kv("SLOWLOG", "LEN") == 2


def test_a_command_that_waits_is_in_the_slow_log_when_it_has_ended(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "slowlog-log-slower-than", 0)
    other = kv.other()
    other.send("BLPOP", "tasks", 0)
    assert kv("SLOWLOG", "GET", 1)[0][3] == ["CONFIG", "SET", "slowlog-log-slower-than", "0"]
    kv("SLOWLOG", "RESET")
    kv("RPUSH", "tasks", "a")
    assert [entry[3] for entry in kv("SLOWLOG", "GET", 2)] == [["BLPOP", "tasks", "0"], ["RPUSH", "tasks", "a"]]


def test_a_negative_threshold_turns_the_slow_log_off(kv: EngineClient, clock: SlowClock) -> None:
    kv("CONFIG", "SET", "slowlog-log-slower-than", -1)
    clock.each = 100.0
    kv("GET", "a")
    kv("STRLEN", "a")
    assert kv("SLOWLOG", "LEN") == 0


def test_the_slow_log_forgets_the_oldest(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 3)
    for number in range(5):
        kv("GET", number)
    assert [entry[3] for entry in kv("SLOWLOG", "GET")] == [["GET", "4"], ["GET", "3"], ["GET", "2"]]


def test_long_requests_are_remembered_shortened(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "slowlog-log-slower-than", 0)
    kv("DEL", *range(40))
    kv("SET", "a", "x" * 300)
    entries = kv("SLOWLOG", "GET", 2)
    assert entries[0][3] == ["SET", "a", "x" * 128 + "... (172 more bytes)"]
    assert entries[1][3] == ["DEL", *map(str, range(30)), "... (10 more arguments)"]


def test_secrets_are_not_remembered(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "slowlog-log-slower-than", 0)
    with refused(
        "ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct?"
    ):
        kv("AUTH", "secret")
    kv("CONFIG", "SET", "masterauth", "secret", "maxclients", 100)
    kv("ACL", "SETUSER", "ada", ">secret")
    kv("HELLO", 2, "SETNAME", "me")
    seen = [entry[3] for entry in kv("SLOWLOG", "GET")]
    assert "secret" not in str(seen)
    assert ["CONFIG", "SET", "masterauth", "(redacted)", "maxclients", "100"] in seen
    assert ["AUTH", "(redacted)"] in seen


def test_a_transaction_is_remembered_command_by_command(kv: EngineClient) -> None:
    kv("CONFIG", "SET", "slowlog-log-slower-than", 0)
    kv("MULTI")
    kv("SET", "a", "1")
    kv("EXEC")
    assert [entry[3] for entry in kv("SLOWLOG", "GET", 2)] == [["SET", "a", "1"], ["MULTI"]]


# ---- the latency monitor


def test_slow_moments_are_told_by_event(kv: EngineClient, clock: SlowClock) -> None:
    kv("CONFIG", "SET", "latency-monitor-threshold", 100)
    clock.each = 0.15
    kv("GET", "a")
    kv("KEYS", "*")
    clock.each = 0.0
    second = BEGIN // 1000
    assert kv("LATENCY", "LATEST") == [["fast-command", second, 150, 150], ["command", second, 150, 150]]
    kv.wait(2000)
    clock.each = 0.3
    kv("GET", "a")
    clock.each = 0.12
    kv("GET", "a")
    clock.each = 0.0
    assert kv("LATENCY", "HISTORY", "fast-command") == [[second, 150], [second + 2, 300]]
    assert kv("LATENCY", "LATEST")[0] == ["fast-command", second + 2, 300, 300]


def test_latency_reset_forgets_events_and_counts_them(kv: EngineClient) -> None:
    monitor = kv.engine.latency
    for event in ("fork", "command", "expire-cycle"):
        monitor.add(event, 1, 200)
    assert kv("LATENCY", "RESET", "fork", "nothing") == 1
    assert kv("LATENCY", "RESET") == 2
    assert kv("LATENCY", "LATEST") == []
    assert kv("LATENCY", "HISTORY", "fork") == []


def test_a_graph_has_a_column_for_each_moment(kv: EngineClient) -> None:
    now = BEGIN // 1000
    for before, duration in ((7200, 100), (300, 300), (15, 200), (1, 500)):
        kv.engine.latency.add("command", now - before, duration)
    assert kv("LATENCY", "GRAPH", "command").split("\n") == [
        "command - high 500 ms, low 100 ms (all time high 500 ms)",
        "-" * 80,
        "   #",
        " _ |",
        " |_|",
        "_|||",
        "    ",
        "2511",
        "hm5s",
        "  s ",
        "",
    ]
    with refused("ERR No samples available for event 'fork'"):
        kv("LATENCY", "GRAPH", "fork")


def test_the_doctor_tells_what_was_slow(kv: EngineClient) -> None:
    assert "off" in kv("LATENCY", "DOCTOR")
    kv("CONFIG", "SET", "latency-monitor-threshold", 100)
    assert "No event" in kv("LATENCY", "DOCTOR")
    kv.engine.latency.add("fork", BEGIN // 1000, 250)
    assert "fork: 1 times (mean 250 ms" in kv("LATENCY", "DOCTOR")


# ---- durations


def test_a_histogram_counts_calls_up_to_each_duration(kv: EngineClient, clock: SlowClock) -> None:
    kv("CONFIG", "RESETSTAT")
    for each, calls in ((3e-6, 3), (30e-6, 2), (5e-3, 1)):
        clock.each = each
        for _ in range(calls):
            kv("GET", "a")
    clock.each = 0.0
    assert kv("LATENCY", "HISTOGRAM", "get", "nosuch") == [
        "get",
        ["calls", 6, "histogram_usec", [4, 3, 33, 5, 8454, 6]],
    ]
    assert kv("LATENCY", "HISTOGRAM", "nosuch") == []


def test_percentiles_stand_in_info(kv: EngineClient, clock: SlowClock) -> None:
    kv("CONFIG", "RESETSTAT")
    clock.each = 10e-6
    for _ in range(99):
        kv("GET", "a")
    clock.each = 1e-3
    kv("GET", "a")
    clock.each = 0.0
    found = dict(line.split(":") for line in kv("INFO", "latencystats").split("\r\n")[1:] if line)
    assert found["latency_percentiles_usec_get"] == "p50=10.124,p99=10.124,p99.9=1003.519"


def test_durations_are_not_counted_when_latency_tracking_is_off(kv: EngineClient) -> None:
    kv("CONFIG", "RESETSTAT")
    kv("CONFIG", "SET", "latency-tracking", "no")
    kv("GET", "a")
    kv("STRLEN", "a")
    assert kv("LATENCY", "HISTOGRAM", "get", "strlen") == []


# ---- memory


def test_memory_usage_grows_with_what_a_key_holds(kv: EngineClient) -> None:
    kv("SET", "short", "x")
    kv("SET", "long", "x" * 1000)
    assert kv("MEMORY", "USAGE", "long") - kv("MEMORY", "USAGE", "short") == 999 + 9  # in whole blocks
    kv("RPUSH", "list", *["x" * 100] * 2000)
    assert 200_000 < kv("MEMORY", "USAGE", "list", "SAMPLES", 0) < 400_000
    before = kv("MEMORY", "USAGE", "short")
    kv("EXPIRE", "short", 100)
    assert kv("MEMORY", "USAGE", "short") > before
    assert kv("MEMORY", "USAGE", "nothing") is None


def test_memory_usage_looks_at_as_many_elements_as_asked_for(kv: EngineClient) -> None:
    kv("HSET", "hash", "first", "x", *[word for number in range(100) for word in (number, "y" * 1000)])
    assert kv("MEMORY", "USAGE", "hash", "SAMPLES", 1) < 50_000 < kv("MEMORY", "USAGE", "hash", "SAMPLES", 0)


def test_memory_stats_names_each_database(kv: EngineClient) -> None:
    kv("SET", "a", "1")
    kv("SELECT", 3)
    kv("SET", "a", "1", "EX", "100")
    reply = kv("MEMORY", "STATS")
    stats = dict(zip(reply[::2], reply[1::2], strict=True))
    assert stats["keys.count"] == 2
    assert {"db.0", "db.3"} <= stats.keys()
    assert "next to no data" in kv("MEMORY", "DOCTOR")
    assert kv("MEMORY", "PURGE") == "OK"
    assert "blocks in use" in kv("MEMORY", "MALLOC-STATS")


# ---- MONITOR


def test_an_onlooker_sees_each_request_as_it_is_carried_out(kv: EngineClient) -> None:
    looker = kv.other()
    assert looker("MONITOR") == "OK"
    kv("SET", "a", 'say "x"\n\xff')
    kv("MULTI")
    kv("GET", "a")
    with refused("ERR unknown command 'NOSUCH', with args beginning with: "):
        kv("NOSUCH")
    kv("CONFIG", "GET", "port")
    with refused("EXECABORT Transaction discarded because of previous errors."):
        kv("EXEC")
    seen = [line.split(" ", 3)[3] for line in looker.taken().decode().split("\r\n") if line]
    assert seen == ['"SET" "a" "say \\"x\\"\\n\\xc3\\xbf"', '"MULTI"', '"EXEC"']


def test_an_onlooker_leaves_the_keys_alone_until_reset(kv: EngineClient) -> None:
    kv("MONITOR")
    assert kv.raw("MONITOR") == b""
    assert kv.raw("GET", "a").startswith(b"-ERR Replica can't interact with the keyspace")
    assert kv.raw("RESET").startswith(b"+RESET\r\n")
    kv("SET", "a", "1")
    assert kv("GET", "a") == "1"
    assert not kv.engine.observer.onlookers


def test_a_wait_that_takes_long_to_end_is_an_event(kv: EngineClient, other: EngineClient, clock: SlowClock) -> None:
    kv("CONFIG", "SET", "latency-monitor-threshold", 10)
    other.send("BLPOP", "list", 0)
    clock.each = 0.02
    kv("RPUSH", "list", "a")
    clock.each = 0.0
    assert {event[0]: event[2] for event in kv("LATENCY", "LATEST")}["command-unblocking"] >= 20
