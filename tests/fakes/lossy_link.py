"""A way to a PostgreSQL that breaks around a commit, as a network does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import Enum
from pathlib import Path

COMMIT = b"COMMIT\0"
SOCKET_NAME = ".s.PGSQL.5432"


class Break(Enum):
    """Where the link breaks when a commit passes."""

    BEFORE_COMMIT = "the server never hears of the commit"
    AFTER_COMMIT = "the server commits and its answer is lost"


class LossyLink:
    """Forwards between a socket of its own and the server's; breaks as it is told, once each time."""

    def __init__(self, server: Path) -> None:
        self._server = server / SOCKET_NAME
        self._break: Break | None = None
        self._stays_down = False
        self.broken = 0

    def break_next_commit(self, where: Break, *, stay_down: bool = False) -> None:
        self._break, self._stays_down = where, stay_down

    def repair(self) -> None:
        self._break, self._stays_down = None, False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stays_down and self._break is None:
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_unix_connection(self._server)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._upwards(reader, server_writer))
                group.create_task(_copy(server_reader, writer))
        except* (ConnectionError, _Broken):
            pass
        finally:
            for one in (writer, server_writer):
                one.close()
                with contextlib.suppress(ConnectionError):
                    await one.wait_closed()

    async def _upwards(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while sent := await reader.read(65_536):
            if self._break is not None and COMMIT in sent:
                where, self._break = self._break, None
                self.broken += 1
                if where is Break.AFTER_COMMIT:
                    # Without a turn of the loop in between, so no answer gets through; the server
                    # carries out what it was sent before it sees the end.
                    server.write(sent)
                    server.write_eof()
                raise _Broken
            server.write(sent)
            await server.drain()
        raise _Broken


class _Broken(Exception):
    """The link is cut."""


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while received := await reader.read(65_536):
        writer.write(received)
        await writer.drain()
    raise _Broken


@contextlib.asynccontextmanager
async def lossy_link(server: Path, folder: Path) -> AsyncIterator[LossyLink]:
    """A link to the server whose socket lies in `server`, offered in `folder`."""
    link = LossyLink(server)
    listener = await asyncio.start_unix_server(link.accept, folder / SOCKET_NAME)
    try:
        yield link
    finally:
        listener.close()
        await listener.wait_closed()
