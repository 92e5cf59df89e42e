"""Options of snapshots, of the append only file, and of the folder they lie in."""

from __future__ import annotations

from collections.abc import Callable

from ..kinds import INT_MAX, INT_MIN, LONG_MAX, Choice, Flag, Folder, Integer, Memory, Text
from ..listkinds import SaveRules, ShutdownWords
from ..schema import IMMUTABLE, PROTECTED, Option, Table


def _name_only(option: str, what: str, empty: bool = False) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        if "/" in value:
            return f"{option} can't be a path, just a {what}"
        if not value and not empty:
            return f"{option} can't be empty"
        return None

    return check


class Snapshots(Table, title="snapshotting"):
    """RDB files, and how the node shuts down."""

    dir = Option(
        Folder(),
        "",
        "The folder of all files of this node. Empty: the one it was started in.",
        mutable=PROTECTED,
        awaits_data=True,
    )
    save = Option(
        SaveRules(),
        ((3600, 1), (300, 100), (60, 10_000)),
        "Take a snapshot after so many seconds if at least so many changes were made. An empty text: never.",
    )
    dbfilename = Option(
        Text(kept=True),
        "dump.rdb",
        "The snapshot's file.",
        mutable=PROTECTED,
        check=_name_only("dbfilename", "filename", empty=True),
    )
    stop_writes_on_bgsave_error = Option(Flag(), True, "Whether writes are refused after a snapshot failed.")
    rdbcompression = Option(Flag(), True, "Whether long texts are compressed in a snapshot.")
    rdbchecksum = Option(Flag(), True, "Whether a snapshot ends with a checksum.", mutable=IMMUTABLE)
    rdb_save_incremental_fsync = Option(
        Flag(), True, "Whether a snapshot is brought to disk while it is being written."
    )
    rdb_del_sync_files = Option(Flag(), False, "Whether the snapshot files of replication are deleted after use.")
    sanitize_dump_payload = Option(
        Choice("no", "yes", "clients"),
        "no",
        "Whether the inside of packed values is verified when they are loaded.",
        no_effect="every packed value is verified whenever one is read",
    )
    shutdown_on_sigint = Option(ShutdownWords(), ("default",), "How SHUTDOWN behaves when SIGINT asks for it.")
    shutdown_on_sigterm = Option(ShutdownWords(), ("default",), "How SHUTDOWN behaves when SIGTERM asks for it.")
    shutdown_timeout = Option(Integer(0), 10, "Seconds that a shutdown waits for replicas to catch up.")


class AppendOnly(Table, title="append only file"):
    """The log of writes."""

    appendonly = Option(Flag(), False, "Whether every write is logged to a file.", awaits_data=True)
    appendfilename = Option(
        Text(kept=True),
        "appendonly.aof",
        "The first part of the files' names.",
        mutable=IMMUTABLE,
        check=_name_only("appendfilename", "filename"),
    )
    appenddirname = Option(
        Text(kept=True),
        "appendonlydir",
        "The folder of these files, inside dir.",
        mutable=IMMUTABLE,
        check=_name_only("appenddirname", "dirname"),
    )
    appendfsync = Option(
        Choice("everysec", "always", "no"),
        "everysec",
        "When the file is brought to disk: each second, before each reply, or when the kernel likes.",
    )
    no_appendfsync_on_rewrite = Option(
        Flag(), False, "Whether that pauses while a child writes a snapshot or a rewrite."
    )
    auto_aof_rewrite_percentage = Option(
        Integer(0, INT_MAX),
        100,
        "Growth since the last rewrite, in percent, that starts the next. 0: none.",
    )
    auto_aof_rewrite_min_size = Option(
        Memory(0, LONG_MAX), 64 * 2**20, "The size below which no rewrite starts by itself."
    )
    aof_load_truncated = Option(Flag(), True, "Whether a file that ends within a command is loaded up to there.")
    aof_use_rdb_preamble = Option(Flag(), True, "Whether a rewrite begins with a snapshot.")
    aof_timestamp_enabled = Option(Flag(), False, "Whether the file holds the time of its commands.")
    aof_rewrite_incremental_fsync = Option(
        Flag(), True, "Whether a rewrite is brought to disk while it is being written."
    )
    aof_disable_auto_gc = Option(Flag(), False, "Whether files that are no longer needed are left to lie.")
    loading_process_events_interval_bytes = Option(
        Integer(1024), 2 * 2**20, "How many bytes are loaded between two looks at the clients.", hidden=True
    )
    key_load_delay = Option(Integer(INT_MIN), 0, "Microseconds to wait after each loaded key, for tests.", hidden=True)
    rdb_key_save_delay = Option(
        Integer(INT_MIN), 0, "Microseconds to wait after each saved key, for tests.", hidden=True
    )
