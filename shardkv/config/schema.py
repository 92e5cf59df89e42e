"""What an option is, and what a table of options can do: CONFIG GET, CONFIG SET, and reading a file at start-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, Generic, TypeVar, overload

from ..errors import ReplyError
from .globs import is_pattern, matcher
from .kinds import BadValue, Kind
from .quoting import to_text

T = TypeVar("T")


class Mutability(Enum):
    """When an option may change."""

    MODIFIABLE = "any time"
    IMMUTABLE = "at start-up"
    PROTECTED = "any time, if enable-protected-configs allows"


MODIFIABLE: Final = Mutability.MODIFIABLE
IMMUTABLE: Final = Mutability.IMMUTABLE
PROTECTED: Final = Mutability.PROTECTED


class Option(Generic[T]):
    """One option, declared once. Read from an instance of its table it is the value, typed.

    It is a descriptor without ``__set__``, so the value in the instance's ``__dict__`` wins: reading
    ``config.maxclients`` costs what any attribute costs.
    """

    def __init__(
        self,
        kind: Kind[T],
        default: T,
        doc: str,
        *,
        mutable: Mutability = MODIFIABLE,
        aliases: tuple[str, ...] = (),
        check: Callable[[T], str | None] | None = None,
        no_effect: str | None = None,
        awaits: str | None = None,
        sensitive: bool = False,
        hidden: bool = False,
        file_only: bool = False,
        awaits_data: bool = False,
    ) -> None:
        """``check`` gives the reason why a value is refused, or None.

        ``no_effect``: why the option is accepted for good without doing anything; ``awaits``: the part of the system,
        not built yet, that will read it. ``sensitive``: never to be logged. ``hidden``: CONFIG GET gives it only by its
        full name. ``file_only``: a directive of files and command lines that CONFIG does not know. ``awaits_data``: it
        stays as it is while data are being loaded.
        """
        self.kind = kind
        self.default = default
        self.doc = doc
        self.mutable = mutable
        self.aliases = aliases
        self.check = check
        self.no_effect = no_effect
        self.awaits = awaits
        self.sensitive = sensitive
        self.hidden = hidden
        self.file_only = file_only
        self.awaits_data = awaits_data
        self.attribute = ""
        self.name = ""
        self.group = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = name
        self.name = name.replace("_", "-")

    @overload
    def __get__(self, instance: None, owner: type) -> Option[T]: ...
    @overload
    def __get__(self, instance: Table, owner: type) -> T: ...
    def __get__(self, instance: Table | None, owner: type) -> Option[T] | T:
        if instance is None:
            return self
        return self.default  # reached only while the instance is being filled

    @property
    def effect(self) -> str:
        """Empty for an option that does something; otherwise why it does not."""
        if self.no_effect is not None:
            return f"accepted without effect: {self.no_effect}"
        if self.awaits is not None:
            return f"accepted, has no effect yet: {self.awaits} is not built"
        return ""

    def parse(self, words: Sequence[str]) -> T:
        """The value that ``words`` mean, checked. Raises BadValue."""
        value = self.kind.parse(words)
        reason = self.check(value) if self.check is not None else None
        if reason is not None:
            raise BadValue(reason)
        return value


@dataclass(frozen=True, slots=True)
class Line:
    """A configuration line: the words, the text as written, and where it stands."""

    source: str
    number: int
    text: str
    words: tuple[str, ...]


class ConfigFault(Exception):
    """A configuration line that cannot be obeyed. ``reason`` is Redis's text where Redis has one."""

    def __init__(self, source: str, line_number: int, text: str, reason: str) -> None:
        super().__init__(f"{source}, line {line_number}: {text!r}: {reason}")
        self.source = source
        self.line_number = line_number
        self.text = text
        self.reason = reason


def fault_line(fault: ConfigFault) -> str:
    """The one line that a node says of a fault before it exits."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in fault.text)
    return f"bad configuration in {fault.source}, line {fault.line_number}: '{shown}': {fault.reason}"


class Table:
    """A set of options and their values. A subclass declares options, or joins such subclasses."""

    title: ClassVar[str] = ""
    options: ClassVar[Mapping[str, Option[Any]]] = {}
    """By primary name, in the order of declaration."""
    names: ClassVar[Mapping[str, Option[Any]]] = {}
    """By every name: a primary one is followed by its aliases."""

    def __init_subclass__(cls, title: str = "") -> None:
        cls.title = title
        own = {option.name: option for option in vars(cls).values() if isinstance(option, Option)}
        for option in own.values():
            option.group = title
        inherited = {
            name: option for base in cls.__bases__ if issubclass(base, Table) for name, option in base.options.items()
        }
        assert own.keys().isdisjoint(inherited), "an option is declared twice"
        cls.options = {**inherited, **own}
        names: dict[str, Option[Any]] = {}
        for option in cls.options.values():
            for name in (option.name, *option.aliases):
                assert name not in names, f"two options are called {name}"
                names[name] = option
        cls.names = names

    def __init__(self) -> None:
        for option in self.options.values():
            self.__dict__[option.attribute] = option.default
        self._given: set[str] = set()

    # ---- reading

    def get(self, patterns: Iterable[bytes]) -> dict[str, str]:
        """CONFIG GET: names and values of what matches any of the globs, letters in either case.

        A hidden option is found only by its full name. Both names of an aliased option are given when both match. A
        plain name comes back as it was spelt.
        """
        found: dict[str, str] = {}
        seen: set[str] = set()
        for pattern in map(to_text, patterns):
            if is_pattern(pattern):
                match = matcher(pattern).fullmatch
                spellings = [name for name, option in self.names.items() if not option.hidden and match(name)]
            else:
                spellings = [pattern] if pattern.lower() in self.names else []
            for spelling in spellings:
                option = self.names[spelling.lower()]
                if spelling.lower() not in seen and not option.file_only:
                    seen.add(spelling.lower())
                    found[spelling] = self.shown(option)
        return found

    def shown(self, option: Option[Any]) -> str:
        """The value of an option as CONFIG GET shows it."""
        return option.kind.render(self.__dict__[option.attribute])

    def is_default(self, option: Option[Any]) -> bool:
        """Whether the option has the value it is born with."""
        return bool(self.__dict__[option.attribute] == option.default)

    # ---- changing

    def assign(self, option: Option[T], value: T) -> None:
        """Set an option from within the program (REPLICAOF, the folder the node runs in); nothing is checked."""
        self.__dict__[option.attribute] = value

    def snapshot(self) -> dict[str, Any]:
        """All values, for ``restore``, with which a change that turns out impossible (a port in use) is taken back."""
        return {option.attribute: self.__dict__[option.attribute] for option in self.options.values()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take the values of ``snapshot`` again."""
        self.__dict__.update(snapshot)

    def set(self, pairs: Sequence[tuple[bytes, bytes]], *, local: bool = False) -> tuple[str, ...]:
        """CONFIG SET: all pairs or none. ``local``: the client is on this host.

        Gives the primary names of the options whose value is another one now. Raises ReplyError with Redis's text.
        """
        chosen = self._choose(pairs, local)
        before = self.snapshot()
        for name, text in chosen.items():
            option = self.names[name]
            words = text.split(" ") if option.kind.many else [text]
            try:
                self._give(option, words, again=False)
            except BadValue as bad:
                self.restore(before)
                raise _set_failed(name, bad.reason) from None
        changed = dict.fromkeys(self.names[name] for name in chosen)
        return tuple(option.name for option in changed if self.__dict__[option.attribute] != before[option.attribute])

    def await_data(self, names: Iterable[bytes]) -> bool:
        """Whether any of these stays as it is while data are being loaded."""
        options = (self.names.get(to_text(name).lower()) for name in names)
        return any(option is not None and option.awaits_data for option in options)

    def _choose(self, pairs: Sequence[tuple[bytes, bytes]], local: bool) -> dict[str, str]:
        """Names, lower case, and their texts. All names are looked at before any value, as in Redis."""
        chosen: dict[str, str] = {}
        for name, text in ((to_text(name), to_text(value)) for name, value in pairs):
            option = self.names.get(name.lower())
            if option is None or option.file_only:
                raise ReplyError(f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            if option.mutable is IMMUTABLE:
                raise _set_failed(name, "can't set immutable config")
            if option.mutable is PROTECTED and not self._unprotected(local):
                raise _set_failed(name, "can't set protected config")
            if name.lower() in chosen:
                raise _set_failed(name, "duplicate parameter")
            chosen[name.lower()] = text
        return chosen

    def _unprotected(self, local: bool) -> bool:
        answer = self.__dict__.get("enable_protected_configs", "no")
        return answer == "yes" or (answer == "local" and local)

    def _give(self, option: Option[T], words: Sequence[str], again: bool) -> None:
        value = option.parse(words)
        self.__dict__[option.attribute] = option.kind.merge(self.__dict__[option.attribute], value, again)

    # ---- start-up

    def load(self, lines: Iterable[Line]) -> None:
        """Obey lines of files and command lines in order: later ones win. Raises ConfigFault at the first bad one."""
        for line in lines:
            try:
                self._obey(line.words[0].lower(), line.words[1:])
            except BadValue as bad:
                raise ConfigFault(line.source, line.number, line.text, bad.reason) from None

    def _obey(self, name: str, words: Sequence[str]) -> None:
        option = self.names.get(name)
        if option is None:
            raise BadValue("Bad directive or wrong number of arguments")
        if not option.kind.many and len(words) != 1:
            raise BadValue("wrong number of arguments")
        if option.kind.many and len(words) == 1 and not option.file_only:
            words = words[0].split(" ")
        self._give(option, words, again=option.name in self._given)
        self._given.add(option.name)


def _set_failed(name: str, reason: str) -> ReplyError:
    return ReplyError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
