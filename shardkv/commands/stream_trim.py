"""The options that XADD and XTRIM share: what to trim, how exactly, and how much at most."""

from __future__ import annotations

from typing import Final

from ..errors import ReplyError, SyntaxFault
from ..resp.numbers import parse_int
from ..values.stream_ids import MAX_ID, format_id
from ..values.streams import StreamValue
from .context import Context
from .grammar import Arg, block, flag, integer, maybe, one_of, value
from .stream_ids import parse_id, parse_new_id

#: Grammar of a trimming strategy.
TRIM: Final[Arg] = block(
    "trim",
    one_of("strategy", flag("MAXLEN"), flag("MINID")),
    maybe(one_of("operator", flag("=", "equal"), flag("~", "approximately"))),
    value("threshold"),
    maybe(integer("count", token="LIMIT")),
)

#: An approximate trim without a LIMIT looks at this many full nodes at most ...
_NODES_AT_ONCE: Final = 100
#: ... but where nodes have no or a huge limit at no more than these entries.
_ENTRIES_WITHOUT_LIMIT: Final = 10_000
_ENTRIES_AT_ONCE: Final = 1_000_000


class TrimOptions:
    """What the options said, and for XADD where the id stands."""

    __slots__ = ("approximately", "id", "id_at", "limit", "make", "maxlen", "minid", "sequence_given", "threshold_at")

    def __init__(self) -> None:
        self.make = True  #: no NOMKSTREAM
        self.id: int | None = None  #: of the new entry; None: ``*``
        self.sequence_given = True
        self.id_at = 0
        self.maxlen: int | None = None
        self.minid: int | None = None
        self.approximately = False
        self.limit = 0  #: entries, 0: any
        self.threshold_at = 0

    @property
    def wanted(self) -> bool:
        """Whether there is a strategy at all."""
        return self.threshold_at > 0

    def apply(self, stream: StreamValue) -> int:
        """Trim a stream; how many entries went."""
        if self.maxlen is not None:
            return stream.trim_length(self.maxlen, approximately=self.approximately, limit=self.limit)
        assert self.minid is not None
        return stream.trim_below(self.minid, approximately=self.approximately, limit=self.limit)

    def exact_words(self, words: list[bytes], stream: StreamValue) -> list[bytes]:
        """The request with what an approximate trim came to in place of the threshold: what replicas get."""
        exact = list(words)
        exact[self.threshold_at - 1] = b"="
        if self.maxlen is not None:
            exact[self.threshold_at] = b"%d" % stream.length
        else:
            # The first entry counts even if it is a deleted one that is still part of its node.
            exact[self.threshold_at] = format_id(stream.nodes[0].first if stream.nodes else MAX_ID)
        return exact


def read_trim(ctx: Context, words: list[bytes], *, adding: bool) -> TrimOptions:
    """The options from ``words[2]`` on; ``adding``: up to the id, those of XADD among them. Raises ReplyError."""
    options = TrimOptions()
    limit: int | None = None
    at, end = 2, len(words)
    while at < end:
        word = words[at]
        token = word.upper()
        more = end - 1 - at
        if adding and word == b"*":
            options.id_at = at
            break
        if token in (b"MAXLEN", b"MINID") and more:
            at = _read_threshold(options, words, at, length=token == b"MAXLEN")
        elif token == b"LIMIT" and more:
            limit = parse_int(words[at + 1])
            if limit < 0:
                raise ReplyError("ERR The LIMIT argument must be >= 0.")
            at += 2
        elif adding and token == b"NOMKSTREAM":
            options.make = False
            at += 1
        elif adding:
            options.id, options.sequence_given = parse_new_id(word)
            options.id_at = at
            break
        else:
            raise SyntaxFault
    if limit and not options.wanted:
        raise ReplyError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if not adding and not options.wanted:
        raise ReplyError("ERR syntax error, XTRIM must be called with a trimming strategy")
    options.limit = _limit(ctx, options, limit)
    return options


def _read_threshold(options: TrimOptions, words: list[bytes], at: int, *, length: bool) -> int:
    """A strategy whose name stands at ``at``; returns where to go on."""
    if options.wanted:
        raise ReplyError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
    at += 1
    if words[at] in (b"~", b"=") and at + 1 < len(words):
        options.approximately = words[at] == b"~"
        at += 1
    if length:
        options.maxlen = parse_int(words[at])
        if options.maxlen < 0:
            raise ReplyError("ERR The MAXLEN argument must be >= 0.")
    else:
        options.minid = parse_id(words[at])
    options.threshold_at = at
    return at + 1


def _limit(ctx: Context, options: TrimOptions, given: int | None) -> int:
    """How many entries may go at most. Raises ReplyError for a LIMIT on an exact trim."""
    if ctx.obeying:
        return 0  # it was found out already what is to go, and is said exactly
    if given is not None:
        if not options.approximately:
            raise ReplyError("ERR syntax error, LIMIT cannot be used without the special ~ option")
        return given
    if not options.approximately:
        return 0
    entries: int = _NODES_AT_ONCE * ctx.host.config.stream_node_max_entries
    return min(entries, _ENTRIES_AT_ONCE) if entries > 0 else _ENTRIES_WITHOUT_LIMIT
