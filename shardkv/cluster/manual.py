"""Failovers by order of the operator, and primaries that step aside by themselves.

CLUSTER FAILOVER loses no write: the replica asks its primary (``MfStart``) to hold its clients' writes back; the
primary says in a ping at which offset it stopped (``PAUSED``); once the replica has come that far it stands for
election at once, and is voted for although its primary is well (``FORCEACK``). FORCE leaves the primary out, TAKEOVER
the vote as well.

A primary that comes back from a restart with less data than a replica of it holds must not serve, for its replicas
would throw away what they have and copy the little it has. It asks the best of them to take its place
(``StepAside``), and until that has happened neither serves nor feeds anybody (``hesitates``).
"""

from __future__ import annotations

from shardkv.errors import ReplyError
from shardkv.resp.replies import OK, Reply

from .claims import bump_alone
from .core import Core
from .effects import PauseWrites
from .election import take_place
from .messages import FORCEACK, PAUSED, Header, MfStart, Ping, StepAside
from .nodes import FAIL, FAILING, NOFAILOVER, NodeId
from .orders import Failover
from .peers import Peer

_PAUSE_LIFE = 2
"""A primary holds writes back for longer than the failover may take: none gets in in the last moment."""
_LAST_MOMENT = 0.5
"""Seconds by which the primary's patience outlasts the replica's: one that wins in its last moment still finds it
waiting."""
_INSIST_EVERY = 0.5


def fail_over(core: Core, order: Failover) -> Reply:
    """CLUSTER FAILOVER. Raises ``ReplyError``."""
    me = core.view.me
    if not me.is_replica:
        raise ReplyError("ERR You should send CLUSTER FAILOVER to a replica")
    primary = core.view.nodes.get(me.primary or "")
    if primary is None:
        raise ReplyError("ERR I'm a replica but my master is unknown to me")
    link = core.peers[primary.id].link
    if (primary.flags & FAIL or link is None) and not order.force and not order.takeover:
        raise ReplyError("ERR Master is down or failed, please use CLUSTER FAILOVER FORCE")
    call_off(core)
    core.manual_until = core.now + core.settings.manual_failover_timeout
    if order.takeover:
        core.log("notice", "Taking over the master (user request).")
        bump_alone(core)
        epoch = core.view.me.config_epoch or core.view.current_epoch
        call_off(core)
        take_place(core, primary.id, epoch)
    elif order.force:
        core.log("notice", "Forced failover user request accepted.")
        _stand_now(core)
    else:
        assert link is not None
        core.log("notice", "Manual failover user request accepted.")
        _ask_to_stop(core, primary.id)
    return OK


def _ask_to_stop(core: Core, primary: NodeId) -> None:
    """Ask the primary to hold writes back. Any message may be lost: it is asked until it has said where it stopped."""
    core.insist_at = core.now + _INSIST_EVERY
    link = core.peers[primary].link
    if link is not None:
        core.send(link, MfStart(core.header))


def call_off(core: Core) -> None:
    """End whatever was ordered, on either side."""
    core.manual_until = core.manual_target = None
    if core.takeover_ordered:
        core.candidacy = None  # a vote that comes later is void: the primary may be writing again
    core.takeover_ordered = False
    core.mflags = 0
    if core.pausing_for is not None:
        core.pausing_for = None
        core.out.append(PauseWrites(0.0))


def time_out(core: Core) -> None:
    """Call off an ordered failover that has taken too long. Called before every event: one that comes to a process
    that was held up must not find the order still good."""
    if core.manual_until is not None and core.now >= core.manual_until:
        core.log("warning", "Manual failover timed out.")
        call_off(core)


def tend_manual(core: Core) -> None:
    """See whether an ordered failover can go on. Called after every event."""
    me = core.view.me
    if core.pausing_for is not None and not me.is_primary:
        call_off(core)  # it has worked: the new primary is somebody else
    if core.manual_until is None:
        return
    if me.is_replica and core.manual_target is not None and core.offset >= core.manual_target:
        if not core.takeover_ordered:
            core.log("notice", "All master replication stream processed, manual failover can start.")
        _stand_now(core)
    elif _unanswered(core) and me.primary in core.peers:
        _ask_to_stop(core, me.primary)


def _unanswered(core: Core) -> bool:
    return core.manual_target is None and not core.takeover_ordered and core.now >= core.insist_at


def _stand_now(core: Core) -> None:
    core.takeover_ordered = True
    core.mflags |= FORCEACK


# The primary's side -------------------------------------------------------------------------------------------------


def hear_mfstart(core: Core, replica: Peer) -> None:
    """A replica of ours asks us to hold writes back."""
    if not core.view.me.is_primary or core.view.nodes[replica.id].primary != core.view.myself:
        return
    if core.pausing_for == replica.id:
        tell_where_stopped(core)  # the answer was lost
        return
    call_off(core)
    core.manual_until = core.now + core.settings.manual_failover_timeout + _LAST_MOMENT
    core.pausing_for = replica.id
    core.mflags |= PAUSED
    core.log("warning", f"Manual failover requested by replica {replica.id}.")
    # The Progress that answers this pause has the offset to tell (``tell_where_stopped``).
    core.out.append(PauseWrites(_PAUSE_LIFE * core.settings.manual_failover_timeout))


def tell_where_stopped(core: Core) -> None:
    """The offset after the last write is known: tell the replica that waits for it."""
    peer = core.peers.get(core.pausing_for or "")
    if peer is not None and peer.link is not None and peer.link_up:
        core.send(peer.link, Ping(core.header))


def hear_paused(core: Core, header: Header) -> None:
    """Our primary has stopped at this offset, if it says so."""
    if header.mflags & PAUSED and core.manual_until is not None and core.manual_target is None:
        core.manual_target = header.offset
        core.log("warning", f"Received replication offset for paused master manual failover: {header.offset}")


# After a restart ----------------------------------------------------------------------------------------------------


def weigh(core: Core) -> None:
    """Does a replica hold more than we could restore? Then ask it to take our place. Called while we hesitate."""
    core.aside_for = _better(core)
    if core.aside_for is not None and core.now >= core.insist_at:
        core.insist_at = core.now + _INSIST_EVERY
        peer = core.peers[core.aside_for]
        if peer.link is not None and peer.link_up:
            core.log(
                "warning",
                f"Replica {peer.id} holds more than I could restore (offset {peer.offset}, {peer.keys} keys; mine "
                f"{core.offset}, {core.keys}). Stepping aside for it.",
            )
            core.send(peer.link, StepAside(core.header))


def _better(core: Core) -> NodeId | None:
    """The replica with the most data, if that is more than ours."""
    # A log of commands has no offset: with one restored, the number of keys is all there is to go by.
    if not core.offset and core.keys and not core.loading:
        return None
    best: Peer | None = None
    for node in core.view.replicas_of(core.view.myself):
        peer = core.peers.get(node.id)
        if peer is None or node.flags & (FAILING | NOFAILOVER) or not peer.keys or peer.data_received < core.started:
            continue
        if peer.offset > core.offset and (best is None or peer.offset > best.offset):
            best = peer
    return best.id if best is not None else None


def hear_step_aside(core: Core, primary: NodeId) -> None:
    """Our primary says that our copy is better than what it has left."""
    if core.view.me.primary != primary or core.view.me.flags & NOFAILOVER or core.takeover_ordered:
        return
    core.log("warning", f"Primary {primary} came back with less data than I hold: taking its place.")
    core.manual_until = core.now + core.settings.manual_failover_timeout
    _stand_now(core)
