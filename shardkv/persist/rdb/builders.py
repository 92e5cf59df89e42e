"""Values from elements that were just read, each made at once in the form in which it rests.

What comes from a file is mostly not asked for soon, and building dicts and sorted lists only to pack them later would
be half of the time that loading takes. So these know how the classes of values hold what rests, and go by their
constructors for everything that is not common: what is large, or not in the order in which Redis would have saved it.
"""

from __future__ import annotations

from operator import lt
from typing import TYPE_CHECKING, Any

from ...values.hashes import HashValue
from ...values.intset import integer_of
from ...values.lists import ListValue
from ...values.packing import pack_list, pack_map
from ...values.quicklist import _EMPTY, PACKED_MAX
from ...values.sets import SetValue
from ...values.zsets import _NO_ORDER, _NO_SCORES, REST_MAX, ZSetValue
from .faults import Malformed

if TYPE_CHECKING:
    from ...config import Config
    from ...values.intset import IntSet


def new_list(elements: list[bytes], size: int, config: Config) -> ListValue:
    """A list. ``size``: of the one listpack that holds all the elements, 0 if there is none."""
    fill = config.list_max_listpack_size
    if not size or size > PACKED_MAX:
        return ListValue.of(elements, fill)
    value = ListValue()
    value._inner = len(elements)
    value._size = size
    value._settle(fill, 1)
    packed = pack_list(elements)
    if len(packed) > PACKED_MAX or not value._whole:
        return ListValue.of(elements, fill)
    value._packed = packed
    value._front = value._back = _EMPTY
    return value


def new_set(members: list[bytes], config: Config) -> SetValue:
    """A set. Raises Malformed when a member is there twice."""
    if len(set(members)) != len(members):
        raise Malformed("an element is there twice")
    if (
        len(members) > config.set_max_listpack_entries
        or max(map(len, members)) > config.set_max_listpack_value
        or integer_of(members[0]) is not None
    ):
        return SetValue.collected(members, config)
    value = SetValue()
    value._data = pack_list(members)
    return value


def new_intset(numbers: IntSet, config: Config) -> SetValue:
    """A set of integers, which are in order."""
    if len(numbers) > config.set_max_intset_entries:
        return SetValue.collected([b"%d" % number for number in numbers], config)
    value = SetValue()
    value._data = numbers
    return value


def new_zset(members: list[bytes], scores: list[Any], config: Config) -> ZSetValue:
    """A sorted set; its scores are floats, or all of them short integers. Raises Malformed."""
    count = len(members)
    if count != len(scores):
        raise Malformed("a member without a score")
    if len(set(members)) != count:
        raise Malformed("an element is there twice")
    entries = list(zip(scores, members, strict=True))
    if (
        count > min(config.zset_max_listpack_entries, REST_MAX)
        or max(map(len, members)) > config.zset_max_listpack_value
        or not all(map(lt, entries, entries[1:]))
    ):
        return ZSetValue.of(dict(zip(members, map(float, scores), strict=True)), config)
    value = ZSetValue()
    flat: list[Any] = members * 2
    flat[::2] = members
    flat[1::2] = scores
    value._packed, value._count = pack_list(flat), count
    value._scores, value._order = _NO_SCORES, _NO_ORDER
    return value


def new_hash(pairs: list[bytes], config: Config) -> HashValue:
    """A hash from fields and values in turn. Raises Malformed."""
    words = iter(pairs)
    try:
        fields = dict(zip(words, words, strict=True))
    except ValueError:
        raise Malformed("a field without a value") from None
    count = len(fields)
    if 2 * count != len(pairs):
        raise Malformed("a field is there twice")
    if count > config.hash_max_listpack_entries or max(map(len, pairs)) > config.hash_max_listpack_value:
        return HashValue.of(pairs, config)
    value = HashValue()
    value._data = pack_map(fields)
    return value
