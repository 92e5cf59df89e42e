"""The vocabulary of a command's declaration: what it may do, where its keys stand, what it tells tools.

The members are ``enum.Flag`` because they read well and print well. Asking them costs twenty times an ``int &``, so
``spec.Command`` resolves each question once, at import, to a plain boolean.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto


class Flags(Flag):
    """What COMMAND INFO reports as flags, by Redis's names in lower case."""

    NONE = 0
    WRITE = auto()  #: may change a key
    READONLY = auto()  #: reads keys and never changes one
    DENYOOM = auto()  #: refused when memory is over its limit and nothing can be evicted
    ADMIN = auto()  #: for operators
    PUBSUB = auto()
    NOSCRIPT = auto()  #: refused inside a script
    BLOCKING = auto()  #: may wait
    LOADING = auto()  #: allowed while the data set is loading
    STALE = auto()  #: allowed on a replica with stale data
    SKIP_MONITOR = auto()
    SKIP_SLOWLOG = auto()
    ASKING = auto()  #: carries an implicit ASKING
    FAST = auto()  #: O(1) or O(log N)
    NO_AUTH = auto()  #: needs no authentication
    MAY_REPLICATE = auto()  #: may be propagated though it writes no key
    NO_MANDATORY_KEYS = auto()
    NO_ASYNC_LOADING = auto()
    NO_MULTI = auto()  #: refused inside MULTI
    ALLOW_BUSY = auto()  #: allowed while a script runs too long
    MOVABLEKEYS = auto()  #: first/last/step do not tell all keys
    PROTECTED = auto()  #: ours, not shown: needs an ``enable-*-command`` option
    ROAMING = auto()  #: not shown: comes to keys that nobody has named


#: Flags that COMMAND INFO shows, in declaration order.
SHOWN_FLAGS = tuple(f for f in Flags if f not in (Flags.MAY_REPLICATE, Flags.PROTECTED, Flags.ROAMING))


class KeyUse(Flag):
    """How a command uses the keys of one key spec (COMMAND INFO names)."""

    NONE = 0
    RO = auto()
    RW = auto()
    OW = auto()
    RM = auto()
    ACCESS = auto()
    UPDATE = auto()
    INSERT = auto()
    DELETE = auto()
    NOT_KEY = auto()
    INCOMPLETE = auto()
    VARIABLE_FLAGS = auto()


READ = KeyUse.RO | KeyUse.ACCESS
CHANGE = KeyUse.RW | KeyUse.ACCESS | KeyUse.UPDATE


@dataclass(frozen=True, slots=True)
class AtIndex:
    """The keys begin at word ``index`` (the command's name is word 0)."""

    index: int


@dataclass(frozen=True, slots=True)
class AtKeyword:
    """The keys begin after the word ``keyword``, searched from ``start_from`` (negative: from the end, backwards)."""

    keyword: str
    start_from: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Where the keys are cannot be said in general."""


@dataclass(frozen=True, slots=True)
class Range:
    """Keys every ``step`` words up to ``last`` (relative to the begin; negative: from the end), ``limit``: 1/limit of
    the rest."""

    last: int = 0
    step: int = 1
    limit: int = 0


@dataclass(frozen=True, slots=True)
class KeyNum:
    """A count at ``at`` (relative to the begin) and the keys from ``first`` on."""

    at: int = 0
    first: int = 1
    step: int = 1


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One place where a command has keys."""

    use: KeyUse
    begin: AtIndex | AtKeyword | Unknown
    find: Range | KeyNum | Unknown

    def positions(self, words: list[bytes]) -> range | None:
        """The indexes of the keys in ``words``, or None when this spec does not fit them (as COMMAND GETKEYS sees
        it)."""
        begin = self.begin
        if isinstance(begin, AtIndex):
            first = begin.index
        elif isinstance(begin, AtKeyword):
            found = _find_keyword(begin, words)
            if found is None:
                return None
            first = found
        else:
            return None
        find = self.find
        count = len(words)
        if isinstance(find, Range):
            if find.last >= 0:
                last = first + find.last
            elif find.limit:
                last = first + (count - first) // find.limit + find.last
            else:
                last = count + find.last
            step = find.step
        elif isinstance(find, KeyNum):
            at = first + find.at
            if at >= count:
                return None
            word = words[at]
            if not word.isdigit() or len(word) > 9:
                return None
            step = find.step
            first += find.first
            last = first + (int(word) - 1) * step
        else:
            return None
        if last >= count:
            return None
        return range(first, last + 1, step)


def _find_keyword(begin: AtKeyword, words: list[bytes]) -> int | None:
    """The index after the keyword, searched in the direction that the spec says."""
    keyword = begin.keyword.encode()
    if begin.start_from > 0:
        places: range = range(begin.start_from, len(words))
    else:
        places = range(len(words) + begin.start_from, 0, -1)
    for index in places:
        if words[index].upper() == keyword:
            return index + 1
    return None


class Doc(Flag):
    """COMMAND DOCS doc_flags."""

    NONE = 0
    DEPRECATED = auto()
    SYSCMD = auto()
