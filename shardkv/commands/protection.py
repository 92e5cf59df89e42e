"""Who may use what can take a node down (DEBUG, MODULE): nobody, local clients, or everybody, as options say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ReplyError

if TYPE_CHECKING:
    from ..config import Config
    from .session import Session

_LOCAL: Final = ("127.0.0.1:", "[::1]:", "::1:")


def is_local(session: Session) -> bool:
    """Whether a client is on this host; one without an address is inside this very process."""
    return session.unix_socket or not session.address or session.address.startswith(_LOCAL)


def refusal_of(family: str, config: Config, session: Session) -> ReplyError | None:
    """The error that keeps a client from ``debug`` or ``module``, or None if it may use them."""
    allowed = config.enable_debug_command if family == "debug" else config.enable_module_command
    if allowed == "yes" or (allowed == "local" and is_local(session)):
        return None
    return ReplyError(
        f"ERR {family.upper()} command not allowed. If the enable-{family}-command option is set to "
        '"local", you can run it from a local connection, otherwise you need to set this option in the configuration '
        "file, and then restart the server."
    )
