# SPDX-License-Identifier: Apache-2.0
"""One life of a participant's link to RabbitMQ: made, used until something breaks, and left.

Two connections: one reads, one writes. A broker short of memory stops reading from whoever
publishes; were acknowledgements on the same connection, nobody could empty a queue any more.

Rules this module keeps:

- Either connection lost, the consuming channel closed or the consumer cancelled ends the link.
  Nothing is repaired inside a link; `runtime/amqp.py` makes a new one.
- Nothing is created at the broker. Exchanges and queues are looked for before anything is sent.
- Every step has a time limit, leaving included, and raises only `Unavailable`.
"""

import asyncio
import contextlib
from collections.abc import Callable

import aio_pika

from runtime.amqp_inbox import Inbox
from runtime.amqp_publish import Publisher
from runtime.amqp_wire import Wire, connect, in_time, is_blocked, wire_of
from runtime.broker import BrokerSettings
from runtime.definitions import DEAD_EXCHANGE, EXCHANGE, dead_queue, inbox_queue
from runtime.errors import Unavailable

__all__ = ["Link"]


class Link:
    """Two connections, an inbox (unless draining) and a publisher. Made by `Link.open`."""

    publisher: Publisher
    inbox: Inbox | None = None

    def __init__(self, participant: str, settings: BrokerSettings) -> None:
        self.participant = participant
        self.ended = asyncio.Event()
        self.reason = ""
        self._settings = settings
        self._connections: list[aio_pika.Connection] = []

    @classmethod
    async def open(
        cls,
        participant: str,
        settings: BrokerSettings,
        *,
        base: int,
        wake: Callable[[], None],
        consume: bool,
    ) -> "Link":
        """Connects, checks that everything is there, and starts consuming if asked to.

        Arrivals' tags begin above `base`; `wake` is called at each. Raises `Unavailable`.
        """
        link = cls(participant, settings)
        try:
            async with asyncio.timeout(settings.connect_timeout_seconds):
                await link._connect(base, wake, consume=consume)
        except TimeoutError:
            await link.close()
            raise Unavailable(f"no link in {settings.connect_timeout_seconds:g} s") from None
        except BaseException:
            await link.close()
            raise
        return link

    async def _connect(self, base: int, wake: Callable[[], None], *, consume: bool) -> None:
        reading = await self._connection("reads")
        await self._look_for_everything(reading)
        writing = await self._connection("writes")
        self.publisher = Publisher(writing, self.participant, self._settings)
        await self.publisher.open()
        if consume:
            opening = reading.channel(publisher_confirms=False)
            channel = await in_time(opening, self._settings.call_timeout_seconds)
            channel.closing.add_done_callback(lambda _: self.end("the inbox's channel was closed"))
            channel.on_consumer_cancel_callbacks.add(
                lambda _: self.end("the broker has stopped deliveries; is the queue still there?")
            )
            self.inbox = Inbox(channel, base, self._settings, wake)
            await self.inbox.consume(inbox_queue(self.participant))

    async def _connection(self, what: str) -> Wire:
        connection = await connect(self._settings, f"{self.participant} {what}")
        self._connections.append(connection)
        wire = wire_of(connection)
        wire.closing.add_done_callback(lambda _: self.end(f"the connection that {what} was lost"))
        return wire

    async def _look_for_everything(self, wire: Wire) -> None:
        """Raises `Unavailable` naming what is missing. A failed look closes its channel."""
        seconds = self._settings.call_timeout_seconds
        channel = await in_time(wire.channel(publisher_confirms=False), seconds)
        try:
            for exchange in (EXCHANGE, DEAD_EXCHANGE):
                await in_time(channel.exchange_declare(exchange, passive=True), seconds)
            for queue in (inbox_queue(self.participant), dead_queue(self.participant)):
                await in_time(channel.queue_declare(queue, passive=True), seconds)
        except Unavailable as error:
            raise Unavailable(
                f"{error}; the broker's definitions have to be made from the directory and applied"
            ) from error
        await in_time(channel.close(), seconds)

    @property
    def reading(self) -> Wire:
        """The reading connection. Raises `Unavailable` when it is gone."""
        return wire_of(self._connections[0])

    @property
    def blocked(self) -> bool:
        """Whether the broker takes no parcels for now."""
        with contextlib.suppress(Unavailable):
            return is_blocked(wire_of(self._connections[1]))
        return False

    def end(self, reason: str) -> None:
        """Says that this link is of no more use; the first reason stays."""
        if not self.ended.is_set():
            self.reason = reason
            self.ended.set()

    async def close(self) -> None:
        """Lets acknowledgements out and leaves, within the time limit of a call; never fails."""
        self.end("closed")
        with contextlib.suppress(Unavailable):
            await in_time(self._leave(), self._settings.call_timeout_seconds)

    async def _leave(self) -> None:
        try:
            if self.inbox is not None:
                # The answer to this closing comes after every acknowledgement before it was read.
                await self.inbox.channel.close()
        finally:
            await asyncio.gather(*(connection.close() for connection in self._connections))
