"""Options of the network, of the process, and of its clients."""

from __future__ import annotations

from typing import Final

from ..kinds import INT_MAX, LONG_MAX, UINT_MAX, Choice, Flag, Integer, Memory, MemoryOrPercent, Octal, Secret, Text
from ..listkinds import Addresses, OutputLimits
from ..schema import IMMUTABLE, Option, Table
from ..templates import is_valid

PORT: Final = Integer(0, 65535)
ALLOWANCE: Final = Choice("no", "yes", "local")


_TITLE_PARTS: Final = ("title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file")


def _title_template(value: str) -> str | None:
    return None if is_valid(value, _TITLE_PARTS) else "template format is invalid or contains unknown variables"


class Network(Table, title="network"):
    """Where the node listens."""

    port = Option(PORT, 6379, "The TCP port for clients. 0: none.")
    bind = Option(
        Addresses(),
        ("*", "-::*"),
        "The addresses to listen on, for clients and for the bus; one after a minus may be missing on this host.",
    )
    bind_source_addr = Option(
        Text(), "", "The local address from which this node dials its primary and the other nodes of its cluster."
    )
    unixsocket = Option(Text(), "", "The path of a Unix socket to listen on as well.", mutable=IMMUTABLE)
    unixsocketperm = Option(
        Octal(0, 0o777), 0, "The permissions of that socket's file. 0: as the umask has it.", mutable=IMMUTABLE
    )
    tcp_backlog = Option(Integer(0), 511, "How many connections may wait to be accepted.", mutable=IMMUTABLE)
    tcp_keepalive = Option(
        Integer(0), 300, "Seconds of silence after which a connection is probed for a dead peer. 0: never."
    )
    timeout = Option(Integer(0), 0, "Seconds after which an idle client is closed. 0: never.")
    protected_mode = Option(Flag(), True, "Whether only local clients are served while no password is set.")
    socket_mark_id = Option(
        Integer(0, UINT_MAX),
        0,
        "A mark for the packets of listening sockets.",
        mutable=IMMUTABLE,
        no_effect="a mark is for routing rules of the host, and setting one needs privileges",
    )
    max_new_connections_per_cycle = Option(Integer(1, 1000), 10, "How many connections are accepted in one round.")
    max_new_tls_connections_per_cycle = Option(
        Integer(1, 1000), 1, "How many TLS connections are accepted in one round."
    )


class Clients(Table, title="clients"):
    """What one client may use."""

    maxclients = Option(Integer(1, UINT_MAX), 10_000, "How many clients may be connected at once.")
    requirepass = Option(Secret(), b"", "The password of the default user. Empty: none is asked for.", sensitive=True)
    proto_max_bulk_len = Option(Memory(2**20, LONG_MAX), 512 * 2**20, "The longest word of a request, in bytes.")
    client_query_buffer_limit = Option(
        Memory(2**20, LONG_MAX),
        2**30,
        "How many bytes of unfinished requests a client may leave with us before it is closed.",
    )
    client_output_buffer_limit = Option(
        OutputLimits(),
        {"normal": (0, 0, 0), "replica": (256 * 2**20, 64 * 2**20, 60), "pubsub": (32 * 2**20, 8 * 2**20, 60)},
        "By class of client: one that leaves more than the hard limit unread, or more than the soft one for so many "
        "seconds, is closed. 0: no limit.",
    )
    maxmemory_clients = Option(
        MemoryOrPercent(-100, LONG_MAX),
        0,
        "The memory that all clients' buffers may take together; percent are of maxmemory. 0: no limit.",
    )
    tracking_table_max_keys = Option(
        Integer(0, LONG_MAX),
        1_000_000,
        "How many keys are remembered for client-side caching.",
    )


class Process(Table, title="general"):
    """The process itself."""

    daemonize = Option(Flag(), False, "Whether the node goes to the background.", mutable=IMMUTABLE)
    supervised = Option(
        Choice("upstart", "systemd", "auto", "no"),
        "no",
        "Who is told that the node is ready.",
        mutable=IMMUTABLE,
    )
    pidfile = Option(Text(), "", "A file for the process's id.", mutable=IMMUTABLE)
    loglevel = Option(
        Choice("debug", "verbose", "notice", "warning", "nothing"),
        "notice",
        "The least important lines that are logged.",
    )
    logfile = Option(Text(kept=True), "", "The file of the log. Empty: standard output.", mutable=IMMUTABLE)
    log_format = Option(
        Choice("legacy", "logfmt", "json"),
        "legacy",
        "How a log line looks; legacy is Redis's. The others are one line an event, also for a text of several lines.",
    )
    log_timestamp_format = Option(
        Choice("legacy", "iso8601", "milliseconds"),
        "legacy",
        "How the time stands in a log line.",
    )
    hide_user_data_from_log = Option(
        Flag(),
        False,
        "Whether keys and values are kept out of the log.",
        no_effect="no log line holds a key or a value",
    )
    syslog_enabled = Option(Flag(), False, "Whether the log goes to syslog, too.", mutable=IMMUTABLE)
    syslog_ident = Option(Text(kept=True), "redis", "The program's name in syslog.", mutable=IMMUTABLE)
    syslog_facility = Option(
        Choice("user", *(f"local{number}" for number in range(8))),
        "local0",
        "The facility in syslog.",
        mutable=IMMUTABLE,
    )
    databases = Option(
        Integer(1, INT_MAX),
        16,
        "How many databases there are, numbered from 0. A cluster has cluster-databases.",
        mutable=IMMUTABLE,
    )
    hz = Option(
        Integer(0, INT_MAX, clamp=(1, 500)),
        10,
        "How often a second the node does its background work (expiry, idle clients).",
    )
    active_expire_effort = Option(Integer(1, 10), 1, "How eagerly keys whose time is over are looked for: 1 to 10.")
    always_show_logo = Option(
        Flag(), False, "Whether the banner is shown when the log is a file, too.", mutable=IMMUTABLE
    )
    set_proc_title = Option(
        Flag(),
        True,
        "Whether the process list shows the node's address and role.",
        mutable=IMMUTABLE,
    )
    proc_title_template = Option(
        Text(),
        "{title} {listen-addr} {server-mode}",
        "What the process list shows, with {title}, {listen-addr}, {server-mode}, {port}, "
        "{tls-port}, {unixsocket} and {config-file} filled in.",
        check=_title_template,
    )
    locale_collate = Option(
        Text(kept=True), "", "The locale by which SORT ALPHA compares what it does not store. Empty: the environment's."
    )
    ignore_warnings = Option(
        Text(kept=True),
        "",
        "Start-up warnings to keep still about.",
        no_effect="the kernel defects that it silences are not looked for",
    )
    enable_debug_command = Option(
        ALLOWANCE, "no", "Whether DEBUG may be used: no, yes, or by local clients.", mutable=IMMUTABLE
    )
    enable_module_command = Option(
        ALLOWANCE,
        "no",
        "Whether MODULE LOAD and its kin may be tried (they fail): no, yes, or by local clients.",
        mutable=IMMUTABLE,
    )
    enable_protected_configs = Option(
        ALLOWANCE,
        "no",
        "Whether CONFIG SET may change dir and dbfilename: no, yes, or for local clients.",
        mutable=IMMUTABLE,
    )
