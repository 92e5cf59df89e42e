"""``shardkv-admin add-node``, ``remove-node``, ``failover``, ``replicate``: who is in the cluster, in which role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import click
import trio

from shardkv.errors import ReplyError

from .access import Access
from .address import Address, address_word
from .changing import changing_options, confirmed, find, look, primaries_of, tell
from .client import Client, all_or_first_failure, connect, each, is_loading
from .create import POLL_SECONDS, examine_one
from .exits import Failure, run
from .moves import MoveError, empty_out
from .moving import Mover
from .plan import Member
from .render import Progress, emit, told_as_json
from .reshard import lines_of
from .survey import NodeReport, Survey, read_view, survey
from .view import BUS_OFFSET, parse_info

PATIENCE = 60.0


def finish(verb: str, result: str, as_json: bool, line: str, **more: Any) -> None:
    """Tell how it ended."""
    if as_json:
        emit({"command": verb, "result": result, **more})
    else:
        tell(as_json, line)


async def until(what: str, condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Waits until ``condition`` holds; raises Failure after ``seconds``."""
    deadline = trio.current_time() + seconds
    while not await condition():
        if trio.current_time() > deadline:
            raise Failure(f"after {seconds:g} s still not so: {what}")
        await trio.sleep(POLL_SECONDS)


async def everybody_sees(seen: Survey, access: Access, node: str, role: str | None) -> bool:
    """Whether all nodes know a node and the primary that it follows (None: it is a primary)."""

    async def ask(report: NodeReport) -> bool:
        async with connect(report.address, access) as client:
            line = next((line for line in await read_view(client) if line.id == node), None)
        return line is not None and line.joined and line.primary == role

    return all(all_or_first_failure(await each([r for r in seen.nodes if r.failure is None], ask)))


# add-node -----------------------------------------------------------------------------------------------------------


async def join(seen: Survey, member: Member, primary: NodeReport | None, access: Access) -> None:
    """Introduce a node, wait until all know it, give it the functions of the others, and its role."""
    first = next(node for node in seen.nodes if node.failure is None)
    async with connect(member.address, access) as client, connect(first.address, access) as friend:
        functions = await friend.call("FUNCTION", "DUMP")
        if isinstance(functions, bytes):
            restored = await client.call("FUNCTION", "RESTORE", functions, "FLUSH")
            if isinstance(restored, ReplyError):
                raise Failure(f"{member.address} does not take the cluster's functions: {restored.text}")
        words = ["CLUSTER", "MEET", first.address.host, str(first.address.port)]
        if first.line.bus_port != first.address.port + BUS_OFFSET:
            words.append(str(first.line.bus_port))
        await client.ask(*words)
        await until(f"all know {member.address}", lambda: everybody_sees(seen, access, member.id, None))
        if primary is not None:

            async def knows() -> bool:
                return any(line.id == primary.line.id for line in await read_view(client))

            await until(f"{member.address} knows its primary", knows)
            await client.ask("CLUSTER", "REPLICATE", primary.line.id)
            await until("all see the new replica", lambda: everybody_sees(seen, access, member.id, primary.line.id))


def thinnest(seen: Survey) -> NodeReport:
    """The primary with slots that has the fewest replicas."""
    copies = {node.line.id: 0 for node in primaries_of(seen) if node.line.slots}
    for node in seen.nodes:
        if node.line.primary in copies:
            copies[node.line.primary] += 1
    if not copies:
        raise Failure("no primary of this cluster has slots (nothing was changed)")
    return min((node for node in primaries_of(seen) if node.line.id in copies), key=lambda n: copies[n.line.id])


@click.command("add-node")
@click.argument("new", type=address_word, metavar="NEW_HOST:PORT")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.option("--replica", is_flag=True, help="As a replica of the primary that has the fewest.")
@click.option("--replica-of", "primary", metavar="NODE", help="As a replica of this primary.")
@changing_options
def add_node(
    new: Address,
    address: Address,
    replica: bool,
    primary: str | None,
    yes: bool,
    dry_run: bool,
    access: Access,
    as_json: bool,
) -> None:
    """Add a running, empty node to the cluster of HOST:PORT: as a primary without slots, or as a replica."""
    with told_as_json(as_json, command="add-node", result="failed"):
        seen = run(lambda: look(address, access, sound=False))
        head = find(seen, primary) if primary else thinnest(seen) if replica else None
        if head is not None and not head.line.is_primary:
            raise Failure(f"{head.address} is itself a replica (nothing was changed)")
        member = run(lambda: examine_one(new, access))
        role = f"replica of {head.address}" if head is not None else "primary without slots"
        line = f"{new} as {role}"
        if dry_run:
            finish("add-node", "planned", as_json, f"Would add {line}.", id=member.id, role=role)
            return
        confirmed(f"Add {line}?", yes=yes)
        run(lambda: join(seen, member, head, access))
    finish("add-node", "done", as_json, f"Added {line}; all nodes know it.", id=member.id, role=role)


# remove-node --------------------------------------------------------------------------------------------------------


async def dismiss(seen: Survey, leaving: NodeReport, access: Access) -> None:
    """Have everybody forget a node that has no slots, give its replicas new primaries, and reset it."""
    others = [node for node in seen.nodes if node.line.id != leaving.line.id and node.failure is None]
    heads = [node for node in others if node.line.is_primary and node.line.slots]
    for replica in (node for node in others if node.line.primary == leaving.line.id):
        if heads:
            async with connect(replica.address, access) as client:
                await client.ask("CLUSTER", "REPLICATE", heads[0].line.id)

    async def forget(node: NodeReport) -> None:
        async with connect(node.address, access) as client:
            reply = await client.call("CLUSTER", "FORGET", leaving.line.id)
        if isinstance(reply, ReplyError) and "Unknown node" not in reply.text:
            raise Failure(f"{node.address} answered CLUSTER FORGET with: {reply.text}")

    all_or_first_failure(await each(others, forget))
    if leaving.failure is None:
        async with connect(leaving.address, access) as client:
            # Who has given its last slot away follows the taker and copies that one's keys, perhaps just now.
            await until(f"{leaving.address} is no longer loading", lambda: _is_loaded(client))
            alone = any(line.myself and line.is_primary for line in await read_view(client))
            if alone and await client.number("DBSIZE"):
                raise Failure(f"{leaving.address} still holds keys of slots that are no longer its own; not reset")
            await until(f"{leaving.address} has reset itself", lambda: _reset(client))


async def _is_loaded(client: Client) -> bool:
    reply = await client.call("DBSIZE")
    return not is_loading(reply)


async def _reset(client: Client) -> bool:
    """CLUSTER RESET; False while the node is loading. Raises Failure for another refusal."""
    reply = await client.call("CLUSTER", "RESET", "SOFT")
    if isinstance(reply, ReplyError) and not is_loading(reply):
        raise Failure(f"{client.address} answered CLUSTER RESET with: {reply.text}")
    return not isinstance(reply, ReplyError)


@click.command("remove-node")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.argument("node", metavar="NODE")
@changing_options
def remove_node(address: Address, node: str, yes: bool, dry_run: bool, access: Access, as_json: bool) -> None:
    """Take NODE (HOST:PORT or an id) out of the cluster of HOST:PORT. A primary's slots move to the others first."""
    with told_as_json(as_json, command="remove-node", result="failed"):
        seen = run(lambda: look(address, access, sound=False))
        leaving = find(seen, node)
        others = [head for head in primaries_of(seen) if head is not leaving and head.line.slots]
        try:
            moves = empty_out(leaving, others)
        except MoveError as error:
            raise Failure(f"{error} (nothing was changed)") from None
        if moves and leaving.failure is not None:
            raise Failure(f"{leaving.address} has slots and cannot be reached: {leaving.failure} (nothing was changed)")
        if not as_json or not (yes or dry_run):
            tell(as_json, f"{leaving.address} leaves the cluster.", *lines_of(moves))
        if dry_run:
            finish("remove-node", "planned", as_json, "Nothing was changed (--dry-run).", slots=len(moves))
            return
        confirmed(f"Remove {leaving.address}?", yes=yes)

        async def go() -> None:
            if moves:
                with Progress(quiet=as_json) as progress:
                    async with Mover(seen.nodes, access) as mover:
                        await mover.carry_out(moves, progress)
            await dismiss(await survey(address, access), leaving, access)

        run(go)
    finish("remove-node", "done", as_json, f"{leaving.address} has left; {len(moves)} slot(s) moved.", slots=len(moves))


# failover and replicate ---------------------------------------------------------------------------------------------


async def best_replica(seen: Survey, primary: NodeReport, access: Access) -> NodeReport:
    """The reachable replica of a primary that has copied most. Raises Failure if there is none."""
    found: list[tuple[int, NodeReport]] = []
    for node in seen.nodes:
        if node.line.primary == primary.line.id and node.failure is None:
            async with connect(node.address, access) as client:
                info = parse_info(await client.text("INFO", "replication"))
            found.append((int(info.get("slave_repl_offset", "0")), node))
    if not found:
        raise Failure(f"{primary.address} has no replica that can be reached (nothing was changed)")
    return max(found, key=lambda pair: (pair[0], pair[1].line.id))[1]


@click.command("failover")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.argument("node", metavar="NODE", required=False)
@click.option("--force", is_flag=True, help="Without the primary, which may be down.")
@click.option("--takeover", is_flag=True, help="Without the other primaries, too.")
@changing_options
def failover(
    address: Address,
    node: str | None,
    force: bool,
    takeover: bool,
    yes: bool,
    dry_run: bool,
    access: Access,
    as_json: bool,
) -> None:
    """Have a replica take its primary's place, without losing a write.

    NODE is the replica, or the primary whose best replica is to take over; the node at HOST:PORT if left out.
    """
    with told_as_json(as_json, command="failover", result="failed"):
        seen = run(lambda: look(address, access, sound=False))
        named = find(seen, node or str(address))
        heir = run(lambda: best_replica(seen, named, access)) if named.line.is_primary else named
        old = next((head for head in seen.nodes if head.line.id == heir.line.primary), None)
        line = f"{heir.address} takes the place of {old.address if old is not None else 'its primary'}"
        if dry_run:
            finish("failover", "planned", as_json, f"Would be done: {line}.", node=heir.line.id)
            return
        confirmed(f"{line}: go on?", yes=yes)

        async def go() -> None:
            words = ["TAKEOVER"] if takeover else ["FORCE"] if force else []
            async with connect(heir.address, access) as client:
                await client.ask("CLUSTER", "FAILOVER", *words)

                async def is_primary() -> bool:
                    return any(line.myself and line.is_primary for line in await read_view(client))

                await until(f"{heir.address} is a primary", is_primary)

        run(go)
    finish("failover", "done", as_json, f"Done: {line}.", node=heir.line.id)


@click.command("replicate")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.argument("node", metavar="NODE")
@click.argument("primary", metavar="PRIMARY")
@changing_options
def replicate(
    address: Address, node: str, primary: str, yes: bool, dry_run: bool, access: Access, as_json: bool
) -> None:
    """Make NODE of the cluster of HOST:PORT a replica of PRIMARY."""
    with told_as_json(as_json, command="replicate", result="failed"):
        seen = run(lambda: look(address, access, sound=False))
        replica, head = find(seen, node), find(seen, primary)
        line = f"{replica.address} as replica of {head.address}"
        if not head.line.is_primary or head is replica:
            raise Failure(f"{head.address} is no other primary (nothing was changed)")
        if replica.line.slots:
            raise Failure(f"{replica.address} serves slots: move them away first (nothing was changed)")
        if dry_run:
            finish("replicate", "planned", as_json, f"Would be done: {line}.")
            return
        confirmed(f"{line}: go on?", yes=yes)

        async def go() -> None:
            async with connect(replica.address, access) as client:
                await client.ask("CLUSTER", "REPLICATE", head.line.id)
            await until("all see it", lambda: everybody_sees(seen, access, replica.line.id, head.line.id))

        run(go)
    finish("replicate", "done", as_json, f"Done: {line}.")
