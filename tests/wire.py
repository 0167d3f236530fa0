# SPDX-License-Identifier: Apache-2.0
"""A wire to a server that a test can cut and mend: a relay of TCP connections."""

import asyncio
from contextlib import suppress

__all__ = ["Wire"]


class Wire:
    """Listens on a port of its own and passes on what is said to a server, while it is whole."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._ends: set[asyncio.StreamWriter] = set()
        self._whole = True
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def lay(self) -> int:
        """Open the port; gives its number."""
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """Every connection is lost, and none comes about."""
        self._whole = False
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        self._whole = True

    async def close(self) -> None:
        self.cut()
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._ends.add(sink)
            task = asyncio.create_task(self._pass(source, sink))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.transport.abort()
        self._ends.discard(sink)
