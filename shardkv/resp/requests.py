"""Words into the bytes of a request: the one form in which logs, replicas and peers are sent commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from hiredis import pack_command

#: The array of bulk strings that these words make. In C; its published types are narrower than what it takes.
pack_request: Final = cast("Callable[[tuple[bytes, ...]], bytes]", pack_command)
