"""``python -m tests.bench``: shardkv-node and redis-server side by side, held to the budget.

Without a choice among ``--speed``, ``--logged``, ``--replicated``, ``--snapshots``, ``--scripts``, ``--memory``,
``--eviction``, ``--costs``, ``--stalls`` and ``--cluster`` all are measured; ``--quick`` is about speed alone unless
another is asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Final

from . import clustered, costs, eviction, logged, memory, replicated, scripts, snapshots, stalls
from .budget import missed
from .measure import Plan, side_by_side
from .report import as_json, as_markdown, as_table
from .workloads import QUICK, WORKLOADS

# Requests a run by depth: about a second for redis-server, so that a tick of CPU time (10 ms) is one in a hundred.
THOROUGH = {1: 100_000, 16: 800_000}
BRIEF = {1: 30_000, 16: 240_000}


def _logged(chosen: argparse.Namespace) -> list[str]:
    with_log = logged.compare(_plan(chosen), _tell)
    print(f"\n{logged.as_table(with_log)}")
    return logged.missed(with_log)


def _replicated(chosen: argparse.Namespace) -> list[str]:
    followed = replicated.compare(_plan(chosen), _tell)
    syncs = replicated.full_syncs(replicated.KEYS // (10 if chosen.quick else 1), chosen.rounds or 1, _tell)
    print(f"\n{replicated.as_table(followed, syncs)}")
    return replicated.missed(followed, syncs)


def _snapshots(chosen: argparse.Namespace) -> list[str]:
    scale = 10 if chosen.quick else 1
    works = snapshots.compare(snapshots.KEYS // scale, chosen.rounds or (1 if chosen.quick else 3), _tell)
    felt = snapshots.feel(snapshots.KEYS_IN_BACKGROUND // scale, _tell)
    print(f"\n{snapshots.as_table(works, felt)}")
    return snapshots.missed(works, felt)


def _scripts(chosen: argparse.Namespace) -> list[str]:
    scripted, each = scripts.compare(_plan(chosen), _tell), scripts.cache_bytes(_tell)
    print(f"\n{scripts.as_table(scripted, each)}")
    return scripts.missed(scripted, each)


def _memory(chosen: argparse.Namespace) -> list[str]:
    grown = memory.compare(memory.data(0.1 if chosen.quick else 1.0), _tell)
    print(f"\n{memory.as_table(grown)}")
    return memory.missed(grown)


def _costs(chosen: argparse.Namespace) -> list[str]:
    rows = costs.measure(costs.SIZES[:2] if chosen.quick else costs.SIZES, _tell)
    print(f"\n{costs.as_table(rows)}")
    return costs.missed(rows)


def _stalls(chosen: argparse.Namespace) -> list[str]:
    scale = 10 if chosen.quick else 1
    waits = stalls.measure(stalls.cases(stalls.ELEMENTS // scale, stalls.KEYS // scale), _tell)
    print(f"\n{stalls.as_table(waits)}")
    return stalls.missed(waits)


def _eviction(chosen: argparse.Namespace) -> list[str]:
    scale = 10 if chosen.quick else 1
    hits, full = eviction.hit_rates(scale, _tell), eviction.fullness(scale // 5 or 1, _tell)
    costs_of_it = eviction.prices(_plan(chosen), _tell)
    print(f"\n{eviction.as_table(hits, full, costs_of_it)}")
    return eviction.missed(hits, full, costs_of_it)


def _clustered(chosen: argparse.Namespace) -> list[str]:
    rounds = chosen.rounds or (1 if chosen.quick else 3)
    pairs = [*clustered.throughput(_plan(chosen), _tell), clustered.reshard(rounds, _tell)]
    whole, waited = clustered.atomic(rounds, _tell)
    print(f"\n{clustered.as_table([*pairs, whole], waited)}")
    return clustered.missed([*pairs, whole], waited)


#: The tables beside that of throughput: each measures, prints, and returns the promises missed.
TABLES: Final[dict[str, tuple[str, Callable[[argparse.Namespace], list[str]]]]] = {
    "logged": ("what appendonly with everysec costs SET", _logged),
    "replicated": ("what a replica costs SET, and full synchronisation", _replicated),
    "snapshots": ("saving, loading, and what clients feel of BGSAVE", _snapshots),
    "scripts": ("EVALSHA of a GET, of ten INCRs and of a loop", _scripts),
    "memory": ("growth of resident memory for the same data", _memory),
    "eviction": ("hit rates, memory at its limit, and what a limit costs SET", _eviction),
    "costs": ("time an operation as the data grows to a million", _costs),
    "stalls": ("how long others wait while very much is deleted or expires", _stalls),
    "cluster": ("two nodes beside one redis-server, and how fast slots move", _clustered),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns 1 when a promise is missed."""
    names = [workload.name for workload in WORKLOADS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few tests, one round, short runs: a first impression")
    parser.add_argument("--speed", action="store_true", help="throughput and CPU, by redis-benchmark")
    for name, (about, _) in TABLES.items():
        parser.add_argument(f"--{name}", action="store_true", help=about)
    parser.add_argument("--rounds", type=int, help="runs of each test, of which the median counts (3; quick: 1)")
    parser.add_argument("--depth", type=int, action="append", choices=sorted(THOROUGH), help="only this pipeline depth")
    parser.add_argument("--tests", type=lambda text: text.split(","), help=f"only these, of {','.join(names)}")
    parser.add_argument("--pin", action="store_true", help="servers on core 0, redis-benchmark on core 1")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print the README's table")
    parser.add_argument("--report-only", action="store_true", help="exit with 0 even if a promise is missed")
    chosen = parser.parse_args(arguments)
    if unknown := sorted(set(chosen.tests or ()) - set(names)):
        parser.error(f"no such test: {', '.join(unknown)}")

    asked = {name for name in TABLES if getattr(chosen, name)}
    everything = not (chosen.speed or asked)
    complaints = _speed(chosen, names) if chosen.speed or everything else []
    for name, (_, measure) in TABLES.items():
        if name in asked or (everything and not _about_speed(chosen)):
            complaints += measure(chosen)
    for complaint in complaints:
        print(f"missed: {complaint}", file=sys.stderr)
    return 1 if complaints and not chosen.report_only else 0


def _about_speed(chosen: argparse.Namespace) -> bool:
    """Whether there is an option among those chosen that is about throughput."""
    return bool(chosen.quick or chosen.tests or chosen.depth or chosen.json or chosen.markdown)


def _speed(chosen: argparse.Namespace, names: Sequence[str]) -> list[str]:
    """Measures throughput and prints it; the promises missed."""
    wanted = chosen.tests or (QUICK if chosen.quick else names)
    rows, skipped = side_by_side([w for w in WORKLOADS if w.name in wanted], _plan(chosen), _tell)
    complaints = missed(rows)
    if chosen.json:
        print(as_json(rows, skipped, complaints))
    else:
        print((as_markdown if chosen.markdown else as_table)(rows, skipped))
    return complaints


def _plan(chosen: argparse.Namespace) -> Plan:
    """How much to measure."""
    requests = BRIEF if chosen.quick else THOROUGH
    return Plan(
        rounds=chosen.rounds or (1 if chosen.quick else 3),
        requests={depth: count for depth, count in requests.items() if depth in (chosen.depth or requests)},
        pin=chosen.pin,
    )


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
