# SPDX-License-Identifier: Apache-2.0
"""The messages of transfers through FastStream, used as its manual has it.

A subscriber with a channel of its own, and a publisher for each recipient on the broker's channel.
It would write two lines to the log for each message unless told otherwise, and is: nobody else
writes any. `python -m harness.bench.plain_faststream FILE` is one process.

FastStream is a dependency of development only, and nothing but this module imports it.

Elsewhere: what it carries (`plain`).
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from faststream import AckPolicy
from faststream.rabbit import (
    Channel,
    ExchangeType,
    QueueType,
    RabbitBroker,
    RabbitExchange,
    RabbitQueue,
)

from harness.bench.part import Part
from harness.bench.plain import Publish, Take, carry, prefetch
from runtime.definitions import EXCHANGE, inbox_queue


@asynccontextmanager
async def link(part: Part, take: Take) -> AsyncIterator[Publish]:
    """A `harness.bench.plain.Link`."""
    channel = Channel(publisher_confirms=True, on_return_raises=True)
    broker = RabbitBroker(part.broker, default_channel=channel, logger=None)
    # Both are there already, as for every variant, and are not declared again.
    exchange = RabbitExchange(EXCHANGE, type=ExchangeType.TOPIC, durable=True, declare=False)
    inbox = RabbitQueue(inbox_queue(part.participant), queue_type=QueueType.QUORUM, declare=False)
    publishers = {
        to: broker.publisher(routing_key=to, exchange=exchange, persist=True)
        for to in {key.split(" ")[1] for key in part.sizes}
    }

    @broker.subscriber(
        inbox,
        channel=Channel(prefetch_count=prefetch(part)),
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def arrived(body: bytes) -> None:
        await take(body)

    async def publish(to: str, body: bytes) -> object:
        return await publishers[to].publish(body)

    async with broker:
        await broker.start()
        yield publish


if __name__ == "__main__":
    asyncio.run(carry(sys.argv[1], link))
