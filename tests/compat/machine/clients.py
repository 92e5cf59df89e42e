"""What the machine keeps in mind of its clients, and which requests it leaves out for what they would do there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shardkv.commands.flags import Flags
from shardkv.commands.spec import TABLE

from .replies import WALKS

#: What a range by name means is only said where all scores are equal.
LEX: Final = frozenset({"ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZLEXCOUNT", "ZREMRANGEBYLEX"})
#: Not inside MULTI: the next reply hangs on what this one drew or where its walk stands, words are referred to twice
#: while they are queued, or there may be two replies to one command.
ALONE: Final = WALKS | {"SPOP", "OBJECT|REFCOUNT", "CLIENT|TRACKING"}
SUBSCRIBING: Final = frozenset({"SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "SSUBSCRIBE", "SUNSUBSCRIBE"})
#: Commands after which there may be keys in other databases.
SCATTERING: Final = frozenset({"SELECT", "MOVE", "SWAPDB", "COPY"})


@dataclass
class Worker:
    """What is known of one of the two clients."""

    queue: list[tuple[str, list[bytes]]] | None = None
    waiting: str = ""  #: the command that it waits in
    waits_with: list[bytes] = field(default_factory=list)  #: and the words of that request
    subscribed: bool = False
    tracked: bool = False  #: it may be told of keys that it has read
    elsewhere: bool = False  #: it may have selected another database

    @property
    def hears(self) -> bool:
        """Whether more than replies may come to a client."""
        return self.subscribed or self.tracked

    def follow(self, name: str, words: list[bytes], reply: bytes) -> None:
        """Learn from a request and the bytes it was answered with."""
        if may_wait(name) and not reply:
            self.waiting, self.waits_with = name, words
        if name in SUBSCRIBING:
            self.subscribed = True
        elif name == "CLIENT|TRACKING":
            self.tracked = True
        elif name == "RESET" and b"+RESET\r\n" in reply:
            self.subscribed = self.tracked = self.elsewhere = False
        elif name == "SELECT":
            self.elsewhere = True
        if name in ("EXEC", "DISCARD", "RESET") and not reply.startswith((b"-ERR", b"+QUEUED")):
            self.queue = None
        elif name == "MULTI" and reply == b"+OK\r\n":
            self.queue = []
        elif self.queue is not None and reply == b"+QUEUED\r\n":
            self.queue.append((name, words))

    def leaves_out(self, name: str, words: Sequence[bytes]) -> bool:
        """Whether a request cannot be compared where this client is now."""
        if self.waiting:
            return True
        if name == "PSUBSCRIBE" and b"*" in words:
            return True  # it would hear of keys, amid the replies to its own commands
        if self.queue is None:
            return False
        # In the midst of an EXEC, redis-server 7.0 sends messages to oneself.
        to_oneself = name in ("PUBLISH", "SPUBLISH") and self.subscribed
        return name in ALONE or name in SUBSCRIBING or to_oneself or (name == "XADD" and b"*" in words)


def may_wait(name: str) -> bool:
    """Whether this command may answer later."""
    command = TABLE.get(name.lower())
    return command is not None and bool(command.flags & Flags.BLOCKING)


def by_name(name: str, words: Sequence[bytes]) -> bool:
    """Whether a request is about a range of members by their names."""
    return name in LEX or (name in ("ZRANGE", "ZRANGESTORE") and b"BYLEX" in map(bytes.upper, words))


def name_of(words: Sequence[bytes]) -> str:
    """The name of a request's command as the table has it, in upper case; a walk without values has one of its own."""
    first = words[0].decode("latin-1").upper() if words else ""
    if first == "HSCAN" and b"NOVALUES" in map(bytes.upper, words):
        return "HSCAN NOVALUES"
    above = TABLE.get(first.lower())
    if above is not None and above.subcommands and len(words) > 1 and words[1].lower() in above.subcommands:
        return f"{first}|{words[1].decode().upper()}"
    return first
