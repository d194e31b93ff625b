"""A TCP connection that can be cut, held up, or refused: a proxy between our services and one server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

CHUNK = 1 << 16


class Link:
    """Passes everything on to `target` until told otherwise. `port` is where our side connects."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, 0
        self.delay = 0.0
        self.refusing = False
        self._ends: set[asyncio.StreamWriter] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, target: int) -> AsyncIterator["Link"]:
        """Listens on a free loopback port while the block runs."""
        link = cls(target)
        server = await asyncio.start_server(link._pass, "127.0.0.1", 0)
        link.port = server.sockets[0].getsockname()[1]
        try:
            yield link
        finally:
            server.close()
            link.cut()
            await server.wait_closed()

    def cut(self) -> None:
        """Ends every connection as a cable that is pulled does: whatever is under way is lost."""
        for end in self._ends:
            end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            if self.refusing:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._ends.add(back)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                self._ends.discard(back)
                back.transport.abort()
        except OSError:
            pass
        finally:
            self._ends.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
        writer.close()
