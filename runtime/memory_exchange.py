# SPDX-License-Identifier: Apache-2.0
"""One simulated broker: mailboxes, who may write to whom, and faults that are events.

What RabbitMQ's permissions, users and bindings enforce, it enforces: who may write to whom, that a
sender is who published, that an inbox is read only by its participant, one consumer at a time.

Rules this module keeps:

- Restarting loses no message that was routed, confirmed or not; it loses those on their way to a
  queue. What was handed out and not acknowledged comes back ahead of the rest, in its order.
- Randomness is given; time is the event loop's. On a virtual clock everything is repeatable.

Deliberately elsewhere: the chances (`runtime/memory_faults.py`), the links (`runtime/memory.py`).
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runtime.broker import DeadLetter, Parcel
from runtime.memory_faults import Dice, Faults

__all__ = ["Link", "Mailbox", "MemoryExchange", "Stored"]


@dataclass(slots=True)
class Stored:
    """A parcel in a queue; numbers grow with every parcel routed."""

    number: int
    parcel: Parcel
    sender: str
    redelivered: bool = False


class Link(Protocol):
    """What the exchange asks of a participant's link."""

    @property
    def participant(self) -> str: ...

    def connect(self) -> None:
        """Come back, if you can."""

    def disconnect(self, reason: str) -> None:
        """The link is lost; give back what is not acknowledged."""

    def rouse(self) -> None:
        """Something may have changed for you."""


@dataclass(slots=True)
class Mailbox:
    """A participant's queues and who reads them."""

    may_write_to: frozenset[str]
    waiting: deque[Stored] = field(default_factory=deque)
    dead: list[DeadLetter] = field(default_factory=list)
    consumers: list["Link"] = field(default_factory=list)
    """The first consumes, the others wait."""


class MemoryExchange:
    """One simulated broker.

    `permitted` maps each participant to those it may write to (`runtime.definitions.recipients`).
    `tap` is called with every parcel that reaches a queue, once, in the order that happens;
    `happened` with the name of every fault that comes by chance.
    """

    def __init__(
        self,
        permitted: Mapping[str, Iterable[str]],
        *,
        randomness: random.Random,
        faults: Faults | None = None,
        tap: Callable[[Parcel], None] = lambda _parcel: None,
        happened: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.faults = faults or Faults()
        self.dice = Dice(randomness, happened)
        self.running = True
        self.blocked = False
        self._tap = tap
        self._mailboxes: dict[str, Mailbox] = {}
        self._links: list[Link] = []
        self._partitioned: set[str] = set()
        self._number = 0
        self.define(permitted)

    def define(self, permitted: Mapping[str, Iterable[str]]) -> None:
        """Adds participants and replaces what they may write to, as applying definitions does."""
        for participant, others in permitted.items():
            mailbox = self._mailboxes.setdefault(participant, Mailbox(frozenset()))
            mailbox.may_write_to = frozenset(others)
        for link in self._links:
            link.connect()

    # --- Faults that are events ----------------------------------------------------------------

    async def restart(self, down_seconds: float = 0.0) -> None:
        """Stops, stays away for so long, and starts again."""
        self.stop()
        await asyncio.sleep(down_seconds)
        self.start()

    def stop(self) -> None:
        """Everybody loses the link; parcels on their way are lost."""
        self.running = False
        for link in self._links:
            link.disconnect("the broker has stopped")

    def start(self) -> None:
        """Everybody comes back, each within `reconnect_seconds_max`."""
        self.running = True
        self._reconnect(self._links)

    def partition(self, participant: str) -> None:
        """The participant loses the broker, and the broker it; the others go on."""
        self._partitioned.add(participant)
        for link in self._of(participant):
            link.disconnect("the network is down")

    def heal(self, participant: str) -> None:
        self._partitioned.discard(participant)
        self._reconnect(self._of(participant))

    def block(self) -> None:
        """Takes no parcels any more (memory or disk are short); deliveries go on."""
        self.blocked = True

    def unblock(self) -> None:
        self.blocked = False
        for link in self._links:
            link.rouse()

    def _of(self, participant: str) -> list["Link"]:
        return [link for link in self._links if link.participant == participant]

    def _reconnect(self, links: Iterable["Link"]) -> None:
        loop = asyncio.get_running_loop()
        for link in links:
            seconds = self.dice.seconds(self.faults, "reconnect")
            if seconds:
                loop.call_later(seconds, link.connect)
            else:
                link.connect()

    # --- What links ask for --------------------------------------------------------------------

    def trouble(self, participant: str, login: str) -> str | None:
        """Why this participant cannot be linked at the moment, if it cannot."""
        if not self.running:
            return "the broker has stopped"
        if participant in self._partitioned:
            return "the network is down"
        if participant not in self._mailboxes:
            return f"there is no queue for {participant}: the definitions have to be applied"
        if login != participant:
            return f"{login} may not read the inbox of {participant}"
        return None

    def enter(self, link: Link) -> None:
        """Makes a link known, so that it comes back after what befalls it."""
        self._links.append(link)

    def leave(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)

    def mailbox(self, participant: str) -> Mailbox:
        return self._mailboxes[participant]

    def waiting(self, participant: str) -> int:
        """How many parcels wait in an inbox, not counting those handed out."""
        return len(self._mailboxes[participant].waiting)

    def route(self, sender: str, parcel: Parcel) -> bool:
        """Puts a parcel into its recipient's queue; False when there is none or it may not."""
        mailbox = self._mailboxes.get(parcel.to)
        if mailbox is None or parcel.to not in self._mailboxes[sender].may_write_to:
            return False
        self._tap(parcel)
        self._append(mailbox, sender, parcel)
        return True

    def repeat(self, sender: str, parcel: Parcel) -> None:
        """Puts a second copy of a routed parcel into its queue."""
        self._append(self._mailboxes[parcel.to], sender, parcel)

    def _append(self, mailbox: Mailbox, sender: str, parcel: Parcel) -> None:
        self._number += 1
        mailbox.waiting.append(Stored(self._number, parcel, sender))
        self.rouse(mailbox)

    def give_back(self, mailbox: Mailbox, stored: Iterable[Stored]) -> None:
        """Requeues at the head, in the original order."""
        returned = list(stored)
        for each in returned:
            each.redelivered = True
        mailbox.waiting = deque(sorted([*returned, *mailbox.waiting], key=lambda s: s.number))
        self.rouse(mailbox)

    def rouse(self, mailbox: Mailbox) -> None:
        """Tells whoever consumes a mailbox that it may have something to do."""
        if mailbox.consumers:
            mailbox.consumers[0].rouse()
