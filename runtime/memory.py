# SPDX-License-Identifier: Apache-2.0
"""The broker port inside one process: the twin of RabbitMQ for simulation, tests and the demo.

It keeps the port's contract and is stricter than the real thing where that finds bugs: an
acknowledgement of an unknown or already acknowledged arrival is an `AssertionError`, prefetch is
exact, and what is refused is refused at once. It fails both ways: lost and reported lost, arrived
and reported lost.

Deliberately elsewhere: the queues (`runtime/memory_exchange.py`), the chances
(`runtime/memory_faults.py`), the twin of the store.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from runtime.broker import Arrival, BrokerSettings, DeadLetter, LinkState, Parcel, cut
from runtime.errors import Unavailable
from runtime.memory_exchange import Mailbox, MemoryExchange, Stored
from runtime.memory_faults import Faults

__all__ = ["Faults", "MemoryBroker", "MemoryExchange"]


class MemoryBroker:
    """A participant's link to a `MemoryExchange`. The contract is `runtime.broker.Broker`'s.

    `login` is whose password it has: with another's it is never let in, as at the real thing.
    """

    def __init__(
        self,
        exchange: MemoryExchange,
        participant: str,
        settings: BrokerSettings | None = None,
        *,
        login: str | None = None,
    ) -> None:
        self._exchange = exchange
        self._participant = participant
        self._login = login or participant
        self._settings = settings or BrokerSettings(url="memory:")
        self._mailbox: Mailbox | None = None  # while linked
        self._unacknowledged: dict[int, Stored] = {}
        self._last_tag = 0
        self._base = 0  # tags up to here are of lost links
        self._life = 0  # counts links, so that a call can tell that its own is gone
        self._last_error: str | None = None
        self._opened = False
        self._draining = False
        self._closing = False
        self._ended = False
        self._wake = asyncio.Event()
        self._woken = False
        self._turn = asyncio.Lock()

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
        if self._mailbox is None:
            return LinkState.DOWN
        return LinkState.BLOCKED if self._exchange.blocked else LinkState.UP

    # --- The link's life -----------------------------------------------------------------------

    async def open(self) -> None:
        assert not self._opened, "opened twice"
        self._opened = True
        self._exchange.enter(self)
        self.connect()

    def connect(self) -> None:
        """For the exchange: come back, if you can."""
        if self._ended or self._mailbox is not None:
            return
        trouble = self._exchange.trouble(self._participant, self._login)
        if trouble is not None:
            self._last_error = trouble
            return
        self._mailbox = self._exchange.mailbox(self._participant)
        if not self._draining:
            self._mailbox.consumers.append(self)
        self._wake.set()

    def disconnect(self, reason: str) -> None:
        """For the exchange: the link is lost."""
        mailbox, self._mailbox = self._mailbox, None
        if mailbox is None:
            return
        self._last_error = reason
        self._life += 1
        self._base = self._last_tag
        returned, self._unacknowledged = self._unacknowledged, {}
        if self in mailbox.consumers:
            mailbox.consumers.remove(self)
        self._exchange.give_back(mailbox, returned.values())
        self._wake.set()

    async def drain(self) -> None:
        self._draining = True
        if self._mailbox is not None and self in self._mailbox.consumers:
            self._mailbox.consumers.remove(self)
            self._exchange.rouse(self._mailbox)
        self._wake.set()

    async def close(self) -> None:
        self._closing = True  # publishing that waits for a link gives up
        await self.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.publish_timeout_seconds), self._turn:
                self._ended = True
        self._ended = True
        self.disconnect("closed")
        self._exchange.leave(self)

    def rouse(self) -> None:
        """For the exchange: something may have changed."""
        self._wake.set()

    async def _until(self, ready: Callable[[], bool], deadline: float) -> bool:
        while not ready():
            self._wake.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._wake.wait()
            except TimeoutError:
                return ready()
        return True

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._settings.publish_timeout_seconds

    # --- Arrivals ------------------------------------------------------------------------------

    def wake(self) -> None:
        self._woken = True
        self._wake.set()

    async def receive(self, most: int, wait_seconds: float) -> list[Arrival]:
        assert most > 0
        await asyncio.sleep(0)  # others always have a turn
        deadline = asyncio.get_running_loop().time() + wait_seconds
        await self._until(lambda: self._draining or self._woken or self._ready() > 0, deadline)
        self._woken = False
        slow = self._exchange.dice.seconds(self._exchange.faults, "receive")
        if slow and self._ready() > 0:
            await asyncio.sleep(slow)
        return [self._hand_out() for _ in range(min(most, self._ready()))]

    def _ready(self) -> int:
        """How many arrivals could be handed out now."""
        mailbox = self._mailbox
        if mailbox is None or self._draining or mailbox.consumers[0] is not self:
            return 0
        return min(len(mailbox.waiting), self._settings.prefetch - len(self._unacknowledged))

    def _hand_out(self) -> Arrival:
        assert self._mailbox is not None
        stored = self._mailbox.waiting.popleft()
        self._last_tag += 1
        self._unacknowledged[self._last_tag] = stored
        return Arrival(
            tag=self._last_tag,
            body=stored.parcel.body,
            sender=stored.sender,
            redelivered=stored.redelivered,
            message_id=stored.parcel.message_id,
            headers=dict(stored.parcel.headers),
        )

    async def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        for arrival in arrivals:
            if arrival.tag > self._base:
                assert arrival.tag in self._unacknowledged, f"{arrival.tag} is not open"
                del self._unacknowledged[arrival.tag]
        self._wake.set()  # there may be room in the prefetch

    async def dead_letter(self, arrival: Arrival, reason: str, detail: str) -> None:
        if arrival.tag <= self._base:
            return
        assert arrival.tag in self._unacknowledged, f"{arrival.tag} is not open"
        stored = self._unacknowledged[arrival.tag]
        letter = DeadLetter(arrival.body, stored.sender, arrival.message_id, reason, cut(detail))
        await self._until(self._may_publish, self._deadline())
        if arrival.tag > self._base and not self._exchange.blocked:
            mailbox, faults, dice = self._open_mailbox(), self._exchange.faults, self._exchange.dice
            if not dice.falls(faults, "lost"):
                mailbox.dead.append(letter)
                if not dice.falls(faults, "unreported"):
                    await self.acknowledge([arrival])
                    return
        if arrival.tag > self._base:
            del self._unacknowledged[arrival.tag]
            self._exchange.give_back(self._open_mailbox(), [stored])
        raise Unavailable(f"the dead letter was not confirmed: {self._last_error}")

    async def dead_letters(self, most: int) -> list[DeadLetter]:
        return self._open_mailbox().dead[:most]

    async def discard(self, letters: Sequence[DeadLetter]) -> int:
        dead = self._open_mailbox().dead
        found = 0
        for letter in letters:
            if letter in dead:
                dead.remove(letter)
                found += 1
        return found

    def _open_mailbox(self) -> Mailbox:
        if self._mailbox is None:
            raise Unavailable(f"the link is {self.state}: {self._last_error}")
        return self._mailbox

    # --- Publishing ----------------------------------------------------------------------------

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        confirmed = [False] * len(parcels)
        deadline = self._deadline()
        try:
            async with asyncio.timeout_at(deadline):
                await self._turn.acquire()
        except TimeoutError:
            return confirmed
        try:
            if await self._until(self._may_publish, deadline) and not self._closing:
                await self._carry(parcels, confirmed, deadline)
        finally:
            self._turn.release()
        return confirmed

    def _may_publish(self) -> bool:
        return self._closing or (self._mailbox is not None and not self._exchange.blocked)

    async def _carry(
        self, parcels: Sequence[Parcel], confirmed: list[bool], deadline: float
    ) -> None:
        """Routes the parcels recipient by recipient, for as long as this link lives."""
        exchange, faults, dice = self._exchange, self._exchange.faults, self._exchange.dice
        recipients = list(dict.fromkeys(parcel.to for parcel in parcels))
        if dice.falls(faults, "reordered"):
            recipients = dice.shuffled(recipients)
        for to in recipients:
            if not await self._pass(dice.seconds(faults, "delay"), deadline):
                return
            own = [i for i, parcel in enumerate(parcels) if parcel.to == to]
            arrived = [i for i in own if not dice.falls(faults, "lost")]
            arrived = [i for i in arrived if exchange.route(self._login, parcels[i])]
            for i in arrived:
                if dice.falls(faults, "repeated"):
                    exchange.repeat(self._login, parcels[i])
            if not await self._pass(dice.seconds(faults, "confirm"), deadline):
                return
            for i in arrived:
                confirmed[i] = not dice.falls(faults, "unreported")

    async def _pass(self, seconds: float, deadline: float) -> bool:
        """Lets time go by; False when the link was lost or time is up meanwhile."""
        life = self._life
        left = deadline - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, min(seconds, left)))  # others always have a turn
        return life == self._life and seconds <= left
