"""Users at start-up: from ``user`` lines of the configuration or from the ACL file, never from both; and that file."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from shardkv.acl.rules import RuleFault
from shardkv.acl.user import User
from shardkv.acl.users import FileFault
from shardkv.config import Config, ConfigFault, Line
from shardkv.engine.access import Access, users_of

from .disk import write_atomically

#: A new file is for the node's own account: it holds hashes of passwords.
_OWN_MODE: Final = 0o600
_BOTH: Final = (
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This "
    "setup is very likely to lead to configuration errors and security holes, please define either an ACL file or "
    "declare users directly in your redis.conf, but not both."
)


class UsersFault(Exception):
    """The users cannot be had; ``str()`` is one line for the log."""


def refuse_bad_users(config: Config, lines: Sequence[Line]) -> None:
    """Raise ConfigFault for the first ``user`` line that makes no user."""
    users = users_of(config)
    found: dict[bytes, User] = {}
    for line in lines:
        if line.words[0].lower() == "user":
            try:
                users.declare(line.words[1:], found)
            except RuleFault as fault:
                name = line.words[1]
                reason = f"Error in user declaration '{name}': {fault.reason}"
                raise ConfigFault(line.source, line.number, line.text, reason) from fault


def load_users(access: Access, config: Config, log: Callable[[str, str], None]) -> None:
    """Have the users of the ACL file, if there is one. Raises UsersFault."""
    if config.aclfile:
        if config.user:
            raise UsersFault(_BOTH)
        try:
            access.replace(access.users.read(read_file(config.aclfile), config.aclfile))
        except OSError as fault:
            reason = f"Error loading ACLs, opening file '{config.aclfile}': {fault.strerror}"
            raise UsersFault(f"Aborting Redis startup because of ACL errors: {reason}") from fault
        except FileFault as fault:
            raise UsersFault(f"Aborting Redis startup because of ACL errors: {fault}") from fault
    for user in access.users:
        if not user.enabled:
            shown = user.name.decode("utf-8", "backslashreplace")
            log(
                "notice",
                f"The user '{shown}' is disabled (there is no 'on' modifier in the user description). "
                "Make sure this is not a configuration error.",
            )


def kept_lines(access: Access, config: Config) -> list[str]:
    """What CONFIG REWRITE writes of the users: nothing if they have a file of their own."""
    return [] if config.aclfile else access.users.lines()


def read_file(path: str) -> str:
    """The text of an ACL file. Raises OSError."""
    return Path(path).read_text(encoding="utf-8", errors="surrogateescape")


def write_file(path: str, text: str) -> None:
    """Replace an ACL file, which keeps its permissions. Raises OSError."""
    try:
        mode = stat.S_IMODE(Path(path).stat().st_mode)
    except FileNotFoundError:
        mode = _OWN_MODE
    write_atomically(Path(path), text.encode("utf-8", "surrogateescape"), mode)
