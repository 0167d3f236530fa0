# SPDX-License-Identifier: Apache-2.0
"""The messages of transfers through aio-pika alone, used as its manual has it.

A robust connection with a channel to publish on and one to consume from. `python -m
harness.bench.plain_aio_pika FILE` is one process.

Elsewhere: what it carries (`plain`); how our own programs use the library (`runtime.amqp`).
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from harness.bench.part import Part
from harness.bench.plain import Publish, Take, carry, prefetch
from runtime.definitions import EXCHANGE, inbox_queue


@asynccontextmanager
async def link(part: Part, take: Take) -> AsyncIterator[Publish]:
    """A `harness.bench.plain.Link`."""
    async with await aio_pika.connect_robust(part.broker) as connection:
        outgoing = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await outgoing.get_exchange(EXCHANGE)
        incoming = await connection.channel()
        await incoming.set_qos(prefetch_count=prefetch(part))
        inbox = await incoming.get_queue(inbox_queue(part.participant))

        async def arrived(message: AbstractIncomingMessage) -> None:
            async with message.process(requeue=True):
                await take(message.body)

        async def publish(to: str, body: bytes) -> object:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            return await exchange.publish(message, routing_key=to)

        await inbox.consume(arrived)
        yield publish


if __name__ == "__main__":
    asyncio.run(carry(sys.argv[1], link))
