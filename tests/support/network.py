"""A TCP proxy on the loopback that is far away: it delays, throttles, counts, stalls and cuts what passes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK: Final = 64 * 1024
LOOPBACK: Final = "127.0.0.1"


@dataclass
class Line:
    """A line to a server, and what has passed on it; settings count from the next chunk on.

    Attributes:
        port: of the loopback; what goes there comes out at the server.
        delay_s: one way, each way.
        bytes_per_s: each way; 0: as fast as it goes.
        refuse: close new connections at once.
        refuse_next: so many more, then no more.
        up: bytes that went to the server.
        down: bytes that came from it.
        connections: that were made.
        refused: those that were closed at once.
    """

    port: int = 0
    delay_s: float = 0.0
    bytes_per_s: int = 0
    refuse: bool = False
    refuse_next: int = 0
    up: int = 0
    down: int = 0
    connections: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def stall(self) -> None:
        """Let nothing pass, but keep the connections."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        """Let pass again."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def cut(self) -> None:
        """End all connections now, as a cable that is pulled."""

        def abort() -> None:
            for writer in list(self._open):
                writer.transport.abort()

        self._loop.call_soon_threadsafe(abort)

    def reset_counts(self) -> None:
        """Count from nothing."""
        self.up = self.down = self.connections = self.refused = 0


@contextlib.contextmanager
def line_to(port: int, *, delay_s: float = 0.0, bytes_per_s: int = 0) -> Iterator[Line]:
    """A line to a port of the loopback, with a port of its own."""
    line = Line(delay_s=delay_s, bytes_per_s=bytes_per_s)
    ready = threading.Event()
    loop = line._loop
    thread = threading.Thread(target=_serve, args=(loop, line, port, ready), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield line
    finally:
        line.cut()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _serve(loop: asyncio.AbstractEventLoop, line: Line, port: int, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _connection(line, port, reader, writer)

    server = loop.run_until_complete(asyncio.start_server(connected, LOOPBACK, 0))
    line.port = server.sockets[0].getsockname()[1]
    ready.set()
    loop.run_forever()
    server.close()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


async def _connection(line: Line, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if line.refuse or line.refuse_next > 0:
        line.refuse_next -= line.refuse_next > 0
        line.refused += 1
        writer.transport.abort()
        return
    line.connections += 1
    try:
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        writer.transport.abort()
        return
    line._open |= {writer, far_writer}
    try:
        await asyncio.gather(_pump(line, reader, far_writer, "up"), _pump(line, far_reader, writer, "down"))
    finally:
        line._open -= {writer, far_writer}
        writer.transport.abort()
        far_writer.transport.abort()


async def _pump(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
    """Bytes one way: read at once, written when their time has come, so that a delay does not lower the throughput."""
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
    loop = asyncio.get_running_loop()

    async def deliver() -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await line._flowing.wait()
            if line.bytes_per_s:
                await asyncio.sleep(len(data) / line.bytes_per_s)
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            setattr(line, way, getattr(line, way) + len(data))

    async def take() -> None:
        data = b"-"
        while data:
            data = await reader.read(_CHUNK)
            await queue.put((loop.time() + line.delay_s, data))

    with contextlib.suppress(OSError, RuntimeError):
        async with asyncio.TaskGroup() as group:
            group.create_task(deliver())
            group.create_task(take())
