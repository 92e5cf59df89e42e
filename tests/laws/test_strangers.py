"""Before AUTH every command is answered with NOAUTH, but for the handful that lets a client in or out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.commands.spec import TABLE
from tests.compat.machine.draw import request
from tests.support.engine_client import EngineClient

#: What may be asked by anybody.
OPEN: Final = frozenset({"auth", "hello", "quit", "reset"})
#: What Redis tells before it asks for a password: that there is no such command, or that it has other words.
_ABORTED: Final = b"-EXECABORT Transaction discarded because of: "
NOAUTH: Final = (b"-NOAUTH Authentication required.\r\n", _ABORTED + b"NOAUTH Authentication required.\r\n")
BEFORE: Final = (
    _ABORTED + b"wrong number of arguments",
    b"-ERR unknown ",
    b"-ERR wrong number of arguments for ",
    b"-ERR DEBUG command not allowed.",
    b"-ERR MODULE command not allowed.",
)
PASSWORD: Final = "correct horse"
#: Ways to shut a node: by requirepass, by the rules of the default user, by turning that user off.
LOCKS: Final = {
    "requirepass": ("CONFIG", "SET", "requirepass", PASSWORD),
    "a password": ("ACL", "SETUSER", "default", f">{PASSWORD}"),
    "nobody": ("ACL", "SETUSER", "default", "off"),
}


@pytest.fixture(scope="module", params=LOCKS)
def owner(request: pytest.FixtureRequest) -> EngineClient:
    """Whoever was in before the door was shut; there is a key."""
    kv = EngineClient()
    kv("SET", "secret", "treasure")
    kv(*LOCKS[request.param])
    return kv


@given(seed=st.integers(0, 1 << 32))
def test_a_stranger_is_told_nothing_and_changes_nothing(owner: EngineClient, seed: int) -> None:
    rng = Random(seed)
    sent = owner.propagated()
    for command in rng.sample(list(TABLE.values()), len(TABLE)):
        stranger = owner.other()
        words = request(rng, command)
        reply = stranger.raw(*words)
        if command.name in OPEN:
            assert b"treasure" not in reply
        else:
            assert reply in NOAUTH or reply.startswith(BEFORE), (words, reply)
            assert stranger.session.queue is None
            assert not stranger.session.subscribed
        assert not stranger.session.authenticated
        owner.engine.leave(stranger.session)
    owner.engine.sinks.pop()
    assert sent == []
    assert owner("GET", "secret") == "treasure"


def test_every_wrong_guess_is_refused_and_counted() -> None:
    kv = EngineClient()
    kv("CONFIG", "SET", "requirepass", PASSWORD)
    stranger = kv.other()
    guesses = [PASSWORD[:length] for length in range(len(PASSWORD))]
    for guess in guesses:
        assert stranger.raw("AUTH", guess).startswith(b"-WRONGPASS ")
        assert stranger.raw("AUTH", "nobody", guess).startswith(b"-WRONGPASS ")
    assert f"acl_access_denied_auth:{2 * len(guesses)}\r\n" in kv("INFO", "stats")
    assert [entry[1] for entry in kv("ACL", "LOG")] == [len(guesses), len(guesses)]
    assert stranger("AUTH", PASSWORD) == "OK"


def test_a_guess_costs_the_same_whoever_is_named_and_however_much_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    # Time on a busy machine proves nothing, so the work is counted: one hash of the guess, one comparison in constant
    # time for each password there is, at least one.
    kv = EngineClient()
    kv("ACL", "SETUSER", "ada", "on", ">one")
    work: list[str] = []
    for name in ("sha256", "compare_digest"):
        monkeypatch.setattr(f"shardkv.acl.user.{name}", _counted(name, work))
    for name, guess in (("ada", "x"), ("ada", "on"), ("nobody", "one"), ("default", "x"), ("ada", "one")):
        work.clear()
        kv.raw("AUTH", name, guess)
        assert work == ["sha256", "compare_digest"], name


def _counted(name: str, work: list[str]) -> Callable[..., Any]:
    does: Callable[..., Any] = hashlib.sha256 if name == "sha256" else hmac.compare_digest

    def counted(*arguments: Any) -> Any:
        work.append(name)
        return does(*arguments)

    return counted
