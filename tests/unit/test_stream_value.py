"""Stream values against a plain list, and what they have to know about Redis's own nodes."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shardkv.values.stream_groups import Group
from shardkv.values.stream_ids import MAX_ID, format_id, make_id, radix_nodes
from shardkv.values.stream_nodes import integer_size, text_size
from shardkv.values.streams import StreamValue

PAIR = st.tuples(st.sampled_from([b"f", b"g"]), st.sampled_from([b"", b"v", b"17", b"-3", b"x" * 70]))
WORDS = st.lists(PAIR, min_size=1, max_size=3).map(lambda pairs: [word for pair in pairs for word in pair])


class StreamMachine(RuleBasedStateMachine):
    """Every operation on a stream and on a list of entries."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = StreamValue()
        self.model: list[tuple[int, list[bytes]]] = []
        self.now = 1
        self.max_entries = self.max_bytes = 0

    @initialize(max_entries=st.sampled_from([0, 1, 3, 100]), max_bytes=st.sampled_from([0, 60, 200, 4096]))
    def limits(self, max_entries: int, max_bytes: int) -> None:
        self.max_entries, self.max_bytes = max_entries, max_bytes

    @rule(step=st.sampled_from([0, 0, 1, 300, 1 << 40]), words=WORDS)
    def add(self, step: int, words: list[bytes]) -> None:
        self.now += step
        id = self.stream.next_id(self.now)
        self.stream.append(id, words, self.max_entries, self.max_bytes)
        self.model.append((id, words))

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        known = [id for id, _ in self.model]
        ids = data.draw(st.lists(st.sampled_from([*known, 7]), max_size=4))
        assert self.stream.delete(ids) == len(set(ids) & set(known))
        self.model = [entry for entry in self.model if entry[0] not in ids]

    @rule(length=st.integers(0, 12))
    def trim_to_a_length(self, length: int) -> None:
        gone = max(0, len(self.model) - length)
        assert self.stream.trim_length(length) == gone
        self.model = self.model[gone:]

    @rule(data=st.data())
    def trim_up_to_an_id(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from([*(id for id, _ in self.model), 7])) + data.draw(st.integers(0, 1))
        gone = sum(held < id for held, _ in self.model)
        assert self.stream.trim_below(id) == gone
        self.model = self.model[gone:]

    @rule(length=st.integers(0, 12), limit=st.integers(0, 8))
    def trim_whole_nodes(self, length: int, limit: int) -> None:
        gone = self.stream.trim_length(length, approximately=True, limit=limit)
        assert gone == 0 or len(self.model) - gone >= length
        assert not limit or gone <= limit
        self.model = self.model[gone:]

    @rule(data=st.data(), reverse=st.booleans())
    def read_a_range(self, data: st.DataObject, reverse: bool) -> None:
        bounds = st.sampled_from([*(id for id, _ in self.model), 0, MAX_ID])
        start, end = data.draw(bounds), data.draw(bounds)
        expected = [entry for entry in self.model if start <= entry[0] <= end]
        assert list(self.stream.range(start, end, reverse=reverse)) == (expected[::-1] if reverse else expected)

    @rule()
    def look_up(self) -> None:
        ids = [id for id, _ in self.model][::2]
        expected = {id: words for id, words in self.model if id in ids}
        assert self.stream.look_up([*ids, 7, MAX_ID]) == expected

    @rule()
    def copy(self) -> None:
        self.stream = self.stream.copy()

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        self.stream.check()
        assert list(self.stream.range()) == self.model


TestStream = StreamMachine.TestCase


@pytest.mark.parametrize(
    ("number", "size"),
    [(0, 2), (127, 2), (128, 3), (-1, 3), (4095, 3), (-4097, 4), (32767, 4), (32768, 5), (1 << 23, 6), (1 << 31, 10)],
)
def test_integers_take_as_much_as_in_a_listpack(number: int, size: int) -> None:
    assert integer_size(number) == size
    assert text_size(b"%d" % number) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *[(b"", 2), (b"a", 3), (b"01", 4), (b"-0", 4), (b"1-2", 5), (b"-", 3), (b"--1", 5), (b"9" * 20, 22)],
        *[(b"x" * 63, 65), (b"x" * 64, 67), (b"x" * 126, 130), (b"x" * 4096, 4103)],
    ],
)
def test_strings_take_as_much_as_in_a_listpack(text: bytes, size: int) -> None:
    assert text_size(text) == size


def test_the_radix_tree_is_counted_with_its_chains() -> None:
    assert radix_nodes([]) == 1
    assert radix_nodes([make_id(1, 1)]) == 2
    assert radix_nodes([make_id(1, 1), make_id(1, 2)]) == 4  # a chain, a branch, two leaves
    assert radix_nodes([make_id(1, 1), make_id(1, 2), make_id(2, 1)]) == 8
    assert radix_nodes([make_id(1 << 56, 0), make_id(2 << 56, 0)]) == 5  # a branch at the root, two chains, two leaves


def test_a_node_that_was_closed_takes_entries_again_when_the_next_is_gone() -> None:
    stream = StreamValue()
    for id in range(1, 4):
        stream.append(id, [b"f", b"v"], 2, 0)
    stream.delete([3])
    stream.append(4, [b"f", b"v"], 3, 0)
    stream.check()
    assert [id for id, _ in stream.range()] == [1, 2, 4]
    assert len(stream.nodes) == 1


def test_packed_entries_cost_little_more_than_their_bytes() -> None:
    stream = StreamValue()
    for id in range(1, 10_001):
        stream.append(make_id(1_700_000_000_000 + id, 0), [b"field", b"value-%06d" % id], 100, 4096)
    assert stream.memory() / 10_000 < 12 + 14


def test_a_copy_has_groups_of_its_own() -> None:
    stream = StreamValue()
    stream.append(1, [b"f", b"v"], 100, 4096)
    group = stream.groups[b"g"] = Group(0)
    group.deliver(1, group.add_consumer(b"c", 5), 7)
    twin = stream.copy()
    group.remove_consumer(b"c")
    twin.check()
    copied = twin.groups[b"g"].pending[1]
    assert (copied.owner.name, copied.time, copied.count) == (b"c", 7, 1)
    assert not group.pending


def test_ids_are_written_as_two_numbers() -> None:
    assert format_id(MAX_ID) == b"18446744073709551615-18446744073709551615"
    assert format_id(make_id(5, 6)) == b"5-6"
