"""The words of a geographic search: where, how far, how many, in which order, and what to tell of each member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import NotAFloat, ReplyError, SyntaxFault
from ..resp.numbers import parse_float, parse_int
from ..values.geo import Circle, Rectangle, Shape
from ..values.geohash import LATITUDES, LONGITUDES, Point, decode
from ..values.zsets import ZSetValue
from .context import Context
from .flags import KeyUse
from .grammar import Arg, block, double, flag, integer, key, maybe, one_of, value

#: Metres.
_UNITS: Final = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}

UNIT: Final = one_of("unit", flag("M"), flag("KM"), flag("FT"), flag("MI"))
ORDER: Final = maybe(one_of("order", flag("ASC"), flag("DESC")))
COUNT: Final = maybe(block("count-block", integer("count", token="COUNT"), maybe(flag("ANY"))))
COORDINATES: Final = (double("longitude"), double("latitude"))
TOLD: Final[tuple[Arg, ...]] = (maybe(flag("WITHCOORD")), maybe(flag("WITHDIST")), maybe(flag("WITHHASH")))
#: GEORADIUS and its kin: what follows the radius, and where else the result may go.
RADIUS_OPTIONS: Final[tuple[Arg, ...]] = (*TOLD, COUNT, ORDER)
STORE: Final[tuple[Arg, ...]] = (
    maybe(key("key", KeyUse.OW | KeyUse.UPDATE, token="STORE")),
    maybe(key("key", KeyUse.OW | KeyUse.UPDATE, token="STOREDIST")),
)
#: GEOSEARCH: the middle and the shape.
WHERE: Final[tuple[Arg, ...]] = (
    one_of("from", value("member", token="FROMMEMBER"), block("fromlonlat", *COORDINATES, token="FROMLONLAT")),
    one_of(
        "by",
        block("circle", double("radius"), UNIT, token="BYRADIUS"),
        block("box", double("width"), double("height"), UNIT, token="BYBOX"),
    ),
)


def unit_of(word: bytes) -> float:
    """The metres of a unit. Raises ReplyError."""
    unit = _UNITS.get(word.upper())
    if unit is None:
        raise ReplyError("ERR unsupported unit provided. please use M, KM, FT, MI")
    return unit


def point_of(longitude: bytes, latitude: bytes) -> Point:
    """Coordinates that can be encoded. Raises NotAFloat, or ReplyError for those that cannot."""
    east, north = parse_float(longitude), parse_float(latitude)
    if not (LONGITUDES[0] <= east <= LONGITUDES[1] and LATITUDES[0] <= north <= LATITUDES[1]):
        raise ReplyError(f"ERR invalid longitude,latitude pair {east:.6f},{north:.6f}")
    return east, north


def place_of(members: ZSetValue, member: bytes) -> Point:
    """Where a member is. Raises ReplyError if there is no such member."""
    score = members.score(member)
    if score is None:
        raise ReplyError("ERR could not decode requested zset member")
    return decode(score)


def _length(word: bytes, what: str) -> float:
    try:
        return parse_float(word)
    except NotAFloat:
        raise ReplyError(f"ERR need numeric {what}") from None


@dataclass(slots=True)
class GeoSearch:
    """A search as its words have it. Lengths are in units of ``unit`` metres."""

    center: Point | None = None
    radius: float | None = None
    box: tuple[float, float] | None = None
    unit: float = 1.0
    from_member: bool = False
    from_point: bool = False
    order: bytes | None = None  #: ASC or DESC
    count: int | None = None
    any: bool = False
    with_distance: bool = False
    with_hash: bool = False
    with_point: bool = False
    target: bytes | None = None  #: the key that gets the result
    store_distance: bool = False

    def read_radius(self, radius: bytes, unit: bytes) -> None:
        """A circle. Raises ReplyError."""
        self.radius = _length(radius, "radius")
        if self.radius < 0:
            raise ReplyError("ERR radius cannot be negative")
        self.unit = unit_of(unit)

    def read_box(self, width: bytes, height: bytes, unit: bytes) -> None:
        """A rectangle. Raises ReplyError."""
        self.box = _length(width, "width"), _length(height, "height")
        if min(self.box) < 0:
            raise ReplyError("ERR height or width cannot be negative")
        self.unit = unit_of(unit)

    @property
    def shape(self) -> Shape:
        """What is searched, in metres."""
        assert self.center is not None
        if self.box is not None:
            return Rectangle(self.center, self.box[0] * self.unit, self.box[1] * self.unit)
        assert self.radius is not None
        return Circle(self.center, self.radius * self.unit)

    # ---- options

    def read_options(
        self, words: list[bytes], at: int, members: ZSetValue | None, *, shaped: bool, may_store: bool
    ) -> None:
        """The options from ``words[at]`` on, in any order.

        ``shaped``: the words say where (GEOSEARCH, GEOSEARCHSTORE); ``may_store``: they may say where the result goes
        (GEORADIUS), or that it is stored with distances (GEOSEARCHSTORE). Without ``members`` nothing is looked up.
        Raises ReplyError.
        """
        end = len(words)
        while at < end:
            option = words[at].upper()
            left = end - at - 1
            if option == b"WITHDIST":
                self.with_distance = True
            elif option == b"WITHHASH":
                self.with_hash = True
            elif option == b"WITHCOORD":
                self.with_point = True
            elif option == b"ANY":
                self.any = True
            elif option in (b"ASC", b"DESC"):
                self.order = option
            elif option == b"COUNT" and left:
                self.count = parse_int(words[at + 1])
                if self.count <= 0:
                    raise ReplyError("ERR COUNT must be > 0")
                at += 1
            elif option == b"STOREDIST" and shaped and may_store:
                self.store_distance = True
            elif option in (b"STORE", b"STOREDIST") and left and may_store and not shaped:
                self.target = words[at + 1]
                self.store_distance = option == b"STOREDIST"
                at += 1
            elif shaped:
                at += self._read_where(option, words[at + 1 :], members)
            else:
                raise SyntaxFault
            at += 1

    def _read_where(self, option: bytes, words: list[bytes], members: ZSetValue | None) -> int:
        """One of the options that say where; how many words it took."""
        left = len(words)
        if option == b"FROMMEMBER" and left and not self.from_point:
            if members is not None:
                self.center = place_of(members, words[0])
            self.from_member = True
            return 1
        if option == b"FROMLONLAT" and left > 1 and not self.from_member:
            self.center = point_of(words[0], words[1])
            self.from_point = True
            return 2
        if option == b"BYRADIUS" and left > 1 and self.box is None:
            self.read_radius(words[0], words[1])
            return 2
        if option == b"BYBOX" and left > 2 and self.radius is None:
            self.read_box(words[0], words[1], words[2])
            return 3
        raise SyntaxFault

    def judge(self, ctx: Context, *, shaped: bool) -> None:
        """Whether the options go together. Raises ReplyError."""
        name = ctx.words[0].decode("utf-8", "surrogateescape")
        if self.target is not None and (self.with_distance or self.with_hash or self.with_point):
            which = "GEOSEARCHSTORE" if shaped else "STORE option in GEORADIUS"
            raise ReplyError(f"ERR {which} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        if shaped and not (self.from_member or self.from_point):
            raise ReplyError(f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}")
        if shaped and self.radius is None and self.box is None:
            raise ReplyError(f"ERR exactly one of BYRADIUS and BYBOX can be specified for {name}")
        if self.any and self.count is None:
            raise ReplyError("ERR the ANY argument requires COUNT argument")
