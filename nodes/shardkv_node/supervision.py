"""Telling whoever supervises the process how it is doing: systemd by messages to its socket, upstart by stopping."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, MutableMapping
from typing import Final

Say = Callable[[str, str], None]

_NO_SOCKET: Final = "systemd supervision requested, but NOTIFY_SOCKET not found!"
_NO_JOB: Final = "upstart supervision requested, but UPSTART_JOB not found!"


class Supervisor:
    """``kind``: no, upstart or systemd. ``environment`` is the process's own, where supervisors announce themselves."""

    def __init__(self, option: str, environment: MutableMapping[str, str], log: Say) -> None:
        """``option`` is that of the configuration: ``auto`` takes whoever announces themselves."""
        self._log = log
        self._environment = environment
        self.kind = "no"
        if option in ("upstart", "auto") and "UPSTART_JOB" in environment:
            self.kind = "upstart"
        elif option in ("systemd", "auto") and "NOTIFY_SOCKET" in environment:
            self.kind = "systemd"
        elif option in ("upstart", "systemd"):
            log("warning", _NO_JOB if option == "upstart" else _NO_SOCKET)

    def __bool__(self) -> bool:
        """Whether there is one; then the process stays in the foreground."""
        return self.kind != "no"

    def starting(self) -> None:
        """The process has begun to start."""
        if self.kind == "upstart":
            self._log("notice", "supervised by upstart, will stop to signal readiness")
            del self._environment["UPSTART_JOB"]
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.kind == "systemd":
            self._log("notice", "supervised by systemd. Please make sure you set appropriate values for "
                      "TimeoutStartSec and TimeoutStopSec in your service unit.")  # fmt: skip
            self._tell("STATUS=Redis is loading...\n")

    def ready(self) -> None:
        """Clients are served."""
        self._tell("STATUS=Ready to accept connections\n")
        self._tell("READY=1\n")

    def stopping(self) -> None:
        """The process is about to end."""
        self._tell("STOPPING=1\n")

    def _tell(self, message: str) -> None:
        if self.kind != "systemd":
            return
        address = self._environment["NOTIFY_SOCKET"]
        if address.startswith("@"):
            address = "\0" + address[1:]  # a name without a file
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(message.encode(), address)
        except OSError as error:
            self._log("warning", f"Can't tell systemd: {error.strerror}")
