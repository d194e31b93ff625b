"""Fixtures of several integration tests."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

SERVICE = """
import asyncio, sys
from ucoder.cli.shared.embedded_services import consensus_service

async def main():
    async with consensus_service(None, cells=1) as address:
        print(address, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The address of a consensus service in a process of its own, which ends when its standard input is closed."""
    command = [sys.executable, "-c", SERVICE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address, "the service did not start"
            yield address
        finally:
            process.stdin.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
