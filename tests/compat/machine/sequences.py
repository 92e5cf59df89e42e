"""A sequence: a setup and steps, each a request of one of two clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from shardkv.commands.spec import Command

from .draw import request
from .profiles import Profile
from .sides import Setup


@dataclass(frozen=True, slots=True)
class Step:
    """A request of one client."""

    client: int
    words: tuple[bytes, ...]

    def __str__(self) -> str:
        return f"{self.client}: " + " ".join(shown(word) for word in self.words)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one seed stands for."""

    seed: str
    setup: Setup
    steps: tuple[Step, ...]


def shown(word: bytes) -> str:
    """A word as a person reads it, a long one shortened."""
    if len(word) > 80:
        return f"<{len(word)} bytes>"
    text = word.decode("latin-1").encode("unicode_escape").decode().replace('"', "\\x22")
    return text if text and all(char not in text for char in " '#") else f'"{text}"'


DEFAULTS: Final = {
    "hash-max-listpack-entries": "512",
    "hash-max-listpack-value": "64",
    "list-max-listpack-size": "-2",
    "list-compress-depth": "0",
    "set-max-intset-entries": "512",
    "zset-max-listpack-entries": "128",
    "zset-max-listpack-value": "64",
    "stream-node-max-entries": "100",
    "stream-node-max-bytes": "4096",
}
#: Small collections change their encoding early in one of three setups.
OPTIONS: Final[tuple[Mapping[str, str], ...]] = (
    {},
    {
        "hash-max-listpack-entries": "4",
        "hash-max-listpack-value": "8",
        "list-max-listpack-size": "3",
        "set-max-intset-entries": "3",
        "zset-max-listpack-entries": "4",
        "zset-max-listpack-value": "8",
        "stream-node-max-entries": "3",
    },
    {
        "list-max-listpack-size": "-1",
        "list-compress-depth": "1",
        "stream-node-max-bytes": "64",
        "set-max-intset-entries": "8",
    },
)
#: What clients that cache say; in one of five sequences they say it often.
CACHING: Final = frozenset({"client|tracking", "client|caching", "client|trackinginfo", "client|getredir"})
EVENTS: Final = ("AKEmn", "AKE", "KEA", "Elg", "")


def draw(profile: Profile, seed: str, length: int) -> Drawn:
    """The sequence of this seed."""
    rng = Random(seed)
    options = {"notify-keyspace-events": rng.choice(EVENTS[:1] * 4 + EVENTS), **DEFAULTS, **rng.choice(OPTIONS)}
    return Drawn(seed, Setup(options, rng.random() < 0.5), tuple(_steps(rng, profile, length)))


def _steps(rng: Random, profile: Profile, length: int) -> list[Step]:
    by_group: dict[str, list[Command]] = {}
    for command in profile.commands:
        by_group.setdefault(command.group, []).append(command)
    groups = [group for group in by_group if group not in ("connection", "transactions", "pubsub", "server")]
    focus = [command for group in rng.sample(groups, 2) for command in by_group[group]]
    if rng.random() < 0.2:
        focus += [command for command in profile.commands if command.name in CACHING] * 3
    steps = []
    client = 0
    for _ in range(length):
        if rng.random() < 0.2:
            client = 1 - client
        command = _command(rng, profile.commands, by_group, focus)
        words = request(rng, command, profile.without.get(command.name, frozenset()))
        steps.append(Step(client, tuple(words)))
    return steps


def _command(
    rng: Random, every: Sequence[Command], by_group: dict[str, list[Command]], focus: Sequence[Command]
) -> Command:
    lot = rng.random()
    if lot < 0.7:
        return rng.choice(focus)
    if lot < 0.8:
        return rng.choice(by_group["transactions"])
    if lot < 0.88:
        return rng.choice(by_group["generic"])
    return rng.choice(every)
