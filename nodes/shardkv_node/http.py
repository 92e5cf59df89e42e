"""One HTTP connection, as a server: h11 reads requests, ``answer`` makes answers, and what is no HTTP is told so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import h11
import trio

#: The longest head of a request, and the longest body (none of which means anything to us).
HEAD_MAX: Final = 16 * 1024
BODY_MAX: Final = 64 * 1024
#: How long somebody may take to send a request, and then to read the answer.
PATIENCE_SECONDS: Final = 30.0
#: What is sent behind the last request is read and dropped for so long, and so many bytes of it.
PARTING_SECONDS: Final = 2.0
PARTING_MAX: Final = 2**20
TEXT: Final = "text/plain; charset=utf-8"

_RECEIVE: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered. ``last``: nothing more on this connection."""

    body: bytes
    content_type: str = TEXT
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    last: bool = False


def refusal(status: int, text: str, *headers: tuple[str, str], last: bool = False) -> Answer:
    """An answer that says in a sentence why there is none."""
    return Answer(f"{text}\n".encode(), status=status, headers=headers, last=last)


Answering: TypeAlias = Callable[[h11.Request], Awaitable[Answer]]


async def serve(stream: trio.SocketStream, answer: Answering) -> None:
    """Answer the requests of a connection until its peer has enough, or breaks the rules. Closes nothing. Raises
    BrokenResourceError when the peer is gone."""
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_MAX)
    while True:
        request: h11.Request | Answer | None = refusal(408, "The request did not come to its end.", last=True)
        with trio.move_on_after(PATIENCE_SECONDS):
            request = await _request(http, stream)
        if request is None:
            return
        reply = request if isinstance(request, Answer) else await answer(request)
        head_only = isinstance(request, h11.Request) and request.method == b"HEAD"
        with trio.move_on_after(PATIENCE_SECONDS) as patience:
            await _send(http, stream, reply, head_only=head_only)
        if patience.cancelled_caught or http.our_state is h11.ERROR:
            return
        if reply.last or http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            await _part(stream)
            return
        http.start_next_cycle()


async def _part(stream: trio.SocketStream) -> None:
    """End the connection in such a way that the answer arrives, though the peer may be sending still."""
    await stream.send_eof()
    left = PARTING_MAX
    with trio.move_on_after(PARTING_SECONDS):
        while left > 0 and (data := await stream.receive_some(_RECEIVE)):
            left -= len(data)


async def _request(http: h11.Connection, stream: trio.SocketStream) -> h11.Request | Answer | None:
    """The next request, its body read and forgotten; a refusal of what is none; None at the end of the connection."""
    request: h11.Request | None = None
    body = 0
    try:
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                if http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
                    await stream.send_all(http.send(go_on) or b"")
                http.receive_data(bytes(await stream.receive_some(_RECEIVE)))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += len(event.data)
                if body > BODY_MAX:
                    return refusal(413, "No body is wanted here, least of all one of this length.", last=True)
            elif isinstance(event, h11.EndOfMessage):
                return request
            else:
                return None
    except h11.RemoteProtocolError as fault:
        return refusal(fault.error_status_hint, f"This is no HTTP request: {str(fault).partition(':')[0]}.", last=True)


async def _send(http: h11.Connection, stream: trio.SocketStream, answer: Answer, head_only: bool) -> None:
    if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return  # there is nobody to answer
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        *answer.headers,
        *((("Connection", "close"),) if answer.last else ()),
    ]
    response = h11.Response(status_code=answer.status, headers=headers, reason=HTTPStatus(answer.status).phrase)
    body = b"" if head_only else answer.body
    parts = [http.send(response), http.send(h11.Data(data=body)), http.send(h11.EndOfMessage())]
    await stream.send_all(b"".join(part or b"" for part in parts))
