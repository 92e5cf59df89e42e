"""Stream values: entries in order of their ids, in nodes, and the consumer groups that read them.

Everything but the ends of the stream is reached by a binary search over the nodes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from .listpack import Listpack
from .stream_groups import Group
from .stream_ids import MAX_ID, SEQ_BITS, SEQ_MASK, format_id, make_id, radix_nodes
from .stream_listpacks import unfold
from .stream_nodes import ENTRY_BYTES_MAX, NODE_OVERHEAD, Node
from .stream_progress import Progress

#: An empty stream, in bytes.
OVERHEAD: Final = 250

_first: Final = attrgetter("first")


class StreamValue(Progress):
    """A stream. Ids are integers (see ``stream_ids``), 0 where there is none."""

    __slots__ = ("_held", "_radix", "_top", "groups", "nodes")

    type_name: Final = "stream"
    encoding: Final = "stream"
    rests: Final = True  #: always, node by node

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.groups: dict[bytes, Group] = {}
        self._held = 0  #: bytes of packed entries
        self._top: int | None = 0  #: the id of the last entry, None: to be looked up
        self._radix: int | None = None

    def __len__(self) -> int:
        return self.length

    # ---- adding

    def next_id(self, now: int) -> int:
        """The id of an entry that is added at ``now`` (Unix milliseconds). Past MAX_ID when the ids are used up."""
        return make_id(now, 0) if now > self.last_id >> SEQ_BITS else self.last_id + 1

    def next_in(self, milliseconds: int) -> int | None:
        """The next id with these milliseconds, or None when their sequences are used up."""
        if milliseconds != self.last_id >> SEQ_BITS:
            return make_id(milliseconds, 0)
        return None if self.last_id & SEQ_MASK == SEQ_MASK else self.last_id + 1

    def append(self, id: int, words: Sequence[bytes], max_entries: int, max_bytes: int) -> None:
        """Add an entry of fields and values in turn; its id must be above ``last_id``.

        ``max_entries`` and ``max_bytes`` (0: any) are the options ``stream-node-max-*`` as they stand.
        """
        assert id > self.last_id
        nodes = self.nodes
        node = nodes[-1] if nodes else None
        if node is not None:
            if not 0 < max_bytes <= ENTRY_BYTES_MAX:
                max_bytes = ENTRY_BYTES_MAX
            full = node.size + sum(map(len, words)) >= max_bytes
            if full or (max_entries and node.count + node.deleted >= max_entries):
                node.close()
                fields = tuple(words[::2])
                node = self._begin(id, node.fields if node.fields == fields else fields)
            else:
                self._open(node)
        else:
            node = self._begin(id, tuple(words[::2]))
        self._held += node.add(id, words)
        self.length += 1
        self.entries_added += 1
        self.last_id = self._top = id
        if self.length == 1:
            self.first_id = id

    def _begin(self, id: int, fields: tuple[bytes, ...]) -> Node:
        node = Node(id, fields)
        self.nodes.append(node)
        self._radix = None
        return node

    def attach(self, node: Node) -> None:
        """Add a whole node behind the others, for a loader. The counters are the loader's to set, and at the end it
        says ``settle_loaded``."""
        if self.nodes:
            before = self.nodes[-1]
            before.close()
            if type(before.data) is Listpack:
                before.last = node.first - 1  # at most
        self.nodes.append(node)
        self.length += node.count
        self._held += len(node.data)
        self._radix = None

    def settle_loaded(self, first_id: int | None = None) -> None:
        """All nodes are attached, and ``last_id`` is set. ``first_id``: of the first entry, if that is known."""
        if self.nodes and type(self.nodes[-1].data) is Listpack:
            self.nodes[-1].last = self.last_id  # at most
        if first_id is None:
            self._settle()
        else:
            self.first_id = first_id
            self._top = None if self.length else 0

    def _open(self, node: Node) -> None:
        """Read a node that was kept, before its entries are asked for. Raises DamagedValue."""
        if type(node.data) is Listpack:
            self._held += unfold(node)

    def unfold(self) -> None:
        """Read all nodes that are kept at once. Raises DamagedValue if one is none."""
        for node in self.nodes:
            self._open(node)

    # ---- deleting

    def delete(self, ids: Iterable[int]) -> int:
        """Delete entries; how many of them there were."""
        found: list[int] = []
        for place, wanted in self._by_node(ids, backwards=True):
            node = self.nodes[place]
            self._open(node)
            before = len(node.data)
            removed = node.remove(wanted)
            if removed:
                found += removed
                self._held += len(node.data) - before
                if not node.count:
                    del self.nodes[place]
                    self._radix = None
        if found:
            self.length -= len(found)
            self.max_deleted_id = max(self.max_deleted_id, *found)
            self._settle()
        return len(found)

    def trim_length(self, length: int, *, approximately: bool = False, limit: int = 0) -> int:
        """Delete from the front until ``length`` entries are left; how many that were.

        ``approximately``: whole nodes only, and none with which more than ``limit`` entries (0: any) would be deleted.
        """
        taken = whole = 0
        for node in self.nodes:
            left = self.length - taken
            if left <= length or (limit and taken + node.count > limit):
                break
            if left - node.count < length:
                if not approximately:
                    self._open(node)
                    self._held -= len(node.data)
                    node.drop(left - length)
                    self._held += len(node.data)
                    taken += left - length
                break
            taken += node.count
            whole += 1
        return self._trimmed(whole, taken)

    def trim_below(self, id: int, *, approximately: bool = False, limit: int = 0) -> int:
        """Delete the entries with smaller ids; how many there were. The options are those of ``trim_length``."""
        taken = whole = 0
        for node in self.nodes:
            if limit and taken + node.count > limit:
                break
            if node.last >= id:
                self._open(node)  # then it is known for certain
            if node.last >= id:
                # A node whose last entries are deleted already stays even when nothing is left in it, as in Redis.
                if not approximately:
                    self._held -= len(node.data)
                    taken += node.drop_below(id)
                    self._held += len(node.data)
                break
            taken += node.count
            whole += 1
        return self._trimmed(whole, taken)

    def _trimmed(self, whole: int, taken: int) -> int:
        if whole:
            self._held -= sum(len(node.data) for node in self.nodes[:whole])
            del self.nodes[:whole]
            self._radix = None
        if taken:
            self.length -= taken
            self._settle()
        return taken

    def _settle(self) -> None:
        """Find the first entry anew after entries went."""
        self._top = None if self.length else 0
        first = next((node for node in self.nodes if node.count), None)
        if first is None:
            self.first_id = 0
        else:
            self._open(first)
            self.first_id = first.first_entry_id()

    # ---- reading

    def range(self, start: int = 0, end: int = MAX_ID, *, reverse: bool = False) -> Iterator[tuple[int, list[bytes]]]:
        """The entries from ``start`` to ``end``, both included, as id and fields and values in turn."""
        nodes = self.nodes
        at = bisect_right(nodes, end if reverse else start, key=_first) - 1
        if reverse:
            while at >= 0 and nodes[at].last >= start:
                node = nodes[at]
                self._open(node)
                for entry in reversed(node.between(start, end)):
                    yield node.id_of(entry), node.words_of(entry)
                at -= 1
            return
        at = max(at, 0)
        while at < len(nodes) and nodes[at].first <= end:
            node = nodes[at]
            self._open(node)
            for entry in node.between(start, end):
                yield node.id_of(entry), node.words_of(entry)
            at += 1

    def look_up(self, ids: Iterable[int]) -> dict[int, list[bytes]]:
        """Those of the entries that there are, by id, as fields and values in turn."""
        found: dict[int, list[bytes]] = {}
        for place, wanted in self._by_node(ids):
            node = self.nodes[place]
            self._open(node)
            raw = node.entries()
            for id in wanted:
                at = node.place(raw, id)
                if at is not None:
                    found[id] = node.words_of(raw[at])
        return found

    def _by_node(self, ids: Iterable[int], *, backwards: bool = False) -> list[tuple[int, list[int]]]:
        """Ids, each once and ascending, by the place of the node that could hold them."""
        groups: list[tuple[int, list[int]]] = []
        for id in sorted(set(ids)):
            place = bisect_right(self.nodes, id, key=_first) - 1
            if place < 0 or self.nodes[place].last < id:
                continue
            if groups and groups[-1][0] == place:
                groups[-1][1].append(id)
            else:
                groups.append((place, [id]))
        return groups[::-1] if backwards else groups

    @property
    def top_id(self) -> int:
        """The id of the last entry that is there; 0 if there is none."""
        if self._top is None:
            self._top = next((id for id, _ in self.range(reverse=True)), 0)
        return self._top

    @property
    def radix_nodes(self) -> int:
        """How many nodes Redis's radix tree over the nodes would have."""
        if self._radix is None:
            self._radix = radix_nodes([node.first for node in self.nodes])
        return self._radix

    # ---- groups

    def sorted_groups(self) -> list[tuple[bytes, Group]]:
        """All groups by name, as Redis lists them."""
        return sorted(self.groups.items())

    # ---- what every value answers

    def copy(self) -> StreamValue:
        """An independent copy, groups included."""
        made = StreamValue()
        made.nodes = [node.copy() for node in self.nodes]
        made.length = self.length
        made.last_id = self.last_id
        made.first_id = self.first_id
        made.max_deleted_id = self.max_deleted_id
        made.entries_added = self.entries_added
        made.groups = {name: group.copy() for name, group in self.groups.items()}
        made._held = self._held
        made._top = self._top
        return made

    def take_apart(self) -> Iterator[object]:
        """Free the stream part by part, each time a part is asked for. Nothing may use it any more."""
        nodes = self.nodes
        while nodes:
            del nodes[-64:]
            yield None
        for group in self.groups.values():
            yield from group.take_apart()

    def memory(self, samples: int | None = None) -> int:
        """An estimate of the bytes held, without a walk over the entries: what they take is counted all the time."""
        groups = sum(group.memory() for group in self.groups.values())
        return OVERHEAD + NODE_OVERHEAD * len(self.nodes) + self._held + groups

    def rest(self) -> bool:
        """Entries are always packed; only the spare room of the last node can be given back. False: nothing was."""
        return False

    def digest_items(self) -> Iterator[bytes]:
        """What DEBUG DIGEST mixes, in order: each id (with a dot), then its fields and values."""
        for id, words in self.range():
            yield format_id(id).replace(b"-", b".")
            yield from words

    def check(self) -> None:
        """Assert the invariants."""
        previous = -1
        self.unfold()
        for node in self.nodes:
            node.check()
            assert previous < node.first
            previous = node.last
        assert previous <= self.last_id or not self.nodes
        ids = [id for id, _ in self.range()]
        assert len(ids) == self.length
        assert self.first_id == (ids[0] if ids else 0)
        assert self.top_id == (ids[-1] if ids else 0)
        assert self._held == sum(len(node.data) for node in self.nodes)
        assert all(type(node.data) is bytes for node in self.nodes[:-1])
        for group in self.groups.values():
            group.check()
