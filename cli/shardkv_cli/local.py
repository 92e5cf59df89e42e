"""A cluster on this machine, for trying things: ``python -m shardkv_cli.local start|stop|status``.

``start`` runs ``shardkv-node launch`` in the background, in a session of its own, and makes a cluster of the nodes
unless they are one already (a second start finds their nodes.conf). ``stop`` ends what ``start`` started, nothing else.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import trio

from .access import Access
from .address import HIGHEST_PORT, Address
from .check import examine as problems_of
from .client import connect
from .create import design_for, examine, examine_and_apply
from .exits import PROBLEM, Failure, run
from .launch import NODE_COMMAND, busy_port, plan_launch
from .processes import Record, read_record, remove_record
from .render import Progress, nodes_table, show
from .survey import Survey, survey
from .view import parse_info

NODES = 6
REPLICAS = 1
LAUNCH_LOG = "launch.log"
NODE_OPTIONS = ("--repl-diskless-sync-delay", "0")
"""A primary waits for more replicas that want its snapshot; here each has one, and nobody else comes."""
START_SECONDS = 60.0
WHOLE_SECONDS = 60.0
LINKED_SECONDS = 10.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.1
ACCESS = Access()


def addresses(ports: Sequence[int]) -> list[Address]:
    """The nodes of this machine on these ports."""
    return [Address("127.0.0.1", port) for port in ports]


def start_launcher(folder: Path, port: int, node_command: str | None) -> subprocess.Popen[bytes]:
    """Starts the launcher in the background. Raises Failure if a port is taken."""
    command = tuple(shlex.split(node_command)) if node_command else NODE_COMMAND
    try:
        taken = busy_port(plan_launch(NODES, port, folder, (), command))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if taken is not None:
        raise Failure(f"port {taken} is already in use by another program; choose other ports with --port")
    words = [
        sys.executable,
        "-m",
        "shardkv_cli.launch",
        "--nodes",
        str(NODES),
        "--port",
        str(port),
        "--dir",
        str(folder),
        *NODE_OPTIONS,
    ]
    if node_command:
        words += ["--node-command", node_command]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LAUNCH_LOG).open("wb") as log:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
    except OSError as error:
        raise Failure(f"{error.filename or folder}: {error.strerror}") from None


async def until_ready(launcher: subprocess.Popen[bytes], places: Sequence[Address], folder: Path) -> None:
    """Returns once every node answers PING. Raises Failure when the launcher ends, with its last words, or too late."""
    waiting = list(places)
    deadline = trio.current_time() + START_SECONDS
    while waiting:
        if launcher.poll() is not None:
            words = (folder / LAUNCH_LOG).read_text("utf-8", "replace").strip().splitlines()
            raise Failure((words[-1] if words else "the launcher ended").removeprefix("Error: "))
        if trio.current_time() > deadline:
            raise Failure(f"{waiting[0]} does not answer after {START_SECONDS:g} s; see {folder / LAUNCH_LOG}")
        try:
            async with connect(waiting[0], ACCESS) as client:
                if await client.call("PING") == b"PONG":
                    waiting.pop(0)
                    continue
        except Failure:
            pass  # not yet: that it ends is bounded above
        await trio.sleep(POLL_SECONDS)


async def make_cluster(places: Sequence[Address]) -> None:
    """Makes a cluster of the nodes, unless they are one; returns once it is whole. Raises Failure."""
    async with connect(places[0], ACCESS) as client:
        facts = parse_info(await client.text("CLUSTER", "INFO"))
    if int(facts["cluster_known_nodes"]) == 1 and int(facts["cluster_slots_assigned"]) == 0:
        design = design_for(await examine(places, ACCESS), REPLICAS)
        with Progress() as progress:
            await examine_and_apply(design, ACCESS, WHOLE_SECONDS, progress)
        return
    await until_whole(places[0])


async def until_whole(place: Address) -> Survey:
    """Waits until a cluster that has been started again finds nothing wrong with itself. Raises Failure."""
    deadline = trio.current_time() + WHOLE_SECONDS
    while True:
        seen = await survey(place, ACCESS)
        serious = [finding.text for finding in problems_of(seen) if finding.serious]
        if not serious:
            return seen
        if trio.current_time() > deadline:
            raise Failure(f"the cluster runs but is not whole: {serious[0]} (shardkv-admin check {place} tells all)")
        await trio.sleep(POLL_SECONDS)


async def until_linked(place: Address) -> None:
    """Waits until every replica copies its primary, but not for ever: the table says which ones do not."""
    with trio.move_on_after(LINKED_SECONDS):
        while True:
            if all(node.linked for node in (await survey(place, ACCESS)).nodes):
                return
            await trio.sleep(POLL_SECONDS)


def tell(ports: Sequence[int], folder: Path) -> None:
    """The table of the cluster, and how to reach and end it."""
    seen = run(lambda: survey(addresses(ports)[0], ACCESS))
    show(nodes_table(seen.nodes, title="The local cluster"))
    show(f"Reach it:  redis-cli -c -p {ports[0]}", f"Its files: {folder}")
    if shutil.which("redis-cli") is None:
        show("           (redis-cli is missing here: it comes with the package redis-tools, elsewhere called redis)")


def end(record: Record) -> None:
    """Ends the launcher, which ends its nodes; nodes that have lost their launcher are ended too. Raises Failure."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        living = record.living
        # A living launcher stops its nodes itself; signalled from two sides they would take it for an order to hurry.
        targets = living[:1] if record.launcher in living and number is signal.SIGTERM else living
        for one in targets:
            one.send(number)
        deadline = time.monotonic() + STOP_SECONDS
        while record.living and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if not record.living:
            return
    raise Failure(f"still running: {', '.join(str(one.pid) for one in record.living)}")


def local_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --dir, which says which cluster is meant."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("--dir", "folder", type=kind, default=Path("cluster"), show_default=True, help="Its files.")(
        command
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "SHARDKV_LOCAL"})
def main() -> None:
    """A local cluster of six nodes: three primaries with a replica each."""


@main.command("start")
@local_options
@click.option("--port", type=click.IntRange(1, HIGHEST_PORT), default=7000, show_default=True, help="The first port.")
@click.option("--node-command", hidden=True)
def start(folder: Path, port: int, node_command: str | None) -> None:
    """Start the cluster, unless it runs, and show it."""
    folder = folder.absolute()
    record = read_record(folder)
    if record is not None and record.launcher.alive and record.nodes:
        show("The local cluster already runs.")
        tell(record.ports, folder)
        return
    if record is not None and record.living:
        raise Failure("nodes of an earlier start still run without their launcher; stop ends them")
    launcher = start_launcher(folder, port, node_command)
    places = addresses(range(port, port + NODES))

    async def bring_up() -> None:
        await until_ready(launcher, places, folder)
        await make_cluster(places)
        await until_linked(places[0])

    try:
        run(bring_up)
    except BaseException:
        stop_unfinished(launcher)
        raise
    tell([place.port for place in places], folder)


def stop_unfinished(launcher: subprocess.Popen[bytes]) -> None:
    """Takes back a start that has failed or was interrupted; the launcher stops its nodes."""
    launcher.terminate()
    try:
        launcher.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        launcher.terminate()  # the second one makes it kill them
        launcher.wait(STOP_SECONDS)


@main.command("stop")
@local_options
def stop(folder: Path) -> None:
    """Stop the cluster and wait until it has ended; its data stays."""
    folder = folder.absolute()
    record = read_record(folder)
    if record is None or not record.living:
        show("No local cluster runs.")
        return
    end(record)
    remove_record(folder)
    show("The local cluster has stopped.")


@main.command("status")
@local_options
def status(folder: Path) -> None:
    """Show the cluster; exit code 1 if it does not run."""
    record = read_record(folder.absolute())
    if record is None or not record.launcher.alive or not record.nodes:
        show("No local cluster runs.")
        sys.exit(PROBLEM)
    tell(record.ports, folder.absolute())


if __name__ == "__main__":
    main(prog_name="python -m shardkv_cli.local")
