"""Options of scripts, events, logs of slow things, access control, TLS and metrics; and directives of files."""

from __future__ import annotations

from typing import Final

from ..kinds import LONG_MAX, Choice, Flag, Integer, Memory, Text
from ..listkinds import EventClasses, Ignored, Lines, Percentiles, Refused, Renames
from ..schema import IMMUTABLE, PROTECTED, Option, Table
from .network import PORT

_SESSIONS: Final = "Python keeps the sessions of TLS as OpenSSL does by itself"


class Observation(Table, title="slow log, latency and events"):
    """What the node tells of itself."""

    slowlog_log_slower_than = Option(
        Integer(-1, LONG_MAX),
        10_000,
        "Microseconds from which a command is slow. -1: none is; 0: every one.",
        aliases=("commandlog-execution-slower-than",),
    )
    slowlog_max_len = Option(
        Integer(0, LONG_MAX),
        128,
        "How many slow commands are remembered.",
        aliases=("commandlog-slow-execution-max-len",),
    )
    commandlog_request_larger_than = Option(
        Integer(-1, LONG_MAX), 2**20, "Bytes from which a request is large. -1: none is; 0: every one."
    )
    commandlog_large_request_max_len = Option(
        Integer(0, LONG_MAX), 128, "How many commands with a large request are remembered."
    )
    commandlog_reply_larger_than = Option(
        Integer(-1, LONG_MAX), 2**20, "Bytes from which a reply is large. -1: none is; 0: every one."
    )
    commandlog_large_reply_max_len = Option(
        Integer(0, LONG_MAX), 128, "How many commands with a large reply are remembered."
    )
    latency_monitor_threshold = Option(
        Integer(0, LONG_MAX),
        0,
        "Milliseconds from which an event is remembered. 0: none.",
    )
    latency_tracking = Option(Flag(), True, "Whether the durations of each command are counted.")
    latency_tracking_info_percentiles = Option(
        Percentiles(),
        (50.0, 99.0, 99.9),
        "The percentiles of them that INFO latencystats shows.",
    )
    notify_keyspace_events = Option(
        EventClasses(),
        "",
        "The classes of events that are published: K by key, E by event, and the letters of the classes.",
    )
    metrics_port = Option(
        PORT,
        0,
        "The port of the HTTP endpoint with metrics for Prometheus (/metrics). 0: none. Where the default user needs a "
        "password, it asks for the name and password of a user who may say INFO.",
    )


class Scripts(Table, title="scripts"):
    """Lua."""

    busy_reply_threshold = Option(
        Integer(0, LONG_MAX),
        5000,
        "Milliseconds after which clients are told that a script is busy.",
        aliases=("lua-time-limit",),
    )
    lua_enable_insecure_api = Option(
        Flag(),
        False,
        "Whether scripts see functions that can break out of their sandbox.",
        mutable=PROTECTED,
        no_effect="the sandbox has no such functions",
    )
    lua_memory_limit = Option(
        Memory(0, LONG_MAX),
        256 * 1024 * 1024,
        "The most memory that scripts may take, and libraries of functions as much again. A script that needs more "
        "fails. 0: no limit, and a script may take the node down.",
    )


class Access(Table, title="access control"):
    """Users."""

    aclfile = Option(Text(kept=True), "", "A file with users.", mutable=IMMUTABLE)
    acl_pubsub_default = Option(Choice("allchannels", "resetchannels"), "resetchannels", "The channels of a new user.")
    acllog_max_len = Option(Integer(0, LONG_MAX), 128, "How many refusals are remembered.")


class Tls(Table, title="TLS"):
    """Encrypted links."""

    tls_port = Option(PORT, 0, "The port for clients that speak TLS. 0: none.")
    tls_cluster = Option(Flag(), False, "Whether the bus speaks TLS.")
    tls_replication = Option(Flag(), False, "Whether a replica speaks TLS to its primary.")
    tls_auth_clients = Option(Choice("no", "yes", "optional"), "yes", "Whether clients must show a certificate.")
    tls_cert_file = Option(Text(), "", "This node's certificate.")
    tls_key_file = Option(Text(), "", "Its key.")
    tls_key_file_pass = Option(Text(), "", "The password of that key.", sensitive=True)
    tls_client_cert_file = Option(Text(), "", "The certificate to show to other nodes. Empty: the same.")
    tls_client_key_file = Option(Text(), "", "Its key.")
    tls_client_key_file_pass = Option(Text(), "", "The password of that key.", sensitive=True)
    tls_ca_cert_file = Option(Text(), "", "The certificates of the authorities to trust, in one file.")
    tls_ca_cert_dir = Option(Text(), "", "The same as a folder.")
    tls_dh_params_file = Option(Text(), "", "Parameters of the Diffie-Hellman exchange.")
    tls_protocols = Option(
        Text(), "", 'The versions to allow, such as "TLSv1.2 TLSv1.3". Empty: the library\'s choice.'
    )
    tls_ciphers = Option(Text(), "", "The ciphers to allow up to TLS 1.2.")
    tls_ciphersuites = Option(
        Text(), "", "The cipher suites to allow in TLS 1.3. Refused where Python lets nobody choose them (before 3.15)."
    )
    tls_prefer_server_ciphers = Option(Flag(), False, "Whether the node's order of ciphers counts.")
    tls_session_caching = Option(Flag(), True, "Whether sessions can be resumed.")
    tls_session_cache_size = Option(Integer(0), 20_480, "How many sessions are remembered.", no_effect=_SESSIONS)
    tls_session_cache_timeout = Option(Integer(0), 300, "For how many seconds.", no_effect=_SESSIONS)


class Directives(Table, title="directives"):
    """Lines of a file or command line that CONFIG does not know."""

    rename_command = Option(
        Renames(),
        (),
        "Gives a command another name; an empty one takes the command away.",
        mutable=IMMUTABLE,
        file_only=True,
    )
    user = Option(
        Lines(),
        (),
        "A user and their rules, as in ACL SETUSER.",
        mutable=IMMUTABLE,
        file_only=True,
        sensitive=True,
    )
    loadmodule = Option(
        Refused("modules are not supported: shardkv cannot load code made for redis-server"),
        None,
        "A module to load: refused, for they are made for redis-server.",
        mutable=IMMUTABLE,
        file_only=True,
    )
    sentinel = Option(
        Refused("sentinel directive while not in sentinel mode"),
        None,
        "Sentinel's own options: refused, for there is no Sentinel mode.",
        mutable=IMMUTABLE,
        file_only=True,
    )
    list_max_ziplist_entries = Option(
        Ignored(),
        None,
        "Replaced by list-max-listpack-size.",
        mutable=IMMUTABLE,
        file_only=True,
        no_effect="Redis 3.2 gave it up, and files still hold it",
    )
    list_max_ziplist_value = Option(
        Ignored(),
        None,
        "Replaced by list-max-listpack-size.",
        mutable=IMMUTABLE,
        file_only=True,
        no_effect="Redis 3.2 gave it up, and files still hold it",
    )
    lua_replicate_commands = Option(
        Ignored(),
        None,
        "Scripts replicate what they do.",
        mutable=IMMUTABLE,
        file_only=True,
        no_effect="Redis 7.0 gave it up, and files still hold it",
    )
