"""What specifications are written with: an engine in this process and its clients."""

from __future__ import annotations

import pytest

from tests.support.engine_client import EngineClient


@pytest.fixture
def kv() -> EngineClient:
    """A client of a new engine."""
    return EngineClient()


@pytest.fixture
def other(kv: EngineClient) -> EngineClient:
    """A second client of the same engine."""
    return kv.other()
