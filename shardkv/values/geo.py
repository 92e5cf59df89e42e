"""Geography on a sphere: distances, shapes, and the points of a sorted set that lie inside a shape.

Distances are metres, coordinates degrees. A search looks into the cell of the geohash that holds the middle of the
shape and into the eight around it; in which order, and with cells of which size, is Redis's, for it shows in the order
of what is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import asin, cos, isfinite, nan, pi, sin, sqrt
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from .geohash import STEPS, Cell, Point, decode, encode

if TYPE_CHECKING:
    from .zsets import ZSetValue

#: From a point to its distance in metres, or None if it lies outside.
Gauge: TypeAlias = Callable[[Point], float | None]

_EARTH_RADIUS: Final = 6372797.560856
_HALF_EQUATOR: Final = 20037726.37  #: of the Mercator projection
_RADIAN: Final = pi / 180.0
_SLACK: Final = 1 + 1e-9

#: The cell in the middle, then its neighbours as steps to the east and to the north.
_AROUND: Final = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
#: Members that are taken from the sorted set at once.
_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Circle:
    """Everything within ``radius`` of ``center``."""

    center: Point
    radius: float

    @property
    def reach(self) -> float:
        """How far its farthest point is."""
        return self.radius

    @property
    def half_size(self) -> tuple[float, float]:
        """How far it reaches to the east and to the north."""
        return self.radius, self.radius

    def gauge(self) -> Gauge:
        """What tells how far a point is from the center, or None if it is outside."""
        radius = self.radius
        east, north = self.center[0] * _RADIAN, self.center[1] * _RADIAN
        shrink = cos(north)
        # A point that is farther north or south than the radius, roundings included, needs no trigonometry.
        farthest = radius / _EARTH_RADIUS * _SLACK

        def measure(point: Point) -> float | None:
            parallel = point[1] * _RADIAN
            if abs(parallel - north) > farthest:
                return None
            across = sin((point[0] * _RADIAN - east) / 2)
            if across == 0.0:
                away = _EARTH_RADIUS * abs(parallel - north)
            else:
                along = sin((parallel - north) / 2)
                share = along * along + shrink * cos(parallel) * across * across
                away = 2.0 * _EARTH_RADIUS * asin(min(1.0, sqrt(share)))
            return None if away > radius else away

        return measure


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Everything up to half of ``width`` to the east or west, and half of ``height`` to the north or south."""

    center: Point
    width: float
    height: float

    @property
    def reach(self) -> float:
        """How far its corners are."""
        return sqrt((self.width / 2) * (self.width / 2) + (self.height / 2) * (self.height / 2))

    @property
    def half_size(self) -> tuple[float, float]:
        """How far it reaches to the east and to the north."""
        return self.width / 2, self.height / 2

    def gauge(self) -> Gauge:
        """What tells how far a point is from the center, or None if it is outside."""
        center, (longitude, latitude) = self.center, self.center
        width, height = self.half_size

        def measure(point: Point) -> float | None:
            if _latitude_distance(point[1], latitude) > height:
                return None
            # The width is measured on the point's own parallel.
            if distance(point, (longitude, point[1])) > width:
                return None
            return distance(center, point)

        return measure


Shape: TypeAlias = Circle | Rectangle


class Found(NamedTuple):
    """A member that lies inside the shape. ``score`` is its geohash, ``distance`` in metres."""

    member: bytes
    score: float
    distance: float
    point: Point


def _latitude_distance(one: float, other: float) -> float:
    return _EARTH_RADIUS * abs(other * _RADIAN - one * _RADIAN)


def distance(one: Point, other: Point) -> float:
    """The length of the great circle between two points, by the haversine formula."""
    across = sin((other[0] * _RADIAN - one[0] * _RADIAN) / 2)
    if across == 0.0:
        return _latitude_distance(one[1], other[1])
    south, north = one[1] * _RADIAN, other[1] * _RADIAN
    along = sin((north - south) / 2)
    share = along * along + cos(south) * cos(north) * across * across
    return 2.0 * _EARTH_RADIUS * asin(min(1.0, sqrt(share)))


def _steps_for(reach: float, latitude: float) -> int:
    """How many steps make cells that are not much larger than the shape, but so large that nine of them cover it."""
    if reach == 0:
        return STEPS
    step = 1
    while reach < _HALF_EQUATOR:
        reach *= 2
        step += 1
    step -= 2
    # Near the poles cells are narrow.
    if abs(latitude) > 66:
        step -= 1
        if abs(latitude) > 80:
            step -= 1
    return min(max(step, 1), STEPS)


def _bounds(shape: Shape) -> tuple[float, float, float, float]:
    """The degrees between which a shape lies: west, south, east, north."""
    longitude, latitude = shape.center
    width, height = shape.half_size
    tall = height / _EARTH_RADIUS / _RADIAN
    # On either hemisphere the edge that is nearer to the pole spans more degrees.
    parallel = latitude - tall if latitude < 0 else latitude + tall
    wide = width / _EARTH_RADIUS / (cos(parallel * _RADIAN) if isfinite(parallel) else nan) / _RADIAN
    return longitude - wide, latitude - tall, longitude + wide, latitude + tall


def cells_of(shape: Shape) -> list[Cell]:
    """The cells to look into, in order."""
    west, south, east, north = _bounds(shape)
    longitude, latitude = shape.center
    step = _steps_for(shape.reach, latitude)
    middle = encode(longitude, latitude, step)
    if step > 1 and (
        middle.neighbour(0, 1).area.latitudes[1] < north
        or middle.neighbour(0, -1).area.latitudes[0] > south
        or middle.neighbour(1, 0).area.longitudes[1] < east
        or middle.neighbour(-1, 0).area.longitudes[0] > west
    ):
        step -= 1
        middle = encode(longitude, latitude, step)
    area = middle.area
    skipped: set[tuple[int, int]] = set()
    if step >= 2:
        if area.latitudes[0] < south:
            skipped |= {(0, -1), (-1, -1), (1, -1)}
        if area.latitudes[1] > north:
            skipped |= {(0, 1), (-1, 1), (1, 1)}
        if area.longitudes[0] < west:
            skipped |= {(-1, 0), (-1, -1), (-1, 1)}
        if area.longitudes[1] > east:
            skipped |= {(1, 0), (1, -1), (1, 1)}
    cells = [middle if place == (0, 0) else middle.neighbour(*place) for place in _AROUND if place not in skipped]
    # With few steps the neighbours on two sides are one and the same.
    return [cell for index, cell in enumerate(cells) if index < 2 or cell != cells[index - 1]]


def search(members: ZSetValue, shape: Shape, limit: int | None = None) -> list[Found]:
    """The members inside a shape, as they are met; with a ``limit`` no more than that."""
    found: list[Found] = []
    measure = shape.gauge()
    for cell in cells_of(shape):
        for score, member in _scored_between(members, *cell.scores):
            point = decode(score)
            away = measure(point)
            if away is not None:
                found.append(Found(member, score, away, point))
                if len(found) == limit:
                    return found
    return found


def _scored_between(members: ZSetValue, low: int, high: int) -> Iterator[tuple[float, bytes]]:
    """The entries with a score from ``low`` to before ``high``."""
    start = members.score_place(float(low), after=False)
    end = members.score_place(float(high), after=False)
    for at in range(start, end, _BATCH):
        yield from members.entries(at, min(at + _BATCH, end))


__all__ = ["Circle", "Found", "Rectangle", "Shape", "cells_of", "distance", "search"]
