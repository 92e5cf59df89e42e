"""Who may use commands that can take the node down (DEBUG): nobody, local clients, or everybody, as an option says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ReplyError

if TYPE_CHECKING:
    from ..config import Config
    from .session import Session

_LOCAL: Final = ("127.0.0.1:", "[::1]:", "::1:")
_REFUSED: Final = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local '
    "connection, otherwise you need to set this option in the configuration file, and then restart the server."
)


def is_local(session: Session) -> bool:
    """Whether a client is on this host; one without an address is inside this very process."""
    return session.unix_socket or not session.address or session.address.startswith(_LOCAL)


def debug_refusal(config: Config, session: Session) -> ReplyError | None:
    """The error that keeps a client from DEBUG, or None if it may use it."""
    allowed = config.enable_debug_command
    if allowed == "yes" or (allowed == "local" and is_local(session)):
        return None
    return ReplyError(_REFUSED)
