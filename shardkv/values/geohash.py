"""Geohashes: a longitude and a latitude as one number, bit by bit, and the rectangles that its prefixes stand for.

A hash of ``step`` steps has a bit of the longitude and one of the latitude in each, the highest first. A sorted set
holds hashes of 26 steps, 52 bits, as scores. Coordinates are degrees; the order of every operation on them is Redis's,
so that scores and coordinates come out the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

Range: TypeAlias = tuple[float, float]
Point: TypeAlias = tuple[float, float]  #: longitude, latitude

#: What can be encoded: the square that the web's Mercator projection shows.
LONGITUDES: Final[Range] = (-180.0, 180.0)
LATITUDES: Final[Range] = (-85.05112878, 85.05112878)
#: What the usual 11 letters of a geohash stand for.
_WORLD_LATITUDES: Final[Range] = (-90.0, 90.0)

#: Steps of a score.
STEPS: Final = 26
_LETTERS: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"
#: The first number that is too large for a score's hash.
_END: Final = 2.0 ** (2 * STEPS)
_COUNT: Final = 1 << STEPS
_WEST, _WIDTH = LONGITUDES[0], LONGITUDES[1] - LONGITUDES[0]
_SOUTH, _HEIGHT = LATITUDES[0], LATITUDES[1] - LATITUDES[0]
_LATITUDE_BITS: Final = 0x5555555555555555
_LONGITUDE_BITS: Final = 0xAAAAAAAAAAAAAAAA


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle, in degrees."""

    longitudes: Range
    latitudes: Range


@dataclass(frozen=True, slots=True)
class Cell:
    """One of the rectangles into which ``step`` steps divide the world."""

    bits: int
    step: int

    def neighbour(self, east: int, north: int) -> Cell:
        """The cell beside this one; each of the arguments is -1, 0 or 1. Over the edge it goes on at the other side."""
        shift = 64 - self.step * 2
        longitude = _moved(self.bits & _LONGITUDE_BITS, east, _LATITUDE_BITS >> shift, _LONGITUDE_BITS >> shift)
        latitude = _moved(self.bits & _LATITUDE_BITS, north, _LONGITUDE_BITS >> shift, _LATITUDE_BITS >> shift)
        return Cell(longitude | latitude, self.step)

    @property
    def area(self) -> Area:
        """The rectangle."""
        text = f"{self.bits:064b}"
        count = 1 << self.step
        return Area(
            _part(LONGITUDES, int(text[0::2], 2), count),
            _part(LATITUDES, int(text[1::2], 2), count),
        )

    @property
    def scores(self) -> tuple[int, int]:
        """The least score of a point in this cell, and the first behind all of them."""
        shift = 2 * (STEPS - self.step)
        return self.bits << shift, (self.bits + 1) << shift


def _moved(bits: int, by: int, others: int, own: int) -> int:
    """One coordinate a cell further. The bits of the other one, set or clear, carry what overflows between its bits."""
    if by > 0:
        return bits + others + 1 & own
    if by < 0:
        return (bits | others) - (others + 1) & own
    return bits


def _part(whole: Range, index: int, count: int) -> Range:
    low, high = whole
    scale = high - low
    return low + index * 1.0 / count * scale, low + (index + 1) * 1.0 / count * scale


def encode(longitude: float, latitude: float, step: int = STEPS, latitudes: Range = LATITUDES) -> Cell:
    """The cell of ``step`` steps that holds a point, which must be inside ``LONGITUDES`` and ``LATITUDES``."""
    low, high = latitudes
    north = int((latitude - low) / (high - low) * (1 << step))
    low, high = LONGITUDES
    east = int((longitude - low) / (high - low) * (1 << step))
    # Binary digits read in base 4 are the same bits with a gap before each.
    return Cell(int(f"{north:b}", 4) | int(f"{east:b}", 4) << 1, step)


def decode(score: float) -> Point:
    """The middle of the cell whose hash is the score."""
    if 0 <= score < _END:
        text = f"{int(score):052b}"
        east, north = int(text[0::2], 2), int(text[1::2], 2)
        # The mean of both edges, written out: a search decodes every member that it meets.
        return (
            (_WEST + east / _COUNT * _WIDTH + (_WEST + (east + 1) / _COUNT * _WIDTH)) / 2,
            (_SOUTH + north / _COUNT * _HEIGHT + (_SOUTH + (north + 1) / _COUNT * _HEIGHT)) / 2,
        )
    # A score that is no hash may give coordinates outside their ranges; they are forced into them.
    area = Cell(_unsigned(score), STEPS).area
    return _middle(area.longitudes, LONGITUDES), _middle(area.latitudes, LATITUDES)


def _middle(part: Range, whole: Range) -> float:
    return min(max((part[0] + part[1]) / 2, whole[0]), whole[1])


def _unsigned(score: float) -> int:
    """The score as a 64-bit unsigned integer, as a processor converts those that are no hash."""
    if 0 <= score < 2.0**64:
        return int(score)
    if -(2.0**63) <= score < 0:
        return int(score) % (1 << 64)
    return 0 if score > 0 else 1 << 63


def letters(score: float) -> bytes:
    """The geohash of 11 letters that other programs use; the last is always ``0``, for a score has only 52 bits."""
    longitude, latitude = decode(score)
    bits = encode(longitude, latitude, STEPS, _WORLD_LATITUDES).bits
    return bytes(_LETTERS[bits >> shift & 31] for shift in range(47, -1, -5)) + b"0"
