"""CONFIG REWRITE beside redis-server's: the same file, the same changes, the same text."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardkv.config import Config
from shardkv.config.cmdline import parse
from shardkv.config.conffile import read
from shardkv.config.rewrite import SIGNATURE, rewrite
from tests.support.processes import Server

FILES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "comments and an old name": (
        "# hello\nmaxclients 100\n\n# two\nslave-priority 50\nsave 60 1\nsave 300 10\n# end\n",
        [],
    ),
    "no file to speak of": (
        "",
        [
            ("bind", "127.0.0.1 -::1"),
            ("client-output-buffer-limit", "normal 1mb 2 3 replica 0 0 0"),
            ("save", "1 2"),
            ("oom-score-adj-values", "1 2 3"),
            ("latency-tracking-info-percentiles", ""),
            ("shutdown-on-sigint", "now force"),
            ("repl-backlog-size", "2gb"),
            ("maxmemory", "1500000000"),
            ("maxmemory-clients", "5%"),
            ("masterauth", 'x"y\\z\n\x01'),
            ("proc-title-template", "{title} {port}"),
        ],
    ),
    "lines that come twice": (
        "maxclients 100\nmaxmemory 100mb\nmaxclients 200\nhash-max-ziplist-entries 128\n"
        "loglevel debug\nloglevel notice\nappendonly no\nclient-output-buffer-limit normal 1mb 0 0\n"
        "client-output-buffer-limit replica 5mb 1mb 10\n",
        [("maxclients", "10000"), ("notify-keyspace-events", "KEA"), ("hz", "20"), ("list-max-ziplist-size", "5")],
    ),
    "fewer lines than before": (
        "save 1 1\nsave 2 2\nsave 3 3\nbind 127.0.0.1 -::1\n"
        "client-output-buffer-limit normal 0 0 0 pubsub 1 2 3\nreplicaof no one\nlua-time-limit 100\n"
        "busy-reply-threshold 200\nmasterauth foo\nnotify-keyspace-events \"\"\ntimeout 5\n",
        [("save", ""), ("masterauth", ""), ("timeout", "0"), ("bind", "* -::*")],
    ),
    "blanks, quotes and a tail": (
        "  MAXCLIENTS   77  \n\n\n\n# x\nlogfile \"\"\nunixsocketperm 700\ndir .\ncluster-announce-hostname \"\"\n"
        f"'tcp-keepalive' \"\\x36\\x30\"\n{SIGNATURE}\nlua-replicate-commands no\nactive-expire-effort 3\n",
        [("save", "10 5 20 6"), ("repl-ping-slave-period", "5"), ("bind", "")],
    ),
}  # fmt: skip
# Lines that only redis-server writes, and why.
ONLY_REDIS = {"user default on nopass ~* &* +@all": "users are written by their owner, through extra="}
# Where shardkv means to differ.
KEPT_BY_US = {"# ??? lua-replicate-commands no": "lua-replicate-commands no"}


def _no_include(pattern: str) -> list[tuple[str, str]]:
    raise FileNotFoundError(2, "No such file or directory", pattern)


def _parts(text: str) -> tuple[list[str], list[str]]:
    """The lines up to the signature, and those behind it in any order, for Redis writes them in a hash table's."""
    lines = [KEPT_BY_US.get(line, line) for line in text.split("\n") if line not in ONLY_REDIS]
    cut = lines.index(SIGNATURE) if SIGNATURE in lines else len(lines)
    return lines[:cut], sorted(lines[cut:])


@pytest.mark.wire
@pytest.mark.parametrize("case", FILES)
def test_the_rewritten_file_is_that_of_redis(case: str, tmp_path: Path) -> None:
    text, changes = FILES[case]
    path = tmp_path / "redis.conf"
    path.write_text(text)

    class RedisWithFile(Server):
        program = ("redis-server", str(path))

    with RedisWithFile(dir=str(tmp_path)) as redis, redis.client() as client:
        words = redis.command_line[2:]
        for name, value in changes:
            assert client("CONFIG", "SET", name, value) == "OK"
        assert client("CONFIG", "REWRITE") == "OK"
        theirs = path.read_text()

    config = Config()
    config.load(read(text, str(path), _no_include))
    config.load(parse(words).lines)
    config.set([(name.encode(), value.encode()) for name, value in changes])
    config.assign(Config.dir, str(tmp_path))
    assert _parts(rewrite(text, config)) == _parts(theirs)
