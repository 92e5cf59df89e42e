"""Carries slots from primary to primary: as a whole where both nodes can (``whole``), else with the commands that
redis-cli uses.

One slot by those: importing at the target, migrating at the source, its keys by MIGRATE in batches, then the new owner
told to target, source and everybody else. After any step the slot is served, and what an interruption leaves behind is
an open slot, which the next run of the same verb, or ``fix``, takes up where it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import trio

from shardkv.errors import ReplyError

from .access import Access
from .client import Client, connect
from .exits import Failure
from .moves import Move
from .render import Progress
from .survey import NodeReport
from .view import parse_nodes
from .whole import groups, move_whole, so, understood

BATCH = 100
#: One MIGRATE may take as long as this (milliseconds).
MIGRATE_TIMEOUT_MS = 60_000
AGREE_SECONDS = 20.0


class Mover:
    """Connections to all nodes for the time of a move. A context manager."""

    def __init__(self, nodes: Sequence[NodeReport], access: Access, batch: int = BATCH) -> None:
        self._nodes = [node for node in nodes if node.failure is None]
        self._access = access
        self._batch = batch
        self._stack = AsyncExitStack()
        self._clients: dict[str, Client] = {}
        self._databases = 1
        self.moved = 0
        self.keys = 0

    async def __aenter__(self) -> Mover:
        patient = replace(self._access, timeout=self._access.timeout + MIGRATE_TIMEOUT_MS / 1000)
        for node in self._nodes:
            client = await self._stack.enter_async_context(connect(node.address, patient))
            self._clients[node.line.id] = client
        reply = await next(iter(self._clients.values())).ask("CONFIG", "GET", "cluster-databases")
        if isinstance(reply, list) and len(reply) == 2 and isinstance(reply[1], bytes):
            self._databases = int(reply[1])
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def client(self, node: NodeReport) -> Client:
        """The connection to a node. Raises Failure for one that can't be reached."""
        try:
            return self._clients[node.line.id]
        except KeyError:
            raise Failure(f"{node.address} cannot be reached: {node.failure}") from None

    async def carry_out(self, moves: Sequence[Move], progress: Progress, phase: str = "Slots moved") -> None:
        """Make the moves, one after the other. Raises Failure with what is left to be done."""
        done = 0
        for group in groups(moves):
            if await self._can_be_whole(group):
                progress.update(phase, done, len(moves))
                try:
                    self.keys += await move_whole(group, self.client(group[0].source), self.client(group[0].target))
                except Failure as failure:
                    raise Failure(
                        f"{failure.message} ({done} of {len(moves)} slots were moved: run the same command again)"
                    ) from None
                done += len(group)
                self.moved += len(group)
                continue
            for move in group:
                progress.update(phase, done, len(moves))
                try:
                    await self.move(move)
                except Failure as failure:
                    raise Failure(
                        f"{failure.message} ({done} of {len(moves)} slots were moved; slot {move.slot} is open: run "
                        "the same command again, or fix)"
                    ) from None
                done += 1
        await self._agree(moves)
        progress.update(phase, len(moves), len(moves))

    async def _can_be_whole(self, group: Sequence[Move]) -> bool:
        """Whether both nodes can, and none of the slots is open: what was begun in one way is ended so."""
        source, target = group[0].source, group[0].target
        slots = {move.slot for move in group}
        for node in (source, target):
            own = node.own
            if own is not None and slots & dict((*own.migrating, *own.importing)).keys():
                return False
            if not await understood(self.client(node)):
                return False
        return True

    async def _agree(self, moves: Sequence[Move]) -> None:
        """Wait until all primaries have heard who owns what was moved; who has not in the end will hear it later."""
        owners = {move.slot: move.target.line.id for move in moves}
        heads = [self._clients[node.line.id] for node in self._nodes if node.line.is_primary]
        with trio.move_on_after(AGREE_SECONDS):
            for client in heads:
                await so(partial(self._knows, client, owners))

    @staticmethod
    async def _knows(client: Client, owners: dict[int, str]) -> bool:
        # Who has given its last slot away is loading the keys of the one that it follows now.
        text = await client.call("CLUSTER", "NODES")
        if not isinstance(text, bytes):
            return True
        told = {
            slot: line.id
            for line in parse_nodes(text.decode())
            for first, last in line.slots
            for slot in range(first, last + 1)
        }
        return all(told.get(slot) == owner for slot, owner in owners.items())

    async def move(self, move: Move) -> None:
        """Move one slot, or finish to."""
        source, target = self.client(move.source), self.client(move.target)
        await self._open(target, move.slot, "IMPORTING", move.source.line.id)
        await self._open(source, move.slot, "MIGRATING", move.target.line.id)
        await self.carry_keys(move.slot, move.source, move.target)
        await self.settle(move.slot, move.target, first=(target, source))
        self.moved += 1

    @staticmethod
    async def _open(client: Client, slot: int, way: str, other: str) -> None:
        reply = await client.call("CLUSTER", "SETSLOT", slot, way, other)
        if isinstance(reply, ReplyError) and "already the owner" not in reply.text:
            raise Failure(f"{client.address} answered CLUSTER SETSLOT with: {reply.text}")

    async def carry_keys(self, slot: int, source: NodeReport, target: NodeReport, *, replace: bool = True) -> None:
        """Move the keys that a slot has at ``source``, of all databases.

        ``replace``: what ``target`` has of a key already is the older copy, as an interrupted run leaves it. Otherwise
        it is the better one, and the copy at ``source`` goes.
        """
        client = self.client(source)
        for database in range(self._databases):
            if self._databases > 1:
                await client.ask("SELECT", database)
            while True:
                keys = await client.ask("CLUSTER", "GETKEYSINSLOT", slot, self._batch if replace else 1)
                if not isinstance(keys, list) or not keys:
                    break
                names = [key for key in keys if isinstance(key, bytes)]
                refusal = await self._migrate(client, target, database, names, replace=replace)
                if refusal is not None and "BUSYKEY" in refusal and not replace:
                    await client.ask("ASKING")
                    await client.ask("DEL", *names)
                elif refusal is not None:
                    raise Failure(f"{client.address} answered MIGRATE with: {refusal}")
                self.keys += len(names)

    async def _migrate(
        self, client: Client, target: NodeReport, database: int, keys: list[bytes], *, replace: bool
    ) -> str | None:
        """One MIGRATE; what it was refused with, if it was."""
        login: tuple[str, ...] = ()
        if self._access.password is not None:
            user = self._access.user
            login = ("AUTH2", user, self._access.password) if user else ("AUTH", self._access.password)
        place = (target.address.host, target.address.port)
        options = (*(["REPLACE"] if replace else []), *login)
        reply = await client.call("MIGRATE", *place, "", database, MIGRATE_TIMEOUT_MS, *options, "KEYS", *keys)
        return reply.text if isinstance(reply, ReplyError) else None

    async def settle(self, slot: int, owner: NodeReport, first: Sequence[Client] = ()) -> None:
        """Tell all primaries who owns a slot, the new owner first."""
        others = [self._clients[node.line.id] for node in self._nodes if node.line.is_primary]
        for client in [*first, *(client for client in others if client not in first)]:
            reply = await client.call("CLUSTER", "SETSLOT", slot, "NODE", owner.line.id)
            if isinstance(reply, ReplyError) and client in first and "only with masters" not in reply.text:
                raise Failure(f"{client.address} answered CLUSTER SETSLOT with: {reply.text}")
