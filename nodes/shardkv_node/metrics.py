"""The node's metrics, as Prometheus reads them and under the names of redis_exporter. They are the numbers of INFO,
CLUSTER INFO, LATENCY and SLOWLOG: what counts them is asked, nothing is counted twice.

A scrape is made in small steps (``steps``), between which clients can be served: the families one after the other, and
long ones in pieces. This module needs prometheus-client, which takes a while to import; the server of the endpoint does
that at the first scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from shardkv.cluster import describe
from shardkv.commands.spec import TABLE
from shardkv.engine.engine import Engine
from shardkv.engine.info import SECTIONS

from .metric_names import COUNTERS, GAUGES, INSTANCE, WORDS

#: A piece of a family has about this many samples.
PIECE: Final = 50
#: The durations of so many commands are put together at a time.
COMMANDS: Final = 8
#: Sections whose fields are metrics by their names.
_PLAIN: Final = ("Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Cluster")
#: The format: the one that every version of Prometheus reads. (redis_exporter's quantiles, from 0 to 100, are none for
#: OpenMetrics.)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Fields = dict[str, Any]


def steps(engine: Engine) -> Iterator[bytes]:
    """The text in pieces."""
    last = ""
    for family in families(engine):
        for piece in _pieces(family):
            text = generate_latest(_Only(piece))
            yield text if piece.name != last else _without_head(text)
            last = piece.name


class _Only(Collector):
    """A registry of one family alone."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return (self._family,)


def _pieces(family: Metric) -> Iterator[Metric]:
    samples = family.samples
    for start in range(0, len(samples), PIECE):
        piece = Metric(family.name, family.documentation, family.type)
        piece.samples = samples[start : start + PIECE]
        yield piece


def _without_head(text: bytes) -> bytes:
    """The samples of a family whose HELP and TYPE lines have been said."""
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"#"))


def families(engine: Engine) -> Iterator[Metric]:
    """All families of metrics, each asked for when its turn comes; a long one may come in parts."""
    facts = engine.world.facts()
    yield _gauge("up", "Whether the node answers.", 1)
    known: Fields = {}
    for title in _PLAIN:
        fields = dict(SECTIONS[title](engine, facts))
        known |= fields
        yield from plain(fields)
    yield from _identity(known)
    yield from _replicas(known)
    yield from _keyspace(dict(SECTIONS["Keyspace"](engine, facts)))
    yield from _commands()
    yield from _durations(engine)
    yield from _errors(engine)
    yield from _cluster(engine)
    yield from _observed(engine)
    yield _gauge("config_maxclients", "The option maxclients.", engine.config.maxclients)
    yield _gauge("config_maxmemory", "The option maxmemory, in bytes.", engine.config.maxmemory)


def plain(fields: Fields) -> Iterator[Metric]:
    """The metrics that are single numbers."""
    for field, shown in fields.items():
        counts = field in COUNTERS
        name = COUNTERS.get(field) or GAUGES.get(field)
        if name is not None:
            family = _counter if counts else _gauge
            yield family(name, f"The field {field} of INFO.", number(shown))


def number(shown: Any) -> float:
    """A number as INFO shows it, or a state."""
    return WORDS[shown] if shown in WORDS else float(str(shown).removesuffix("%"))


def pairs(shown: str) -> dict[str, str]:
    """``{"keys": "1", ...}`` of ``keys=1,...``."""
    return dict(pair.split("=", 1) for pair in shown.split(","))


def _gauge(name: str, doc: str, value: float) -> Metric:
    return GaugeMetricFamily(f"redis_{name}", doc, value=value)


def _counter(name: str, doc: str, value: float) -> Metric:
    return CounterMetricFamily(f"redis_{name}", doc, value=value)


def _identity(fields: Fields) -> Iterator[Metric]:
    started = int(fields["server_time_usec"]) // 10**6 - int(fields["uptime_in_seconds"])
    yield _gauge("start_time_seconds", "When the node was started, in Unix seconds.", started)
    yield _gauge("latest_fork_seconds", "How long the last fork took.", fields["latest_fork_usec"] / 1e6)
    info = GaugeMetricFamily("redis_instance_info", "What the node is, in its labels.", labels=INSTANCE)
    info.add_metric([str(fields[name]) for name in INSTANCE], 1)
    yield info


def _replicas(fields: Fields) -> Iterator[Metric]:
    """The replicas of a primary, and the primary of a replica."""
    labels = ("slave_ip", "slave_port", "slave_state")
    offset = GaugeMetricFamily("redis_connected_slave_offset_bytes", "What a replica has acknowledged.", labels=labels)
    lag = GaugeMetricFamily("redis_connected_slave_lag_seconds", "How long ago it was heard.", labels=labels)
    for field, shown in fields.items():
        if field.startswith("slave") and field[5:].isdigit():
            found = pairs(shown)
            which = (found["ip"], found["port"], found["state"])
            offset.add_metric(which, float(found["offset"]))
            lag.add_metric(which, float(found["lag"]))
    yield from (offset, lag)
    if fields["role"] != "slave":
        return
    primary = (str(fields["master_host"]), str(fields["master_port"]))
    read_only = str(fields["slave_read_only"])
    info = GaugeMetricFamily(
        "redis_slave_info", "What a replica is.", labels=("master_host", "master_port", "read_only")
    )
    info.add_metric((*primary, read_only), 1)
    yield info
    numbers = {
        "master_link_up": float(fields["master_link_status"] == "up"),
        "master_last_io_seconds_ago": fields["master_last_io_seconds_ago"],
        "master_sync_in_progress": fields["master_sync_in_progress"],
        "slave_repl_offset": fields["slave_repl_offset"],
    }
    for name, value in numbers.items():
        of_link = GaugeMetricFamily(
            f"redis_{name}", "Of the link to the primary.", labels=("master_host", "master_port")
        )
        of_link.add_metric(primary, value)
        yield of_link


_OF_DATABASE: Final = (
    ("keys", "db_keys", "Keys of a database.", 1.0),
    ("expires", "db_keys_expiring", "Those of them that expire.", 1.0),
    ("avg_ttl", "db_avg_ttl_seconds", "How long they have left on average.", 0.001),
    ("subexpiry", "db_keys_with_expiring_items", "Hashes with fields that expire.", 1.0),
)


def _keyspace(fields: Fields) -> Iterator[Metric]:
    for field, name, doc, scale in _OF_DATABASE:
        family = GaugeMetricFamily(f"redis_{name}", doc, labels=("db",))
        for database, shown in fields.items():
            family.add_metric((database,), float(pairs(shown)[field]) * scale)
        yield family


def _commands() -> Iterator[Metric]:
    used = [(name, command.stats) for name, command in TABLE.items() if _was_sent(command.stats)]
    for name, doc in (
        ("commands_total", "Calls of a command."),
        ("commands_duration_seconds_total", "The time that they took."),
        ("commands_rejected_calls_total", "Calls that were refused before they were carried out."),
        ("commands_failed_calls_total", "Calls that ended with an error."),
    ):
        family = CounterMetricFamily(f"redis_{name}", doc, labels=("cmd",))
        for command, stats in used:
            family.add_metric((command,), _OF_COMMAND[name](stats))
        yield family


_OF_COMMAND: Final = {
    "commands_total": lambda stats: stats.calls,
    "commands_duration_seconds_total": lambda stats: stats.microseconds / 1e6,
    "commands_rejected_calls_total": lambda stats: stats.rejected,
    "commands_failed_calls_total": lambda stats: stats.failed,
}


def _was_sent(stats: Any) -> bool:
    return bool(stats.calls or stats.rejected or stats.failed)


def _durations(engine: Engine) -> Iterator[Metric]:
    """As LATENCY HISTOGRAM and INFO latencystats show them, in microseconds; a few commands at a time."""
    timed = [(name, command.stats) for name, command in TABLE.items() if command.stats.durations.calls]
    for start in range(0, len(timed), COMMANDS):
        histogram = HistogramMetricFamily("redis_commands_latencies_usec", "How long calls took.", labels=("cmd",))
        for name, stats in timed[start : start + COMMANDS]:
            durations = stats.durations
            buckets = [(str(float(most)), float(passed)) for most, passed in durations.cumulative()]
            buckets.append(("+Inf", float(durations.calls)))
            histogram.add_metric((name,), buckets, sum_value=stats.microseconds)
        yield histogram
    wanted = engine.config.latency_tracking_info_percentiles
    for start in range(0, len(timed), COMMANDS):
        summary = SummaryMetricFamily("redis_latency_percentiles_usec", "The same as percentiles.", labels=("cmd",))
        for name, stats in timed[start : start + COMMANDS]:
            for share, found in zip(wanted, stats.durations.percentiles(wanted) if wanted else (), strict=True):
                summary.add_sample("redis_latency_percentiles_usec", {"cmd": name, "quantile": f"{share:g}"}, found)
            summary.add_metric((name,), stats.durations.calls, stats.microseconds)
        yield summary


def _errors(engine: Engine) -> Iterator[Metric]:
    family = CounterMetricFamily("redis_errors_total", "Error replies by their code.", labels=("err",))
    for code, count in sorted(engine.stats.errors.items()):
        family.add_metric((code,), count)
    yield family


def _cluster(engine: Engine) -> Iterator[Metric]:
    port = engine.cluster
    if port is None:
        return
    machine = port.machine
    text = describe.info_text(machine.view, machine.messages_sent(), machine.messages_received(), port.links_exceeded())
    for line in text.splitlines():
        field, shown = line.split(":", 1)
        doc = f"The field {field} of CLUSTER INFO."
        name = COUNTERS.get(field)
        yield _gauge(field, doc, number(shown)) if name is None else _counter(name, doc, number(shown))


def _observed(engine: Engine) -> Iterator[Metric]:
    """The latency monitor and the slow log."""
    last = GaugeMetricFamily("redis_latency_spike_last", "When an event last took long.", labels=("event_name",))
    took = GaugeMetricFamily("redis_latency_spike_duration_seconds", "How long it took then.", labels=("event_name",))
    for event, at, milliseconds, _ in engine.observer.latency.latest():
        last.add_metric((event,), at)
        took.add_metric((event,), milliseconds / 1e3)
    yield from (last, took)
    slow_log = engine.observer.slow_log
    newest = slow_log.newest(1)
    yield _gauge("slowlog_length", "How many slow commands are remembered.", len(slow_log))
    yield _gauge("slowlog_last_id", "The number of the last one.", newest[0].id if newest else 0)
    took_last = newest[0].amount / 1e6 if newest else 0.0
    yield _gauge("last_slow_execution_duration_seconds", "How long that one took.", took_last)
    for kind, log in engine.command_logs.items():
        name = f"commandlog_{kind.decode().replace('-', '_')}_length"
        yield _gauge(name, "How many entries a log of COMMANDLOG has.", len(log))
