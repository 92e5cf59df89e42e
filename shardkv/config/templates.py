"""Templates with ``{names}`` to fill in; ``{{`` stands for a brace."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

_PLACE: Final = re.compile(r"\{(?:(\{)|([^{}]*)\})?")


def is_valid(template: str, names: Collection[str]) -> bool:
    """Whether a template asks for these names only, and every brace that opens is closed."""
    return bool(template) and all(found[1] or found[2] in names for found in _PLACE.finditer(template))


def filled(template: str, parts: Mapping[str, str]) -> str:
    """The text of a valid template."""
    return _PLACE.sub(lambda found: found[1] or parts[found[2]], template)
