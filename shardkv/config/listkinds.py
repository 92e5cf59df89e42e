"""Kinds of several words: snapshot rules, output limits, addresses, event classes and their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from .kinds import BadValue, Kind, memory, whole_number, with_unit
from .quoting import quote

SaveRule: TypeAlias = tuple[int, int]  # seconds, changed keys
OutputLimit: TypeAlias = tuple[int, int, int]  # hard limit, soft limit (bytes), seconds over the soft one
Endpoint: TypeAlias = tuple[str, int]  # host, port

MAX_ADDRESSES: Final = 16


class SaveRules(Kind[tuple[SaveRule, ...]]):
    """Pairs of seconds and changes. Lines of one file add up; an empty one takes all rules away."""

    many = True
    label = "seconds changes ..."

    def parse(self, words: Sequence[str]) -> tuple[SaveRule, ...]:
        if list(words) == [""]:
            return ()
        numbers = [int(word) if word.isascii() and word.isdigit() else -1 for word in words]
        if len(numbers) % 2:
            raise BadValue("Invalid save parameters")
        rules = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        if any(seconds < 1 or changes < 0 for seconds, changes in rules):
            raise BadValue("Invalid save parameters")
        return rules

    def render(self, value: tuple[SaveRule, ...]) -> str:
        return " ".join(f"{seconds} {changes}" for seconds, changes in value)

    def merge(self, current: tuple[SaveRule, ...], new: tuple[SaveRule, ...], again: bool) -> tuple[SaveRule, ...]:
        return current + new if again and new else new

    def lines(self, name: str, value: tuple[SaveRule, ...], default: tuple[SaveRule, ...]) -> list[tuple[str, bool]]:
        # Always written, for a file without a save line means the default rules.
        if not value:
            return [(f'{name} ""', True)]
        return [(f"{name} {seconds} {changes}", True) for seconds, changes in value]


class OutputLimits(Kind[Mapping[str, OutputLimit]]):
    """Limits of unread output by class of client: normal, replica, pubsub. Classes that are not named keep theirs."""

    many = True
    label = "class hard soft seconds ..."

    def parse(self, words: Sequence[str]) -> Mapping[str, OutputLimit]:
        if list(words) == [""]:
            return {}
        if len(words) % 4:
            raise BadValue("Wrong number of arguments in buffer limit configuration.")
        limits: dict[str, OutputLimit] = {}
        for start in range(0, len(words), 4):
            name = words[start].lower()
            name = "replica" if name == "slave" else name
            if name not in ("normal", "replica", "pubsub"):
                raise BadValue("Invalid client class specified in buffer limit configuration.")
            hard, soft = memory(words[start + 1]), memory(words[start + 2])
            seconds = words[start + 3]
            if hard is None or soft is None or not (seconds.isascii() and seconds.isdigit()):
                raise BadValue("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            limits[name] = (hard, soft, int(seconds))
        return limits

    def merge(
        self, current: Mapping[str, OutputLimit], new: Mapping[str, OutputLimit], again: bool
    ) -> Mapping[str, OutputLimit]:
        return {**current, **new}

    def render(self, value: Mapping[str, OutputLimit]) -> str:
        # CONFIG GET still says slave.
        return " ".join(
            f"{'slave' if name == 'replica' else name} {hard} {soft} {seconds}"
            for name, (hard, soft, seconds) in value.items()
        )

    def lines(
        self, name: str, value: Mapping[str, OutputLimit], default: Mapping[str, OutputLimit]
    ) -> list[tuple[str, bool]]:
        return [
            (f"{name} {group} {with_unit(hard)} {with_unit(soft)} {seconds}", (hard, soft, seconds) != default[group])
            for group, (hard, soft, seconds) in value.items()
        ]


class Addresses(Kind[tuple[str, ...]]):
    """Addresses to listen on; ``-`` before one: it may be missing on this host; ``*``: all."""

    many = True
    label = "address ..."

    def parse(self, words: Sequence[str]) -> tuple[str, ...]:
        if len(words) > MAX_ADDRESSES:
            raise BadValue("Too many bind addresses specified.")
        return () if list(words) == [""] else tuple(words)

    def render(self, value: tuple[str, ...]) -> str:
        return " ".join(value)

    def lines(self, name: str, value: tuple[str, ...], default: tuple[str, ...]) -> list[tuple[str, bool]]:
        if value == default:
            return []
        return [(f"{name} {' '.join(value)}" if value else f'{name} ""', True)]


class PrimaryAddress(Kind[Endpoint | None]):
    """``host port`` of the node to copy; ``no one``: none."""

    many = True
    label = "host port"

    def parse(self, words: Sequence[str]) -> Endpoint | None:
        if len(words) != 2:
            raise BadValue("wrong number of arguments")
        host, port = words
        if host.lower() == "no" and port.lower() == "one":
            return None
        number = whole_number(port)
        if number is None or not 0 <= number <= 65535:
            raise BadValue("Invalid master port")
        return (host, number) if host else None

    def render(self, value: Endpoint | None) -> str:
        return "" if value is None else f"{value[0]} {value[1]}"

    def lines(self, name: str, value: Endpoint | None, default: Endpoint | None) -> list[tuple[str, bool]]:
        return [] if value is None else [(f"{name} {self.render(value)}", True)]


class EventClasses(Kind[str]):
    """Letters of keyspace event classes, kept in Redis's order; ``A`` stands for all but key misses and new keys."""

    label = "letters of Ag$lshzxeKEtmdn"

    _ALL = "g$lshzxetd"

    def parse(self, words: Sequence[str]) -> str:
        given = words[0].replace("A", self._ALL)
        if not set(given) <= set("g$lshzxeKEtmdn"):
            raise BadValue("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        kept = "".join(letter for letter in self._ALL + "nKEm" if letter in given)
        if kept.startswith(self._ALL):
            # Redis forgets the n of new keys here, and so loses it at CONFIG REWRITE; it goes behind the others.
            rest = kept.removeprefix(self._ALL)
            return "A" + rest.removeprefix("n") + ("n" if rest.startswith("n") else "")
        return kept

    def render(self, value: str) -> str:
        return value

    def written(self, value: str) -> str:
        return quote(value)


class Percentiles(Kind[tuple[float, ...]]):
    """Numbers between 0 and 100."""

    many = True
    label = "percentile ..."

    def parse(self, words: Sequence[str]) -> tuple[float, ...]:
        if list(words) == [""]:
            return ()
        try:
            numbers = tuple(float(word) for word in words)
        except ValueError:
            raise BadValue("Invalid latency-tracking-info-percentiles parameters") from None
        if any(number != number or "_" in word for number, word in zip(numbers, words, strict=True)):
            raise BadValue("Invalid latency-tracking-info-percentiles parameters")
        if not all(0 <= number <= 100 for number in numbers):
            raise BadValue("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
        return numbers

    def render(self, value: tuple[float, ...]) -> str:
        return " ".join(f"{number:.6f}".rstrip("0").rstrip(".") for number in value)

    def lines(self, name: str, value: tuple[float, ...], default: tuple[float, ...]) -> list[tuple[str, bool]]:
        return [(f"{name} {self.render(value)}" if value else f'{name} ""', True)]  # Redis writes it always


class OomScores(Kind[tuple[int, int, int]]):
    """How willingly the kernel kills a primary, a replica and a snapshot child."""

    many = True
    label = "primary replica child, -2000..2000"

    def parse(self, words: Sequence[str]) -> tuple[int, int, int]:
        if len(words) != 3:
            raise BadValue("wrong number of arguments")
        numbers = [whole_number(word) for word in words]
        scores = [number for number in numbers if number is not None and -2000 <= number <= 2000]
        if len(scores) != 3:
            raise BadValue("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return scores[0], scores[1], scores[2]

    def render(self, value: tuple[int, int, int]) -> str:
        return " ".join(str(score) for score in value)


class ShutdownWords(Kind[tuple[str, ...]]):
    """How SHUTDOWN behaves when a signal causes it."""

    many = True
    label = "default \\| save \\| nosave \\| now \\| force ..."

    _WORDS = ("default", "save", "nosave", "now", "force")

    def parse(self, words: Sequence[str]) -> tuple[str, ...]:
        given = [word.lower() for word in words]
        if not given or any(word not in self._WORDS for word in given):
            raise BadValue(f"argument(s) must be one of the following: {', '.join(self._WORDS)}")
        if "save" in given and "nosave" in given:
            raise BadValue("shutdown options SAVE and NOSAVE can't be used simultaneously")
        chosen = tuple(word for word in self._WORDS if word in given and word != "default")
        return chosen or ("default",)

    def render(self, value: tuple[str, ...]) -> str:
        return " ".join(value)


class Renames(Kind[tuple[tuple[str, str], ...]]):
    """``rename-command OLD NEW``, once for each command."""

    many = True
    label = "command newname"

    def parse(self, words: Sequence[str]) -> tuple[tuple[str, str], ...]:
        if len(words) != 2:
            raise BadValue("Bad directive or wrong number of arguments")
        return ((words[0], words[1]),)

    def render(self, value: tuple[tuple[str, str], ...]) -> str:
        return " ".join(f"{old} {quote(new)}" for old, new in value)

    def merge(
        self, current: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...], again: bool
    ) -> tuple[tuple[str, str], ...]:
        return current + new


class Lines(Kind[tuple[tuple[str, ...], ...]]):
    """The words of each line of this name, as they stand; their owner reads them."""

    many = True
    label = "words ..."

    def parse(self, words: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        if not words:
            raise BadValue("Bad directive or wrong number of arguments")
        return (tuple(words),)

    def render(self, value: tuple[tuple[str, ...], ...]) -> str:
        return "; ".join(" ".join(line) for line in value)

    def merge(
        self, current: tuple[tuple[str, ...], ...], new: tuple[tuple[str, ...], ...], again: bool
    ) -> tuple[tuple[str, ...], ...]:
        return current + new


class Ignored(Kind[None]):
    """Read and forgotten: a name that Redis gave up."""

    label = "ignored"

    def parse(self, words: Sequence[str]) -> None:
        return None

    def render(self, value: None) -> str:
        return ""


class Refused(Kind[None]):
    """A directive that a node cannot honour, so that it must not start as if it could."""

    many = True
    label = "refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def parse(self, words: Sequence[str]) -> None:
        raise BadValue(self.reason)

    def render(self, value: None) -> str:
        return ""
