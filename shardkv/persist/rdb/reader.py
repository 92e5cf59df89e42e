"""RDB files as chunks of bytes in, events out.

No length is trusted: bytes are taken when they are there, and a value whose bytes are not all there yet is begun again
when more have come. So that a large value in small chunks is not begun again too often, the reader waits until it has
half as much again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ...values.damage import Malformed
from . import opcodes
from .codecs import DECODERS, DECODERS_VALKEY, KEEPERS
from .events import Aux, Ended, Event, Library, Opened, Resize, Select, SlotSize
from .faults import EmptyValue, RdbFault, Short
from .primitives import crc64, read_fixed, read_length, read_string, read_time, read_uint64
from .rows import Decode

if TYPE_CHECKING:
    from ...config import Config

#: Since this version there is a check sum.
_CHECKSUM_SINCE: Final = 5
#: A value that is larger is not tried again at every chunk.
_LARGE: Final = 1 << 16
_MODULE_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class RdbReader:
    """Reads one file. ``size``, if it is known, lets a length that passes the end be refused at once. With ``keep``
    small collections are left packed until somebody asks for an element: they are to be unfolded if the file turns out
    to have no check sum.

    ``feed`` takes chunks and gives events; ``finish`` is called when no more will come. Both raise RdbFault.
    """

    def __init__(self, config: Config, size: int | None = None, *, keep: bool = False) -> None:
        self._config = config
        self._keep = keep
        self._size = size
        self._pending: list[bytes] = []  #: chunks that are not read yet
        self._held = 0  #: bytes of these
        self._need = 0  #: so many must there be before it is worth trying
        self._decoders: dict[int, Decode] = {}
        self._crc = 0
        self.version = 0  #: 0 until the beginning of the file was read
        self.offset = 0  #: bytes read so far: where what is not read yet begins
        self.skipped_empty = 0  #: keys whose value had no elements
        self.done = False
        self.rest = b""  #: what came behind the end of the file

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take a chunk; the events that it completes. The iterator must be exhausted."""
        if self.done:
            self.rest += chunk
            return iter(())
        self._pending.append(chunk)
        self._held += len(chunk)
        if self._held < self._need:
            return iter(())
        return self._events()

    def finish(self) -> Iterator[Event]:
        """No more will come: the events that are left."""
        yield from self._events() if self._held and not self.done else ()
        if not self.done:
            end = self.offset + self._held
            raise RdbFault(end, "the file ends too early" if self.offset else "not an RDB file: it is too short")

    @property
    def keeps(self) -> bool:
        """Whether collections were left packed."""
        return self._keep and self.version >= _CHECKSUM_SINCE

    # ---- inside

    def _events(self) -> Iterator[Event]:
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        at = start = 0
        size = len(data)
        config = self._config
        expires: int | None = None
        idle: int | None = None
        freq: int | None = None
        try:
            if not self.version:
                yield self._open(data)
                at = start = opcodes.MAGIC_SIZE
            decoders = self._decoders
            while True:
                kind = data[at]
                if kind == opcodes.STRING:
                    length = data[at + 1]
                    if length < 64:
                        begin = at + 2
                        at = begin + length
                        key = data[begin:at]
                    else:
                        key, at = read_string(data, at + 1)
                    length = data[at]
                    if length < 64:
                        begin = at + 1
                        at = begin + length
                        value = data[begin:at]
                    else:
                        value, at = read_string(data, at)
                elif kind < opcodes.FIRST_OPCODE:
                    decode = decoders.get(kind)
                    if decode is None:
                        raise Malformed(f"no value is of type {kind}")
                    length = data[at + 1]
                    if length < 64:
                        begin = at + 2
                        at = begin + length
                        key = data[begin:at]
                    else:
                        key, at = read_string(data, at + 1)
                    try:
                        value, at = decode(data, at, config)
                    except EmptyValue as empty:
                        at = start = empty.position
                        expires = idle = freq = None
                        self.skipped_empty += 1
                        continue
                elif kind == opcodes.EXPIRE_MS:
                    expires, at = read_time(data, at + 1)
                    continue
                elif kind == opcodes.IDLE:
                    idle, at = read_length(data, at + 1)
                    continue
                elif kind == opcodes.FREQ:
                    freq = data[at + 1]
                    at += 2
                    continue
                elif kind == opcodes.EXPIRE_SECONDS:
                    raw, at = read_fixed(data, at + 1, 4)
                    expires = 1000 * int.from_bytes(raw, "little", signed=True)
                    continue
                elif kind == opcodes.EOF:
                    event, at = self._end(data, at + 1)
                    self.offset += at
                    self.done = True
                    self.rest = data[at:]
                    self._pending, self._held = [], 0
                    yield event
                    return
                else:
                    other, at = _other(data, at + 1, kind)
                    if at > size:
                        raise Short(at)
                    start = at
                    yield other
                    continue
                if at > size:
                    raise Short(at)
                yield key, value, expires, idle, freq
                start = at
                expires = idle = freq = None
        except Malformed as malformed:
            raise RdbFault(self.offset + start, str(malformed)) from None
        except Short as short:
            self._wait(data, start, short.need)
        except IndexError:
            self._wait(data, start, size + 1)

    def _open(self, data: bytes) -> Opened:
        """Judge the first nine bytes."""
        valkey = data.startswith(opcodes.MAGIC_VALKEY[: len(data)]) and not data.startswith(opcodes.MAGIC[: len(data)])
        magic = opcodes.MAGIC_VALKEY if valkey else opcodes.MAGIC
        if not magic.startswith(data[: len(magic)]) or not (data[len(magic) : opcodes.MAGIC_SIZE] or b"0").isdigit():
            raise RdbFault(0, "not an RDB file: it does not begin with REDIS and four digits, or VALKEY and three")
        if len(data) < opcodes.MAGIC_SIZE:
            raise Short(opcodes.MAGIC_SIZE)
        version = int(data[len(magic) : opcodes.MAGIC_SIZE])
        known = version == opcodes.VERSION_VALKEY if valkey else 1 <= version <= opcodes.VERSION_READ
        if not known:
            most = f"{opcodes.VERSION_VALKEY} of Valkey" if valkey else f"1 to {opcodes.VERSION_READ}"
            raise RdbFault(0, f"an RDB file of version {version}, and only {most} can be read")
        self.version = version
        self._decoders = DECODERS_VALKEY if valkey else DECODERS
        if self._keep and version >= _CHECKSUM_SINCE:
            self._decoders = self._decoders | KEEPERS
        return Opened(version, valkey)

    def _end(self, data: bytes, at: int) -> tuple[Ended, int]:
        """Judge the check sum; ``at`` is the position behind the opcode."""
        if self.version < _CHECKSUM_SINCE:
            return Ended(False), at
        there, end = read_uint64(data, at)
        if not there or not self._config.rdbchecksum:
            return Ended(False), end
        if crc64(memoryview(data)[:at], self._crc) != there:
            raise RdbFault(self.offset + at, "RDB CRC error, the check sum of the file is wrong")
        return Ended(True), end

    def _wait(self, data: bytes, start: int, need: int) -> None:
        """Keep what is not read yet until there is more: ``need`` bytes of ``data`` at least."""
        need = max(need, len(data) + 1)
        if self._size is not None and self.offset + need > self._size:
            raise RdbFault(self.offset + start, "a length passes the end of the file")
        if start:
            self._crc = crc64(memoryview(data)[:start], self._crc)
            self.offset += start
            data = data[start:]
        self._pending = [data] if data else []
        self._held = len(data)
        self._need = need - start
        if self._held > _LARGE:
            self._need = max(self._need, self._held * 3 // 2)


def _other(data: bytes, at: int, kind: int) -> tuple[Event, int]:
    """What stands between keys, by its opcode; ``at`` is the position behind that."""
    if kind == opcodes.SELECTDB:
        index, at = read_length(data, at)
        return Select(index), at
    if kind == opcodes.RESIZEDB:
        keys, at = read_length(data, at)
        expiring, at = read_length(data, at)
        return Resize(keys, expiring), at
    if kind == opcodes.AUX:
        name, at = read_string(data, at)
        text, at = read_string(data, at)
        return Aux(name, text), at
    if kind == opcodes.FUNCTION2:
        code, at = read_string(data, at)
        return Library(code), at
    if kind == opcodes.SLOT_INFO:
        slot, at = read_length(data, at)
        keys, at = read_length(data, at)
        expiring, at = read_length(data, at)
        return SlotSize(slot, keys, expiring), at
    if kind == opcodes.FUNCTION_OLD:
        raise Malformed("functions in the form of a preview of Redis 7.0")
    if kind == opcodes.MODULE_AUX:
        number, at = read_length(data, at)
        raise Malformed(f"data of the module {_module_name(number)}, and there are no modules here")
    raise Malformed("an import of a slot that was under way")


def _module_name(number: int) -> str:
    """The nine characters that a module's number spells."""
    return "".join(_MODULE_CHARACTERS[number >> shift & 63] for shift in range(58, 9, -6))
