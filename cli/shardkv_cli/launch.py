"""``shardkv-node launch``: the per-host launcher. The plan of the processes is pure; ``supervise`` carries it out."""

from __future__ import annotations

import errno
import os
import shlex
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .access import json_option
from .address import HIGHEST_PORT, Address
from .exits import Failure, run
from .processes import read_record, remove_record, write_record
from .render import emit, show, told_as_json
from .secret import SECRET_FILE, cluster_secret, write_private
from .supervise import LOG, Launcher, NodeSpec
from .view import BUS_OFFSET

NODE_CONF = "node.conf"
# Options that every node must have for itself, and one that must not be seen in a process list.
RESERVED = {
    "--cluster-port": "all nodes of a host would share it; the bus port is the port + 10000",
    "--cluster-auth-secret": f"it would be seen in the process list; write it to DIR/{SECRET_FILE} (mode 0600)",
    "--unixsocket": "all nodes of a host would share it",
    "--pidfile": "all nodes of a host would share it",
}
# Options whose port is the first node's; the others have those behind it.
OWN_PORTS = ("--metrics-port", "--tls-port")
NODE_COMMAND = (sys.executable, "-m", "shardkv_cli.node")


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """The processes of one host. ``folder`` is absolute; below it each node has a folder named by its port."""

    folder: Path
    nodes: tuple[NodeSpec, ...]


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def plan_launch(
    nodes: int, port: int, folder: Path, options: Sequence[str], command: Sequence[str] = NODE_COMMAND
) -> LaunchPlan:
    """The command lines of ``nodes`` processes on consecutive ports. Pure; raises ValueError for what cannot be."""
    if port + nodes - 1 + BUS_OFFSET > HIGHEST_PORT:
        highest = HIGHEST_PORT - BUS_OFFSET
        raise ValueError(
            f"ports {port} to {port + nodes - 1} leave no room for the bus (port + 10000): {highest} at most"
        )
    if options and not options[0].startswith("--"):
        raise ValueError(f"{options[0]!r} is neither an option of launch nor of a node")
    for word in options:
        name = word.partition("=")[0].lower()
        if name in RESERVED:
            raise ValueError(f"{name} cannot be given to all nodes: {RESERVED[name]}")
    host = probe_host(options)
    return LaunchPlan(
        folder,
        tuple(
            spec_of(Address(host, port + number), folder, command, options_of(number, options))
            for number in range(nodes)
        ),
    )


def options_of(number: int, options: Sequence[str]) -> list[str]:
    """The options of all nodes as the one with this number has them: it has ports of its own."""
    words = list(options)
    for place, word in enumerate(words[1:], 1):
        if words[place - 1].lower() in OWN_PORTS and word.isdecimal() and int(word):
            words[place] = str(int(word) + number)
    return words


def spec_of(probe: Address, folder: Path, command: Sequence[str], options: Sequence[str]) -> NodeSpec:
    """One node: the file with the secret comes first, the options of the user last, so that they win."""
    home = folder / str(probe.port)
    own = {
        "--port": str(probe.port),
        "--dir": str(home),
        "--cluster-enabled": "yes",
        "--cluster-config-file": "nodes.conf",
        "--logfile": LOG,
    }
    words = [word for pair in own.items() for word in pair]
    return NodeSpec(probe, home, (*command, str(home / NODE_CONF), *words, *options))


def probe_host(options: Sequence[str]) -> str:
    """Where on this host the nodes answer: loopback, unless ``--bind`` names only other addresses."""
    bound: list[str] = []
    taking = False
    for word in options:
        if word.startswith("--"):
            taking = word == "--bind"
            bound = [] if taking else bound
        elif taking:
            bound += [address.removeprefix("-") for address in word.split()]
    if not bound or {"127.0.0.1", "0.0.0.0", "*"} & set(bound):
        return "127.0.0.1"
    return "::1" if bound[0] in ("::", "::*") else bound[0]


def busy_port(plan: LaunchPlan) -> int | None:
    """The first client or bus port of the plan that somebody listens on already."""
    for node in plan.nodes:
        for port in (node.probe.port, node.probe.port + BUS_OFFSET):
            if is_busy(node.probe.host, port):
                return port
    return None


def is_busy(host: str, port: int) -> bool:
    """Whether a listener on this port would be refused now."""
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection's leftover is no hindrance
        try:
            trial.bind(where)
            trial.listen(1)
        except OSError as error:
            return error.errno == errno.EADDRINUSE  # of other troubles the node itself tells more
    return False


def prepare(plan: LaunchPlan) -> None:
    """Makes the folders, the secret, and each node's private file. Raises Failure."""
    try:
        for node in plan.nodes:
            node.home.mkdir(parents=True, exist_ok=True)
        secret = cluster_secret(plan.folder)
        for node in plan.nodes:
            write_private(node.home / NODE_CONF, f"cluster-auth-secret {secret}\n")
    except OSError as error:
        raise Failure(f"{error.filename or plan.folder}: {error.strerror}") from None


def document(plan: LaunchPlan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "command": "launch",
        "dir": str(plan.folder),
        "secret_file": str(plan.folder / SECRET_FILE),
        "nodes": [
            {
                "port": node.probe.port,
                "bus_port": node.probe.port + BUS_OFFSET,
                "dir": str(node.home),
                "command": list(node.words),
            }
            for node in plan.nodes
        ],
    }


@click.command(
    "launch",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "SHARDKV_LAUNCH",
        "ignore_unknown_options": True,
    },
    options_metavar="[--nodes N] [--port P] [--dir DIR]",
)
@click.option("--nodes", type=click.IntRange(min=1), default=cores, show_default="one per core", help="Nodes to run.")
@click.option("--port", type=click.IntRange(1, HIGHEST_PORT), default=7000, show_default=True, help="The first port.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current folder",
    help="Holds a folder for each node, and the cluster secret that they share.",
)
@click.option("--dry-run", is_flag=True, help="Show the processes that would be started, start none.")
@json_option
@click.option("--node-command", hidden=True, help="What to run instead of shardkv-node.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[--OPTION VALUE]...")
def launch(
    nodes: int,
    port: int,
    folder: Path,
    dry_run: bool,
    as_json: bool,
    node_command: str | None,
    options: tuple[str, ...],
) -> None:
    """Run and supervise several nodes on this host, on consecutive ports.

    Every other --OPTION VALUE is passed to each node. A crashed node is started again, after 1 to 30 seconds. SIGINT
    and SIGTERM stop the nodes in good order, a second one kills them. A shared secret keeps strangers out of the
    cluster bus. With --json every change of a node is one JSON object on a line; with --dry-run it is the whole plan.
    """
    command = tuple(shlex.split(node_command)) if node_command else NODE_COMMAND
    try:
        plan = plan_launch(nodes, port, folder.absolute(), options, command)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if dry_run:
        show_plan(plan, as_json)
        return
    with told_as_json(as_json, command="launch"):
        sys.exit(start(plan, as_json))


def start(plan: LaunchPlan, as_json: bool) -> int:
    """Runs the plan to its end; gives the exit code. Raises Failure when a node cannot be started at all."""
    earlier = read_record(plan.folder)
    if earlier is not None and earlier.living:
        pids = ", ".join(str(one.pid) for one in earlier.living)
        raise Failure(f"processes of an earlier launch still run in {plan.folder} (pid {pids})")
    taken = busy_port(plan)
    if taken is not None:
        raise Failure(f"port {taken} is already in use")
    prepare(plan)

    async def supervise() -> tuple[int, str | None]:
        launcher = Launcher(plan.nodes, as_json, lambda running: write_record(plan.folder, running))
        return await launcher.run(), launcher.failure

    try:
        code, failure = run(supervise)
    finally:
        remove_record(plan.folder)
    if failure is not None:
        raise Failure(failure)
    return code


def show_plan(plan: LaunchPlan, as_json: bool) -> None:
    """What --dry-run shows."""
    if as_json:
        emit(document(plan))
        return
    show(f"Nothing was started (--dry-run). The secret would be in {plan.folder / SECRET_FILE}; the processes:")
    for node in plan.nodes:
        click.echo(f"  {shlex.join(node.words)}")


if __name__ == "__main__":
    launch(prog_name="shardkv-node launch")
