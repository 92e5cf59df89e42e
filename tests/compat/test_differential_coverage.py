"""What the differential machine draws: every command with each of its options, and all of them to some effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import pytest

from shardkv.commands.grammar import Arg
from tests.compat.machine.clients import may_wait, name_of
from tests.compat.machine.draw import request
from tests.compat.machine.profiles import Profile, redis_profile, valkey_profile
from tests.compat.machine.sequences import Drawn, draw
from tests.compat.machine.sides import WORKERS, InProcess

DRAWS = 400  # of each command
SEQUENCES = 250
IDS = (b"100001", b"100002", b"100003", b"1")

PROFILES = pytest.mark.parametrize("profile", [redis_profile(), valkey_profile()], ids=["redis", "valkey"])


def tokens(grammar: Sequence[Arg]) -> Iterator[bytes]:
    """The words of a command that stand for themselves."""
    for arg in grammar:
        if arg.token is not None:
            yield arg.token.upper().encode()
        yield from tokens(arg.parts)


@PROFILES
def test_every_option_of_every_command_is_drawn(profile: Profile) -> None:
    rng = Random(1)
    never = {}
    for command in profile.commands:
        without = profile.without.get(command.name, frozenset())
        drawn = {word.upper() for _ in range(DRAWS) for word in request(rng, command, without)}
        missing = set(tokens(command.grammar)) - drawn - {token.encode() for token in without}
        if missing:
            never[command.name] = missing
    assert never == {}


@PROFILES
def test_every_command_is_answered_with_more_than_errors(profile: Profile) -> None:
    side = InProcess()
    effects: Counter[str] = Counter()
    for number in range(SEQUENCES):
        _play(side, draw(profile, f"coverage:{number}", 100), effects)
    assert [command.name for command in profile.commands if not effects[command.name]] == []


def _play(side: InProcess, drawn: Drawn, effects: Counter[str]) -> None:
    """Count the requests of a sequence that are not refused, those that wait among them."""
    side.begin(drawn.setup, IDS)
    waiting = dict.fromkeys(WORKERS, False)
    for step in drawn.steps:
        if waiting[step.client] and not side.heard(step.client):
            continue
        name = name_of(step.words).lower().removesuffix(" novalues")
        reply = side.ask(step.client, step.words, waits=True)
        waiting[step.client] = not reply and may_wait(name.upper())
        effects[name] += not reply.startswith(b"-")
