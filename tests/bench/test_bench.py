"""The bench judges as it promises, and asks the right questions."""

from __future__ import annotations

import pytest

from tests.bench import clustered, costs, eviction, logged, memory, scripts, snapshots, stalls
from tests.bench.budget import geometric_mean, missed
from tests.bench.measure import Row, Sample
from tests.bench.workloads import WORKLOADS


def _row(test: str, depth: int, ratio: float) -> Row:
    return Row(test, depth, Sample(100_000 * ratio, 10.0), Sample(100_000, 10.0))


def test_ratios_at_the_promise_are_good_enough() -> None:
    assert missed([_row("get", 1, 0.8), _row("set", 16, 0.5)]) == []


def test_a_low_mean_is_a_missed_promise() -> None:
    [complaint] = missed([_row("incr", 1, 0.9), _row("mset", 1, 0.6)])
    assert "geometric mean is 0.73" in complaint


def test_set_and_get_are_held_each_by_itself() -> None:
    [complaint] = missed([_row("get", 16, 0.45), _row("ping_mbulk", 16, 0.9)])
    assert complaint == "depth 16: get is at 0.45, promised 0.5"


def test_one_very_slow_test_is_a_missed_promise() -> None:
    [complaint] = missed([_row("spop", 16, 0.2), _row("get", 16, 1.5)])
    assert complaint.startswith("depth 16: spop is at 0.20")


def test_the_geometric_mean_treats_twice_and_half_alike() -> None:
    assert geometric_mean([_row("get", 1, 2.0), _row("set", 1, 0.5)]) == pytest.approx(1.0)


def test_probes_touch_no_key_of_the_measurement() -> None:
    keys = {w.words[1] for w in WORKLOADS if len(w.words) > 1}
    assert [w.name for w in WORKLOADS if len(w.probe) > 1 and w.probe[1] in keys] == []


def test_a_type_that_takes_too_much_memory_is_a_missed_promise() -> None:
    kept, broken = memory.Growth("lists", 2.5, 25.0, 10.0), memory.Growth("hashes", 2.5, 26.0, 10.0)
    [complaint] = memory.missed([kept, broken])
    assert complaint == "memory: hashes take 2.60 times Redis's, promised 2.5 at most"


def test_a_log_that_costs_too_much_is_a_missed_promise() -> None:
    without, kept, broken = Sample(100_000, 3.0), Sample(75_000, 4.0), Sample(70_000, 4.2)
    costs = [logged.Cost("node", 1, without, kept), logged.Cost("redis", 1, without, broken)]
    assert logged.missed(costs) == []
    [complaint] = logged.missed([logged.Cost("node", 16, without, broken)])
    assert complaint == "depth 16: the log costs 29% of SET, promised 25% at most"


def test_a_script_that_takes_too_long_is_a_missed_promise() -> None:
    theirs, kept, broken = Sample(90_000, 3.0), Sample(30_000, 9.0), Sample(29_000, 9.2)
    fine = [scripts.Cost("one GET", 1, kept, theirs), scripts.Cost("one GET", 16, broken, theirs)]
    assert scripts.missed(fine, 1000.0) == []
    [late, large] = scripts.missed([scripts.Cost("one GET", 1, broken, theirs)], 5000.0)
    assert late == "depth 1: EVALSHA of one GET takes 3.1 times Redis's time, promised 3 at most"
    assert large == "scripts: each in the cache takes 5000 bytes, promised 4096 at most"


def test_no_operation_grows_with_the_data() -> None:
    """Generous: what is linear would be a hundred times dearer on a hundred times as much."""
    rows = costs.measure((1_000, 30_000))
    assert costs.missed(rows) == []


def test_snapshots_that_take_too_long_are_a_missed_promise() -> None:
    kept, broken = snapshots.Work("save", 4.0, 1.0), snapshots.Work("load", 4.5, 1.0)
    quick, slow = [1.0] * 1000, [1.0] * 995 + [11.0] * 5
    assert snapshots.missed([kept], snapshots.Felt(slow, quick)) == []
    of_load, of_bgsave = snapshots.missed([kept, broken], snapshots.Felt(quick, slow))
    assert of_load == "snapshots: to load takes 4.50 times Redis's CPU time, promised 4 at most"
    assert of_bgsave == "snapshots: during BGSAVE p99.9 is 11.0 ms, promised 10 at most"


def test_the_mixed_keys_are_as_many_as_asked_for_and_always_the_same() -> None:
    words = list(snapshots.mixed(100))
    assert len({command[1] for command in words}) == 100
    assert words == list(snapshots.mixed(100))


def test_a_node_that_makes_others_wait_is_a_missed_promise() -> None:
    kept = stalls.Stall("DEL a set", quiet_ms=30.0, during_ms=40.0, work_ms=9.9, seconds=1.0)  # a busy machine
    broken = stalls.Stall("FLUSHALL", quiet_ms=1.0, during_ms=12.0, work_ms=11.0, seconds=1.0)
    [complaint] = stalls.missed([kept, broken])
    assert complaint == "stalls: FLUSHALL makes others wait 11.0 ms, promised 10 at most"


def test_freeing_many_elements_stalls_nobody() -> None:
    """The short form of ``make bench ARGS=--stalls``."""
    [case, *_] = stalls.cases(300_000)
    [row] = stalls.measure([case], lambda text: None)
    assert stalls.missed([row]) == []


def test_a_cluster_is_held_to_each_ratio_and_to_the_pause() -> None:
    good = clustered.Pair("reshard", "keys/s", 50.0, 100.0, "redis-server", 0.5)
    assert clustered.missed([good], 100.0) == []
    slow = clustered.Pair("reshard", "keys/s", 40.0, 100.0, "redis-server", 0.5)
    assert clustered.missed([slow], 120.0) == [
        "reshard: 0.40 of redis-server, promised 0.5",
        "writes waited 120 ms for an atomic migration, promised 100",
    ]


def test_a_cache_that_hits_less_or_takes_more_than_its_limit_is_a_missed_promise() -> None:
    hits = [eviction.Hits("node", "allkeys-lru", 0.49, 100), eviction.Hits("redis", "allkeys-lru", 0.5, 100)]
    full = eviction.Fullness(limit=100, used=101, grown=106)
    free, limited, slow = Sample(100_000, 10.0), Sample(90_000, 11.0), Sample(40_000, 25.0)
    costs = [eviction.Price("node", 1, free, limited, slow), eviction.Price("redis", 1, free, slow, slow)]
    assert eviction.missed(hits, full, costs) == [
        "allkeys-lru hits 49.0%, promised redis-server's 50.0%",
        "memory by its growth is at 106% of its limit",
        "depth 1: giving up keys leaves 40% of the throughput",
    ]
