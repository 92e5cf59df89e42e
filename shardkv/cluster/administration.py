"""CLUSTER commands that change something: each order a function that changes the core and returns the reply.

A refusal is a ``ReplyError`` raised before anything has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Final

from shardkv.errors import ReplyError
from shardkv.resp.replies import OK, Reply, Simple

from .claims import announce, bump_alone, tell
from .core import Core
from .effects import DropSlots, Persist
from .manual import fail_over
from .messages import Publish, PublishShard
from .nodes import ALL_SLOTS, HANDSHAKE, Node, NodeId, bitmap_of_range, ranges_of, slots_of
from .orders import (
    AddSlots,
    BumpEpoch,
    DelSlots,
    Failover,
    FlushSlots,
    ForgetNode,
    GiveSlots,
    MeetNode,
    Order,
    Replicate,
    ResetNode,
    SaveConfig,
    SendPublish,
    SetConfigEpoch,
    SetSlotImporting,
    SetSlotMigrating,
    SetSlotNode,
    SetSlotStable,
    TakeSlots,
)
from .view import ClusterView


def perform(core: Core, order: Order) -> Reply:
    """Do what the operator says. Raises ``ReplyError`` with Redis's text if it can't be done."""
    return _PERFORMERS[type(order)](core, order)


def known(core: Core, node: NodeId, complaint: str) -> Node:
    """The node with this id. Raises ``ReplyError(complaint)`` for one that is not known (strangers included)."""
    found = core.view.nodes.get(node)
    if found is None or found.flags & HANDSHAKE:
        raise ReplyError(complaint)
    return found


# Who belongs --------------------------------------------------------------------------------------------------------


def _meet(core: Core, order: MeetNode) -> Reply:
    try:
        ip = str(ip_address(order.ip))
    except ValueError:
        ip = ""
    if not ip or not 0 < order.port < 65536 or not 0 < order.bus_port < 65536:
        raise ReplyError(f"ERR Invalid node address specified: {order.ip}:{order.port}")
    if core.handshake_at(ip, order.bus_port) is None:
        node = Node(core.new_id(), ip=ip, port=order.port, bus_port=order.bus_port, flags=HANDSHAKE)
        core.admit([node])
        core.peers[node.id].meet = True
    return OK


def _forget(core: Core, order: ForgetNode) -> Reply:
    node = order.node
    if node not in core.view.nodes and core.forgotten.get(node, 0.0) > core.now:
        return OK  # others have spread the word before the operator came here
    known(core, node, f"ERR Unknown node {node}")
    if node == core.view.myself:
        raise ReplyError("ERR I tried hard but I can't forget myself...")
    if node == core.view.me.primary:
        raise ReplyError("ERR Can't forget my master!")
    core.forgotten[node] = core.now + core.settings.forget_ttl
    core.expel([node])
    return OK


def _replicate(core: Core, order: Replicate) -> Reply:
    primary = known(core, order.primary, f"ERR Unknown node {order.primary}")
    me = core.view.me
    if primary.id == me.id:
        raise ReplyError("ERR Can't replicate myself")
    if primary.is_replica:
        raise ReplyError("ERR I can only replicate a master, not a replica.")
    if me.is_primary and (me.slots or not order.empty):
        raise ReplyError("ERR To set a master the node must be empty and without assigned slots.")
    core.follow(primary.id)
    return OK


def _reset(core: Core, order: ResetNode) -> Reply:
    me = core.view.me
    if me.is_primary and not order.empty:
        raise ReplyError("ERR CLUSTER RESET can't be called with master nodes containing keys")
    if me.is_replica:
        core.follow(None)
        core.view = core.view.amend(me.id, shard_id=core.new_id())
    core.expel(list(core.peers))
    core.forgotten.clear()
    core.view = replace(core.view.unassign(ALL_SLOTS), migrating={}, importing={})
    if order.hard:
        fresh = replace(core.view.me, id=core.new_id(), shard_id=core.new_id(), config_epoch=0)
        core.view = replace(core.view, myself=fresh.id, nodes={fresh.id: fresh}, current_epoch=0, last_vote_epoch=0)
        core.log("notice", f"Node hard reset, now I'm {fresh.id}")
    return OK


# Who owns what ------------------------------------------------------------------------------------------------------


def _collect(core: Core, ranges: tuple[tuple[int, int], ...], adding: bool) -> int:
    """The set of the slots in these ranges. Raises ``ReplyError`` for the first that can't be added or deleted, in
    order."""
    taken, asked = core.view.assigned, 0
    for start, end in ranges:
        run = bitmap_of_range(start, end)
        wrong = run & taken if adding else run & ~taken
        # Redis goes slot by slot: the first slot that is wrong in either way is the one it names.
        twice = run & asked
        if wrong or twice:
            slot = next(ranges_of(wrong | twice))[0]
            if wrong >> slot & 1:
                raise ReplyError(f"ERR Slot {slot} is already {'busy' if adding else 'unassigned'}")
            raise ReplyError(f"ERR Slot {slot} specified multiple times")
        asked |= run
    return asked


def _add_slots(core: Core, order: AddSlots) -> Reply:
    slots = _collect(core, order.ranges, adding=True)
    view = core.view.assign(core.view.myself, slots)
    core.view = replace(view, importing={slot: node for slot, node in view.importing.items() if not slots >> slot & 1})
    return OK


def _del_slots(core: Core, order: DelSlots) -> Reply:
    core.view = core.view.unassign(_collect(core, order.ranges, adding=False))
    return OK


def _flush_slots(core: Core, order: FlushSlots) -> Reply:
    if not order.empty:
        raise ReplyError("ERR DB must be empty to perform CLUSTER FLUSHSLOTS.")
    core.view = core.view.unassign(core.view.me.slots)
    return OK


def _set_slot_importing(core: Core, order: SetSlotImporting) -> Reply:
    _primaries_only(core)
    if core.view.holder(order.slot) == core.view.myself:
        raise ReplyError(f"ERR I'm already the owner of hash slot {order.slot}")
    source = known(core, order.source, f"ERR I don't know about node {order.source}")
    if source.is_replica:
        raise ReplyError("ERR Target node is not a master")
    core.view = replace(core.view, importing={**core.view.importing, order.slot: source.id})
    return OK


def _set_slot_migrating(core: Core, order: SetSlotMigrating) -> Reply:
    _primaries_only(core)
    if core.view.holder(order.slot) != core.view.myself:
        raise ReplyError(f"ERR I'm not the owner of hash slot {order.slot}")
    target = known(core, order.target, f"ERR I don't know about node {order.target}")
    if target.is_replica:
        raise ReplyError("ERR Target node is not a master")
    # From now on it may be the target's, also where that is the node it was taken from.
    core.view = replace(core.view.for_good(1 << order.slot), migrating={**core.view.migrating, order.slot: target.id})
    return OK


def _set_slot_stable(core: Core, order: SetSlotStable) -> Reply:
    _primaries_only(core)
    core.view = replace(
        core.view, migrating=_less(core.view.migrating, order.slot), importing=_less(core.view.importing, order.slot)
    )
    return OK


def _set_slot_node(core: Core, order: SetSlotNode) -> Reply:
    _primaries_only(core)
    slot, view = order.slot, core.view
    owner = known(core, order.owner, f"ERR Unknown node {order.owner}")
    if owner.is_replica:
        raise ReplyError("ERR Target node is not a master")
    had = view.holder(slot)
    was_mine = had == view.myself
    if was_mine and owner.id != view.myself and order.keys:
        raise ReplyError(
            f"ERR Can't assign hashslot {slot} to a different node while I still hold keys for this hash slot."
        )
    if not order.keys:
        view = replace(view, migrating=_less(view.migrating, slot))
    if owner.id == view.myself:
        _take_slot(core, view, slot)
        return OK
    core.view = view.assign(owner.id, 1 << slot)
    if was_mine and not core.view.me.slots and core.settings.allow_replica_migration:
        core.log("notice", f"Configuration change detected. Reconfiguring myself as a replica of {owner.id}")
        core.follow(owner.id)
        announce(core)
    elif was_mine:
        tell(core, owner.id)
    return OK


def _take_slot(core: Core, view: ClusterView, slot: int) -> None:
    """The slot is this node's, which imported it, or was about to: a crash may have made it forget that."""
    others = [node for node in (view.holder(slot), view.importing.get(slot)) if node not in (None, view.myself)]
    if not others:
        core.view = view.assign(view.myself, 1 << slot)
        return
    core.view = replace(view.take(1 << slot, others), importing=_less(view.importing, slot))
    # The new owner must win against the old one's claim everywhere, and nobody is asked: the operator has decided.
    if bump_alone(core):
        core.log("warning", f"configEpoch updated after importing slot {slot}")
    announce(core)


def _take_slots(core: Core, order: TakeSlots) -> Reply:
    view = core.view
    source = known(core, order.source, f"ERR Unknown node {order.source}")
    if view.me.is_replica:
        raise ReplyError("ERR Target node is not a master")
    if order.slots & ~source.slots:
        raise ReplyError("ERR the slots are not the sender's, as far as this node knows")
    core.view = view.take(order.slots, [source.id])
    bump_alone(core)
    core.log("notice", f"Atomic migration: {order.slots.bit_count()} slot(s) of {order.source} are mine now")
    announce(core)
    return OK


def _give_slots(core: Core, order: GiveSlots) -> Reply:
    mine = core.view.me.slots & order.slots
    if mine:
        core.view = core.view.assign(order.target, mine)
        core.out.append(DropSlots(slots_of(mine)))
        if not core.view.me.slots and core.settings.allow_replica_migration:
            core.follow(order.target)
        announce(core)
    return OK


def _primaries_only(core: Core) -> None:
    if core.view.me.is_replica:
        raise ReplyError("ERR Please use SETSLOT only with masters.")


def _less(moves: Mapping[int, NodeId], slot: int) -> dict[int, NodeId]:
    return {other: node for other, node in moves.items() if other != slot}


# Epochs and the rest ------------------------------------------------------------------------------------------------


def _set_config_epoch(core: Core, order: SetConfigEpoch) -> Reply:
    if order.epoch < 0:
        raise ReplyError(f"ERR Invalid config epoch specified: {order.epoch}")
    if len(core.view.nodes) > 1:
        raise ReplyError("ERR The user can assign a config epoch only when the node does not know any other node.")
    if core.view.me.config_epoch:
        raise ReplyError("ERR Node config epoch is already non-zero")
    view = replace(core.view, current_epoch=max(core.view.current_epoch, order.epoch))
    core.view = view.amend(view.myself, config_epoch=order.epoch)
    core.log("warning", f"configEpoch set to {order.epoch} via CLUSTER SET-CONFIG-EPOCH")
    return OK


def _bump_epoch(core: Core, order: BumpEpoch) -> Reply:
    bumped = bump_alone(core)
    if bumped:
        announce(core)  # until others have heard of it they may hold their own for the greatest
    return Simple(f"{'BUMPED' if bumped else 'STILL'} {core.view.me.config_epoch}")


def _save_config(core: Core, order: SaveConfig) -> Reply:
    core.out.append(Persist(core.view))
    return OK


def _send_publish(core: Core, order: SendPublish) -> Reply:
    if not order.sharded:
        core.broadcast(Publish(core.header, order.channel, order.payload))
        return OK
    shard = core.view.me.primary or core.view.myself
    message = PublishShard(core.header, order.channel, order.payload)
    for node in core.view.nodes.values():
        peer = core.peers.get(node.id)
        if peer is not None and peer.link is not None and peer.link_up and shard in (node.id, node.primary):
            core.send(peer.link, message)
    return OK


_PERFORMERS: Final[dict[type, Callable[[Core, Any], Reply]]] = {
    MeetNode: _meet,
    ForgetNode: _forget,
    Replicate: _replicate,
    Failover: fail_over,
    ResetNode: _reset,
    AddSlots: _add_slots,
    DelSlots: _del_slots,
    FlushSlots: _flush_slots,
    SetSlotImporting: _set_slot_importing,
    SetSlotMigrating: _set_slot_migrating,
    SetSlotStable: _set_slot_stable,
    SetSlotNode: _set_slot_node,
    TakeSlots: _take_slots,
    GiveSlots: _give_slots,
    SetConfigEpoch: _set_config_epoch,
    BumpEpoch: _bump_epoch,
    SaveConfig: _save_config,
    SendPublish: _send_publish,
}
