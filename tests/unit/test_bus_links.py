"""Links between real buses on the loopback, and the driver that stands between a bus and its machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from time import time

import pytest
import trio
from shardkv_node.bus import Bus
from shardkv_node.buslinks import BusLimits
from shardkv_node.driver import ClusterDriver
from shardkv_node.listeners import listen_tcp

from shardkv.cluster.effects import Answer, Connect, Disconnect, Effect, Follow, Log, Persist, Route, Send
from shardkv.cluster.events import Event, LinkLost, LinkUp, Ordered, Received, Tick
from shardkv.cluster.handshake import Handshake, Role
from shardkv.cluster.machine import ClusterMachine
from shardkv.cluster.messages import AuthAck, Fail, Header, Message, Ping, Publish
from shardkv.cluster.nodes import ALL_SLOTS, SLOTS, Node
from shardkv.cluster.orders import AddSlots, BumpEpoch, MeetNode, SaveConfig, SetConfigEpoch
from shardkv.cluster.settings import Settings
from shardkv.cluster.view import ClusterView
from shardkv.cluster.wire import FRAME_LIMIT, FrameReader, encode

HOST = "127.0.0.1"
SECRET = b"a long and random secret"


def header(sender: str) -> Header:
    return Header(sender, 1, 1, bytes(2048), None, 0, "", 7000, 0, 17000, 1, 0, True, "", "", "")


class Peer:
    """A bus whose machine only writes its diary."""

    def __init__(self, name: str, secret: bytes = b"", limits: BusLimits | None = None) -> None:
        self.name = name
        self.events: list[Event] = []
        self.lines: list[str] = []
        self.port = 0
        self.bus = Bus(
            deliver=self.events.append,
            log=lambda level, text: self.lines.append(text) if level == "warning" else None,
            clock=time,
            secret=secret,
            limits=limits,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Peer]:
        listening = listen_tcp([HOST], self.port, 511)
        self.port = listening[0].getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(self.bus.run, listening)
            yield self
            nursery.cancel_scope.cancel()

    def dial(self, link: int, port: int) -> None:
        self.bus.connect(Connect(link, "?", HOST, port))

    def heard(self) -> list[object]:
        return [event.message for event in self.events if isinstance(event, Received)]


async def until(condition: Callable[[], object]) -> None:
    with trio.fail_after(4):
        while not condition():  # noqa: ASYNC110 - the conditions are of many kinds, and none is an event of its own
            await trio.sleep(0.002)


def listen() -> trio.SocketListener:
    """A bare listener on a free port, for a peer that is no bus."""
    return trio.SocketListener(trio.socket.from_stdlib_socket(listen_tcp([HOST], 0, 16)[0]))


async def connected(a: Peer, b: Peer, link: int = 1) -> None:
    a.dial(link, b.port)
    await until(lambda: LinkUp(link) in a.events)


@pytest.mark.parametrize("secret", [b"", SECRET])
def test_two_nodes_talk_both_ways_on_one_link(secret: bytes) -> None:
    async def main() -> None:
        async with Peer("a", secret).running() as a, Peer("b", secret).running() as b:
            await connected(a, b)
            pings: list[Message] = [Ping(header("a")), Fail(header("a"), "x")]
            for ping in pings:
                a.bus.send(1, ping)
            await until(lambda: b.heard() == pings)
            first = b.events[0]
            assert isinstance(first, Received)
            assert (first.link, first.peer_ip, first.local_ip) == (-1, HOST, HOST)
            b.bus.send(-1, AuthAck(header("b")))
            await until(lambda: a.heard() == [AuthAck(header("b"))])
            (to,), (back,) = a.bus.statistics().links, b.bus.statistics().links
            assert (to.direction, to.node, to.events, to.send_buffer_used) == ("to", "b", "r", 0)
            assert (back.direction, back.node) == ("from", "a")
            assert abs(back.create_time / 1000 - time()) < 10
            assert a.bus.statistics().sent["ping"] == b.bus.statistics().received["ping"] == 1
            assert a.bus.statistics().bytes_sent == b.bus.statistics().bytes_received
            assert not a.lines
            assert not b.lines

    trio.run(main)


@pytest.mark.parametrize(
    ("ours", "theirs", "told", "tells"),
    [
        (SECRET, b"", "the peer has no cluster-auth-secret", "the peer requires a cluster-auth-secret"),
        (b"", SECRET, "the peer requires a cluster-auth-secret", "the peer has no cluster-auth-secret"),
        (SECRET, b"other", "wrong cluster-auth-secret", "cluster-auth-secret is another one"),
    ],
)
def test_a_node_with_another_secret_gets_no_link_and_both_logs_say_why(
    ours: bytes, theirs: bytes, told: str, tells: str
) -> None:
    async def main() -> None:
        async with Peer("a", ours).running() as a, Peer("b", theirs).running() as b:
            for link in (1, 2):
                a.dial(link, b.port)
                await until(lambda: len(a.events) == link)  # noqa: B023 - awaited before the next turn
            assert a.events == [LinkLost(1), LinkLost(2)]
            await until(lambda: b.bus.statistics().links_refused == 2)
            assert (len(a.lines), len(b.lines)) == (1, 1)  # the second time says nothing new
            assert told in a.lines[0]
            assert tells in b.lines[0]
            assert LinkUp(1) not in a.events
            assert b.events == []

    trio.run(main)


def test_a_dial_that_finds_nobody_is_a_lost_link() -> None:
    async def main() -> None:
        async with Peer("a").running() as a:
            for link, (ip, port) in enumerate([(HOST, 1), ("no.such.name", 7000), (HOST, 70000), ("", 0)], 1):
                a.bus.connect(Connect(link, "?", ip, port))
            await until(lambda: len(a.events) == 4)
            assert sorted(event.link for event in a.events if isinstance(event, LinkLost)) == [1, 2, 3, 4]

    trio.run(main)


def test_a_peer_that_never_answers_the_set_up_is_given_up() -> None:
    async def main() -> None:
        mute = listen()
        async with mute, Peer("a", limits=BusLimits(setup_timeout=0.05)).running() as a:
            a.dial(1, mute.socket.getsockname()[1])
            await until(lambda: a.events == [LinkLost(1)])

    trio.run(main)


def test_disconnect_ends_the_link_for_the_other_side_only() -> None:
    async def main() -> None:
        async with Peer("a").running() as a, Peer("b").running() as b:
            await connected(a, b)
            a.bus.disconnect(1)
            a.bus.send(1, Ping(header("a")))
            await until(lambda: b.events == [LinkLost(-1)])
            assert a.events == [LinkUp(1)]
            assert b.bus.statistics().links == ()

    trio.run(main)


def test_the_peer_can_be_dialled_again_after_it_restarted() -> None:
    async def main() -> None:
        async with Peer("a", SECRET).running() as a:
            b = Peer("b", SECRET)
            async with b.running():
                await connected(a, b)
            await until(lambda: LinkLost(1) in a.events)
            a.dial(2, b.port)
            await until(lambda: LinkLost(2) in a.events)
            async with b.running():
                await connected(a, b, 3)
                a.bus.send(3, Ping(header("a")))
                await until(b.heard)
            assert [event.link for event in b.events if isinstance(event, Received)] == [-2]

    trio.run(main)


@pytest.mark.parametrize("secret", [b"", SECRET])
def test_two_hundred_connections_with_garbage_harm_nobody(secret: bytes) -> None:
    async def rubbish(port: int, seed: int) -> None:
        stream = await trio.open_tcp_stream(HOST, port)
        async with stream:
            try:
                if seed % 3 == 0:  # what is garbage only after the set-up
                    await stream.send_all(Handshake(Role.DIALER, bytes(32)).start())
                await stream.send_all(Random(seed).randbytes(3000))
                await stream.receive_some(5000)
                await stream.receive_some(5000)
            except trio.BrokenResourceError:
                pass  # it hung up on us, as it should

    async def main() -> None:
        async with Peer("a", secret).running() as a, Peer("b", secret).running() as b:
            await connected(a, b)
            async with trio.open_nursery() as nursery:
                for seed in range(200):
                    nursery.start_soon(rubbish, b.port, seed)
                a.bus.send(1, Ping(header("a")))
            await until(lambda: b.bus.statistics().strangers == 0)
            await until(lambda: b.heard() == [Ping(header("a"))])
            seen = b.bus.statistics()
            assert seen.garbage + seen.links_refused == 200
            assert 0 < len(b.lines) <= 200
            await connected(a, b, 2)

    trio.run(main)


def test_silent_strangers_cannot_keep_a_node_out() -> None:
    async def main() -> None:
        async with Peer("a").running() as a, Peer("b", limits=BusLimits(strangers=4)).running() as b:
            strangers = [await trio.open_tcp_stream(HOST, b.port) for _ in range(20)]
            await until(lambda: b.bus.statistics().links_refused == 16)
            await connected(a, b)
            assert b.bus.statistics().strangers == 3
            for stranger in strangers:
                await stranger.aclose()

    trio.run(main)


def test_no_more_inbound_links_than_the_limit() -> None:
    async def main() -> None:
        async with Peer("a").running() as a, Peer("b", limits=BusLimits(links=2)).running() as b:
            for link in (1, 2, 3):
                a.dial(link, b.port)
            await until(lambda: sum(isinstance(event, LinkLost) for event in a.events) == 1)
            assert len(b.bus.statistics().links) == 2
            a.bus.disconnect(1)
            a.bus.disconnect(2)
            a.bus.disconnect(3)
            await until(lambda: not b.bus.statistics().links)
            await connected(a, b, 4)

    trio.run(main)


def test_a_peer_that_does_not_read_costs_its_link_and_no_more() -> None:
    async def main() -> None:
        listener = listen()
        limits = BusLimits(sendbuf=300_000)
        async with listener, Peer("a", limits=limits).running() as a:
            a.dial(1, listener.socket.getsockname()[1])
            async with await listener.accept() as stream:
                handshake = Handshake(Role.ACCEPTOR, bytes(32))
                await stream.send_all(handshake.feed(await stream.receive_some(4096)))
                await until(lambda: LinkUp(1) in a.events)
                news = Publish(header("a"), b"c", bytes(100_000))
                for _ in range(1000):
                    a.bus.send(1, news)
                    await trio.lowlevel.checkpoint()
                    links = a.bus.statistics().links
                    if not links:
                        break
                    assert links[0].send_buffer_used <= limits.sendbuf
                await until(lambda: a.events == [LinkUp(1), LinkLost(1)])
                assert a.bus.statistics().sendbuf_exceeded == 1
                assert len(a.lines) == 1
                a.bus.send(1, Publish(header("a"), b"c", bytes(FRAME_LIMIT)))
                assert a.bus.statistics().oversized == 0  # nobody to send it to

    trio.run(main)


def test_a_message_beyond_the_frame_limit_is_counted_and_not_sent() -> None:
    async def main() -> None:
        async with Peer("a").running() as a, Peer("b").running() as b:
            await connected(a, b)
            a.bus.send(1, Publish(header("a"), b"c", bytes(FRAME_LIMIT)))
            a.bus.send(1, Ping(header("a")))
            await until(lambda: b.heard() == [Ping(header("a"))])
            assert a.bus.statistics().oversized == 1

    trio.run(main)


@pytest.mark.parametrize("secret", [b"", SECRET])
def test_somebody_on_the_path_can_inject_only_where_there_is_no_secret(secret: bytes) -> None:
    forged = Fail(header("mallory"), "victim")

    async def main() -> None:
        listener = listen()
        async with listener, Peer("a", secret).running() as a, Peer("b", secret).running() as b:
            a.dial(1, listener.socket.getsockname()[1])
            async with await listener.accept() as near, await trio.open_tcp_stream(HOST, b.port) as far:

                async def carry(source: trio.SocketStream, target: trio.SocketStream) -> None:
                    async for data in source:
                        await target.send_all(data)

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(carry, near, far)
                    nursery.start_soon(carry, far, near)
                    await until(lambda: LinkUp(1) in a.events and b.bus.statistics().links)
                    a.bus.send(1, Ping(header("a")))
                    await until(lambda: len(b.heard()) == 1)
                    await far.send_all(encode(forged))
                    if secret:
                        await until(lambda: LinkLost(-1) in b.events)
                        assert b.bus.statistics().garbage == 1
                    else:
                        await until(lambda: len(b.heard()) == 2)
                    assert (forged in b.heard()) is (not secret)
                    nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_stranger_reads_nothing_of_an_authenticated_bus() -> None:
    async def main() -> None:
        async with Peer("b", SECRET).running() as b:
            async with await trio.open_tcp_stream(HOST, b.port) as stream:
                await stream.send_all(Handshake(Role.DIALER, bytes(32), b"guess").start())
                hello = await stream.receive_some(4096)
                await stream.send_all(encode(Ping(header("m"))))
                rest = b"".join([data async for data in stream])
            assert FrameReader().feed(hello + rest) == []
            assert b.events == []

    trio.run(main)


# ------------------------------------------------------------------------------------------ the driver

VIEW = ClusterView.alone(Node("a" * 40))


class Script:
    """A machine that answers each event with the effects it was told to."""

    def __init__(self, answers: Callable[[Event], list[Effect]], deadline: float = float("inf")) -> None:
        self.answers = answers
        self.deadline = deadline
        self.events: list[Event] = []

    def handle(self, event: Event, now: float) -> list[Effect]:
        self.events.append(event)
        return self.answers(event)


class Diary:
    """A bus and a world that write down what they are asked for."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.lines: list[str] = []
        self.at_once = at_once
        self.asked = self.written = 0
        self.fault: OSError | None = None

    def connect(self, order: Connect) -> None:
        self.lines.append(f"connect {order.link}")

    def disconnect(self, number: int) -> None:
        self.lines.append(f"disconnect {number}")

    def send(self, number: int, message: object) -> None:
        self.lines.append(f"send {number}")

    def write(self, view: ClusterView, *, urgent: bool) -> int:
        if self.fault is not None:
            raise self.fault
        self.lines.append("persist")
        self.asked += 1
        if self.at_once:
            self.written = self.asked
        return self.asked

    def driver(self, machine: Script, log: Callable[[str, str], None] | None = None) -> ClusterDriver:
        return ClusterDriver(
            machine,
            self,
            records=self,
            route=lambda view: self.lines.append("route"),
            follow=lambda primary: self.lines.append(f"follow {primary}"),
            pause_writes=lambda seconds: self.lines.append(f"pause {seconds}"),
            drop_slots=lambda slots: self.lines.append(f"drop {slots}"),
            deliver=lambda channel, payload, sharded: self.lines.append(f"deliver {channel!r}"),
            log=log or (lambda level, text: self.lines.append(text)),
            clock=time,
        )


def test_effects_are_performed_in_order_before_an_order_is_answered() -> None:
    diary = Diary()
    effects: list[Effect] = [
        Persist(VIEW),
        Connect(1, "x", HOST, 1),
        Send(1, Ping(header("a"))),
        Disconnect(1),
        Route(VIEW),
    ]
    machine = Script(lambda event: [*effects, Answer(event.ticket, "BUMPED 1")] if isinstance(event, Ordered) else [])
    assert diary.driver(machine).order(BumpEpoch()) == "BUMPED 1"
    assert diary.lines == ["persist", "connect 1", "send 1", "disconnect 1", "route"]


def test_an_event_from_within_an_effect_waits_until_the_effects_are_done() -> None:
    diary = Diary()

    def answers(event: Event) -> list[Effect]:
        return (
            [Log("notice", "lost"), Log("notice", "again")] if isinstance(event, LinkLost) else [Log("notice", "tick")]
        )

    def log(level: str, text: str) -> None:
        diary.lines.append(text)
        if text == "lost":
            assert driver.submit(Tick()) == []

    driver = diary.driver(Script(answers), log)
    driver.submit(LinkLost(1))
    assert diary.lines == ["lost", "again", "tick"]


def test_nothing_that_binds_the_node_is_told_before_it_is_on_disk_and_events_go_on() -> None:
    """A route that takes slots over waits as well; one that gives slots away does not."""
    mine = VIEW.assign(VIEW.myself, 0b11)
    story: dict[int, list[Effect]] = {
        1: [Persist(mine), Route(mine), Send(1, Ping(header("a"))), Log("notice", "won")],
        2: [Persist(mine, awaited=False), Connect(2, "x", HOST, 1)],
        3: [Persist(VIEW, awaited=False), Route(VIEW)],
        4: [Follow(None)],
    }
    diary = Diary(at_once=False)
    machine = Script(lambda event: story.get(event.link, []) if isinstance(event, LinkUp) else [])
    driver = diary.driver(machine)
    for link in (1, 2, 3):
        driver.submit(LinkUp(link))
    assert not driver.lasting
    assert diary.lines == ["persist", "won", "persist", "persist", "route"]
    assert driver.routed == VIEW
    diary.lines.clear()
    diary.written = 1
    assert driver.lasting
    driver.lasts()
    driver.submit(LinkUp(4))
    assert diary.lines == ["send 1", "connect 2", "follow None"]  # the route of the first is out of date


def test_a_failed_persist_stops_everything_after_it() -> None:
    diary = Diary()
    machine = Script(lambda event: [Persist(VIEW), Send(1, Ping(header("a")))])
    driver = diary.driver(machine)
    diary.fault = OSError("no space left")
    with pytest.raises(OSError, match="no space"):
        driver.submit(Tick())
    assert diary.lines == []


def test_an_order_must_be_answered() -> None:
    with pytest.raises(AssertionError, match="no answer"):
        Diary().driver(Script(lambda event: [])).order(SaveConfig())


def test_ticks_come_at_the_deadline_and_a_sooner_deadline_wakes_the_sleeper() -> None:
    async def main() -> None:
        machine = Script(lambda event: [])
        driver = Diary().driver(machine)

        def answers(event: Event) -> list[Effect]:
            machine.deadline = time() + 0.02 if isinstance(event, LinkUp) else float("inf")
            return []

        machine.answers = answers
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver.run)
            await trio.sleep(0.02)
            assert machine.events == []
            began = time()
            driver.submit(LinkUp(1))
            await until(lambda: machine.events == [LinkUp(1), Tick()])
            assert time() - began >= 0.02
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_machine_that_is_always_late_starves_nobody() -> None:
    async def main() -> None:
        machine = Script(lambda event: [], deadline=0.0)
        async with trio.open_nursery() as nursery:
            began = trio.current_time()
            nursery.start_soon(Diary().driver(machine).run)
            await until(lambda: len(machine.events) >= 10)
            seconds = trio.current_time() - began
            nursery.cancel_scope.cancel()
        assert len(machine.events) <= 10 + 1200 * seconds  # about a millisecond apart

    trio.run(main)


def _are_listed(bus: Bus, order: list[tuple[str, str]]) -> bool:
    return [(link.node, link.direction) for link in bus.statistics().links] == order


@pytest.mark.parametrize("secret", [b"", SECRET])
def test_three_real_machines_meet_over_real_links_and_agree_on_the_slots(secret: bytes) -> None:
    class Member:
        def __init__(self, number: int) -> None:
            self.listening = listen_tcp([HOST], 0, 16)
            self.port = self.listening[0].getsockname()[1]
            me = Node(f"{number:040x}", port=7000 + number, bus_port=self.port)
            self.machine = ClusterMachine(ClusterView.alone(me), Settings(node_timeout=2.0), Random(number), time())
            self.bus = Bus(
                deliver=self.happened,
                log=lambda level, text: None,
                clock=time,
                secret=secret,
            )
            self.driver = ClusterDriver(
                self.machine,
                self.bus,
                records=Diary(),
                route=lambda view: None,
                follow=lambda primary: None,
                pause_writes=lambda _: None,
                drop_slots=lambda slots: None,
                deliver=lambda channel, payload, sharded: None,
                log=lambda level, text: None,
                clock=time,
            )

        def happened(self, event: Event) -> None:
            self.driver.submit(event)

    async def main() -> None:
        members = [Member(number) for number in (1, 2, 3)]
        async with trio.open_nursery() as nursery:
            for member in members:
                await nursery.start(member.bus.run, member.listening)
                nursery.start_soon(member.driver.run)
            for i, member in enumerate(members):
                start, end = i * SLOTS // 3, (i + 1) * SLOTS // 3 - 1
                assert str(member.driver.order(AddSlots(((start, end),)))) == "OK"
                assert str(member.driver.order(SetConfigEpoch(i + 1))) == "OK"
            for member in members[1:]:
                members[0].driver.order(MeetNode(HOST, 7000, member.port))
            await until(lambda: all(member.machine.view.assigned == ALL_SLOTS for member in members))
            await until(lambda: all(len(member.bus.statistics().links) == 4 for member in members))
            for number, member in enumerate(members, 1):
                peers = [f"{peer:040x}" for peer in (1, 2, 3) if peer != number]
                order = [(peer, direction) for peer in peers for direction in ("to", "from")]
                await until(partial(_are_listed, member.bus, order))
            nursery.cancel_scope.cancel()

    trio.run(main)
