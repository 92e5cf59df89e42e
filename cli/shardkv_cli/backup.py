"""``shardkv-admin backup`` and ``restore``: every primary's snapshot in a folder, and all keys of such a folder back.

A backup is what ``redis-cli --cluster backup`` writes: an RDB file for each primary and ``nodes.json`` with the layout.
A restore needs no cluster of the same layout: each key goes to whoever serves its slot now.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import click

from shardkv.config import Config
from shardkv.errors import ReplyError
from shardkv.keyspace.slots import key_slot
from shardkv.persist.rdb.events import Library, Select
from shardkv.persist.rdb.faults import RdbFault
from shardkv.persist.rdb.payload import dump
from shardkv.persist.rdb.reader import RdbReader

from .access import Access
from .address import Address, address_word
from .changing import changing_options, confirmed, look, primaries_of, tell
from .client import Client, connect
from .exits import Failure, run
from .members import finish
from .moves import slots_of
from .render import Progress, told_as_json
from .survey import NodeReport, Survey

CHUNK = 1 << 20
PORTION = 200


def file_of(node: NodeReport) -> str:
    """The name of a primary's snapshot."""
    return f"redis-node-{node.address.host}-{node.address.port}-{node.line.id}.rdb"


async def fetch(node: NodeReport, folder: Path, access: Access) -> int:
    """Write a node's snapshot beside its place and move it there when it is whole; its size in bytes."""
    path = folder / file_of(node)
    partial = path.with_suffix(".part")
    async with connect(node.address, access) as client:
        with partial.open("wb") as target:
            size = await client.snapshot(target.write)
            target.flush()
            os.fsync(target.fileno())
    partial.replace(path)
    return size


@click.command("backup")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@changing_options
def backup(address: Address, folder: Path, yes: bool, dry_run: bool, access: Access, as_json: bool) -> None:
    """Save a snapshot of every primary of the cluster of HOST:PORT to FOLDER."""
    with told_as_json(as_json, command="backup", result="failed"):
        seen = run(lambda: look(address, access, sound=False))
        heads = [node for node in seen.nodes if node.line.is_primary]
        lost = [str(node.address) for node in heads if node.failure is not None and node.line.slots]
        if lost:
            raise Failure(f"primaries that cannot be reached: {', '.join(lost)}; a backup without them is none")
        names = [file_of(node) for node in heads]
        there = [name for name in names if (folder / name).exists()]
        if dry_run:
            finish("backup", "planned", as_json, "Would write:\n  " + "\n  ".join(names), files=names)
            return
        if there:
            confirmed(f"{len(there)} of {len(names)} files are in {folder} already: replace them?", yes=yes)
        folder.mkdir(parents=True, exist_ok=True)

        async def go() -> int:
            total = done = 0
            with Progress(quiet=as_json) as progress:
                for done, node in enumerate(heads, 1):
                    total += await fetch(node, folder, access)
                    progress.update("Snapshots saved", done, len(heads))
            return total

        total = run(go)
        (folder / "nodes.json").write_text(json.dumps(layout(seen), indent=2) + "\n")
    finish("backup", "done", as_json, f"{len(names)} snapshot(s), {total} bytes, in {folder}.", files=names)


def layout(seen: Survey) -> list[dict[str, object]]:
    """Who was what when the backup was made."""
    return [
        {
            "name": node.line.id,
            "host": node.address.host,
            "port": node.address.port,
            "replicate": node.line.primary,
            "slots": [[first, last] for first, last in node.line.slots],
            "slots_count": node.line.slot_count,
            "flags": ",".join(node.line.flags),
            "current_epoch": node.line.epoch,
        }
        for node in seen.nodes
    ]


# restore ------------------------------------------------------------------------------------------------------------

Restore = tuple[bytes, bytes, bytes, bytes, bytes]  # RESTORE key ttl payload ABSTTL


def requests_of(path: Path) -> Iterator[tuple[int, Restore]]:
    """The keys of a snapshot as (slot, RESTORE without REPLACE). Raises Failure for a file that is no snapshot, or has
    keys in another database than the first."""
    config, reader = Config(), RdbReader(Config())
    try:
        with path.open("rb") as source:
            while chunk := source.read(CHUNK):
                for event in reader.feed(chunk):
                    if isinstance(event, Select) and event.index:
                        raise Failure(f"{path}: it has keys in database {event.index}, and a cluster has only 0")
                    if isinstance(event, Library):
                        raise Failure(f"{path}: it has functions; load them with FUNCTION LOAD, then restore the keys")
                    if isinstance(event, tuple):
                        name, value, at, _, _ = event
                        ttl = b"%d" % (at or 0)
                        yield key_slot(name), (b"RESTORE", name, ttl, dump(value, config), b"ABSTTL")
        for _ in reader.finish():
            pass
    except RdbFault as fault:
        raise Failure(f"{path}: {fault}") from None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


class _Sender:
    """Gathers requests for each primary and sends them in portions."""

    def __init__(self, clients: dict[str, Client], owners: dict[int, str], replace: bool) -> None:
        self._clients = clients
        self._owners = owners
        self._replace = replace
        self._waiting: dict[str, list[tuple[bytes, ...]]] = defaultdict(list)
        self.restored = 0
        self.kept = 0

    async def add(self, slot: int, request: Restore) -> None:
        """One key. Raises Failure if the cluster refuses it."""
        owner = self._owners.get(slot)
        if owner is None:
            raise Failure(f"slot {slot} is served by nobody")
        waiting = self._waiting[owner]
        waiting.append((*request, b"REPLACE") if self._replace else request)
        if len(waiting) >= PORTION:
            await self._send(owner)

    async def _send(self, owner: str) -> None:
        requests, self._waiting[owner] = self._waiting[owner], []
        for reply in await self._clients[owner].many(requests):
            if not isinstance(reply, ReplyError):
                self.restored += 1
            elif reply.text.startswith("BUSYKEY"):
                self.kept += 1
            else:
                raise Failure(f"{self._clients[owner].address} answered RESTORE with: {reply.text}")

    async def flush(self) -> None:
        """Send what is left."""
        for owner in list(self._waiting):
            if self._waiting[owner]:
                await self._send(owner)


@click.command("restore")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Overwrite keys that are there already; they are kept otherwise.")
@changing_options
def restore(
    address: Address, folder: Path, replace: bool, yes: bool, dry_run: bool, access: Access, as_json: bool
) -> None:
    """Bring the keys of all snapshots (*.rdb) in FOLDER into the cluster of HOST:PORT.

    An interrupted restore is simply run again: keys that have arrived are kept (or, with --replace, written anew).
    """
    with told_as_json(as_json, command="restore", result="failed"):
        seen = run(lambda: look(address, access))
        files = sorted(folder.glob("*.rdb"))
        if not files:
            raise Failure(f"there is no *.rdb in {folder}")
        counts = [sum(1 for _ in requests_of(path)) for path in files]  # every file is proven before a key is written
        tell(as_json, *(f"  {path.name}: {count} key(s)" for path, count in zip(files, counts, strict=True)))
        if dry_run:
            finish("restore", "planned", as_json, "Nothing was changed (--dry-run).", keys=sum(counts))
            return
        confirmed(f"Restore {sum(counts)} key(s)?", yes=yes)
        sent = run(lambda: bring_back(seen, files, sum(counts), replace, access, quiet=as_json))
    line = f"{sent.restored} key(s) restored" + (f", {sent.kept} kept as they were." if sent.kept else ".")
    finish("restore", "done", as_json, line, restored=sent.restored, kept=sent.kept)


async def bring_back(
    seen: Survey, files: Sequence[Path], total: int, replace: bool, access: Access, *, quiet: bool
) -> _Sender:
    """Send every key of the files to whoever serves its slot."""

    heads = primaries_of(seen)
    owners = {slot: node.line.id for node in heads for slot in slots_of(node)}
    async with AsyncExitStack() as stack:
        clients = {node.line.id: await stack.enter_async_context(connect(node.address, access)) for node in heads}
        sender, done = _Sender(clients, owners, replace), 0
        with Progress(quiet=quiet) as progress:
            for path in files:
                for slot, request in requests_of(path):
                    await sender.add(slot, request)
                    done += 1
                    if done % PORTION == 0:
                        progress.update("Keys sent", done, total)
            await sender.flush()
            progress.update("Keys sent", total, total)
    return sender
