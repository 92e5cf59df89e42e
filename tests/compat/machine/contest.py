"""One sequence on both sides, step by step, until they differ."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from re import search
from typing import Any, Final

from tests.support.engine_client import decode_all
from tests.support.wire_replies import Map, Refusal

from .cases import WAITED, Case, Difference, invalidates
from .clients import SCATTERING, SUBSCRIBING, Worker, by_name, may_wait, name_of
from .data import Data
from .pools import ALL_KEYS, MOMENT
from .replies import WALKS, equal
from .sequences import Drawn, Step, shown
from .sides import WORKERS, Side, now

#: After so many steps encodings and digests of the keys named are compared; at the end those of all keys.
LOOK_EVERY: Final = 8
POOL: Final = frozenset(ALL_KEYS)
#: Commands that may be answered with several replies, or amid messages.
SEVERAL: Final = SUBSCRIBING | {"PUBLISH", "SPUBLISH", "CLIENT|TRACKING"}
#: Commands that may give a key or a field a moment to live, and the seconds after which it is over.
TIMED: Final = frozenset(("SET", "PSETEX", "PEXPIRE", "GETEX", "HPEXPIRE", "HSETEX", "HGETEX"))
PASSING: Final = 0.023


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
        words = " ".join(shown(word) for word in self.case.words)
        return f"{self.case.name}: {words}\n    ours   {self.case.ours!r}\n    theirs {self.case.theirs!r}"


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
class Contest:
    """Two sides, and the differences that are meant. ``counted`` counts commands, errors and differences met."""

    ours: Side
    theirs: Side
    differences: Sequence[Difference]
    counted: Counter[str] = field(default_factory=Counter)

    def run(self, drawn: Drawn) -> Failure | None:
        """Play a sequence; where it failed, if it did."""
        self.theirs.begin(drawn.setup, [])
        self.ours.begin(drawn.setup, self.theirs.ids)
        self._data = Data(self.ours, self.theirs, self.differences, self._compare)
        self._workers = {client: Worker() for client in WORKERS}
        self._named: set[bytes] = set()  # keys of the pool that were named since the last look
        self._scattered = False
        self._lets_pass = False
        self._fleeting = False  # there may be keys whose time has passed, which a random pick would find by chance
        self._told: set[str] = set()  # names of differences that a request was telling for
        at = 0
        try:
            for at, step in enumerate(drawn.steps):
                self._play(step)
                if at % LOOK_EVERY == LOOK_EVERY - 1:
                    self._look(sorted(self._named))
            if self._look(ALL_KEYS):
                self._data.look_at_all([b"elsewhere"] if self._scattered else [])
        except _Unequal as unequal:
            return Failure(unequal.case, at)
        except _Parted:
            pass
        return None

    def _play(self, step: Step) -> None:
        worker = self._workers[step.client]
        words = list(step.words)
        name = name_of(words)
        if worker.leaves_out(name, words) or (by_name(name, words) and not self._names_mean_something(worker, words)):
            return
        if name == "RANDOMKEY" and self._fleeting:
            return
        self.counted["commands"] += 1
        self._named.update(POOL.intersection(words))
        others_hear = any(other.waiting or other.hears for other in self._workers.values())
        waits = others_hear or may_wait(name) or name in SUBSCRIBING or name in ("RESET", "CLIENT|TRACKING")
        theirs = self.theirs.ask(step.client, words, waits=waits)
        self.ours.at(_moment(name, words, theirs))
        asked = words if self.ours.clock_can_be_set else _with_id(name, words, theirs)
        ours = self.ours.ask(step.client, asked, waits=waits)
        self._judge(name, words, worker, ours, theirs)
        self._compare_replies(name, words, step.client, ours, theirs)
        self._scattered = self._scattered or name in SCATTERING
        worker.follow(name, words, theirs)
        if worker.waiting:
            self._data.suspects += words
        if self._lets_pass:
            self._lets_pass, self._fleeting = False, True
            time.sleep(PASSING)
        if waits:
            self._late()
        if name == "SPOP" and ours != theirs and len(words) > 1:
            # Both have drawn by lot, so what is left differs.
            self._play(Step(step.client, (b"DEL", words[1])))

    def _names_mean_something(self, worker: Worker, words: Sequence[bytes]) -> bool:
        if worker.queue is not None or worker.elsewhere or len(words) < 3:
            return False
        return self._data.has_one_score(words[2 if name_of(words) == "ZRANGESTORE" else 1])

    def _judge(self, name: str, words: list[bytes], worker: Worker, ours: bytes, theirs: bytes) -> None:
        """What a request and its replies say of the events to come."""
        if theirs.startswith(b"-"):
            self.counted["errors"] += 1
        requests = worker.queue if name == "EXEC" and worker.queue is not None else [(name, words)]
        for its_name, its_words in requests:
            self._lets_pass = self._lets_pass or (its_name in TIMED and MOMENT in its_words)
            telling = {one.name for one in self.differences if one.telling(its_name, its_words)}
            self._told |= telling
            if telling or ours.startswith(b"-") or (name == "EXEC" and b"-" in ours):
                self._data.suspects += its_words[1:]
            if any(difference.parts and difference.telling(its_name, its_words) for difference in self.differences):
                raise _Parted

    def _late(self) -> None:
        """What the clients got beside the replies to their own requests."""
        for client, worker in self._workers.items():
            ours, theirs = self.ours.heard(client), self.theirs.heard(client)
            name, words = "messages", [WAITED]
            if worker.waiting and (ours or theirs):
                name, worker.waiting = worker.waiting, ""
                words += worker.waits_with
            if ours != theirs:
                self._compare(name, words, decode_all(ours), decode_all(theirs))

    def _compare_replies(self, name: str, words: list[bytes], client: int, ours: bytes, theirs: bytes) -> None:
        if ours == theirs and name not in WALKS:
            return
        own, other = decode_all(ours), decode_all(theirs)
        if not (own and other) or (name in SEVERAL and len(own) + len(other) > 2):
            self._compare(name, words, own, other)
            return
        if invalidates(own[0]) != invalidates(other[0]):
            self._compare(name, words, own, other)
            return
        self._compare_reply(name, words, client, own[0], other[0])
        self._compare("messages", [WAITED, *words], own[1:], other[1:])

    def _compare_reply(self, name: str, words: list[bytes], client: int, first: Any, second: Any) -> None:
        if name in WALKS and isinstance(first, list) and isinstance(second, list):
            if words[1 if name == "SCAN" else 2] != b"0":
                return  # a cursor that nobody gave
            first, second = [self._walked(side, client, words, reply) for side, reply in self._sides(first, second)]
        queue = self._workers[client].queue
        amid = isinstance(second, list) and any(map(invalidates, second))
        if (
            name == "EXEC"
            and not amid
            and queue
            and isinstance(first, list)
            and len(first) == len(queue) == len(second or ())
        ):
            for (queued, its_words), one, two in zip(queue, first, second, strict=True):
                self._compare(queued, its_words, one, two)
        else:
            self._compare(name, words, first, second)

    def _sides(self, first: Any, second: Any) -> tuple[tuple[Side, Any], tuple[Side, Any]]:
        return (self.ours, first), (self.theirs, second)

    def _walked(self, side: Side, client: int, words: list[bytes], reply: list[Any]) -> list[Any]:
        """A walk to its end: the last cursor and all that was met."""
        place = 1 if name_of(words) == "SCAN" else 2
        cursor, items = reply
        for _ in range(1000):
            if cursor == b"0":
                break
            more = [*words[:place], cursor, *words[place + 1 :]]
            cursor, next_items = decode_all(side.ask(client, more, waits=False))[0]
            items = items + next_items
        return [cursor, items]

    def _look(self, keys: Sequence[bytes]) -> bool:
        """Compare the data, and what was said of them; whether all digests were equal."""
        self._named.clear()
        for side in (self.theirs, self.ours):
            side.settle()
        self._late()
        equal_digests = self._data.look(keys)
        for side in (self.theirs, self.ours):
            side.settle()
        self._data.listen()
        for worker in self._workers.values():
            if worker.waiting:
                self._data.suspects += worker.waits_with
        return equal_digests

    def _compare(self, name: str, words: Sequence[bytes], ours: Any, theirs: Any) -> None:
        if name in ("CLIENT|GETREDIR", "CLIENT|TRACKINGINFO") and self.ours.ids != self.theirs.ids:
            ours = _with_their_ids(ours, dict(zip(map(int, self.ours.ids), map(int, self.theirs.ids), strict=True)))
        if equal(name, ours, theirs):
            return
        case = Case(name, tuple(words), ours, theirs)
        for difference in self.differences:
            late = difference.name in self._told and difference.after(case)
            if late or difference.fits(case):
                self.counted[f"difference: {difference.name}"] += 1
                if late or difference.parts:
                    raise _Parted
                return
        raise _Unequal(case)


def _with_their_ids(reply: Any, ids: Mapping[int, int]) -> Any:
    """A reply with the other side's client ids in place of our own."""
    if isinstance(reply, Map):
        return Map(tuple((name, _with_their_ids(value, ids)) for name, value in reply.pairs))
    if isinstance(reply, list):
        return [_with_their_ids(item, ids) for item in reply]
    return ids.get(reply, reply) if isinstance(reply, int) else reply


def _made_id(name: str, words: Sequence[bytes], reply: bytes) -> bytes | None:
    """The id that the other side made of its clock, if this is what the request asked for."""
    match = search(rb"\$\d+\r\n((\d+)-\d+)\r\n", reply)
    if name != "XADD" or b"*" not in words or match is None or abs(int(match[2]) - now()) > 60_000:
        return None
    return match[1]


def _with_id(name: str, words: list[bytes], reply: bytes) -> list[bytes]:
    """An XADD with the id that the other side has made."""
    made = _made_id(name, words, reply)
    if made is None:
        return words
    place = words.index(b"*", 1)
    return [*words[:place], made, *words[place + 1 :]]


def _moment(name: str, words: Sequence[bytes], reply: bytes) -> int:
    """When the other side ran a command: as the id that it made tells, else now."""
    made = _made_id(name, words, reply)
    return now() if made is None else int(made.partition(b"-")[0])
