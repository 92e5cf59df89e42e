"""MIGRATE inside a transaction or script: the whole node stands still until the target has answered.

Nobody may see a transaction half done, and a script can't be left in the middle. So does Redis, there and everywhere
else; here it is the exception (``shipping`` is the rule).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Any

from hiredis import ProtocolError, Reader, ReplyError

from shardkv.commands.migrate import Outcome, Shipment

from .kept_routes import outcome_of, packed
from .shipping import needed_before, refusal_of
from .tls import Tls


def carry_now(shipment: Shipment, tls: Tls | None) -> Outcome:
    """Send a shipment and wait for what the target says, each step for at most the shipment's timeout."""
    try:
        host = shipment.host.decode("utf-8", "surrogateescape")
        connection: socket.socket = socket.create_connection((host, shipment.port), shipment.timeout)
    except (socket.gaierror, TimeoutError, UnicodeError):
        return Outcome(fault="connecting to the client")
    except OSError:
        return Outcome(fault="writing to target instance")
    with connection:
        try:
            if tls is not None:
                connection = tls.wrapped(connection)
            return _converse(connection, shipment)
        except (OSError, ProtocolError, ssl.SSLError):
            return Outcome(fault="reading from target instance")


def _converse(connection: socket.socket, shipment: Shipment) -> Outcome:
    reader = Reader(replyError=ReplyError)
    refused = refusal_of(_ask(connection, reader, needed_before(shipment, database=0)))
    return refused or outcome_of(_ask(connection, reader, shipment.requests))


def _ask(connection: socket.socket, reader: Reader, requests: Sequence[tuple[bytes, ...]]) -> list[Any]:
    """The replies, errors as values. Raises OSError and ProtocolError."""
    connection.sendall(packed(requests))
    replies: list[Any] = []
    while len(replies) < len(requests):
        reply = reader.gets()
        if reply is not False:
            replies.append(reply)
            continue
        data = connection.recv(65536)
        if not data:
            raise OSError("the target closed the connection")
        reader.feed(data)
    return replies
