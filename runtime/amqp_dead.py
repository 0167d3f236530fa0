# SPDX-License-Identifier: Apache-2.0
"""Dead letters at RabbitMQ: what a copy carries, and how an operator looks at and removes them.

A dead letter is the arrival's body byte for byte, with the reason in headers of ours. It is
published by the participant itself, so AMQP's `user_id` is the participant's own; who had sent the
arrival stands in a header, as the broker had checked it then.

Looking takes letters without acknowledging them and gives them back by closing the channel, so
RabbitMQ marks them redelivered; nothing else changes.
"""

from collections.abc import Sequence

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from runtime.amqp_inbox import text_headers
from runtime.amqp_wire import Wire, in_time
from runtime.broker import NAME_BYTES_MAX, Arrival, DeadLetter, Parcel, cut
from runtime.definitions import dead_queue

__all__ = ["dead_letter", "discard", "look"]

REASON = "x-a6hub-reason"
DETAIL = "x-a6hub-detail"
SENDER = "x-a6hub-sender"

DISCARD_LOOKED_AT_MAX = 10_000
"""Letters looked through for those to be removed; there is no index by content."""


def dead_letter(
    participant: str, arrival: Arrival, properties: Basic.Properties, reason: str, detail: str
) -> Parcel:
    """The copy of an arrival that goes to the participant's own dead-letter queue."""
    assert reason
    assert len(reason.encode()) <= NAME_BYTES_MAX
    headers = {REASON: reason, DETAIL: cut(detail)}
    if arrival.sender is not None:
        headers[SENDER] = arrival.sender
    return Parcel(
        to=participant,
        body=arrival.body,
        message_id=properties.message_id or f"arrival-{arrival.tag}",
        type=properties.message_type or "",
        correlation_id=properties.correlation_id,
        headers=headers,
    )


async def look(wire: Wire, participant: str, most: int, seconds: float) -> list[DeadLetter]:
    """The oldest dead letters, left where they are. Raises `Unavailable`."""
    channel = await in_time(wire.channel(publisher_confirms=False), seconds)
    try:
        found: list[DeadLetter] = []
        while len(found) < most and (message := await _next(channel, participant, seconds)):
            found.append(_letter(message))
        return found
    finally:
        await in_time(channel.close(), seconds)


async def discard(
    wire: Wire, participant: str, letters: Sequence[DeadLetter], seconds: float
) -> int:
    """Removes one letter for each of these that is found among the oldest. Raises `Unavailable`."""
    wanted = list(letters)
    channel = await in_time(wire.channel(publisher_confirms=False), seconds)
    try:
        for _ in range(DISCARD_LOOKED_AT_MAX):
            message = await _next(channel, participant, seconds) if wanted else None
            if message is None:
                break
            letter = _letter(message)
            if letter in wanted and message.delivery_tag is not None:
                wanted.remove(letter)
                await in_time(_acknowledge(channel, message.delivery_tag), seconds)
    finally:
        await in_time(channel.close(), seconds)
    return len(letters) - len(wanted)


async def _next(
    channel: AbstractChannel, participant: str, seconds: float
) -> DeliveredMessage | None:
    message = await in_time(channel.basic_get(dead_queue(participant)), seconds)
    return message if isinstance(message.delivery, Basic.GetOk) else None


async def _acknowledge(channel: AbstractChannel, tag: int) -> None:
    await channel.basic_ack(tag)


def _letter(message: DeliveredMessage) -> DeadLetter:
    headers = text_headers(message.header.properties.headers or {})
    return DeadLetter(
        body=message.body,
        sender=headers.get(SENDER),
        message_id=message.header.properties.message_id,
        reason=headers.get(REASON, ""),
        detail=headers.get(DETAIL, ""),
    )
