"""LOLWUT: a small picture that is new every time.

Ours is what the project is about: a field of keys, shared out among shards. Points are thrown at random, and each
place of the field belongs to the nearest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..resp.numbers import parse_int
from ..resp.replies import Verbatim
from .context import Context
from .flags import Flags
from .grammar import integer, maybe
from .spec import command
from .versions import REDIS_VERSION, SHARDKV_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

#: Columns, rows and shards: what is drawn without being told, and the most that is.
_USUAL: Final = (66, 18, 6)
_MOST: Final = (200, 100, 26)
#: A letter on a terminal is about twice as high as it is wide.
_TALL: Final = 2
_SHADES: Final = ".:-=+*#%@oxsvnzuc~^<>(){}/"


def draw(rng: Random, columns: int, rows: int, shards: int) -> str:
    """The picture: ``rows`` lines; a shard has a shade of its own and a capital letter, the borders stay blank."""
    points = [(rng.randrange(columns), rng.randrange(rows)) for _ in range(shards)]
    lines = []
    for y in range(rows):
        lines.append("".join(_place(points, x, y) for x in range(columns)).rstrip())
    return "\n".join(lines)


def _place(points: Sequence[tuple[int, int]], x: int, y: int) -> str:
    if (x, y) in points:
        return chr(ord("A") + points.index((x, y)))
    near = sorted((abs(x - px) + _TALL * abs(y - py), shard) for shard, (px, py) in enumerate(points))
    if len(near) > 1 and near[1][0] - near[0][0] <= 1:
        return " "
    return _SHADES[near[0][1]]


@command(
    "LOLWUT",
    maybe(integer("version", token="VERSION")),
    flags=Flags.READONLY | Flags.FAST,
    group="server",
    since="5.0.0",
    raw=True,  # further words are the picture's measures, and what is no measure is let pass
)
def lolwut(ctx: Context, words: list[bytes]) -> Verbatim:
    """Draws something, and tells the version."""
    given = words[1:]
    if len(given) >= 2 and given[0].upper() == b"VERSION":
        parse_int(given[1])  # all versions have the same picture here, but a number it has to be
        given = given[2:]
    measures = list(_USUAL)
    for place, word in enumerate(given[:3]):
        if word.isdigit():
            measures[place] = min(max(int(word[:9]), 1), _MOST[place])
    picture = draw(ctx.host.rng, *measures)
    return Verbatim(
        f"{picture}\n\nA field of keys and its shards. Redis ver. {REDIS_VERSION}, shardkv {SHARDKV_VERSION}\n".encode()
    )
