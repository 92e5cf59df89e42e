"""What a command may ask of the node that runs it: the engine as commands see it (``Host``), with its parts (``ports``)
and the rim (``world``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from random import Random

    from ..config import Config
    from ..keyspace.database import Database
    from ..observation.commandlog import CommandLog
    from ..observation.latency import LatencyMonitor
    from ..persist.aof.state import AofState
    from ..persist.snapshots import SnapshotState
    from .context import Context
    from .ports import (
        AccessPort,
        ClusterPort,
        DatabasesPort,
        ExpiringPort,
        LeavingPort,
        LimitsPort,
        MessagePort,
        PropagationPort,
        ReplicationPort,
        ScriptsPort,
        SlotCounter,
        StoppingPort,
        TransactionsPort,
        WaitingPort,
    )
    from .session import Session
    from .spec import Command
    from .world import World


class Host(Protocol):
    """The engine as commands see it."""

    config: Config
    world: World
    rng: Random
    cluster: ClusterPort | None
    sessions: dict[int, Session]
    stats: Any
    attentive: bool
    commands: dict[bytes, Command]
    slow_log: CommandLog
    command_logs: dict[bytes, CommandLog]  #: by the types of COMMANDLOG
    latency: LatencyMonitor
    snapshots: SnapshotState
    aof: AofState
    following: bool  #: the node is a replica
    loading: bool  #: the data set is not whole yet
    loading_aside: bool  #: another one is being loaded, which will take its place
    collation: Callable[[bytes], Any] | None  #: what makes a key to compare of a text; None: its bytes are one

    @property
    def databases(self) -> DatabasesPort:
        """The numbered databases."""

    @property
    def slot_counts(self) -> SlotCounter | None:
        """What requests have cost by slot; None: that is not counted."""

    @property
    def access(self) -> AccessPort:
        """Users, and what they may do."""

    @property
    def replication(self) -> ReplicationPort:
        """The history of this node, its replicas and its primary."""

    @property
    def stopping(self) -> StoppingPort:
        """The end of the node."""

    @property
    def scripts(self) -> ScriptsPort:
        """Scripts and libraries of functions."""

    @property
    def expiring(self) -> ExpiringPort:
        """The end of keys whose time is over."""

    @property
    def transactions(self) -> TransactionsPort:
        """What EXEC runs, and the watches that decide."""

    @property
    def limits(self) -> LimitsPort:
        """How much of the memory clients may take."""

    @property
    def propagation(self) -> PropagationPort:
        """What goes to the log and the replicas."""

    @property
    def waiting(self) -> WaitingPort:
        """Who waits for what."""

    @property
    def leaving(self) -> LeavingPort:
        """Keys on their way to another node."""

    @property
    def messages(self) -> MessagePort:
        """Channels, their subscribers, and the caches of clients."""

    def forget_messages(self, session: Session) -> None:
        """End a session's subscriptions and its tracking, without a word to it."""

    def attend(self, database: Database, key: bytes, event: str, *, wakes: bool = True) -> None:
        """Tell watchers, waiting clients (unless not ``wakes``), caches and subscribers of a change."""

    def notice(self, database: Database, key: bytes, event: str) -> None:
        """Tell subscribers of keyspace events only."""

    def awaken(self, database: Database, key: bytes) -> None:
        """Have those who wait for a key look again, though it was not changed as watchers and caches see it."""

    def apart(self, database: Database, words: list[bytes], body: Callable[[Context], Any]) -> Any:
        """Run something that no client has just asked for, with all consequences; its result, or a ReplyError."""

    def kill(self, session: Session) -> None:
        """End a client: at once, or after the reply if it is the one that asks."""

    def pause(self, until: int, writes_only: bool) -> None:
        """Hold commands back until a time (CLIENT PAUSE)."""

    def unpause(self) -> None:
        """End a pause."""

    def look_up(self, words: list[bytes]) -> Command | None:
        """The command of a request, its subcommand if it is a container; None if there is none."""

    def run_inside(self, words: list[bytes]) -> Any:
        """Run a request inside the one that is running (EXEC, scripts) and return its plain reply."""

    def info(self, sections: Iterable[str]) -> str:
        """The text of INFO."""

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""

    def show_requests(self, session: Session) -> None:
        """Show a session every request from now on."""

    def hide_requests(self, session: Session) -> None:
        """Show it none any more."""

    def memory_stats(self) -> dict[bytes, Any]:
        """Where the node's memory goes, as MEMORY STATS tells it."""

    def refresh_calm(self) -> None:
        """Set ``calm`` anew after something that it summarises has changed."""
