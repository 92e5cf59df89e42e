"""Options of memory: its limit, what is given up, how values are held, and what is freed in the background."""

from __future__ import annotations

from typing import Final

from ..kinds import INT_MIN, LONG_MAX, ULONG_MAX, Choice, Flag, Integer, Memory, Text
from ..listkinds import OomScores
from ..schema import IMMUTABLE, Option, Table

_ALWAYS_LAZY: Final = "what is large is always freed in the background, step by step"
_NO_DEFRAG: Final = "Python's allocator cannot move what it has given out"


COUNT: Final = Integer(0, LONG_MAX)
SIZE: Final = Memory(0, LONG_MAX)


class MemoryLimit(Table, title="memory"):
    """How much, and what then."""

    maxmemory = Option(Memory(0, ULONG_MAX), 0, "The memory that keys may take. 0: no limit.")
    maxmemory_policy = Option(
        Choice(
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ),
        "noeviction",
        "What is given up when memory is full: nothing, or keys with an expiry (volatile) or any (allkeys), by last "
        "use (lru), by rate of use (lfu), at random, or by the time they have left (ttl).",
    )
    maxmemory_samples = Option(Integer(1), 5, "How many keys are compared to find one to give up.")
    maxmemory_eviction_tenacity = Option(
        Integer(0, 100), 10, "How long giving up may take in one go: 0 short, 100 without an end."
    )
    lfu_log_factor = Option(Integer(0), 10, "How slowly the counter of use grows.")
    lfu_decay_time = Option(Integer(0), 1, "Minutes after which that counter is lowered by one.")
    replica_ignore_maxmemory = Option(
        Flag(),
        True,
        "Whether a replica leaves giving up to its primary.",
        aliases=("slave-ignore-maxmemory",),
    )
    lazyfree_lazy_eviction = Option(
        Flag(),
        False,
        "Whether a key that is given up goes to log and replicas as UNLINK instead of DEL. What is large is freed in "
        "the background in any case.",
    )
    lazyfree_lazy_expire = Option(
        Flag(),
        False,
        "Whether an expired key goes to log and replicas as UNLINK instead of DEL. What is large is freed in the "
        "background in any case.",
    )
    lazyfree_lazy_server_del = Option(
        Flag(), False, "Whether an overwritten key is freed in the background.", no_effect=_ALWAYS_LAZY
    )
    lazyfree_lazy_user_del = Option(Flag(), False, "Whether DEL behaves as UNLINK.", no_effect=_ALWAYS_LAZY)
    lazyfree_lazy_user_flush = Option(
        Flag(),
        False,
        "Whether FLUSHDB, FLUSHALL and SCRIPT FLUSH are ASYNC unless they say otherwise.",
        no_effect=_ALWAYS_LAZY,
    )
    activedefrag = Option(Flag(), False, "Whether memory is defragmented while the node runs.", no_effect=_NO_DEFRAG)
    active_defrag_ignore_bytes = Option(
        Memory(1, LONG_MAX), 100 * 2**20, "Waste below which nothing is defragmented.", no_effect=_NO_DEFRAG
    )
    active_defrag_threshold_lower = Option(
        Integer(0, 1000), 10, "Waste, in percent, that starts it.", no_effect=_NO_DEFRAG
    )
    active_defrag_threshold_upper = Option(
        Integer(0, 1000), 100, "Waste, in percent, at which it works hardest.", no_effect=_NO_DEFRAG
    )
    active_defrag_cycle_min = Option(
        Integer(1, 99), 1, "The least processor time for it, in percent.", no_effect=_NO_DEFRAG
    )
    active_defrag_cycle_max = Option(
        Integer(1, 99), 25, "The most processor time for it, in percent.", no_effect=_NO_DEFRAG
    )
    active_defrag_max_scan_fields = Option(
        Integer(1, LONG_MAX), 1000, "Fields of a collection that are looked at in one go.", no_effect=_NO_DEFRAG
    )
    jemalloc_bg_thread = Option(
        Flag(),
        True,
        "Whether the allocator gives memory back in a thread of its own.",
        no_effect="Python does not use jemalloc",
    )
    activerehashing = Option(
        Flag(),
        True,
        "Whether the main tables grow in the background.",
        no_effect="there is a small dict for each slot, which grows at once",
    )


class Encodings(Table, title="encodings"):
    """Up to which size a collection is held packed, and named so by OBJECT ENCODING."""

    hash_max_listpack_entries = Option(
        COUNT, 512, "The most fields of a packed hash.", aliases=("hash-max-ziplist-entries",)
    )
    hash_max_listpack_value = Option(
        SIZE, 64, "The longest field or value of a packed hash.", aliases=("hash-max-ziplist-value",)
    )
    list_max_listpack_size = Option(
        Integer(INT_MIN),
        -2,
        "The most elements of a list's node, or from -1 to -5 its size: 4, 8, 16, 32, 64 kB.",
        aliases=("list-max-ziplist-size",),
    )
    list_compress_depth = Option(
        Integer(0),
        0,
        "Nodes at both ends of a list that are not compressed. 0: none is.",
        no_effect="lists are not held in compressed nodes",
    )
    set_max_intset_entries = Option(COUNT, 512, "The most members of a set held as sorted integers.")
    set_max_listpack_entries = Option(COUNT, 128, "The most members of a packed set.")
    set_max_listpack_value = Option(SIZE, 64, "The longest member of a packed set.")
    zset_max_listpack_entries = Option(
        COUNT, 128, "The most members of a packed sorted set.", aliases=("zset-max-ziplist-entries",)
    )
    zset_max_listpack_value = Option(
        SIZE, 64, "The longest member of a packed sorted set.", aliases=("zset-max-ziplist-value",)
    )
    hll_sparse_max_bytes = Option(SIZE, 3000, "The size up to which a HyperLogLog is held sparse.")
    stream_node_max_bytes = Option(SIZE, 4096, "The most bytes of a stream's node. 0: any.")
    stream_node_max_entries = Option(COUNT, 100, "The most entries of a stream's node. 0: any.")


class Kernel(Table, title="kernel and threads"):
    """What Redis asks of the operating system."""

    io_threads = Option(
        Integer(1, 128),
        1,
        "Threads for reading and writing sockets.",
        mutable=IMMUTABLE,
        no_effect="Python runs one thread at a time; run more nodes instead",
    )
    io_threads_do_reads = Option(
        Flag(), False, "Whether those threads read, too.", mutable=IMMUTABLE, no_effect="there are no such threads"
    )
    dynamic_hz = Option(
        Flag(),
        True,
        "Whether hz rises with the number of clients.",
        no_effect="background work is planned by deadlines, not by a rate that clients would need to raise",
    )
    disable_thp = Option(
        Flag(),
        True,
        "Whether huge pages are switched off for the process where the host has them always on, since they make "
        "snapshots copy more. Linux only.",
        mutable=IMMUTABLE,
    )
    oom_score_adj = Option(
        Choice("no", "yes", "relative", "absolute"),
        "no",
        "Whether the kernel is told whom to kill first when memory is short: by scores that are added to the one that "
        "the node was started with (yes or relative), or stand by themselves (absolute). Linux only.",
    )
    oom_score_adj_values = Option(
        OomScores(),
        (0, 200, 800),
        "The scores of a primary, a replica and a snapshot child.",
    )
    server_cpulist = Option(
        Text(),
        "",
        "The processors of the node, such as 0,2-5 or 0-10:2. Empty: all. Linux only.",
        mutable=IMMUTABLE,
        aliases=("server_cpulist",),
    )
    bio_cpulist = Option(
        Text(),
        "",
        "The processors of background threads.",
        mutable=IMMUTABLE,
        aliases=("bio_cpulist",),
        no_effect="threads for slow calls come and go, and run where the node runs",
    )
    aof_rewrite_cpulist = Option(
        Text(),
        "",
        "The processors of the child that rewrites the append only file.",
        mutable=IMMUTABLE,
        aliases=("aof_rewrite_cpulist",),
    )
    bgsave_cpulist = Option(
        Text(),
        "",
        "The processors of the child that takes a snapshot.",
        mutable=IMMUTABLE,
        aliases=("bgsave_cpulist",),
    )
    crash_log_enabled = Option(
        Flag(),
        True,
        "Whether a crash (of what is not Python) leaves the stacks of Python in the log.",
    )
    crash_memcheck_enabled = Option(
        Flag(),
        True,
        "Whether that report tests the memory.",
        no_effect="a test of the memory is no part of a traceback",
    )
    use_exit_on_panic = Option(
        Flag(),
        False,
        "Whether a panic ends by exit instead of abort.",
        hidden=True,
        no_effect="there is no abort to avoid",
    )
    watchdog_period = Option(
        Integer(0),
        0,
        "Milliseconds after which what holds the node up is logged with its stack. 0: never; else 2000 / hz at least.",
        hidden=True,
    )
