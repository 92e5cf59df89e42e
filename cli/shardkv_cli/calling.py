"""``shardkv-admin call`` and ``import``: one command for every node; the keys of a server outside into the cluster."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AsyncExitStack
from typing import Any

import click

from shardkv.errors import ReplyError
from shardkv.keyspace.slots import key_slot

from .access import Access, access_options, json_option
from .address import Address, address_word
from .changing import changing_options, confirmed, look, primaries_of
from .client import Reply, connect, each
from .exits import PROBLEM, Failure, run
from .members import finish
from .moves import slots_of
from .moving import MIGRATE_TIMEOUT_MS
from .render import Progress, emit, show, told_as_json
from .survey import NodeReport, survey
from .view import keys_in, parse_info

SCAN_COUNT = 500


def plain(reply: Reply) -> Any:
    """A reply as JSON knows values; an error as a text that says so."""
    if isinstance(reply, ReplyError):
        return f"(error) {reply.text}"
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "backslashreplace")
    return [plain(item) for item in reply] if isinstance(reply, list) else reply


@click.command("call", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--only", type=click.Choice(["primaries", "replicas"]), help="Only to these.")
@access_options
@json_option
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.argument("words", nargs=-1, required=True, metavar="COMMAND...")
def call(address: Address, words: tuple[str, ...], only: str | None, access: Access, as_json: bool) -> None:
    """Send one command to every node of the cluster of HOST:PORT and show the replies.

    Options stand before HOST:PORT. Exit code 1 if a node could not be asked or answered with an error.
    """

    async def go() -> list[tuple[NodeReport, Any, bool]]:
        seen = await survey(address, access)
        nodes = [node for node in seen.nodes if only is None or node.line.is_primary == (only == "primaries")]

        async def ask(node: NodeReport) -> tuple[Any, bool]:
            async with connect(node.address, access) as client:
                reply = await client.call(*words)
            return plain(reply), isinstance(reply, ReplyError)

        replies = await each(nodes, ask)
        return [
            (node, f"(failure) {reply.message}", True) if isinstance(reply, Failure) else (node, *reply)
            for node, reply in zip(nodes, replies, strict=True)
        ]

    with told_as_json(as_json, command="call", result="failed"):
        told = run(go)
    if as_json:
        emit(
            {"command": "call", "words": list(words), "replies": {str(node.address): reply for node, reply, _ in told}}
        )
    else:
        show(*(f"{node.address}: {reply}" for node, reply, _ in told))
    if any(wrong for _, _, wrong in told):
        raise SystemExit(PROBLEM)


@click.command("import")
@click.argument("address", type=address_word, metavar="HOST:PORT")
@click.option("--from", "source", type=address_word, required=True, metavar="HOST:PORT", help="Whose keys.")
@click.option("--from-password", metavar="TEXT", help="Password of that server.")
@click.option("--copy", is_flag=True, help="Leave the keys there, too.")
@click.option("--replace", is_flag=True, help="Overwrite keys that the cluster has already.")
@changing_options
def import_keys(
    address: Address,
    source: Address,
    from_password: str | None,
    copy: bool,
    replace: bool,
    yes: bool,
    dry_run: bool,
    access: Access,
    as_json: bool,
) -> None:
    """Bring all keys of a server that is no cluster into the cluster of HOST:PORT.

    What was interrupted is simply run again (with --copy also with --replace).
    """
    with told_as_json(as_json, command="import", result="failed"):
        seen = run(lambda: look(address, access))
        heads = primaries_of(seen)
        owners = {slot: node for node in heads for slot in slots_of(node)}
        outside = Access(from_password, None, access.timeout + MIGRATE_TIMEOUT_MS / 1000, access.tls)

        async def examine() -> int:
            async with connect(source, outside) as client:
                info = parse_info(await client.text("INFO"))
                if info.get("cluster_enabled") == "1":
                    raise Failure(f"{source} is itself part of a cluster (nothing was changed)")
                if any(name.startswith("db") and name[2:].isdigit() and name != "db0" for name in info):
                    raise Failure(f"{source} has keys in other databases than 0 (nothing was changed)")
                return keys_in(info)

        total = run(examine)
        if dry_run:
            finish("import", "planned", as_json, f"Would bring {total} key(s) of {source} in.", keys=total)
            return
        confirmed(f"{'Copy' if copy else 'Move'} {total} key(s) of {source} into the cluster?", yes=yes)
        brought = run(lambda: bring(source, outside, owners, access, total, copy, replace, quiet=as_json))
    finish("import", "done", as_json, f"{brought} key(s) brought in.", keys=brought)


async def bring(
    source: Address,
    outside: Access,
    owners: dict[int, NodeReport],
    access: Access,
    total: int,
    copy: bool,
    replace: bool,
    *,
    quiet: bool,
) -> int:
    """Walk the source's keys and have it migrate them, grouped by who serves them. Raises Failure."""
    options = [*(["COPY"] if copy else []), *(["REPLACE"] if replace else [])]
    if access.password is not None:
        options += ["AUTH2", access.user, access.password] if access.user else ["AUTH", access.password]
    brought, cursor = 0, b"0"
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(source, outside))
        progress = stack.enter_context(Progress(quiet=quiet))
        while True:
            page = await client.ask("SCAN", cursor, "COUNT", SCAN_COUNT)
            assert isinstance(page, list)
            cursor, keys = page[0], page[1]  # type: ignore[assignment]  # as SCAN answers
            groups: dict[str, list[bytes]] = defaultdict(list)
            places = {str(node.address): node.address for node in owners.values()}
            for key in keys:  # type: ignore[union-attr]  # the list of names
                groups[str(owners[key_slot(key)].address)].append(key)  # type: ignore[arg-type]  # of a name
            for name, group in groups.items():
                place = (places[name].host, places[name].port)
                await client.ask("MIGRATE", *place, "", 0, MIGRATE_TIMEOUT_MS, *options, "KEYS", *group)
                brought += len(group)
            progress.update("Keys brought in", min(brought, total), max(total, brought))
            if cursor == b"0":
                break
    return brought
