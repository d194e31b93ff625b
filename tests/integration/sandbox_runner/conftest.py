"""A sandbox with real cells for each kind of isolation that works on this machine."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ucoder.sandbox_runner.isolation.choice import probe
from ucoder.sandbox_runner.sandbox import Sandbox

USABLE = [name for name, usable, _ in probe() if usable and name != "none"]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=USABLE)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with Sandbox.open(isolation=request.param, cells=2) as opened:
        yield opened
