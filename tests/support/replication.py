"""What tests of replication share: data of all kinds, and questions to primaries and replicas."""

from __future__ import annotations

from .processes import Server, wait_for
from .wire import Client
from .wire_replies import Refusal


def replication(client: Client, section: str = "replication") -> dict[str, str]:
    """The fields of a section of INFO."""
    text = client.must("INFO", section)
    assert isinstance(text, bytes)
    lines = text.decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def link_is_up(client: Client) -> bool:
    """Whether this replica has its primary."""
    if isinstance(client("PING"), Refusal):
        return False
    return replication(client).get("master_link_status") == "up"


def link_to(primary: Server, client: Client, timeout: float = 20.0) -> None:
    """Make a client's server a replica, and wait until it is."""
    client.must("REPLICAOF", primary.host, primary.port)
    wait_for(lambda: link_is_up(client), timeout, f"the link to {primary.port}")


def digests_agree(one: Client, two: Client) -> bool:
    """Whether two servers hold the same data. Raises AssertionError with what differs in size if they don't."""
    here, there = one.must("DEBUG", "DIGEST"), two("DEBUG", "DIGEST")
    assert here == there, f"{one('DBSIZE')!r} keys against {two('DBSIZE')!r}"
    return True


def fill(client: Client, seed: int, count: int = 60) -> None:
    """Values of every type, some with times, some in another database; what ``seed`` makes differs from others."""
    requests: list[tuple[object, ...]] = []
    for i in range(count):
        n = i + seed * count
        requests += [
            ("SET", f"s{n}", "x" * n),
            ("SET", f"t{n}", n, "PX", 100_000 + n),
            ("APPEND", "a", n),
            ("INCRBYFLOAT", "f", "1.5"),
            ("RPUSH", f"l{n % 7}", n, "element" * (n % 30)),
            ("SADD", "ints", n),
            ("SADD", f"u{n % 5}", n, f"m{n}"),
            ("ZADD", f"z{n % 3}", n / 7, f"m{n}"),
            ("HSET", f"h{n % 4}", f"f{n}", n),
            ("XADD", "x", "*", "n", n),
            ("PFADD", "p", n),
            ("SETBIT", "b", n * 11, 1),
            ("EXPIRE", f"s{n // 2}", 5000 + n),
        ]
    requests += [
        ("SPOP", "ints", 5),
        ("LPOP", "l1"),
        ("DEL", f"u{seed}"),
        ("MULTI",),
        ("SET", "in", seed),
        ("INCR", "multi"),
        ("EXEC",),
        ("XGROUP", "CREATE", "x", f"g{seed}", 0),
        ("XREADGROUP", "GROUP", f"g{seed}", "c", "COUNT", 3, "STREAMS", "x", ">"),
        ("SELECT", 9),
        ("SET", f"other {seed}", seed),
        ("SELECT", 0),
    ]
    for words, reply in zip(requests, client.pipeline(requests), strict=True):  # type: ignore[arg-type]  # a list of tuples of different lengths
        assert not isinstance(reply, Refusal), f"{words!r}: {reply.text}"
