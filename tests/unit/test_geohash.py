"""Geohashes and shapes on the sphere."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkv.config import Config
from shardkv.values.geo import Circle, Rectangle, Shape, cells_of, distance, search
from shardkv.values.geohash import LATITUDES, LONGITUDES, STEPS, Cell, decode, encode, letters
from shardkv.values.zsets import ZSetValue

points = st.tuples(st.floats(*LONGITUDES), st.floats(*LATITUDES))


@given(points)
def test_a_hash_is_near_its_point(point: tuple[float, float]) -> None:
    east, north = decode(encode(*point).bits)
    assert abs(east - point[0]) < 4e-6
    assert abs(north - point[1]) < 2e-6


@given(points, st.integers(1, STEPS))
def test_a_cell_holds_its_point(point: tuple[float, float], step: int) -> None:
    area = encode(*point, step).area
    slack = 1e-12  # of an offset that was rounded
    assert area.longitudes[0] - slack <= point[0] <= area.longitudes[1] + slack
    assert area.latitudes[0] - slack <= point[1] <= area.latitudes[1] + slack


@given(st.integers(2, STEPS), st.data())
def test_a_neighbour_shares_an_edge(step: int, data: st.DataObject) -> None:
    cell = Cell(data.draw(st.integers(0, (1 << 2 * step) - 1)), step)
    east, north = cell.neighbour(1, 0), cell.neighbour(0, 1)
    assert east.neighbour(-1, 0) == cell
    assert north.neighbour(0, -1) == cell
    assert cell.neighbour(1, 1) == east.neighbour(0, 1)
    assert east.area.latitudes == cell.area.latitudes
    if east.bits > cell.bits:
        assert east.area.longitudes[0] == cell.area.longitudes[1]


def test_scores_of_a_cell_are_its_prefix() -> None:
    whole = encode(13.361389, 38.115556).bits
    for step in range(1, STEPS):
        low, high = encode(13.361389, 38.115556, step).scores
        assert low <= whole < high


def test_the_known_hash_of_palermo() -> None:
    assert encode(13.361389, 38.115556).bits == 3479099956230698
    assert letters(3479099956230698) == b"sqc8b49rny0"


@pytest.mark.parametrize("score", [-5.0, 2.0**52, 1e300, float("inf"), float("-inf"), 1.5])
def test_a_score_that_is_no_hash_is_somewhere(score: float) -> None:
    east, north = decode(score)
    assert LONGITUDES[0] <= east <= LONGITUDES[1]
    assert LATITUDES[0] <= north <= LATITUDES[1]


def test_distances_are_along_great_circles() -> None:
    assert distance((0.0, 0.0), (0.0, 0.0)) == 0.0
    assert distance((0.0, 0.0), (180.0, 0.0)) == pytest.approx(20_020_734.0, abs=0.1)
    assert distance((10.0, 0.0), (10.0, 45.0)) == pytest.approx(5_005_183.5, abs=0.1)


def _world(count: int, seed: int) -> ZSetValue:
    rng = Random(seed)
    scores = {b"%d" % n: float(encode(rng.uniform(-180, 180), rng.uniform(-80, 80)).bits) for n in range(count)}
    return ZSetValue.of(scores, Config())


# Not across the 180th meridian and not near a pole: there Redis looks into too few cells, and so does this.
near = st.tuples(st.floats(-90, 90), st.floats(-60, 60))
shapes = st.one_of(
    st.builds(Circle, near, st.floats(0, 3e6)),
    st.builds(Rectangle, near, st.floats(0, 3e6), st.floats(0, 3e6)),
)
WORLD = _world(400, 1)


@given(shapes)
def test_a_search_finds_what_looking_at_everything_finds(shape: Shape) -> None:
    found = {one.member for one in search(WORLD, shape)}
    measure = shape.gauge()
    assert found == {member for score, member in WORLD if measure(decode(score)) is not None}


@given(shapes, st.integers(1, 5))
def test_a_limited_search_is_the_beginning_of_the_whole(shape: Shape, limit: int) -> None:
    assert search(WORLD, shape, limit) == search(WORLD, shape)[:limit]


@given(near, st.floats(0, 3e6))
def test_a_circle_measures_as_distance_does(center: tuple[float, float], radius: float) -> None:
    measure = Circle(center, radius).gauge()
    for score, _ in WORLD:
        away = distance(center, decode(score))
        assert measure(decode(score)) == (None if away > radius else away)


def test_the_cells_around_a_shape_are_nine_at_most() -> None:
    assert len(cells_of(Circle((13.0, 38.0), 1000.0))) <= 9
    assert cells_of(Circle((13.0, 38.0), 0.0))[0] == encode(13.0, 38.0)
