"""A replica's eye on its primary.

A replica asks its primary often, ``Settings.watch_interval`` apart, whether it is there. When an answer is late it
tells its siblings what it holds, so that they know who is to go first, and alerts the primaries (``Alert``), which
ping the silent one at once instead of when its turn comes. So all of them lose a primary that hangs at the same
moment, a node timeout later.
"""

from __future__ import annotations

from .core import Core
from .gossip import ping, ping_lightly
from .messages import Alert, Pong
from .nodes import FAIL
from .peers import Peer

_PATIENCE = 0.5
"""Of an interval: how late an answer may be before others are told."""


def watch(core: Core) -> None:
    """Look after the primary, if this is a replica and it is time."""
    if core.now < core.watch_due:
        return
    interval = core.settings.watch_interval
    core.watch_due = core.now + interval
    view = core.view
    primary = view.nodes.get(view.me.primary or "")
    if primary is None or primary.flags & FAIL:
        core.alerted = False
        core.watch_due = core.now + interval if view.me.is_replica else float("inf")
        return
    peer = core.peers[primary.id]
    silent = core.now - max(peer.ping_sent, peer.data_received) if peer.ping_sent else 0.0
    if silent < interval * _PATIENCE:
        core.alerted = False
        if peer.link_up and not peer.ping_sent:
            ping_lightly(core, peer)
        core.watch_due = core.now + interval * (_PATIENCE if peer.ping_sent else 1.0)
        return
    if not core.alerted:
        core.alerted = True
        _alert(core, primary.id)


def _alert(core: Core, primary: str) -> None:
    header = core.header
    for node in core.view.nodes.values():
        peer = core.peers.get(node.id)
        if peer is None or peer.link is None or not peer.link_up or node.id == primary:
            continue
        if node.primary == primary:
            core.send(peer.link, Pong(header))
        elif node.votes:
            core.send(peer.link, Alert(header))


def hear_alert(core: Core, replica: Peer) -> None:
    """A replica misses its primary: ask that one now, unless a question is out already."""
    primary = core.peers.get(core.view.nodes[replica.id].primary or "")
    if primary is not None and primary.link_up and not primary.ping_sent:
        ping(core, primary)
