"""Whether a request is served here, and where it is sent if not: Redis's getNodeByQuery as a pure function.

The hot path asks a table first (``served_bitmap``); whatever that does not settle comes to ``route``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shardkv.errors import ReplyError

from .nodes import SLOTS, Node, bitmap_of
from .settings import Endpoint, Settings
from .view import ClusterView

_TRYAGAIN = "TRYAGAIN Multiple keys request during rehashing of slot"
_BITS_TO_FLAGS = bytes.maketrans(b"01", b"\x00\x01")


@dataclass(frozen=True, slots=True)
class Asker:
    """What routing has to know of the command and of who sends it.

    ``write``: the command (or, for EXEC, one of those queued) has the flag write. ``readonly``: the session said
    READONLY. ``asking``: it said ASKING just before, or the command has that flag (RESTORE-ASKING). ``migrate``: it is
    MIGRATE, which works on the slots that are on the move. ``across``: it works on two databases, and a key that is
    missing in one says nothing of the other. ``shard_channels``: the keys are channels of sharded pub/sub. ``tls``: the
    client came by TLS, so it is sent to TLS ports.
    """

    write: bool = False
    readonly: bool = False
    asking: bool = False
    migrate: bool = False
    across: bool = False
    shard_channels: bool = False
    tls: bool = False


def route(
    view: ClusterView,
    settings: Settings,
    slots: Sequence[int],
    keys: Sequence[bytes],
    asker: Asker,
    missing: Callable[[bytes], bool],
) -> ReplyError | None:
    """None: serve here; else the error that refuses or redirects.

    ``slots`` are those of ``keys``, in order; without keys everything is served. ``missing(key)`` says whether a key
    is not here (or is here but expired); it is asked only when the slot is on the move.
    """
    if not slots:
        return None
    slot = slots[0]
    # A slot that migrates away is this node's: many a view is asked of no other.
    owner = view.me if slot in view.migrating and view.me.is_primary else view.owner_of(slot)
    if owner is None:
        return ReplyError("CLUSTERDOWN Hash slot not served")
    if any(other != slot for other in slots):
        return ReplyError("CROSSSLOT Keys in request don't hash to the same slot")
    if view.state != "ok":
        refusal = _while_down(settings, asker)
        if refusal is not None:
            return refusal
    if slot in view.migrating or slot in view.importing:
        decided, error = _while_moving(view, settings, slot, owner, keys, asker, missing)
        if decided:
            return error
    if _serves(view, owner, asker):
        return None
    return redirect("MOVED", slot, owner, settings, asker.tls)


def _while_down(settings: Settings, asker: Asker) -> ReplyError | None:
    if asker.shard_channels:
        return None if settings.allow_pubsubshard_when_down else ReplyError("CLUSTERDOWN The cluster is down")
    if not settings.allow_reads_when_down:
        return ReplyError("CLUSTERDOWN The cluster is down")
    if asker.write:
        return ReplyError("CLUSTERDOWN The cluster is down and only accepts read commands")
    return None


def _while_moving(
    view: ClusterView,
    settings: Settings,
    slot: int,
    owner: Node,
    keys: Sequence[bytes],
    asker: Asker,
    missing: Callable[[bytes], bool],
) -> tuple[bool, ReplyError | None]:
    """Whether the move decides, and if so: None to serve, or the error."""
    target = view.migrating.get(slot) if owner.id == view.myself else None
    importing = target is None and slot in view.importing and view.me.is_primary
    if target is None and not importing:
        return False, None
    if asker.migrate:
        return True, None
    if asker.across:
        return True, ReplyError(_TRYAGAIN)
    absent = 0 if asker.shard_channels else sum(1 for key in keys if missing(key))
    if target is not None and absent:
        if absent < len(keys):
            return True, ReplyError(_TRYAGAIN)
        return True, redirect("ASK", slot, view.nodes[target], settings, asker.tls)
    if importing and asker.asking:
        if absent and any(key != keys[0] for key in keys):
            return True, ReplyError(_TRYAGAIN)
        return True, None
    return False, None


def refuse_waiting(view: ClusterView, settings: Settings, slot: int, asker: Asker) -> ReplyError | None:
    """The same question for a client that waits for keys of ``slot``, asked again when the view has changed.

    None: it may wait on. While the cluster is down nobody may, readers neither: the write that would end the wait
    can't come.
    """
    if view.state != "ok":
        return ReplyError("CLUSTERDOWN The cluster is down")
    owner = view.owner_of(slot)
    if slot in view.importing or (owner is not None and _serves(view, owner, asker)):
        return None
    if owner is None:
        return ReplyError("CLUSTERDOWN Hash slot not served")
    return redirect("MOVED", slot, owner, settings, asker.tls)


def _serves(view: ClusterView, owner: Node, asker: Asker) -> bool:
    """Whether this node answers for a slot of ``owner``."""
    if owner.id == view.myself:
        return True
    # A replica serves reads of its primary's slots to those who have said that they can bear stale data.
    consents = asker.readonly or asker.shard_channels
    return consents and view.me.is_replica and not asker.write and view.me.primary == owner.id


def redirect(word: str, slot: int, node: Node, settings: Settings, tls: bool = False) -> ReplyError:
    """``MOVED`` or ``ASK`` to a node, by the name under which clients are to know it."""
    endpoint = node.ip
    if settings.preferred_endpoint is Endpoint.HOSTNAME:
        endpoint = node.hostname or "?"
    elif settings.preferred_endpoint is Endpoint.UNKNOWN:
        endpoint = ""
    return ReplyError(f"{word} {slot} {endpoint}:{client_port(node, tls)}")


def client_port(node: Node, tls: bool) -> int:
    """The port for clients that come by TLS, or in the clear; the other one where a node has only that."""
    return (node.tls_port or node.port) if tls else (node.port or node.tls_port)


def served_bitmap(view: ClusterView) -> bytes:
    """By slot, 1 where a plain request is served here without any further question; 0: ask ``route``.

    All 0 while the cluster is down; a slot on the move is 0. 16384 bytes, about 30 us to make.
    """
    return _settled(view, view.me)


def imported_slots(view: ClusterView) -> frozenset[int]:
    """The slots of others of which any single key is served here to who says ASKING. None while the cluster is
    down."""
    if not view.importing or view.state != "ok" or not view.me.is_primary:
        return frozenset()
    return frozenset(slot for slot in view.importing if view.assigned >> slot & 1 and slot not in view.migrating)


def exported_slots(view: ClusterView) -> frozenset[int]:
    """The slots of which this node's MIGRATE may send keys away, whether they are here or not."""
    return frozenset(view.migrating) if view.migrating and view.state == "ok" and view.me.is_primary else frozenset()


def readable_bitmap(view: ClusterView) -> bytes:
    """The same for reads of those who said READONLY to a replica: the slots of its primary. All 0 on a primary."""
    primary = view.nodes.get(view.me.primary) if view.me.is_replica and view.me.primary is not None else None
    return _table(0) if primary is None else _settled(view, primary)


def _settled(view: ClusterView, owner: Node) -> bytes:
    slots = owner.slots if view.state == "ok" else 0
    if view.migrating or view.importing:
        slots &= ~bitmap_of([*view.migrating, *view.importing])
    return _table(slots)


@lru_cache(maxsize=4)
def _table(slots: int) -> bytes:
    """A set of slots as a table: the very same one for the same set as a moment ago."""
    return format(slots, f"0{SLOTS}b")[::-1].encode().translate(_BITS_TO_FLAGS)
