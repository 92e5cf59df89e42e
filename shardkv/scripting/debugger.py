"""The debugger of scripts, as its user talks to it: ``redis-cli --ldb``.

While a script stands still its client's requests are the debugger's commands, and each is answered by an array of
status lines. A ``Debugger`` is one session: it knows the source, the breakpoints and what is to be told, and decides
where to stop; ``debugger.lua`` stops there, and does what needs the frames of the script.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import hiredis

from ..errors import NotAnInteger, ReplyError
from ..resp.encoder import encode
from ..resp.numbers import parse_int
from .human import human

BREAKPOINTS_MAX: Final = 64
MAXLEN: Final = 256  #: bytes of a value that are shown, unless the user wants more
MAXLEN_LEAST: Final = 60
UNREAD_MAX: Final = 1024 * 1024  #: bytes of a command
WORDS_SHOWN: Final = 10  #: of a command that the script calls

_HELP: Final = b"""\
Redis Lua debugger help:
[h]elp               Show this help.
[s]tep               Run current line and stop again.
[n]ext               Alias for step.
[c]ontinue           Run till next breakpoint.
[l]ist               List source code around current line.
[l]ist [line]        List source code around [line].
                     line = 0 means: current position.
[l]ist [line] [ctx]  In this form [ctx] specifies how many lines
                     to show before/after [line].
[w]hole              List all source code. Alias for 'list 1 1000000'.
[p]rint              Show all the local variables.
[p]rint <var>        Show the value of the specified variable.
                     Can also show global vars KEYS and ARGV.
[b]reak              Show all breakpoints.
[b]reak <line>       Add a breakpoint to the specified line.
[b]reak -<line>      Remove breakpoint from the specified line.
[b]reak 0            Remove all breakpoints.
[t]race              Show a backtrace.
[e]val <code>        Execute some Lua code (in a different callframe).
[r]edis <cmd>        Execute a Redis command.
[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.
                     Specifying zero as <len> means unlimited.
[a]bort              Stop the execution of the script. In sync
                     mode dataset changes will be retained.

Debugger functions you can call from Lua scripts:
redis.debug()        Produce logs in the debugger console.
redis.breakpoint()   Stop execution like if there was a breakpoint in the
                     next line of code.""".splitlines()
_UNKNOWN: Final = b"<error> Unknown Redis Lua debugger command or wrong number of arguments."
_HINT: Final = b"<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming."
_ABORTED: Final = b"ERR script aborted for user request"
_GONE: Final = b"ERR timeout during Lua debugging with client closing connection"
_TOO_LONG: Final = b"ERR max client buffer reached"
_BROKEN: Final = b"ERR protocol error"


class Conversation(Protocol):
    """The client of a session. Both wait."""

    def send(self, data: bytes) -> None:
        """To the client, as far as it is still there."""

    def receive(self) -> bytes:
        """What it sends next; empty when it is gone."""


class Debugger:
    """One session. ``stopwatch``: seconds; a script that has run for ``patience`` of them without a stop may be one
    that never ends, and is stopped."""

    def __init__(self, script: bytes, talk: Conversation, stopwatch: Callable[[], float], patience: float) -> None:
        text = script.rstrip(b"\n")
        self._source = text.split(b"\n") if text else []
        self._talk = talk
        self._stopwatch, self._patience = stopwatch, patience
        self._since = stopwatch()
        self._reader = hiredis.Reader()
        self._unread = 0
        self._logs: list[bytes] = []
        self._breakpoints: list[int] = []
        self._line = 0
        self._asked = False  #: redis.breakpoint() was called
        self._late = False  #: stopped because the script has taken long
        self._maxlen = MAXLEN
        self._hinted = False
        self.stepping = True  #: to the next line, telling all that the script calls
        self.call: Callable[[list[bytes]], Any] = lambda words: None  #: redis.call, of the session's own interpreter

    def functions(self) -> dict[bytes, Callable[..., Any]]:
        """What ``debugger.lua`` calls."""
        return {
            b"at": self.at,
            b"next": self.next,
            b"say": self.say,
            b"value": self.value,
            b"source_line": self.source_line,
            b"stop_at_next": self.stop_at_next,
            b"report": self.report,
        }

    # ---- what is told

    def say(self, line: bytes) -> None:
        """A line for the user, sent at the next stop."""
        self._logs.append(line)

    def value(self, line: bytes) -> None:
        """The same, cut to a length."""
        if not self._maxlen or len(line) <= self._maxlen:
            self.say(line)
            return
        self.say(line[: self._maxlen] + b" ...")
        if not self._hinted:
            self._hinted = True
            self.say(_HINT)

    def source_line(self, number: int) -> None:
        """A line of the script, with its marks."""
        known = 0 < number <= len(self._source)
        text = self._source[number - 1] if known else b"<out of range source code line>"
        current = b"->" if number == self._line else b"  "
        mark = b"#" if number in self._breakpoints else b" "
        self.say(current + mark + b"%-3d %s" % (number, text))

    def report(self, words: bytes) -> None:
        """redis.debug()."""
        self.say(b"<debug> line %d: %s" % (self._line, words))

    def stop_at_next(self) -> None:
        """redis.breakpoint()."""
        self._asked = True

    def called(self, words: list[bytes]) -> None:
        """The script calls a command."""
        if self.stepping:
            shown = b" ".join(words[:WORDS_SHOWN])
            more = len(words) - WORDS_SHOWN - 1
            self.say(b"<redis> " + shown + (b" ... (%d more)" % more if len(words) > WORDS_SHOWN else b""))

    def answered(self, reply: Any, resp3: bool, *, refused: bool) -> None:
        """It is answered. ``refused``: it was not even run."""
        if not self.stepping:
            return
        if isinstance(reply, ReplyError):
            text = reply.text.encode("utf-8", "surrogateescape")
            self.say(b"<error> " + (text.removeprefix(b"ERR ") if refused else b"-" + text))
        if not refused:
            self.value(b"<reply> " + human(encode(reply, resp3)))

    def send(self) -> None:
        """Send what was said."""
        lines = (line.translate(_ONE_LINE) for line in self._logs)
        self._talk.send(b"*%d\r\n" % len(self._logs) + b"".join(b"+" + line + b"\r\n" for line in lines))
        self._logs.clear()

    def end(self) -> None:
        """The script is over; its reply follows."""
        self.say(b"<endsession>")
        self.send()

    # ---- where to stop

    def at(self, line: int, counted: bool) -> bool:
        """Whether to stop, at a line, or (``counted``) after many instructions."""
        self._line = line
        marked = self._asked or line in self._breakpoints
        self._late = counted and not marked and not self.stepping and self._overdue
        if not (self.stepping or marked or self._late):
            return False
        reason = b"step over"
        if marked:
            reason = b"redis.breakpoint() called" if self._asked else b"break point"
        elif self._late:
            reason = b"timeout reached, infinite loop?"
        self.stepping = self._asked = False
        self.say(b"* Stopped at %d, stop reason = %s" % (line, reason))
        self.source_line(line)
        self.send()
        return True

    @property
    def _overdue(self) -> bool:
        return self._stopwatch() - self._since >= self._patience

    # ---- commands

    def next(self) -> tuple[bytes, ...]:
        """Carry out commands until there is one for Lua: ``go`` on, ``raise`` an error, or look at something."""
        needed = self._next()
        self._since = self._stopwatch()
        return needed

    def _next(self) -> tuple[bytes, ...]:
        while True:
            try:
                words = self._receive()
            except _Fault as fault:
                return b"raise", fault.text
            if words is None:
                self.stepping = False
                self._breakpoints.clear()
                return (b"raise", _GONE) if self._late else (b"go",)
            needed = self._carry_out(words)
            if needed is not None:
                return needed

    def _receive(self) -> list[bytes] | None:
        """The next command, None if the client is gone. What was said for the last one leaves before."""
        if self._logs:
            self.send()
        while True:
            try:
                words = self._reader.gets()
            except hiredis.ProtocolError:
                raise _Fault(_BROKEN) from None
            if words is not False:
                if not (isinstance(words, list) and words and all(isinstance(word, bytes) for word in words)):
                    raise _Fault(_BROKEN)
                self._unread = 0
                return words
            data = self._talk.receive()
            if not data:
                return None
            self._unread += len(data)
            if self._unread > UNREAD_MAX:
                raise _Fault(_TOO_LONG)
            self._reader.feed(data)

    def _carry_out(self, words: list[bytes]) -> tuple[bytes, ...] | None:
        verb, rest = words[0].lower(), words[1:]
        if verb in (b"s", b"step", b"n", b"next"):
            self.stepping = True
            return (b"go",)
        if verb in (b"c", b"continue"):
            return (b"go",)
        if verb in (b"a", b"abort"):
            return b"raise", _ABORTED
        if verb in (b"p", b"print"):
            return (b"print", rest[0]) if len(rest) == 1 else (b"locals",)
        if verb in (b"t", b"trace"):
            return (b"trace",)
        if verb in (b"e", b"eval"):
            return b"eval", b" ".join(rest)
        if verb in (b"r", b"redis") and rest:
            self._call(rest)
        else:
            self._tell(verb, rest)
        return None

    def _tell(self, verb: bytes, rest: list[bytes]) -> None:
        """Commands that are about the session itself."""
        if verb in (b"h", b"help"):
            self._logs += _HELP
        elif verb in (b"l", b"list"):
            around, context = [*map(_leading_number, rest), 0][0], 5
            if len(rest) > 1:
                context = _leading_number(rest[1])
            self._list(around if around > 0 else self._line, context)
        elif verb in (b"w", b"whole"):
            self._list(1, len(self._source))
        elif verb in (b"b", b"break"):
            self._break(rest)
        elif verb in (b"m", b"maxlen"):
            self._limit(rest)
        else:
            self.say(_UNKNOWN)

    def _list(self, around: int, context: int) -> None:
        for line in range(max(1, around - context), min(len(self._source), around + context) + 1):
            self.source_line(line)

    def _break(self, words: list[bytes]) -> None:
        if not words:
            if not self._breakpoints:
                self.say(b"No breakpoints set. Use 'b <line>' to add one.")
                return
            self.say(b"%d breakpoints set:" % len(self._breakpoints))
            for line in self._breakpoints:
                self.source_line(line)
        for word in words:
            try:
                self._break_at(parse_int(word))
            except NotAnInteger:
                self.say(b"Invalid argument:'" + word + b"'")

    def _break_at(self, line: int) -> None:
        if line == 0:
            self._breakpoints.clear()
            self.say(b"All breakpoints removed.")
        elif line < 0:
            if -line in self._breakpoints:
                self._breakpoints.remove(-line)
                self.say(b"Breakpoint removed.")
            else:
                self.say(b"No breakpoint in the specified line.")
        elif len(self._breakpoints) == BREAKPOINTS_MAX:
            self.say(b"Too many breakpoints set.")
        elif line > len(self._source):
            self.say(b"Wrong line number.")
        else:
            if line not in self._breakpoints:
                self._breakpoints.append(line)
            self._list(line, 1)

    def _limit(self, words: list[bytes]) -> None:
        if len(words) == 1:
            limit = _leading_number(words[0])
            self._hinted = True
            self._maxlen = max(limit, MAXLEN_LEAST) if limit else 0
        if self._maxlen:
            self.say(b"<value> replies are truncated at %d bytes." % self._maxlen)
        else:
            self.say(b"<value> replies are unlimited.")

    def _call(self, words: list[bytes]) -> None:
        self.stepping = True
        self.call(words)
        self.stepping = False


class _Fault(Exception):
    """What the client sends cannot be read."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")


def _leading_number(word: bytes) -> int:
    """The number that a word begins with, as C's atoi reads it; 0 if there is none."""
    digits = word.lstrip(b" ")
    end = 1 if digits[:1] in (b"-", b"+") else 0
    while digits[end : end + 1].isdigit():
        end += 1
    try:
        return int(digits[:end][:12])
    except ValueError:
        return 0
