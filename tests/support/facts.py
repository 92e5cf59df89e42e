"""Process facts as a rim would tell them, the same in every run."""

from __future__ import annotations

from shardkv.commands.world import Facts


def some_facts(started: int) -> Facts:
    """Facts of a node that was started at ``started`` (Unix milliseconds)."""
    return Facts(
        pid=4711,
        os="Linux 6.1 x86_64",
        python="3.11.2",
        compiler="12.2.0",
        executable="/usr/bin/shardkv-node",
        config_file="",
        supervised="no",
        multiplexing="epoll",
        tcp_port=6379,
        run_id="a" * 40,
        started=started,
        rss=50 << 20,
        rss_peak=60 << 20,
        rss_startup=40 << 20,
        memory_total=8 << 30,
        cpu_user=1.5,
        cpu_sys=0.25,
        cpu_user_children=0.0,
        cpu_sys_children=0.0,
        cpu_user_main=1.5,
        cpu_sys_main=0.25,
        forks=0,
        fork_seconds=0.0,
        migrate_connections=0,
        child=None,
    )
