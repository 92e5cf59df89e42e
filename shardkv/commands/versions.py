"""Which Redis this is compatible with, and which shardkv it is.

Clients switch features on by the server's name and version (redis-py's client-side cache wants 7.4.0), so both stand
for Redis; our own version has a field beside them in INFO.
"""

from __future__ import annotations

from typing import Final

REDIS_VERSION: Final = "7.4.0"
SHARDKV_VERSION: Final = "0.1.0"
