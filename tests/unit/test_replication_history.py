"""Who may go on from where: ids, offsets and the backlog."""

from __future__ import annotations

from shardkv.keyspace.database import Database
from shardkv.replication.history import NO_ID, History
from shardkv.replication.stream import Stream

OLD, NEW = "a" * 40, "b" * 40


def primary(*pieces: bytes) -> History:
    """A primary with a backlog that has sent these."""
    history = History(OLD)
    history.keep(1000)
    for piece in pieces:
        history.append(piece)
    return history


def test_a_replica_goes_on_where_it_is() -> None:
    history = primary(b"12345", b"67890")
    assert history.since(OLD, 1) == b"1234567890"
    assert history.since(OLD, 6) == b"67890"
    assert history.since(OLD, 11) == b""


def test_nobody_goes_on_from_the_future_or_from_another_history() -> None:
    history = primary(b"12345")
    assert history.since(OLD, 7) is None
    assert history.since(NEW, 1) is None
    assert history.since(NO_ID, 1) is None
    assert history.since("?", -1) is None


def test_nobody_goes_on_without_a_backlog() -> None:
    assert History(OLD).since(OLD, 1) is None


def test_after_a_promotion_others_go_on_from_the_old_history_up_to_where_it_ended() -> None:
    history = primary(b"12345")
    history.branch(NEW)
    history.append(b"67")
    assert history.since(OLD, 6) == b"67"
    assert history.since(NEW, 6) == b"67"
    assert history.since(OLD, 7) is None, "a byte of the old history that this node never saw"
    assert history.second_offset == 6


def test_a_primary_that_is_promoted_under_us_leaves_its_old_name_as_the_second() -> None:
    history = primary(b"12345")
    assert history.renamed(NEW)
    assert (history.id, history.id2, history.second_offset) == (NEW, OLD, 6)
    assert not history.renamed(NEW)
    assert history.id2 == OLD


def test_a_full_synchronisation_forgets_everything() -> None:
    history = primary(b"12345")
    history.branch(NEW)
    history.replace("c" * 40, 100, 1000)
    assert (history.id, history.id2, history.second_offset, history.offset) == ("c" * 40, NO_ID, -1, 100)
    assert history.since("c" * 40, 101) == b""
    assert history.since(NEW, 3) is None


def test_a_stream_selects_the_database_where_it_changes() -> None:
    stream = Stream()
    one, two = Database(0, bytearray(16384)), Database(12, bytearray(16384))
    sizes = [stream.feed(one, [b"SET", b"k", b"v"]), stream.feed(None, [b"MULTI"]), stream.feed(two, [b"DEL", b"k"])]
    data = stream.take()
    assert sum(sizes) == len(data)
    assert data == (
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
        b"*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"
    )
    assert stream.take() == b""
    run = [[b"SET", b"k", b"v"], [b"SET", b"key" * 300, b"v"], [b"MSET", b"a", b"1", b"b", b"2"]]
    for requests in ([run[0], run[0]], run):
        size = stream.feed_run(one, requests)
        whole = stream.take()
        alone = Stream()
        alone.database = 12
        assert size == len(whole) == sum(alone.feed(one, words) for words in requests)
        assert whole == alone.take()
        stream.feed(two, [b"DEL", b"k"])
        stream.take()
    stream.restart()
    stream.feed(two, [b"DEL", b"k"])
    assert stream.take().startswith(b"*2\r\n$6\r\nSELECT")
