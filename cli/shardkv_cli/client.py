"""A small RESP2 client on trio: one connection, one request at a time, every wait bounded.

An error reply is a value (``ReplyError``), for the tools often want to look at it; ``ask`` is for the places where an
error reply is the end of the matter. What the network does wrong is a ``Failure`` that names the node.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import hiredis
import trio
from shardkv_node.tls import Stream, plain

from shardkv.errors import ReplyError

from .access import Access
from .address import Address
from .exits import Failure

Reply: TypeAlias = bytes | int | ReplyError | list["Reply"] | None
T = TypeVar("T")
K = TypeVar("K")

READ_SIZE = 65536
PORTION = 500  # requests sent before their replies are read
# Enough to be quick on a cluster of a thousand nodes, and far from the usual limit of 1024 open files.
AT_ONCE = 100


class Refused(Failure):
    """A node has answered with an error where that is the end of the matter. ``reply`` is the error."""

    def __init__(self, message: str, reply: ReplyError) -> None:
        super().__init__(message)
        self.reply = reply


def is_loading(reply: Reply) -> bool:
    """Whether a node says that it is loading its data just now: what is asked of it has to be asked again."""
    return isinstance(reply, ReplyError) and reply.code == "LOADING"


class Client:
    """A connection to one node; made by ``connect``."""

    def __init__(self, address: Address, stream: Stream, timeout: float) -> None:
        self.address = address
        self.timeout = timeout
        self._stream = stream
        self._reader = hiredis.Reader(replyError=ReplyError)

    @property
    def ip(self) -> str:
        """The address that the name of the host stood for when we connected: what CLUSTER MEET must be given."""
        return str(plain(self._stream).socket.getpeername()[0])

    async def call(self, *words: str | int | bytes) -> Reply:
        """Sends one request and gives its reply, even an error. Raises Failure when no answer comes in time."""
        return (await self.many([words]))[0]

    async def many(self, requests: Sequence[Sequence[str | int | bytes]]) -> list[Reply]:
        """Sends requests in portions and gives their replies in order, even errors. Raises Failure as ``call`` does."""
        replies: list[Reply] = []
        try:
            for start in range(0, len(requests), PORTION):
                portion = requests[start : start + PORTION]
                data: Any = b"".join(
                    hiredis.pack_command(tuple(words))  # type: ignore[arg-type]  # its stub says a tuple of one
                    for words in portion
                )
                with trio.fail_after(self.timeout):
                    await self._stream.send_all(data)
                    replies += [await self._receive() for _ in portion]
        except trio.TooSlowError:
            raise Failure(f"{self.address} did not answer within {self.timeout:g} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Failure(f"{self.address} closed the connection") from None
        except hiredis.ProtocolError as error:
            raise Failure(f"{self.address} does not speak the Redis protocol: {error}") from None
        return replies

    async def ask(self, *words: str | int | bytes) -> Reply:
        """As ``call``, but an error reply is raised as a Refused that names node and command."""
        reply = await self.call(*words)
        if isinstance(reply, ReplyError):
            shown = " ".join(str(word) for word in words[:2]).upper()
            raise Refused(f"{self.address} answered {shown} with: {reply.text}", reply)
        return reply

    async def text(self, *words: str | int) -> str:
        """As ``ask``, for commands whose reply is a text (INFO, CLUSTER NODES)."""
        reply = await self.ask(*words)
        if not isinstance(reply, bytes):
            raise Failure(f"{self.address} answered {words[0]} with something that is not a text")
        return reply.decode("utf-8", "replace")

    async def number(self, *words: str | int) -> int:
        """As ``ask``, for commands whose reply is an integer (DBSIZE)."""
        reply = await self.ask(*words)
        if not isinstance(reply, int):
            raise Failure(f"{self.address} answered {words[0]} with something that is not a number")
        return reply

    async def snapshot(self, take: Callable[[bytes], object]) -> int:
        """SYNC: hands the node's snapshot over in pieces; its size in bytes. The connection is of no use afterwards.

        Raises Failure.
        """
        try:
            await self._stream.send_all(b"SYNC\r\n")
            line, data = await self._heading()
            if line[:1] != b"$" or not line[1:].isdigit():
                raise Failure(f"{self.address} answered SYNC with: {line.decode('utf-8', 'replace').lstrip('-')}")
            size, got = int(line[1:]), 0
            while True:
                data = data[: size - got]
                take(data)
                got += len(data)
                if got == size:
                    return size
                with trio.fail_after(self.timeout):
                    data = bytes(await self._stream.receive_some(READ_SIZE))
                if not data:
                    raise trio.BrokenResourceError
        except trio.TooSlowError:
            raise Failure(f"{self.address} sent nothing for {self.timeout:g} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Failure(f"{self.address} closed the connection before the snapshot was whole") from None

    async def _heading(self) -> tuple[bytes, bytes]:
        """The first line that is not empty, and what came behind it. Empty ones say that the snapshot is being made."""
        data = b""
        while True:
            data = data.lstrip(b"\r\n")
            line, end, rest = data.partition(b"\r\n")
            if end:
                return line, rest
            with trio.fail_after(self.timeout):
                more = await self._stream.receive_some(READ_SIZE)
            if not more:
                raise trio.BrokenResourceError
            data += more

    async def aclose(self) -> None:
        """Ends the connection at once."""
        await trio.aclose_forcefully(self._stream)

    async def _receive(self) -> Reply:
        while True:
            reply: Any = self._reader.gets()
            if reply is not False:  # False: not enough bytes yet; RESP2 has no boolean that could be meant
                return reply  # type: ignore[no-any-return]  # hiredis has no more exact type
            data = bytes(await self._stream.receive_some(READ_SIZE))
            if not data:
                raise trio.BrokenResourceError
            self._reader.feed(data)


@asynccontextmanager
async def connect(address: Address, access: Access) -> AsyncIterator[Client]:
    """An authenticated ``Client`` for the length of the block. Raises Failure when there is no way in."""
    try:
        with trio.fail_after(access.timeout):
            stream = await _opened(address, access)
    except trio.TooSlowError:
        raise Failure(f"{address} cannot be reached: no answer within {access.timeout:g} s") from None
    except OSError as error:
        raise Failure(f"{address} cannot be reached: {why(error)}") from None
    except trio.BrokenResourceError as error:
        raise Failure(f"{address} cannot be reached by TLS: {why(error)}") from None
    client = Client(address, stream, access.timeout)
    try:
        if access.password is not None:
            credentials = (access.user, access.password) if access.user else (access.password,)
            await client.ask("AUTH", *credentials)
        yield client
    finally:
        await client.aclose()


async def _opened(address: Address, access: Access) -> Stream:
    stream = await trio.open_tcp_stream(address.host, address.port)
    if access.tls is None:
        return stream
    secure = trio.SSLStream(stream, access.tls, server_hostname=address.host)
    try:
        await secure.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secure


def why(error: BaseException) -> str:
    """The bare reason inside an OSError, which trio wraps once for every address that it has tried."""
    while True:
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        if inner is None:
            break
        error = inner
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or error).lower().replace("_", " ")
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()  # names that cannot be resolved


async def each(keys: Sequence[K], work: Callable[[K], Awaitable[T]]) -> list[T | Failure]:
    """Does ``work`` for all ``keys`` at the same time; gives the results in that order, a Failure being one too."""
    results: dict[int, T | Failure] = {}
    limit = trio.CapacityLimiter(AT_ONCE)

    async def one(index: int, key: K) -> None:
        async with limit:
            try:
                results[index] = await work(key)
            except Failure as failure:
                results[index] = failure

    async with trio.open_nursery() as nursery:
        for index, key in enumerate(keys):
            nursery.start_soon(one, index, key)
    return [results[index] for index in range(len(keys))]


def all_or_first_failure(results: Sequence[T | Failure]) -> list[T]:
    """The results of ``each`` if every one of them is good; otherwise raises the first Failure."""
    good: list[T] = []
    for result in results:
        if isinstance(result, Failure):
            raise result
        good.append(result)
    return good
