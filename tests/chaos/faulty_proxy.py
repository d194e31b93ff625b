"""A TCP proxy between our services and one server, whose connections can be cut, delayed or refused."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

CHUNK = 1 << 16


class FaultyProxy:
    """Passes everything on to the port `target` of this machine. Clients connect to `port`."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, 0
        self.delay = 0.0
        """Seconds by which every chunk of bytes is delayed."""
        self.refusing = False
        """True: new connections are closed at once."""
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, target: int) -> AsyncIterator["FaultyProxy"]:
        """Listens on a free loopback port while the block runs."""
        proxy = cls(target)
        server = await asyncio.start_server(proxy._connect, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            proxy.cut()
            await server.wait_closed()

    def cut(self) -> None:
        """Aborts every connection, as an unplugged cable does: the bytes under way are lost."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._writers.add(to_client)
        try:
            if self.refusing:
                return
            server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(to_server)
            try:
                await asyncio.gather(self._copy(client, to_server), self._copy(server, to_client))
            finally:
                self._writers.discard(to_server)
                to_server.transport.abort()
        except OSError:
            pass
        finally:
            self._writers.discard(to_client)
            to_client.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
        writer.close()
