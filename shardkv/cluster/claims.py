"""Who owns a slot: the claims in the headers, settled by epochs.

Every primary claims its slots in each message, under its config epoch. The greater epoch wins a slot; a slot that is
being imported here is only moved by SETSLOT. Whoever makes a stale claim is told of the true owner with ``Update``.
For this to settle everything no two primaries may share an epoch: of two that do, the one with the smaller id takes
the next.

A slot that has been taken by order (SETSLOT NODE at the target of a move, the end of an atomic migration) stays taken,
though nobody is asked for that epoch and another node may have a greater one of which no word has come here yet. The
invariant of all moves: *the new owner has the slot on disk before anybody is told, so that the old one gives it up only
after that; and until it is heard to have done so its claim counts for nothing, however great its epoch: the new owner
outbids it.* So at every moment, whoever is killed, one of the two disks has a claim that stands, and the owner whom the
operator was told of is the owner.
"""

from __future__ import annotations

from .core import Core
from .effects import DropSlots
from .messages import Header, Pong, Update
from .nodes import MASTER, Node, NodeId, bitmap_of, pack_bitmap, slots_of, unpack_bitmap


def learn_epochs(core: Core, sender: Node, header: Header) -> None:
    """Take over greater epochs from a known node's header."""
    # A config epoch is never beyond the current one; a sender that says otherwise does not get to break that here.
    current = max(core.view.current_epoch, header.current_epoch, header.config_epoch)
    if current > core.view.current_epoch:
        core.view = core.view.in_epoch(current)
    # Who is known as a replica by now has said so after this header left it.
    if header.flags & MASTER and sender.is_primary and header.config_epoch > sender.config_epoch:
        core.view = core.view.amend(sender.id, config_epoch=header.config_epoch)


def hear_claims(core: Core, sender: NodeId, header: Header, link: int) -> bool:
    """Settle the slots that a known node's header claims for its shard. Returns whether nothing is left to be
    settled."""
    node = core.view.nodes[sender]
    speaks_for = core.view.nodes.get(node.primary) if node.primary is not None else node
    if speaks_for is None:
        return False
    claimed = unpack_bitmap(header.slots)
    if node.is_primary:
        core.peers[sender].unclaimed = node.slots & ~claimed
        if core.view.taken:
            core.view = core.view.given_up(sender, claimed)
    if claimed == speaks_for.slots:
        return True
    if node.is_primary:
        take_slots(core, sender, header.config_epoch, claimed)
    return not _correct(core, speaks_for.id, header.config_epoch, claimed, link)


def take_slots(core: Core, claimant: NodeId, epoch: int, claimed: int) -> None:
    """Give a primary the slots it claims wherever its epoch is greater than the owner's, and bear the consequences."""
    kept = _outbid(core, claimant, epoch, claimed) if core.view.taken else 0
    before = core.view
    had = before.nodes[claimant].slots
    won = claimed & ~(had | kept)
    if core.view.importing and before.me.is_primary:
        won &= ~bitmap_of(before.importing)
    for owner in before.nodes.values() if won & before.assigned else ():
        contested = owner.slots & won
        if contested and owner.id != claimant and owner.config_epoch >= epoch:
            given_up = core.peers[owner.id].unclaimed if owner.id in core.peers else 0
            won &= ~contested | given_up
    if not won:
        return
    my_primary = before.my_shard_primary
    lost = my_primary.slots & won
    core.view = before.assign(claimant, won)
    if not lost or my_primary.id == claimant:
        return
    if not core.view.nodes[my_primary.id].slots and (core.settings.allow_replica_migration or claimed == lost):
        core.log("notice", f"Configuration change detected. Reconfiguring myself as a replica of {claimant}")
        core.follow(claimant)
    elif my_primary.id == before.myself:
        core.out.append(DropSlots(slots_of(lost)))


def _outbid(core: Core, claimant: NodeId, epoch: int, claimed: int) -> int:
    """The claimed slots that were taken from the claimant by order: its epoch is outbid where it would win."""
    kept = core.view.taken_from(claimant) & claimed
    if kept and epoch >= core.view.me.config_epoch:
        bump_alone(core)
        announce(core)
    return kept


def _correct(core: Core, claimant: NodeId, epoch: int, claimed: int, link: int) -> bool:
    """Tell the sender on ``link`` of an owner with a greater epoch, if its shard claims that one's slots."""
    stale = claimed & ~core.view.nodes[claimant].slots
    if not stale & core.view.assigned:
        return False
    for owner in core.view.nodes.values():
        if owner.slots & stale and owner.config_epoch > epoch:
            core.log(
                "verbose", f"Node {claimant} has old slots configuration, sending an UPDATE message about {owner.id}"
            )
            core.send(link, Update(core.header, owner.id, owner.config_epoch, pack_bitmap(owner.slots)))
            return True
    return False


def hear_update(core: Core, update: Update) -> None:
    """A known node corrects a claim of ours: what it says of the owner is believed if the epoch is news."""
    node = core.view.nodes.get(update.node)
    if node is None or node.id == core.view.myself or node.config_epoch >= update.config_epoch:
        return
    if node.is_replica:
        core.view = core.view.promote(node.id)
    core.view = core.view.in_epoch(max(core.view.current_epoch, update.config_epoch))
    core.view = core.view.amend(node.id, config_epoch=update.config_epoch)
    take_slots(core, node.id, update.config_epoch, unpack_bitmap(update.slots))


def settle_collision(core: Core, sender: NodeId, epoch: int) -> None:
    """Take a new epoch if another primary has ours and our id is the smaller."""
    view = core.view
    me = view.me
    if not (me.is_primary and view.nodes[sender].is_primary and epoch == me.config_epoch and me.id < sender):
        return
    # Not above all epochs heard of in configs but above the current one, which is never below them.
    core.view = view.in_epoch(view.current_epoch + 1).amend(me.id, config_epoch=view.current_epoch + 1)
    core.log(
        "verbose",
        f"WARNING: configEpoch collision with node {sender} ({view.nodes[sender].human_nodename})."
        f" configEpoch set to {core.view.me.config_epoch}",
    )


def bump_alone(core: Core) -> bool:
    """Take an epoch above all others without asking anybody, unless ours is that already. Returns whether it was
    taken."""
    view = core.view
    if view.me.config_epoch and view.me.config_epoch == view.max_epoch:
        return False
    core.view = view.bump()
    core.log("notice", f"New configEpoch set to {core.view.me.config_epoch}")
    return True


def announce(core: Core) -> None:
    """Tell every node the news without waiting for the next ping."""
    core.broadcast(Pong(core.header))


def tell(core: Core, node: NodeId) -> None:
    """The same for one node."""
    peer = core.peers.get(node)
    if peer is not None and peer.link is not None and peer.link_up:
        core.send(peer.link, Pong(core.header))
