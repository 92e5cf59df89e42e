"""``shardkv-admin create-cluster``: from running, empty nodes to a cluster. Verify, plan, show, ask, apply, wait.

Nothing is changed before every node has been found fit; the nodes are looked at again after the question, for people
take their time over it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import TypeVar

import click
import trio

from .access import Access, access_options, json_option
from .address import Address, address_word
from .client import Client, Refused, all_or_first_failure, connect, each, is_loading
from .exits import Failure, run
from .plan import Member, Plan, PlanError, Step, plan
from .render import Progress, emit, plan_document, plan_table, plan_warnings, show, told_as_json
from .survey import read_view
from .view import BUS_OFFSET, Signature, keys_in, parse_info, signature

POLL_SECONDS = 0.1
T = TypeVar("T")


async def examine(addresses: Sequence[Address], access: Access) -> list[Member]:
    """The nodes as members of a cluster to be. Raises Failure with every reason why they cannot be one."""
    found = await each(addresses, lambda address: examine_one(address, access))
    faults = [member.message for member in found if isinstance(member, Failure)]
    members = [member for member in found if not isinstance(member, Failure)]
    seen: dict[str, Member] = {}
    for member in members:
        twin = seen.setdefault(member.id, member)
        if twin is not member:
            faults.append(f"{twin.address} and {member.address} are the same node")
    loopback = [member for member in members if ipaddress.ip_address(member.host.partition("%")[0]).is_loopback]
    if loopback and len(loopback) < len(members):
        faults.append(f"{loopback[0].address} is a loopback address, which the nodes of other hosts cannot reach")
    if faults:
        raise Failure("; ".join(faults) + " (nothing was changed)")
    return members


async def examine_one(address: Address, access: Access) -> Member:
    """One node as a member; raises Failure when it is not a clean, empty node in cluster mode."""
    async with connect(address, access) as client:
        info = parse_info(await client.text("INFO"))
        if info.get("cluster_enabled") != "1":
            raise Failure(f"{address} does not run in cluster mode (start it with --cluster-enabled yes)")
        cluster = parse_info(await client.text("CLUSTER", "INFO"))
        known, assigned = int(cluster["cluster_known_nodes"]), int(cluster["cluster_slots_assigned"])
        if known > 1 or assigned > 0:
            raise Failure(f"{address} is already part of a cluster ({known} nodes known, {assigned} slots assigned)")
        if keys_in(info):
            raise Failure(f"{address} is not empty: it holds {keys_in(info)} key(s)")
        own = next((line for line in await read_view(client) if line.myself), None)
        if own is None or not own.is_primary:
            raise Failure(f"{address} does not present itself as a primary in CLUSTER NODES")
        return Member(own.id, Address(client.ip, address.port), own.bus_port or address.port + BUS_OFFSET)


async def apply(design: Plan, access: Access, wait: float, progress: Progress) -> None:
    """Carries out ``design`` and returns once every node sees exactly it and says the cluster is ok.

    ``wait`` bounds, in seconds, how long the nodes may take to know each other, and then to agree. Raises Failure.
    """
    members = design.members
    try:
        await send("Slots and epochs", design.claims(), access, progress)
        await send("Introductions", design.meetings(), access, progress)
        await until("Nodes that know all", members, access, wait, progress, knows_all(design))
        await send("Replicas attached", design.attachments(), access, progress)
        await until("Nodes that agree", members, access, wait, progress, agrees(design))
    except Failure as failure:
        raise Failure(
            f"{failure.message} (the cluster is half made; CLUSTER RESET on every node takes it back)"
        ) from None


async def send(phase: str, steps: Sequence[Step], access: Access, progress: Progress) -> None:
    """Sends the steps, each node's own ones in their order, all nodes at the same time."""
    by_member: dict[Member, list[Step]] = {}
    for step in steps:
        by_member.setdefault(step.member, []).append(step)
    done = 0

    async def obey(member: Member) -> None:
        nonlocal done
        async with connect(member.address, access) as client:
            for step in by_member[member]:
                await client.ask(*step.words)
                done += 1
                progress.update(phase, done, len(steps))

    all_or_first_failure(await each(list(by_member), obey))


# What is still missing at a node, in words, or None when it is where it should be.
Judge = Callable[[Signature, str], str | None]


def knows_all(design: Plan) -> Judge:
    """A node knows every member, and each with its address."""
    expected = {member.id for member in design.members}

    def judge(seen: Signature, state: str) -> str | None:
        known = expected.intersection(line[0] for line in seen)
        if len(known) == len(expected):
            return None
        return f"knows {len(known)} of {len(expected)} nodes; can they reach each other's bus ports?"

    return judge


def agrees(design: Plan) -> Judge:
    """A node sees roles and slots as planned, and serves."""
    expected = tuple(
        sorted(
            row
            for primary in design.primaries
            for row in (
                (primary.member.id, "", ((primary.first, primary.last),)),
                *((replica.id, primary.member.id, ()) for replica in primary.replicas),
            )
        )
    )

    def judge(seen: Signature, state: str) -> str | None:
        if seen != expected:
            return "does not see the slots and replicas as planned"
        return None if state == "ok" else f"says that the cluster's state is {state}"

    return judge


async def until(
    phase: str, members: Sequence[Member], access: Access, wait: float, progress: Progress, judge: Judge
) -> None:
    """Asks the nodes until ``judge`` finds nothing missing at any of them; raises Failure after ``wait`` seconds."""
    missing: dict[Member, str] = dict.fromkeys(members, "has not been asked")
    deadline = trio.current_time() + wait

    async def look(member: Member) -> None:
        async with connect(member.address, access) as client:
            seen = await opinion(client)
        verdict = "is loading its data" if seen is None else judge(*seen)
        if verdict is None:
            missing.pop(member, None)
        else:
            missing[member] = verdict
        progress.update(phase, len(members) - len(missing), len(members))

    while missing:
        # A node that is there stays there: nobody else changes a cluster that is only now being made.
        all_or_first_failure(await each(list(missing), look))
        if missing and trio.current_time() > deadline:
            member, verdict = next(iter(missing.items()))
            raise Failure(f"after {wait:g} s {member.address} still {verdict}")
        if missing:
            await trio.sleep(POLL_SECONDS)


async def opinion(client: Client) -> tuple[Signature, str] | None:
    """What one node sees, and the state that it gives the cluster; None from a replica that loads a snapshot just now,
    and so says nothing."""
    try:
        info = parse_info(await client.text("CLUSTER", "INFO"))
    except Refused as refused:
        if is_loading(refused.reply):
            return None
        raise
    return signature(await read_view(client)), info.get("cluster_state", "unknown")


def design_for(members: Sequence[Member], replicas: int) -> Plan:
    """As ``plan``, its refusal being a Failure."""
    try:
        return plan(members, replicas)
    except PlanError as error:
        raise Failure(f"{error} (nothing was changed)") from None


async def examine_and_apply(design: Plan, access: Access, wait: float, progress: Progress) -> None:
    """Applies ``design`` if its nodes are still the same and still fit."""
    fresh = await examine([member.address for member in design.members], access)
    if [member.id for member in fresh] != [member.id for member in design.members]:
        raise Failure("the nodes have changed their ids since the plan was made (nothing was changed)")
    await apply(design, access, wait, progress)


def document(design: Plan, result: str) -> dict[str, object]:
    """What happened, for programs: ``result`` is ``planned`` or ``created``."""
    return {"command": "create-cluster", "result": result, "plan": plan_document(design)}


@click.command("create-cluster")
@click.argument("addresses", type=address_word, metavar="HOST:PORT...", nargs=-1, required=True)
@click.option("--replicas", type=click.IntRange(min=0), default=0, show_default=True, help="Replicas of each primary.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Verify the nodes and show the plan, change nothing.")
@access_options
@click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for the nodes to find each other and to agree.",
)
@json_option
def create_cluster(
    addresses: tuple[Address, ...],
    replicas: int,
    yes: bool,
    dry_run: bool,
    access: Access,
    wait: float,
    as_json: bool,
) -> None:
    """Make a cluster of running, empty nodes.

    Verifies the nodes, shows who will be primary of which slots and who will copy whom (replicas away from their
    primary's host where possible), asks, applies, and waits until every node agrees. A node that holds keys or is part
    of a cluster already is refused, and nothing is changed.
    """
    with told_as_json(as_json, command="create-cluster", result="failed"):
        design = design_for(run(lambda: examine(addresses, access)), replicas)
        # With --json stdout belongs to the document; who must say yes still sees what to.
        if not as_json or not (yes or dry_run):
            show(plan_table(design), *plan_warnings(design), err=as_json)
        if dry_run:
            report(design, "planned", as_json, "Nothing was changed (--dry-run). It would be done by:")
            return
        if not yes:
            click.confirm("Make this cluster?", abort=True, err=True)
        with Progress(quiet=as_json) as progress:
            run(lambda: examine_and_apply(design, access, wait, progress))
    report(design, "created", as_json, f"The cluster stands: all {len(design.members)} nodes agree.")


def report(design: Plan, result: str, as_json: bool, line: str) -> None:
    """Tells how it ended; a plan that was only made is told with its commands."""
    if as_json:
        emit(document(design, result))
        return
    show(line)
    if result == "planned":
        show(*(f"  {step}" for step in design.steps))
