# SPDX-License-Identifier: Apache-2.0
"""What RabbitMQ has delivered and we have not acknowledged, on one channel.

Rules this module keeps:

- Arrivals wait here in the order of delivery until they are taken; their number is bounded by the
  channel's prefetch.
- An acknowledgement goes out as "everything up to here" as far as that is true, counting what is
  still waiting or in work, and one by one beyond that. So batches may be acknowledged in any order.
- Tags go on from `base`, where the channel before left off, so a tag names one arrival for as long
  as the process lives and one of a lost channel can be told.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from aiormq.abc import AbstractChannel, ChannelFrame, DeliveredMessage
from pamqp.commands import Basic

from runtime.amqp_wire import in_time
from runtime.broker import HEADERS_BYTES_MAX, Arrival, BrokerSettings
from runtime.errors import Unavailable

__all__ = ["Inbox", "text_headers"]


class Inbox:
    """The consuming side of one link."""

    def __init__(
        self,
        channel: AbstractChannel,
        base: int,
        settings: BrokerSettings,
        wake: Callable[[], None],
    ) -> None:
        self.channel = channel
        self.base = base
        self._last = base
        self._settings = settings
        self._wake = wake
        self._waiting: deque[Arrival] = deque()
        self._unacknowledged: dict[int, Basic.Properties] = {}  # in order of delivery
        self._consumer: str | None = None
        self._turn = asyncio.Lock()

    @property
    def last(self) -> int:
        """The highest tag so far: where the next channel's tags begin."""
        return self._last

    async def consume(self, queue: str) -> None:
        """Starts deliveries. Raises `Unavailable`."""
        seconds = self._settings.call_timeout_seconds
        await in_time(self.channel.basic_qos(prefetch_count=self._settings.prefetch), seconds)
        started = await in_time(self.channel.basic_consume(queue, self._deliver), seconds)
        self._consumer = started.consumer_tag

    async def cancel(self) -> None:
        """Stops deliveries; what waits here is not handed out any more, and goes back when the
        channel is closed. Raises `Unavailable`.
        """
        self._waiting.clear()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            cancelling = self.channel.basic_cancel(consumer)
            await in_time(cancelling, self._settings.call_timeout_seconds)
            self._waiting.clear()

    async def _deliver(self, message: DeliveredMessage) -> None:
        # The library starts a task per message, in order. This one never awaits, so order holds.
        assert isinstance(message.delivery, Basic.Deliver)
        assert message.delivery.delivery_tag is not None
        properties = message.header.properties
        self._last = self.base + message.delivery.delivery_tag
        self._unacknowledged[self._last] = properties
        self._waiting.append(
            Arrival(
                tag=self._last,
                body=message.body,
                sender=properties.user_id,
                redelivered=bool(message.delivery.redelivered),
                message_id=properties.message_id,
                headers=text_headers(properties.headers or {}),
            )
        )
        self._wake()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self, most: int) -> list[Arrival]:
        """The first arrivals waiting, up to `most`."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def properties(self, tag: int) -> Basic.Properties | None:
        """As they came; None when the tag is acknowledged, or of another channel."""
        return self._unacknowledged.get(tag)

    async def acknowledge(self, tags: Collection[int]) -> None:
        """Acknowledges those of these tags that are this channel's and still open.

        Returns when they are queued for writing. Raises `Unavailable`.
        """
        async with self._turn:
            mine = sorted(tag for tag in set(tags) if tag in self._unacknowledged)
            if mine:
                await self._write(self._acknowledgements(mine))
            for tag in mine:
                del self._unacknowledged[tag]

    async def give_back(self, tag: int) -> None:
        """Has the broker hand an arrival out again. Raises `Unavailable`."""
        async with self._turn:
            if tag in self._unacknowledged:
                await self._write([Basic.Nack(delivery_tag=tag - self.base, requeue=True)])
                del self._unacknowledged[tag]

    async def _write(self, frames: Iterable[Basic.Ack | Basic.Nack]) -> None:
        message = ChannelFrame.marshall(self.channel.number, frames)
        try:
            async with asyncio.timeout(self._settings.call_timeout_seconds):
                await self.channel.connection.write_queue.put(message)
        except TimeoutError:
            raise Unavailable("the connection takes no acknowledgements") from None

    def _acknowledgements(self, mine: Sequence[int]) -> Iterator[Basic.Ack]:
        # One message with all of them: naming a tag that is gone already closes the channel.
        own = set(mine)
        first_open = next((tag for tag in self._unacknowledged if tag not in own), self._last + 1)
        together = [tag for tag in mine if tag < first_open]
        if together:
            yield Basic.Ack(delivery_tag=together[-1] - self.base, multiple=True)
        for tag in mine[len(together) :]:
            yield Basic.Ack(delivery_tag=tag - self.base, multiple=False)


def text_headers(headers: Mapping[str, object]) -> dict[str, str]:
    """Those headers that are text, as long as they stay within 4 KiB together."""
    kept: dict[str, str] = {}
    room = HEADERS_BYTES_MAX
    for name, value in headers.items():
        if isinstance(value, str):
            room -= len(name.encode()) + len(value.encode())
            if room < 0:
                break
            kept[name] = value
    return kept
