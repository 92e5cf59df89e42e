"""Elections: how a replica takes the place of a primary that a majority has lost.

The rules are Redis Cluster's (one vote an epoch, written down before it is given; a majority of all primaries with
slots, those that fail included; the winner's config epoch is the election's), with three differences:

- Nothing waits once a majority has lost the primary. Redis has candidates wait for half a second and more, for the
  news of the failure to spread and for the others' offsets to come in. Here the news travels before the request on the
  same links, and replicas tell each other their offsets as soon as their primary is silent (``watch``). Only replicas
  with less data than a sibling wait, ``RANK_STEP`` for each that has more; of equals the smaller id goes first.
- A replica knows how stale it is (``standing``) and does not stand beyond a limit that is small by default.
- A candidate that got no majority asks again soon: a voter may vote for the same candidate in a later epoch, and for
  another one when the first one's round is over. (Were it bound for longer, replicas of one primary that share the
  votes among them would ask for ever, each its own voters.) Candidates for the places of several primaries stand one
  after the other, in the order of these primaries' ids, so that they do not split the votes of an epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .claims import announce
from .core import Core
from .effects import Follow
from .messages import AuthAck, AuthRequest, Fail, Header
from .nodes import FAIL, NOFAILOVER, Node, NodeId, unpack_bitmap
from .peers import Peer

RANK_STEP = 0.5
"""Seconds that a candidate waits for every sibling with more data than itself."""
QUEUE_STEP = 0.02
"""Seconds that it waits for every other primary whose place is to be taken first; a vote takes some milliseconds."""
_SHORTEST_ROUND = 0.5
_LONGEST_ROUND = 1.0
_ASK_AGAIN = 0.2
_COMPLAIN_EVERY = 10.0


@dataclass(slots=True)
class Candidacy:
    """A replica's attempt to take its primary's place. Times as everywhere."""

    primary: NodeId
    stand_at: float
    rank: int
    epoch: int = 0
    """The epoch in which votes were asked for; 0: not yet."""
    asked_at: float = 0.0
    gives_up_at: float = 0.0
    ask_again_at: float = 0.0
    votes: dict[NodeId, None] = field(default_factory=dict)


# The candidate ------------------------------------------------------------------------------------------------------


def campaign(core: Core) -> None:
    """Take the next step towards the primary's place, if there is one to be taken. Called after every event."""
    core.election_due = float("inf")
    me = core.view.me
    primary = core.view.nodes.get(me.primary or "")
    if primary is None or not _vacant(core, me, primary):
        core.candidacy = None
        return
    ordered = core.takeover_ordered
    candidacy = core.candidacy
    if candidacy is None or candidacy.primary != primary.id:
        if not ordered and not _fit(core, primary):
            core.candidacy = None
            return
        candidacy = core.candidacy = _enter(core, primary)
    if not candidacy.epoch:
        _reconsider(core, candidacy)
        if core.now >= candidacy.stand_at:
            _ask(core, candidacy)
    elif core.now >= candidacy.gives_up_at:
        core.log("warning", f"Failover election for epoch {candidacy.epoch} failed: no majority of votes in time.")
        candidacy = core.candidacy = _enter(core, primary)
        # Others may be at it, too: not all at the same moment again, and the best first, without being disturbed.
        candidacy.stand_at += candidacy.rank * (_LONGEST_ROUND - RANK_STEP) + core.rng.random() * _SHORTEST_ROUND
    elif core.now >= candidacy.ask_again_at:
        _request(core, candidacy)
    if core.candidacy is not None:
        asked = min(candidacy.gives_up_at, candidacy.ask_again_at)
        core.election_due = asked if candidacy.epoch else candidacy.stand_at


def _vacant(core: Core, me: Node, primary: Node) -> bool:
    """Whether there is a place to be taken, and this replica is one to take it."""
    if not primary.slots:
        return False
    return core.takeover_ordered or bool(primary.flags & FAIL and not me.flags & NOFAILOVER)


def _fit(core: Core, primary: Node) -> bool:
    """Whether the copy is good enough, by what is known of it."""
    peer = core.peers[primary.id]
    stale = core.standing.staleness(max(peer.data_received, peer.seen_alive))
    limit = core.settings.staleness_limit
    if stale <= limit or (core.standing.whole and not core.settings.validity_factor):
        return True
    if core.now >= core.complained_at + _COMPLAIN_EVERY:
        core.complained_at = core.now
        what = f"lack the last {stale:.1f} s" if core.standing.whole else "are not whole"
        core.log(
            "warning",
            f"Currently unable to failover: my data {what} of my primary {primary.id}, more than the {limit:.1f} s "
            "that cluster-replica-validity-factor allows. CLUSTER FAILOVER FORCE takes over regardless.",
        )
    return False


def _enter(core: Core, primary: Node) -> Candidacy:
    rank = 0 if core.takeover_ordered else rank_of(core, primary.id)
    queue = 0 if core.takeover_ordered else _queue_before(core, primary.id)
    candidacy = Candidacy(primary.id, core.now + rank * RANK_STEP + queue * QUEUE_STEP, rank)
    if rank:
        core.log("notice", f"Start of election delayed for {rank * RANK_STEP:.1f} seconds (rank #{rank}).")
    return candidacy


def _queue_before(core: Core, primary: NodeId) -> int:
    """How many other primaries are to be replaced first."""
    return sum(1 for node in core.view.nodes.values() if node.flags & FAIL and node.votes and node.id < primary)


def rank_of(core: Core, primary: NodeId) -> int:
    """How many replicas of the same primary should go first: those with more data; of equals the smaller id."""
    mine = (-core.offset, core.view.myself)
    rank = 0
    for node in core.view.replicas_of(primary):
        peer = core.peers.get(node.id)
        if peer is not None and not node.flags & (FAIL | NOFAILOVER) and (-peer.offset, node.id) < mine:
            rank += 1
    return rank


def _reconsider(core: Core, candidacy: Candidacy) -> None:
    """Siblings have been heard: wait longer if more of them are better than was known."""
    if core.takeover_ordered:
        candidacy.stand_at = core.now
        return
    rank = rank_of(core, candidacy.primary)
    if rank > candidacy.rank:
        candidacy.stand_at += (rank - candidacy.rank) * RANK_STEP
        candidacy.rank = rank


def _ask(core: Core, candidacy: Candidacy) -> None:
    candidacy.epoch = core.view.current_epoch + 1
    candidacy.asked_at = core.now
    # Several primaries that die together have candidates who split the votes of one epoch: the next round comes soon.
    candidacy.gives_up_at = core.now + min(max(_SHORTEST_ROUND, core.settings.node_timeout / 2), _LONGEST_ROUND)
    core.view = replace(core.view, current_epoch=candidacy.epoch)
    core.log("notice", f"Starting a failover election for epoch {candidacy.epoch}.")
    if core.view.nodes[candidacy.primary].flags & FAIL:
        # Whoever told us may not have told everybody yet; on our own links the news goes before the question.
        core.broadcast(Fail(core.header, candidacy.primary))
    _request(core, candidacy)
    _count(core, candidacy)


def _request(core: Core, candidacy: Candidacy) -> None:
    """Ask all who have not voted for us yet."""
    candidacy.ask_again_at = core.now + _ASK_AGAIN
    message = AuthRequest(core.header)
    for node in core.view.nodes.values():
        peer = core.peers.get(node.id)
        if (
            node.votes
            and peer is not None
            and peer.link is not None
            and peer.link_up
            and peer.id not in candidacy.votes
        ):
            core.send(peer.link, message)


def hear_vote(core: Core, voter: Peer, header: Header) -> None:
    """Somebody votes for us, perhaps."""
    candidacy = core.candidacy
    if candidacy is None or not candidacy.epoch or header.current_epoch < candidacy.epoch:
        return
    if core.now >= candidacy.gives_up_at:
        return  # we were held up: what the vote was given for may be over
    if core.view.nodes[voter.id].votes:
        candidacy.votes[voter.id] = None
        voter.acked = max(voter.acked, candidacy.asked_at)
        _count(core, candidacy)


def _count(core: Core, candidacy: Candidacy) -> None:
    if len(candidacy.votes) >= core.view.quorum:
        core.log("notice", f"Failover election won: I'm the new master, epoch {candidacy.epoch}.")
        take_place(core, candidacy.primary, candidacy.epoch)


def take_place(core: Core, primary: NodeId, epoch: int) -> None:
    """Become the owner of all that ``primary`` owns, under ``epoch``, and tell everybody."""
    slots = core.view.nodes[primary].slots
    moves = (core.view.migrating, core.view.importing)
    view = core.view.promote(core.view.myself).assign(core.view.myself, slots)
    view = view.amend(view.myself, config_epoch=epoch)
    # Slots that were on the move still are: the primary's open slots were told to us with its writes.
    core.view = replace(
        view,
        migrating={slot: there for slot, there in moves[0].items() if slots >> slot & 1},
        importing=moves[1],
    )
    core.candidacy = None
    core.takeover_ordered = False
    core.manual_until = core.manual_target = None
    core.mflags = 0
    core.out.append(Follow(None))
    announce(core)


# The voter ----------------------------------------------------------------------------------------------------------


def hear_request(core: Core, candidate: Peer, header: Header, forced: bool, link: int) -> None:
    """A replica asks for our vote: give it, or say in the log why not."""
    refusal = _refusal(core, candidate, header, forced)
    named = f"{candidate.id} ({core.view.nodes[candidate.id].human_nodename})"
    if refusal:
        core.log("warning", f"Failover auth denied to {named} for epoch {header.current_epoch}: {refusal}")
        return
    primary = core.peers.get(core.view.nodes[candidate.id].primary or "")
    if primary is not None:
        primary.voted_at, primary.voted_for = core.now, candidate.id
    core.view = replace(core.view, last_vote_epoch=header.current_epoch)
    core.last_vote = (header.current_epoch, candidate.id)
    core.send(link, AuthAck(core.header))
    core.log("notice", f"Failover auth granted to {named} for epoch {header.current_epoch}")


def _refusal(core: Core, candidate: Peer, header: Header, forced: bool) -> str:
    """Why a candidate does not get the vote; empty if it does."""
    view = core.view
    node = view.nodes[candidate.id]
    primary = view.nodes.get(node.primary or "")
    if not view.me.votes:
        return "I'm no primary with slots"
    if header.current_epoch < view.current_epoch:
        return f"reqEpoch ({header.current_epoch}) < curEpoch({view.current_epoch})"
    if view.last_vote_epoch >= view.current_epoch and core.last_vote != (view.current_epoch, candidate.id):
        return "already voted in this epoch"
    if node.is_primary or primary is None:
        return "it is a primary, or its primary is not known"
    if not primary.flags & FAIL and not forced:
        return "its primary is up"
    if _voted_for_another(core, primary.id, candidate.id):
        return "I voted for another replica of its primary only just"
    claimed = unpack_bitmap(header.slots)
    for owner in view.nodes.values():
        if owner.slots & claimed and owner.config_epoch > header.config_epoch:
            return f"it claims slots that {owner.id} has under a greater epoch"
    return ""


def _voted_for_another(core: Core, primary: NodeId, candidate: NodeId) -> bool:
    peer = core.peers.get(primary)
    if peer is None or not peer.voted_for or peer.voted_for == candidate:
        return False
    chosen = core.view.nodes.get(peer.voted_for)
    gone = chosen is None or bool(chosen.flags & FAIL)
    return not gone and core.now < peer.voted_at + _LONGEST_ROUND
