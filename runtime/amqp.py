# SPDX-License-Identifier: Apache-2.0
"""The broker port over RabbitMQ.

One supervisor task per broker object makes a link (`runtime/amqp_link.py`), waits until it ends,
and makes the next one after a pause. There is no other reconnecting anywhere: aio-pika's plain
connections are used, whose losses are visible, and not its robust ones.

Rules this module keeps, beside the port's:

- State is derived from facts: asked to end, link there or not, blocked or not.
- After a loss the pause doubles up to its maximum, and begins anew only once a link has held for
  that long. It is spread by the participant's name, so that not everybody comes back at once.
- What was handed out belongs to its link. Tags grow from link to link, so those of a lost one are
  known and passed over.

Deliberately elsewhere: what must exist at the broker (`runtime/definitions.py`), pipelining
(`runtime/amqp_publish.py`), acknowledging out of order (`runtime/amqp_inbox.py`).
"""

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from runtime.amqp_dead import dead_letter, discard, look
from runtime.amqp_inbox import Inbox
from runtime.amqp_link import Link
from runtime.amqp_wire import address
from runtime.broker import Arrival, BrokerSettings, DeadLetter, LinkState, Parcel
from runtime.definitions import DEAD_EXCHANGE, EXCHANGE
from runtime.errors import Unavailable

__all__ = ["AmqpBroker"]

WATCH_SECONDS: Final = 0.5
"""How often it is looked whether the broker has blocked us: it tells the library, not us."""


class AmqpBroker:
    """A participant's link to RabbitMQ. The contract is `runtime.broker.Broker`'s.

    `on_change` is called with each new state and, when it is a bad one, its reason, for logs and
    metrics. Settings whose URL leads nowhere raise `ValueError`.
    """

    def __init__(
        self,
        participant: str,
        settings: BrokerSettings,
        on_change: Callable[[LinkState, str | None], None] = lambda _state, _reason: None,
    ) -> None:
        address(settings.url)
        self._participant = participant
        self._settings = settings
        self._on_change = on_change
        self._told = LinkState.DOWN
        self._last_error: str | None = None
        self._link: Link | None = None
        self._last_tag = 0
        self._connecting = False
        self._blocked = False
        self._draining = False
        self._closing = False
        self._ended = False
        self._wake = asyncio.Event()
        self._woken = False
        self._turn = asyncio.Lock()  # fair: publishing calls go in the order made
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def participant(self) -> str:
        return self._participant

    @property
    def last_error(self) -> str | None:
        return self._last_error

    @property
    def state(self) -> LinkState:
        if self._ended:
            return LinkState.CLOSED
        if self._draining:
            return LinkState.DRAINING
        if self._link is None:
            return LinkState.CONNECTING if self._connecting else LinkState.DOWN
        return LinkState.BLOCKED if self._blocked else LinkState.UP

    # --- The link's life -----------------------------------------------------------------------

    async def open(self) -> None:
        assert self._supervisor is None, "opened twice"
        self._supervisor = asyncio.create_task(self._supervise(), name=f"{self._participant} link")
        self._supervisor.add_done_callback(self._supervised)

    def _supervised(self, supervisor: asyncio.Task[None]) -> None:
        """A supervisor that fails is a bug, which must not look like an outage."""
        if not supervisor.cancelled() and (error := supervisor.exception()) is not None:
            self._ended = True
            self._changed(f"the link's supervisor failed: {error!r}")
            context = {"message": self._last_error, "exception": error, "task": supervisor}
            supervisor.get_loop().call_exception_handler(context)

    async def drain(self) -> None:
        self._draining = True
        self._changed()
        await self._stop_deliveries()

    async def _stop_deliveries(self) -> None:
        link = self._link
        if link is not None and link.inbox is not None:
            try:
                await link.inbox.cancel()
            except Unavailable as error:
                link.end(str(error))

    async def close(self) -> None:
        self._closing = True
        await self.drain()
        with contextlib.suppress(TimeoutError):  # publishing has its own limit, as long as this one
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                async with self._turn:
                    self._ended = True
        self._ended = True
        self._changed()
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})

    async def _supervise(self) -> None:
        now = asyncio.get_running_loop().time
        attempt = 0
        while True:
            began = now()
            self._connecting = True
            self._changed()
            try:
                link = await Link.open(
                    self._participant,
                    self._settings,
                    base=self._last_tag,
                    wake=self._wake.set,
                    consume=not self._draining,
                )
            except Unavailable as error:
                self._connecting = False
                self._changed(str(error))
            else:
                self._connecting = False
                await self._tend(link)
                if now() - began > self._settings.backoff_max_seconds:
                    attempt = 0
            await asyncio.sleep(self._pause(attempt))
            attempt += 1

    async def _tend(self, link: Link) -> None:
        """Holds a link until it ends, and leaves it."""
        self._link = link
        self._changed()
        try:
            if self._draining:
                await self._stop_deliveries()
            while not link.ended.is_set():
                try:
                    async with asyncio.timeout(WATCH_SECONDS):
                        await link.ended.wait()
                except TimeoutError:
                    self._blocked = link.blocked
                    self._changed()
        finally:
            self._link = None
            self._blocked = False
            if link.inbox is not None:
                self._last_tag = link.inbox.last
            self._changed(link.reason or None)
            await link.close()

    def _pause(self, attempt: int) -> float:
        settings = self._settings
        doubled = settings.backoff_min_seconds * 2.0 ** min(attempt, 30)  # floats end at 2**1024
        longest = min(settings.backoff_max_seconds, doubled)
        spread = zlib.crc32(self._participant.encode()) % 1000 / 1000
        return longest * (0.5 + spread / 2)

    def _changed(self, error: str | None = None) -> None:
        """Wakes whoever waits for a state, and tells of a new one."""
        if error is not None:
            self._last_error = error
        self._wake.set()
        state = self.state
        if state is not self._told:
            self._told = state
            bad = state in (LinkState.DOWN, LinkState.BLOCKED)
            self._on_change(state, self._last_error if bad else None)

    async def _until(self, ready: Callable[[], bool], deadline: float) -> bool:
        while not ready():
            self._wake.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._wake.wait()
            except TimeoutError:
                return ready()
        return True

    # --- Arrivals ------------------------------------------------------------------------------

    def wake(self) -> None:
        self._woken = True
        self._wake.set()

    async def receive(self, most: int, wait_seconds: float) -> list[Arrival]:
        assert most > 0
        await asyncio.sleep(0)  # others always have a turn
        deadline = asyncio.get_running_loop().time() + wait_seconds
        await self._until(lambda: self._draining or self._woken or bool(self._inbox()), deadline)
        self._woken = False
        inbox = self._inbox()
        return [] if inbox is None or self._draining else inbox.take(most)

    def _inbox(self) -> Inbox | None:
        return None if self._link is None else self._link.inbox

    async def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        link = self._link
        if link is None or link.inbox is None:
            return
        try:
            await link.inbox.acknowledge([arrival.tag for arrival in arrivals])
        except Unavailable as error:
            link.end(str(error))  # they come again

    async def dead_letter(self, arrival: Arrival, reason: str, detail: str) -> None:
        inbox = self._inbox()
        properties = None if inbox is None else inbox.properties(arrival.tag)
        if inbox is None or properties is None:
            return
        copy = dead_letter(self._participant, arrival, properties, reason, detail)
        if await self._send(DEAD_EXCHANGE, [copy]) == [True]:
            await self.acknowledge([arrival])
            return
        with contextlib.suppress(Unavailable):  # then the link goes, and it comes again anyway
            await inbox.give_back(arrival.tag)
        raise Unavailable(f"the dead letter was not confirmed: {self._last_error}")

    async def dead_letters(self, most: int) -> list[DeadLetter]:
        wire = self._open_link().reading
        return await look(wire, self._participant, most, self._settings.call_timeout_seconds)

    async def discard(self, letters: Sequence[DeadLetter]) -> int:
        wire = self._open_link().reading
        return await discard(wire, self._participant, letters, self._settings.call_timeout_seconds)

    def _open_link(self) -> Link:
        if self._link is None:
            raise Unavailable(f"the link is {self.state}: {self._last_error}")
        return self._link

    # --- Publishing ----------------------------------------------------------------------------

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        return await self._send(EXCHANGE, parcels)

    async def _send(self, exchange: str, parcels: Sequence[Parcel]) -> list[bool]:
        nothing = [False] * len(parcels)
        deadline = asyncio.get_running_loop().time() + self._settings.publish_timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._turn.acquire()
        except TimeoutError:
            return nothing
        try:
            await self._until(self._may_publish, deadline)
            link = self._link
            if link is None or self._ended:
                return nothing
            confirmed = await link.publisher.publish(exchange, parcels, deadline)
            if not all(confirmed):
                self._blocked = link.blocked
                self._changed(link.publisher.last_error)
                if link.publisher.stuck and not self._blocked:
                    link.end("the broker does not confirm")
            return confirmed
        finally:
            self._turn.release()

    def _may_publish(self) -> bool:
        return self._closing or (self._link is not None and not self._blocked)
