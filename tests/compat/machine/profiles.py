"""Which commands are drawn against which server, and which are not, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import shardkv.commands  # noqa: F401  (fills the table)
from shardkv.commands.spec import TABLE, Command
from tests.support.oracle import Redis, Valkey
from tests.support.processes import Server

from .cases import Difference
from .differences import OURS, REDIS
from .valkey import VALKEY

#: Commands that are never drawn, by name or by container.
LEFT_OUT: Final[Mapping[str, str]] = {
    "auth": "needs users; tests/compat/test_server_oracle.py",
    "hello": "answers with the server's own name and version",
    "quit": "ends the connection",
    "client|id": "each server counts for itself",
    "client|info": "addresses and times of each server",
    "client|list": "addresses and times of each server",
    "client|kill": "ends connections; tests/spec/test_client_commands.py",
    "client|pause": "makes everybody wait",
    "client|unpause": "goes with CLIENT PAUSE",
    "client|reply": "takes the replies away that are compared",
    "client|help": "help texts are in our own words",
    "cluster": "another mode; tests/wire/test_cluster.py",
    "asking": "another mode",
    "readonly": "another mode",
    "readwrite": "another mode",
    "config": "would change the servers under the machine; tests/compat/test_config_set.py",
    "debug": "subcommands of each server's own; the machine uses DIGEST",
    "command": "tests/compat/test_command_table.py holds the table; documents are in our own words",
    "lolwut": "art",
    "time": "the clock",
    "info": "each server's own numbers",
    "shutdown": "ends the server",
    "pfselftest": "takes seconds",
    "object|help": "help texts are in our own words",
    "object|freq": "needs an LFU policy",
    "pubsub|help": "help texts are in our own words",
    "xgroup|help": "help texts are in our own words",
    "xinfo|help": "help texts are in our own words",
    "wait": "needs replicas",
    "waitaof": "needs replicas",
    "eval": "needs scripts that mean something",
    "eval_ro": "needs scripts that mean something",
    "evalsha": "needs scripts that mean something",
    "evalsha_ro": "needs scripts that mean something",
    "script": "needs scripts that mean something",
    "fcall": "needs functions",
    "fcall_ro": "needs functions",
    "function": "needs functions",
    "restore": "payloads are made by DUMP only; tests of persist",
    "dump": "the version of the format differs",
    "replicaof": "another mode",
    "slaveof": "another mode",
    "monitor": "each server's own addresses",
    "sync": "another protocol",
    "psync": "another protocol",
    "save": "writes files",
    "bgsave": "writes files",
    "bgrewriteaof": "writes files",
    "lastsave": "the clock",
    "slowlog": "the clock",
    "commandlog": "the clock, and help texts in our own words",
    "latency": "the clock",
    "memory": "each server's own numbers",
    "acl": "users are compared by their own tests",
    "failover": "another mode",
    "role": "each server's own numbers",
    "replconf": "another protocol",
    "module": "there are none",
    "migrate": "needs two servers",
}

LEFT_OUT_OF_VALKEY: Final[Mapping[str, str]] = {
    "object|refcount": "Valkey shares no integers",
}

#: Options that redis-server 7.0 does not know.
LATER_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "set": frozenset({"IFEQ"}),
    "hscan": frozenset({"NOVALUES"}),
    "zrank": frozenset({"WITHSCORE"}),
    "zrevrank": frozenset({"WITHSCORE"}),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A server to be compared with, what is asked of it, and where it may differ."""

    name: str
    server: type[Server]
    commands: tuple[Command, ...]
    differences: tuple[Difference, ...]
    without: Mapping[str, frozenset[str]] = field(default_factory=dict)


def drawn() -> list[Command]:
    """The commands of the table that can be drawn."""
    return [
        command
        for command in TABLE.values()
        if not command.subcommands and command.name not in LEFT_OUT and (command.parent or "") not in LEFT_OUT
    ]


def _age(command: Command) -> tuple[int, ...]:
    return tuple(int(part) for part in command.since.split("."))


def redis_profile() -> Profile:
    """Everything that Debian's redis-server 7.0 knows."""
    commands = tuple(command for command in drawn() if _age(command) < (7, 2))
    return Profile("redis", Redis, commands, REDIS + OURS, LATER_OPTIONS)


def valkey_profile() -> Profile:
    """The families in which something is younger than 7.0, with all of their commands."""
    groups = {command.group for command in drawn() if _age(command) >= (7, 2)}
    groups |= {"hash", "string", "set", "list", "sorted-set", "stream", "generic", "transactions"}
    commands = tuple(
        command for command in drawn() if command.group in groups and command.name not in LEFT_OUT_OF_VALKEY
    )
    return Profile("valkey", Valkey, commands, VALKEY + OURS)
