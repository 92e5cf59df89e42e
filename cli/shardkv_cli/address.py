"""HOST:PORT as people type it: names, IPv4, and IPv6 in brackets."""

from __future__ import annotations

from dataclasses import dataclass

import click

HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a node listens for clients. ``host`` has no brackets; ``str()`` adds them where IPv6 needs them."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Reads ``host:port`` or ``[ipv6]:port``; raises ValueError with a sentence that names ``text``."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address stands in brackets, as in [::1]:7000")
    if not colon or not host:
        raise ValueError(f"{text!r} is not HOST:PORT, as in 127.0.0.1:7000 or [::1]:7000")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= HIGHEST_PORT):
        raise ValueError(f"{text!r}: the port must be a number from 1 to {HIGHEST_PORT}")
    return Address(host, int(port))


def address_word(word: str) -> Address:
    """``parse_address`` as the type of a click argument: a bad word is a usage error."""
    try:
        return parse_address(word)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
