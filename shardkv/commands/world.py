"""The rim as commands see it: files, processes, the clock of the machine. Tests give the engine a world of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

if TYPE_CHECKING:
    from ..scripting.debugger import Conversation
    from .session import Session


class ChildFacts(TypedDict):
    """The child that is saving now. Bytes and keys as it last told them."""

    kind: str  #: rdb, aof, replication
    keys: int  #: written so far
    keys_total: int
    copied: int  #: bytes that the fork has made the kernel copy
    copied_peak: int
    copied_age: float  #: seconds since that was measured
    seconds: float  #: since the fork


class Facts(TypedDict):
    """What the rim knows of the process. Memory in bytes, CPU in seconds, times in Unix milliseconds."""

    pid: int
    os: str  #: ``uname``: system, release, machine
    python: str  #: version of the interpreter
    compiler: str  #: what built the interpreter
    executable: str  #: absolute path of the program
    config_file: str  #: absolute path, or empty without one
    supervised: str  #: no, upstart, systemd
    multiplexing: str  #: epoll, kqueue, select
    tcp_port: int
    run_id: str  #: 40 hexadecimal digits, new at every start
    started: int
    rss: int
    rss_peak: int
    rss_startup: int
    memory_total: int  #: of the machine
    cpu_user: float
    cpu_sys: float
    cpu_user_children: float
    cpu_sys_children: float
    cpu_user_main: float
    cpu_sys_main: float
    forks: int
    fork_seconds: float  #: the last one took so long
    migrate_connections: int  #: those to targets of MIGRATE that are kept for the next one
    child: ChildFacts | None


class World(Protocol):
    """The rim, in the few verbs that commands need. Each may raise ReplyError, or OSError for the world's faults."""

    def rewrite_config(self) -> None:
        """Write the configuration back to its file."""

    def options_changed(self, names: Iterable[str]) -> None:
        """Options have new values: ports, limits, log level are applied."""

    def close(self, session: Session) -> None:
        """Close a client's connection; replies not sent yet are lost."""

    def wake(self, session: Session) -> None:
        """A session that waited, or that belongs to another client, has output to send or requests to go on with."""

    def purge_memory(self) -> None:
        """Give memory that is free back to the system, as far as the allocator does."""

    def shutdown(self, *, save: bool | None, force: bool) -> None:
        """Shut down at once. Raises OSError if something cannot be saved, and then the node goes on."""

    @property
    def saving_child(self) -> str | None:
        """The kind of the child that is active (rdb, aof, replication), or None."""

    def save(self) -> None:
        """Write a snapshot to disk, and wait for it. Raises OSError."""

    def save_in_background(self) -> None:
        """Begin a snapshot in a child. Raises OSError."""

    def reload(self, *, flush: bool, merge: bool) -> None:
        """Load the snapshot that is on disk: into empty databases (``flush``), or among the keys that are there, whose
        place it takes only if ``merge``. Raises ReplyError, and then nothing is changed."""

    def rewrite_log(self) -> None:
        """Begin to write the log of writes anew in a child. Raises OSError."""

    def reload_log(self) -> None:
        """Empty all databases and load the log that is on disk. Raises ReplyError."""

    def emptied(self) -> bool:
        """All keys of all databases are gone on purpose (FLUSHALL): no snapshot of them is worth finishing, and the
        file on disk is to be as empty, if there are save points. True if it is; the log has what goes wrong."""

    def serve_others(self) -> None:
        """A script runs for long: serve the clients that have sent something, all but the one that runs it."""

    def debug_script(self, session: Session, work: Callable[[Conversation], bytes], *, forked: bool) -> bytes | None:
        """A debugging session with a client: ``work`` talks with it, and returns the reply that comes last. ``forked``:
        in a child, to which the client is left; None is returned here. Raises OSError if there can be no child."""

    def sleep(self, seconds: float) -> None:
        """Block the whole node (DEBUG SLEEP)."""

    def facts(self) -> Facts:
        """Process facts for INFO, measured now."""

    def microseconds(self) -> int:
        """The Unix time in microseconds (TIME, INFO)."""

    def log(self, level: str, text: str) -> None:
        """One line for the log: level is debug, verbose, notice or warning."""

    def secret(self, count: int) -> bytes:
        """So many bytes that nobody can guess."""

    def read_users(self) -> str:
        """The text of the ACL file (``aclfile``)."""

    def write_users(self, text: str) -> None:
        """Put a new text in its place."""

    def panic(self, text: str) -> None:
        """End the node at once: going on would do harm."""

    def ship(self, shipment: Any, landed: Callable[[Any], None]) -> None:
        """Send keys to another node (``migrate.Shipment``); ``landed`` is called with the ``Outcome``, once."""

    def ship_now(self, shipment: Any) -> Any:
        """The same while everything else stands still: the ``Outcome``."""
