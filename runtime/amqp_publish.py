# SPDX-License-Identifier: Apache-2.0
"""Pipelined publishing over RabbitMQ: a window of parcels in one write, confirms awaited together.

Rules this module keeps:

- One window at a time is unconfirmed. If its confirms do not come in time nothing more is written
  until they do, so that a broker that has stopped reading cannot fill our memory.
- A parcel counts as confirmed by the broker's own `basic.ack` for it, and not if it was returned as
  unroutable before that.
- RabbitMQ answers a parcel that it does not permit by closing the channel, and what was in flight
  on it is unknown. So that one such parcel does not hold up everybody's for ever, the window is
  then repeated recipient by recipient, and the one whose parcels close the channel again is left
  out for `refusal_seconds`. This does not read the broker's words.

Deliberately elsewhere: waiting for the link, and losing it (`runtime/amqp.py`).
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import aiormq
from aiormq.abc import ChannelFrame, FrameType
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from runtime.amqp_wire import Wire, in_time, is_blocked
from runtime.broker import BrokerSettings, Parcel
from runtime.errors import Unavailable

__all__ = ["Publisher"]

WINDOW_BYTES_MAX: Final = 4 * 2**20
"""Of bodies in one write, unless a single one is larger; more would only lie in buffers."""

PERSISTENT: Final = 2


class Publisher:
    """The publishing side of one connection; not for several tasks at a time."""

    last_error: str | None = None
    """Why the latest call gave a False, where it is known."""

    def __init__(self, wire: Wire, participant: str, settings: BrokerSettings) -> None:
        self._wire = wire
        self._participant = participant
        self._settings = settings
        self._clock = asyncio.get_running_loop().time
        self._channel: aiormq.Channel | None = None
        self._unconfirmed: set[asyncio.Future[object]] = set()
        self._written_at = 0.0
        self._refused: dict[tuple[str, str], float] = {}

    async def open(self) -> None:
        """Opens the channel, so that what cannot work shows before anything is published."""
        await self._open_channel(self._settings.call_timeout_seconds)

    async def publish(self, exchange: str, parcels: Sequence[Parcel], until: float) -> list[bool]:
        """Publishes until the loop's time `until`; True where confirmed and routed."""
        confirmed = [False] * len(parcels)
        self.last_error = None
        try:
            for window in _windows(parcels, self._settings.publish_window):
                await self._settle(exchange, parcels, window, confirmed, until)
        except Unavailable as error:
            self.last_error = str(error)
        return confirmed

    @property
    def stuck(self) -> bool:
        """Whether confirms are missing for so long that a new connection is the better hope."""
        patience = 2 * self._settings.publish_timeout_seconds
        return self._overdue() and self._clock() - self._written_at > patience

    def _overdue(self) -> bool:
        return any(not confirm.done() for confirm in self._unconfirmed)

    async def _settle(
        self,
        exchange: str,
        parcels: Sequence[Parcel],
        window: Sequence[int],
        confirmed: list[bool],
        until: float,
    ) -> None:
        """Publishes the parcels of these indexes; finds out which recipient is refused, if any."""
        now = self._clock()
        window = [i for i in window if self._refused.get((exchange, parcels[i].to), 0) <= now]
        if not window or await self._attempt(exchange, parcels, window, confirmed, until):
            return
        recipients = dict.fromkeys(parcels[i].to for i in window if not confirmed[i])
        for to in recipients:
            own = [i for i in window if parcels[i].to == to and not confirmed[i]]
            alone = len(recipients) == 1
            if alone or not await self._attempt(exchange, parcels, own, confirmed, until):
                self._refused[exchange, to] = self._clock() + self._settings.refusal_seconds

    async def _attempt(
        self,
        exchange: str,
        parcels: Sequence[Parcel],
        window: Sequence[int],
        confirmed: list[bool],
        until: float,
    ) -> bool:
        """Writes these parcels at once and waits for their confirms.

        False when the broker closed the channel over them. Raises `Unavailable` when there is no
        going on: time is up, the connection is lost or blocked.
        """
        channel = await self._ready_channel(until)
        frames = [frame for i in window for frame in self._frames(exchange, parcels[i], channel)]
        message = ChannelFrame.marshall(channel.number, frames)
        names = [parcels[i].message_id for i in window]
        try:
            async with asyncio.timeout_at(until):
                await self._wire.write_queue.put(message)
                # No await between the queue and this: the count of tags is the broker's.
                confirms = _expect(channel, names)
        except TimeoutError:
            raise Unavailable("the connection takes no more") from None
        self._unconfirmed = set(confirms)
        self._written_at = self._clock()
        try:
            await asyncio.wait(confirms, timeout=max(0.0, until - self._clock()))
        finally:
            for name in names:
                channel.message_id_delivery_tag.pop(name, None)
        for i, confirm in zip(window, confirms, strict=True):
            confirmed[i] = _is_acknowledged(confirm)
            if not confirmed[i] and self.last_error is None:
                self.last_error = _words(confirm)
        if not channel.is_closed:
            if self._overdue():
                raise Unavailable("the broker has not confirmed in time")
            return True
        self._channel = None
        if self._wire.is_closed:
            raise Unavailable("the connection was lost")
        self.last_error = _reason(channel)
        return False

    async def _ready_channel(self, until: float) -> aiormq.Channel:
        if is_blocked(self._wire):
            raise Unavailable("the broker takes no parcels: its memory or disk is short")
        if self._unconfirmed:
            await asyncio.wait(self._unconfirmed, timeout=max(0.0, until - self._clock()))
            if self._overdue():
                raise Unavailable("the broker has not confirmed what was published before")
        if self._clock() >= until:
            raise Unavailable("no time left")
        return await self._open_channel(until - self._clock())

    async def _open_channel(self, seconds: float) -> aiormq.Channel:
        if self._channel is None or self._channel.is_closed:
            opening = self._wire.channel(publisher_confirms=True, on_return_raises=False)
            channel = await in_time(opening, seconds)
            assert isinstance(channel, aiormq.Channel)
            self._channel = channel
        return self._channel

    def _frames(
        self, exchange: str, parcel: Parcel, channel: aiormq.Channel
    ) -> Iterator[FrameType]:
        yield Basic.Publish(exchange=exchange, routing_key=parcel.to, mandatory=True)
        properties = Basic.Properties(
            delivery_mode=PERSISTENT,
            user_id=self._participant,
            message_id=parcel.message_id,
            message_type=parcel.type,
            correlation_id=parcel.correlation_id,
            headers=dict(parcel.headers) or None,
        )
        yield ContentHeader(properties=properties, body_size=len(parcel.body))
        size = channel.max_content_size
        for start in range(0, len(parcel.body), size):
            yield ContentBody(parcel.body[start : start + size])


def _windows(parcels: Sequence[Parcel], most: int) -> Iterator[list[int]]:
    """Indexes of the parcels, in order, in windows of bounded count and size.

    The library finds a returned parcel by its message id, so no window holds one id twice.
    """
    window: list[int] = []
    names: set[str] = set()
    size = 0
    for i, parcel in enumerate(parcels):
        full = len(window) == most or size + len(parcel.body) > WINDOW_BYTES_MAX
        if window and (full or parcel.message_id in names):
            yield window
            window, names, size = [], set(), 0
        window.append(i)
        names.add(parcel.message_id)
        size += len(parcel.body)
    if window:
        yield window


def _expect(channel: aiormq.Channel, names: Sequence[str]) -> list["asyncio.Future[object]"]:
    """Has the library collect the confirms of messages just written to its queue.

    These are the steps that its `basic_publish` takes for each message, with attributes that are
    public but not documented: doing them for a window makes one write of hundreds. Against a gather
    of its publishes that was a third of the client's work per message and two to four times the
    rate.
    """
    confirms = []
    for name in names:
        confirm = channel.create_future()
        channel.delivery_tag += 1
        channel.confirmations[channel.delivery_tag] = confirm
        channel.message_id_delivery_tag[name] = channel.delivery_tag
        confirms.append(confirm)
    return confirms


def _is_acknowledged(confirm: "asyncio.Future[object]") -> bool:
    # A returned message resolves its confirm with the message, a lost channel with an exception.
    return (
        confirm.done()
        and not confirm.cancelled()
        and confirm.exception() is None
        and isinstance(confirm.result(), Basic.Ack)
    )


def _words(confirm: "asyncio.Future[object]") -> str | None:
    if not confirm.done() or confirm.cancelled():
        return None
    if confirm.exception() is not None:
        return str(confirm.exception())
    returned = confirm.result()
    return f"unroutable: {getattr(returned, 'routing_key', returned)}"


def _reason(channel: aiormq.Channel) -> str:
    closing = channel.closing
    error = None if closing.cancelled() else closing.exception()
    return f"the broker refused a parcel: {error}"
