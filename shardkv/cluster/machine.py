"""One node's part in the cluster. No socket, clock, file or task in here: the caller brings all of them.

Theory of operation
-------------------
The machine is an ordinary object. Events go into ``handle`` with the time at which they happened (seconds since the
Unix epoch, from a clock that never jumps back); out come effects, which the caller performs in the order given
(``effects.py`` says how). When nothing happens until ``deadline`` the caller hands in ``Tick()``; the first one, due at
once, starts the node: it yields ``Persist``, ``Route``, a ``Follow`` for a replica, and a ``Connect`` for every node in
the table.

Three kinds of memory:

- ``view``: what is believed of the cluster, an immutable value (``view.py``). ``Persist(view)`` stands before every
  other effect of the event that changed it, so nothing is promised on the bus that a crash could make us forget; it
  says whether anything is (``ClusterView.promises_beyond``).
- ``peers``: when each node was last heard, its link (``peers.py``). Gone with the process.
- ``settings``: replaced whole by ``Reconfigured``.

Links. Between two nodes there are two connections, as in Redis: each node dials every other and asks its questions
(PING, MEET, and all broadcasts) on the link that it dialled; answers come back on the same link. Dialled links are
numbered by the machine, accepted ones by the bus (negative). A node met by address has a makeshift id and the flag
HANDSHAKE until it has answered on the dialled link and told its own.

The rooms: ``links`` (whom to dial and ping, and when), ``gossip`` (what to tell and to believe about others),
``failure`` (suspicion, majority, cluster state), ``lease`` (until when a primary may write), ``claims`` (slots and
epochs), ``watch``, ``standing`` and ``election`` (how a replica notices, weighs itself, and takes over), ``manual``
(failovers by order, primaries that step aside), ``adoption`` (replicas that go where one is missing), ``hearing`` (what
a message does), ``administration`` (what the operator orders). They share one ``Core`` and know nothing of this module.

Sending may fail: any message may be lost, doubled or late, any link may break, any node may stop and come back with its
nodes.conf. All that is asked of the world is that an effect is performed before those after it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shardkv.errors import ReplyError
from shardkv.resp.replies import Reply

from .administration import known, perform
from .adoption import adopt
from .core import Core
from .effects import Answer, Effect, Follow, Persist, Route
from .election import campaign
from .events import Event, LinkLost, LinkUp, Ordered, Progress, Received, Reconfigured, Strayed, Tick
from .failure import assess, reports
from .hearing import hear
from .lease import leased_until
from .links import deadline, link_lost, link_up, tend
from .manual import tell_where_stopped, tend_manual, time_out, weigh
from .messages import COUNTER_NAMES
from .nodes import NOFAILOVER, PFAIL, NodeId
from .peers import Liveness
from .settings import Settings
from .view import ClusterView
from .watch import watch

if TYPE_CHECKING:
    from random import Random


_PATIENCE = 5
"""Node timeouts for which a restarted primary waits for a better replica to take over."""


_BREATH = 100e-6
"""Seconds by each node in the table between two looks at all of them: a thousand may change in a moment, and to look
at a thousand after each change would keep this node from all else."""


class ClusterMachine:
    """``handle(event, now) -> effects``, and a ``deadline``."""

    def __init__(self, view: ClusterView, settings: Settings, rng: Random, now: float) -> None:
        """``view`` comes from nodes.conf or ``ClusterView.alone``, with this node's own ports already set in it."""
        # Suspicions and the serving state are the former process's: this one has to find out for itself.
        nodes = {n.id: replace(n, flags=n.flags & ~PFAIL) if n.flags & PFAIL else n for n in view.nodes.values()}
        self._core = Core(replace(view, nodes=nodes, state="fail"), settings, rng, now)
        self._started = False
        self._own_ports = (view.me.port, view.me.tls_port, view.me.bus_port)
        self._announce_self()
        self._assessed: ClusterView | None = None
        self._breath_until = now

    @property
    def view(self) -> ClusterView:
        """What this node believes of the cluster now."""
        return self._core.view

    @property
    def settings(self) -> Settings:
        """The options in force."""
        return self._core.settings

    @property
    def deadline(self) -> float:
        """When it wants its next ``Tick``. May lie in the past: then at once."""
        core = self._core
        if not self._started:
            return core.started
        due = min(deadline(core), core.health_due)
        if core.view.me.is_replica:
            due = min(due, core.election_due, core.watch_due, core.adopt_due)
        return due if core.manual_until is None else min(due, core.manual_until)

    @property
    def hurried(self) -> bool:
        """Whether the next ``Progress`` is awaited: an ordered failover waits for this replica to catch up."""
        return self._core.manual_until is not None and self._core.view.me.is_replica

    @property
    def hesitates(self) -> bool:
        """Whether this primary, just restarted, still finds out whether its replicas hold more than it does: until
        then it must not feed them."""
        return self._core.hesitating

    @property
    def leased_until(self) -> float:
        """Until when this node may accept writes, by what it knows now; for ever if it is no primary with slots."""
        core = self._core
        return max(leased_until(core), core.granted_until) if core.view.me.votes else float("inf")

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in what happened at ``now`` and return what must be done about it, in order."""
        core = self._core
        core.now = max(now, core.now)
        before = core.view
        starting = not self._started
        self._started = True
        time_out(core)
        if isinstance(event, Received):
            hear(core, event)
        elif isinstance(event, Tick):
            tend(core)
        elif isinstance(event, LinkUp):
            if event.link in core.links:
                link_up(core, core.peers[core.links[event.link]])
        elif isinstance(event, LinkLost):
            link_lost(core, event.link)
        elif isinstance(event, Ordered):
            core.out.append(Answer(event.ticket, self._obey(event)))
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Strayed):
            core.view = replace(core.view, strays=event.slots)
        elif isinstance(event, Reconfigured):
            core.settings = event.settings
            self._announce_self()
            core.health_due = core.now
        tend_manual(core)
        if core.view.me.is_replica:
            watch(core)
            campaign(core)
            adopt(core)
        if core.hesitating:
            self._hesitate()
        if core.now >= core.health_due or (core.view is not self._assessed and self._worth_assessing()):
            assess(core)
            self._assessed = core.view
            self._breath_until = core.now + len(core.peers) * _BREATH
        return self._effects(before, starting)

    def _progress(self, event: Progress) -> None:
        core = self._core
        core.offset, core.keys, core.loading = event.offset, event.keys, event.loading
        if core.view.me.is_replica:
            core.standing.progressed(core.now, event.offset, event.silence, event.linked)
        elif core.pausing_for is not None:
            tell_where_stopped(core)

    def _hesitate(self) -> None:
        """Just restarted: go on hesitating as long as a replica holds more, or may turn out to."""
        core = self._core
        waited = core.now - core.started
        if not core.loading or waited >= core.settings.writable_delay:
            weigh(core)  # a long load is reason enough to leave the place to a replica that has it all
        resigned = waited >= _PATIENCE * core.settings.node_timeout + core.settings.writable_delay
        if (
            not core.view.me.votes
            or resigned
            or (waited >= core.settings.writable_delay and core.aside_for is None and not core.loading)
        ):
            if core.view.me.votes and core.aside_for is not None:
                core.log("warning", f"Replica {core.aside_for} holds more than I do but did not take over: serving.")
            core.hesitating = False
            core.health_due = core.now

    def _worth_assessing(self) -> bool:
        """Whether the view's news about others may bear on the state, and it is not too soon to look at all nodes
        again. What happens to this node itself does not wait."""
        core, assessed = self._core, self._assessed
        if assessed is None or core.view.me is not assessed.me or core.now >= self._breath_until:
            return True
        core.health_due = min(core.health_due, self._breath_until)
        return False

    def _obey(self, event: Ordered) -> Reply:
        try:
            return perform(self._core, event.order)
        except ReplyError as refusal:
            return refusal

    def _effects(self, before: ClusterView, starting: bool) -> list[Effect]:
        core = self._core
        effects, core.out = core.out, []
        view = core.view
        if not starting and view is before:
            return effects
        first: list[Effect] = []
        if starting or view.differs_durably(before):
            first = [Persist(view, starting or view.promises_beyond(before)), Route(view)]
        elif view.state != before.state:
            first = [Route(view)]
        if starting and view.me.primary is not None:
            first.append(Follow(view.me.primary))
        return first + effects

    def _announce_self(self) -> None:
        """Make the own node say what the settings announce."""
        core, me, settings = self._core, self._core.view.me, self._core.settings
        port, tls_port, bus_port = self._own_ports
        core.view = core.view.amend(
            me.id,
            ip=settings.announce_ip or me.ip,
            port=settings.announce_port or port,
            tls_port=settings.announce_tls_port or tls_port,
            bus_port=settings.announce_bus_port or bus_port,
            hostname=settings.announce_hostname,
            human_nodename=settings.announce_human_nodename,
            shard_id=me.shard_id or me.id,
            flags=me.flags & ~NOFAILOVER | (NOFAILOVER if settings.no_failover else 0),
        )

    # For those who describe the cluster -----------------------------------------------------------------------------

    def liveness(self) -> dict[NodeId, Liveness]:
        """When each node was last heard, by id, the own node included."""
        seen = {self.view.myself: Liveness(offset=self._core.offset)}
        for peer in self._core.peers.values():
            seen[peer.id] = Liveness(peer.ping_sent, peer.pong_received, peer.offset, peer.link is not None)
        return seen

    def failure_reports(self, node: NodeId) -> int:
        """CLUSTER COUNT-FAILURE-REPORTS. Raises ``ReplyError`` for an unknown node."""
        known(self._core, node, f"ERR Unknown node {node}")
        peer = self._core.peers.get(node)
        return 0 if peer is None else reports(self._core, peer)

    def speaker(self, link: int) -> NodeId | None:
        """The node at the other end of a link, for CLUSTER LINKS; None while unknown."""
        return self._core.links.get(link) or self._core.inbound.get(link)

    def messages_sent(self) -> dict[str, int]:
        """How many messages of each kind were sent, by the names of CLUSTER INFO."""
        return {name: self._core.sent[kind] for kind, name in COUNTER_NAMES.items()}

    def messages_received(self) -> dict[str, int]:
        """How many messages of each kind came in."""
        return {name: self._core.received[kind] for kind, name in COUNTER_NAMES.items()}
