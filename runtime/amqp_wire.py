# SPDX-License-Identifier: Apache-2.0
"""A plain aio-pika connection that a stranger's message cannot break, and calls that end in time.

Message properties are set by whoever publishes. The client library decodes them while it reads
from the socket, and when it cannot (a `message_id` that is not UTF-8, headers nested a thousand
deep) it drops the connection. The message then goes back to the head of the queue and breaks the
next connection, for ever: one participant could silence another, the hub included, with one
message. So the properties are tried first, and those that cannot be decoded are blanked; the body
arrives all the same, and is judged by its signature like any other.

The library also reports a lost connection in many ways, one of them a `CancelledError` that looks
as if the caller itself were cancelled. `in_time` makes `Unavailable` of all of them.

Deliberately elsewhere: everything about connecting, losing and repeating (`runtime/amqp.py`).
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import aio_pika
import aiormq
import pamqp.frame
from aio_pika.abc import ConnectionParameter
from aiormq.connection import TCPTransportFactory, TLSTransportFactory
from yarl import URL

from runtime.broker import BrokerSettings
from runtime.errors import Unavailable

__all__ = ["Wire", "address", "blank_if_undecodable", "connect", "in_time", "is_blocked", "wire_of"]

T = TypeVar("T")

Wire = aiormq.abc.AbstractConnection
"""A connection as the library below aio-pika has it; its channels cost far less per message."""

FRAME_HEADER_BYTES: Final = 7  # type, channel, size of the payload
CONTENT_HEADER: Final = 2
# In a content header: class and weight (2 + 2 bytes), size of the body (8), flags (2), properties.
FLAGS: Final = slice(12, 14)


class _Reader:
    """The part of `asyncio.StreamReader` that the library uses, a frame at a time."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._header = b""

    def at_eof(self) -> bool:
        return self._stream.at_eof()

    async def readexactly(self, count: int) -> bytes:
        # The library reads 1 byte, 6 more, then the payload and its end mark in one go.
        part = await self._stream.readexactly(count)
        if len(self._header) < FRAME_HEADER_BYTES:
            self._header += part
            return part
        header, self._header = self._header, b""
        return blank_if_undecodable(header, part) if header[0] == CONTENT_HEADER else part


def blank_if_undecodable(header: bytes, payload: bytes) -> bytes:
    """The payload of a content header frame, with the flags of all properties cleared if decoding
    them fails. The size stays, because the frame's header has been passed on already.
    """
    try:
        pamqp.frame.unmarshal(header + payload)
    except Exception:  # noqa: BLE001 - whatever a decoder makes of a stranger's bytes
        return payload[: FLAGS.start] + bytes(2) + payload[FLAGS.stop :]
    return payload


class _Transport(aiormq.TransportFactory):
    async def create(self, url: URL, **options: Any) -> Any:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **options)
        return _Reader(reader), writer


class _Connection(aio_pika.Connection):
    # aio-pika passes to the library below only the parameters that it knows.
    PARAMETERS = (
        *aio_pika.Connection.PARAMETERS,
        ConnectionParameter(
            name="transport_factory",
            parser=lambda _: _Transport(),
            default="blanking",
            is_kwarg=True,
        ),
    )


async def in_time(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Runs a call of the library; raises `Unavailable` when it fails or takes longer than this.

    It runs in a task of its own, so that only a real cancellation of ours reaches the caller.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()  # does nothing to one that is done
    if not task.done():
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        raise Unavailable(f"no answer within {seconds:.1f} s")
    if task.cancelled():
        raise Unavailable("the connection was lost")
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, Unavailable | AssertionError):
        raise error
    raise Unavailable(f"{type(error).__name__}: {error}") from error


async def connect(settings: BrokerSettings, name: str) -> aio_pika.Connection:
    """Opens a connection that does not reconnect by itself; `name` is what operators see.

    Raises `Unavailable`, with the address but never with the password.
    """
    opening = aio_pika.connect(
        settings.url,
        heartbeat=settings.heartbeat_seconds,
        client_properties={"connection_name": name},
        connection_class=_Connection,
    )
    try:
        return await in_time(opening, settings.connect_timeout_seconds)
    except Unavailable as error:
        raise Unavailable(f"{address(settings.url)}: {error}") from error


def address(url: str) -> str:
    """Where a URL of AMQP leads, without user and password; another one raises `ValueError`."""
    parts = URL(url)
    if parts.scheme not in ("amqp", "amqps") or not parts.host:
        raise ValueError("the broker's URL is amqp://… or amqps://… and has a host")
    return f"{parts.scheme}://{parts.host}:{parts.port or 'default'}{parts.path}"


def wire_of(connection: aio_pika.abc.AbstractConnection) -> Wire:
    """The open connection below; raises `Unavailable` when it is gone."""
    if connection.transport is None:
        raise Unavailable("the connection is closed")
    return connection.transport.connection


def is_blocked(wire: Wire) -> bool:
    """Whether the broker has said that it takes no parcels for now (`connection.blocked`).

    `ready()` is the one public sign of it: it waits while the connection is blocked, and only then.
    """
    waiting = wire.ready()
    try:
        waiting.send(None)
    except StopIteration:
        return False
    waiting.close()
    return True
