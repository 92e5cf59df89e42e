"""One sequence on both sides, step by step, until they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from shardkv.commands.flags import Flags
from shardkv.commands.spec import TABLE
from tests.support.engine_client import decode, decode_all
from tests.support.wire_replies import Push, Refusal

from .differences import Case, Difference
from .pools import ALL_KEYS
from .replies import WALKS, equal
from .sequences import Drawn, Step
from .sides import LISTENER, WORKERS, Side, now

#: After so many steps encodings and digests of the keys named are compared; at the end those of all keys.
LOOK_EVERY: Final = 8
POOL: Final = frozenset(ALL_KEYS)
WHOLE: Final = ((b"DEBUG", b"DIGEST"), (b"DBSIZE",))
#: What a range by name means is only said where all scores are equal.
LEX: Final = frozenset({"ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZLEXCOUNT", "ZREMRANGEBYLEX"})
#: Not inside MULTI: the next reply hangs on what this one drew or where its walk stands, or words are referred to
#: twice while they are queued.
ALONE: Final = WALKS | {"SPOP", "OBJECT|REFCOUNT"}
SUBSCRIBING: Final = frozenset({"SUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SSUBSCRIBE", "SUNSUBSCRIBE", "RESET"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Where the two sides parted."""

    case: Case
    at: int  #: index of the step

    @property
    def signature(self) -> tuple[str, str, str]:
        """What makes two failures the same."""
        return (self.case.name, _kind(self.case.ours), _kind(self.case.theirs))

    def __str__(self) -> str:
        words = " ".join(repr(word)[1:] for word in self.case.words)
        return f"{self.case.name} {words}\n    ours   {self.case.ours!r}\n    theirs {self.case.theirs!r}"


def _kind(reply: Any) -> str:
    if isinstance(reply, Refusal):
        return reply.text
    if isinstance(reply, list) and len(reply) == 1:
        return "one " + _kind(reply[0])
    return type(reply).__name__


class _Parted(Exception):
    """The data differ as they are meant to; nothing after this can be compared."""


class _Unequal(Exception):
    def __init__(self, case: Case) -> None:
        self.case = case


@dataclass
class _Worker:
    """What is known of one of the two clients."""

    queue: list[tuple[str, list[bytes]]] | None = None
    waiting: str = ""  #: the command that it waits in
    subscribed: bool = False
    elsewhere: bool = False  #: it may have selected another database


@dataclass
class Contest:
    """Two sides, and the differences that are meant. ``counted`` counts commands, errors and differences met."""

    ours: Side
    theirs: Side
    differences: Sequence[Difference]
    counted: Counter[str] = field(default_factory=Counter)

    def run(self, drawn: Drawn) -> Failure | None:
        """Play a sequence; where it failed, if it did."""
        for side in (self.theirs, self.ours):
            side.begin(drawn.setup)
        self.refused: list[bytes] = []  # words of requests that were refused since the last look
        self.elsewhere = False  # there may be keys in other databases
        self.named: set[bytes] = set()  # keys of the pool that were named since
        self.workers = {client: _Worker() for client in WORKERS}
        at = 0
        try:
            for at, step in enumerate(drawn.steps):
                self._play(step)
                if at % LOOK_EVERY == LOOK_EVERY - 1:
                    self._look(sorted(self.named))
            self._look(ALL_KEYS, whole=True)
        except _Unequal as unequal:
            return Failure(unequal.case, at)
        except _Parted:
            pass
        return None

    def _play(self, step: Step) -> None:
        worker = self.workers[step.client]
        words = list(step.words)
        name = name_of(words)
        if name == "HSCAN" and b"NOVALUES" in [word.upper() for word in words]:
            name = "HSCAN NOVALUES"
        if worker.waiting or (worker.queue is not None and self._left_out(worker, name, words)):
            return
        if (name in LEX or b"BYLEX" in [word.upper() for word in words]) and (
            worker.queue is not None or worker.elsewhere or not self._has_one_score(words)
        ):
            return
        self.counted["commands"] += 1
        self.named.update(POOL.intersection(words))
        command = TABLE.get(name.lower())
        may_block = command is not None and bool(command.flags & Flags.BLOCKING)
        waits = may_block or name in SUBSCRIBING or any(w.waiting or w.subscribed for w in self.workers.values())
        theirs = self.theirs.ask(step.client, words, waits=waits)
        self.ours.at(_moment(name, theirs))
        ours = self.ours.ask(step.client, words, waits=waits)
        self._compare_bytes(name, words, step.client, ours, theirs)
        if may_block and not theirs:
            worker.waiting = name
        if name in SUBSCRIBING:
            worker.subscribed = name != "RESET"
        if name in ("SELECT", "RESET"):
            worker.elsewhere = name == "SELECT"
        self.elsewhere = self.elsewhere or name in ("SELECT", "MOVE", "SWAPDB", "COPY")
        if waits:
            self._late()
        _follow(worker, name, words, theirs)
        if name in ("SPOP",) and ours != theirs and len(words) > 1:
            self._again(step.client, [b"DEL", words[1]])

    def _left_out(self, worker: _Worker, name: str, words: Sequence[bytes]) -> bool:
        """Whether a request cannot be compared inside MULTI."""
        to_oneself = name in ("PUBLISH", "SPUBLISH") and worker.subscribed
        return name in ALONE or name in SUBSCRIBING - {"RESET"} or to_oneself or (name == "XADD" and b"*" in words)

    def _again(self, client: int, words: list[bytes]) -> None:
        """Something more that the machine itself asks."""
        self._play(Step(client, tuple(words)))

    def _late(self) -> None:
        """What the clients got beside the replies to their own requests."""
        for client, worker in self.workers.items():
            ours, theirs = self.ours.heard(client), self.theirs.heard(client)
            if worker.waiting and theirs:
                name, worker.waiting = worker.waiting, ""
            else:
                name = "messages"
            if ours != theirs:
                self._compare(name, [], decode_all(ours), decode_all(theirs))

    def _compare_bytes(self, name: str, words: list[bytes], client: int, ours: bytes, theirs: bytes) -> None:
        if theirs.startswith(b"-"):
            self.counted["errors"] += 1
        if b"-" in ours or any(difference.telling(name, words) for difference in self.differences):
            self.refused += words[1:]
            for _, queued in self.workers[client].queue or ():
                self.refused += queued[1:]
        if ours == theirs and name not in WALKS:
            return
        own, other = decode_all(ours), decode_all(theirs)
        if name in WALKS and theirs.startswith(b"*") and ours.startswith(b"*"):
            if words[1 if name == "SCAN" else 2] != b"0":
                return  # a cursor that nobody gave
            own, other = self._walk(client, words, own, other)
        queue = self.workers[client].queue
        if len(own) == len(other) == 1:
            if name == "EXEC" and queue and isinstance(own[0], list) and isinstance(other[0], list):
                if len(own[0]) == len(other[0]) == len(queue):
                    for (queued, its_words), one, two in zip(queue, own[0], other[0], strict=True):
                        self._compare(queued, its_words, one, two)
                    return
            self._compare(name, words, own[0], other[0])
            return
        self._compare(name, words, own, other)

    def _walk(self, client: int, words: list[bytes], own: Any, other: Any) -> tuple[Any, Any]:
        """Both walks to their ends."""
        place = 1 if name_of(words) == "SCAN" else 2
        found = []
        for side, reply in ((self.ours, own), (self.theirs, other)):
            cursor, items = reply[0]
            for _ in range(1000):
                if cursor == b"0":
                    break
                more = [*words[:place], cursor, *words[place + 1 :]]
                cursor, next_items = decode_all(side.ask(client, more, waits=False))[0]
                items = items + next_items
            found.append([[cursor, items]])
        return found[0], found[1]

    def _compare(self, name: str, words: Sequence[bytes], ours: Any, theirs: Any) -> None:
        if equal(name, ours, theirs):
            return
        case = Case(name, tuple(words), ours, theirs)
        for difference in self.differences:
            if difference.fits(case):
                self.counted[f"difference: {difference.name}"] += 1
                if difference.parts:
                    raise _Parted
                return
        raise _Unequal(case)

    def _look(self, keys: Sequence[bytes], *, whole: bool = False) -> None:
        """Compare what is in the data, and what was said of it."""
        self.named.clear()
        # Encodings first: to ask for one ends a key whose time has passed.
        asked = [*((b"OBJECT", b"ENCODING", key) for key in keys), (b"DEBUG", b"DIGEST-VALUE", *keys)]
        ours, theirs = self._ask(asked)
        self.theirs.ask_all([(b"PING",)])
        self._late()
        self._compare_events(self.ours.heard(LISTENER), self.theirs.heard(LISTENER))
        for key, own, other in zip(keys, ours, theirs, strict=False):
            self._compare("OBJECT|ENCODING", [key], own, other)
        differ = [key for key, own, other in zip(keys, ours[-1], theirs[-1], strict=True) if own != other]
        for key in differ:
            self._compare_whole(key)
        if whole and not differ:
            for words, own, other in zip(WHOLE, *self._ask(WHOLE), strict=True):
                self._compare(words[-1].decode(), [*words, b"elsewhere"] if self.elsewhere else words, own, other)

    def _ask(self, requests: Sequence[Sequence[bytes]]) -> tuple[list[Any], list[Any]]:
        """What the inspectors are answered, ours and theirs."""
        theirs = self.theirs.ask_all(requests)
        self.ours.at(now())
        ours = self.ours.ask_all(requests)
        return [decode(data) for data in ours], [decode(data) for data in theirs]

    def _compare_whole(self, key: bytes) -> None:
        """Two digests of a value that differ; the case's words tell the key, and what of it digests may differ by:
        ``scores`` or ``times`` (of fields) if these are equal."""
        digests = (b"DEBUG", b"DIGEST-VALUE", key)
        scores = (b"ZRANGE", key, b"0", b"-1", b"WITHSCORES")
        fields = (b"HGETALL", key)
        own, other = self._ask([digests, scores, fields])
        words = [key]
        if isinstance(own[1], list) and own[1] == other[1]:
            words += [b"scores", *own[1][1::2]]
        elif isinstance(own[2], list) and equal("HGETALL", own[2], other[2]):
            names = own[2][::2]
            (ours,), (theirs,) = self._ask([(b"HPEXPIRETIME", key, b"FIELDS", b"%d" % len(names), *names)])
            if isinstance(ours, list) and equal("HPEXPIRETIME", ours, theirs):
                words += [b"times", *(b"%d" % time for time in ours)]
        self._compare("DIGEST-VALUE", words, own[0][0], other[0][0])

    def _has_one_score(self, words: Sequence[bytes]) -> bool:
        """Whether all members of the sorted set that a request is about have the same score."""
        key = words[2 if name_of(words) == "ZRANGESTORE" else 1 : 3][:1]
        _, (reply,) = self._ask([(b"ZRANGE", *key, b"0", b"-1", b"WITHSCORES")])
        return not isinstance(reply, list) or len(set(reply[1::2])) <= 1

    def _forgiven(self, event: tuple[bytes, bytes]) -> bool:
        return any(d.forgives is not None and d.forgives(event, self.refused) for d in self.differences)

    def _compare_events(self, ours: bytes, theirs: bytes) -> None:
        if ours == theirs:
            self.refused = []
            return
        own, other = [
            [event for event in map(_event, decode_all(data)) if not self._forgiven(event)] for data in (ours, theirs)
        ]
        self._compare("events", self.refused, _in_order(own), _in_order(other))
        self.refused = []


def _event(push: Any) -> tuple[bytes, bytes]:
    items = push.items if isinstance(push, Push) else push
    return (items[2], items[3])


def _in_order(events: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Misses in a row come sorted: SORT looks at the members of a set in any order."""
    found = []
    for missed, group in groupby(events, lambda event: b"keymiss" in (event[1], event[0].rpartition(b":")[2])):
        found += sorted(group) if missed else group
    return found


def _moment(name: str, reply: bytes) -> int:
    """When the other side ran a command: as the id that it made tells, else now."""
    if name == "XADD" and reply.startswith(b"$") and len(reply) > 18:
        milliseconds = int(reply.split(b"\r\n")[1].partition(b"-")[0])
        if abs(milliseconds - now()) < 60_000:
            return milliseconds
    return now()


def _follow(worker: _Worker, name: str, words: list[bytes], reply: bytes) -> None:
    """Keep track of a transaction."""
    if name in ("EXEC", "DISCARD", "RESET") and not (reply.startswith(b"-ERR") or reply == b"+QUEUED\r\n"):
        worker.queue = None
    elif name == "MULTI" and reply == b"+OK\r\n":
        worker.queue = []
    elif worker.queue is not None and reply == b"+QUEUED\r\n":
        worker.queue.append((name, words))


def name_of(words: Sequence[bytes]) -> str:
    """The name of a request's command as the table has it, in upper case."""
    first = words[0].decode("latin-1").upper() if words else ""
    above = TABLE.get(first.lower())
    if above is not None and above.subcommands and len(words) > 1 and words[1].lower() in above.subcommands:
        return f"{first}|{words[1].decode().upper()}"
    return first
