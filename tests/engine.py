# SPDX-License-Identifier: Apache-2.0
"""The engine on trial: real nodes that run the toy program, on any store and any broker.

`Engine` starts, stops and kills nodes, looks into their databases and gives commands. A `Hand` is a
peer that speaks by hand, over a link of its own. Nobody waits for time to pass, only for something
to have come about (`until`).

Elsewhere: the toy (`toy`), what is sealed by hand (`peer`), which stores and brokers there are
(`tests/contract/conftest.py`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy import text
from structlog.typing import EventDict

from runtime import halts
from runtime.broker import Broker, LinkState, Parcel
from runtime.clock import Ids, SystemClock
from runtime.keys import Keyring
from runtime.node import Node, NodeSettings
from runtime.orders import Operator, submit, write_order
from runtime.second_person import SecondPerson
from runtime.store import Session, Store, open_store
from schemas.envelope import open_envelope
from schemas.identifiers import Actor, Participant
from schemas.messages import Hello, Message, parse_message
from tests.cast import HUB, public, signer
from tests.crashes import Crash
from tests.peer import Peer
from tests.toy import Toy, empty_keyring

__all__ = ["Engine", "Hand", "Site", "until"]

PATIENCE_SECONDS = 60.0
"""For what must come about in the end; an idle machine needs a part of a second."""

OPERATORS = (
    Operator(name="olga", role="administrator", key=public("olga")),
    Operator(name="otto", role="administrator", key=public("otto")),
    Operator(name="oscar", role="operator", key=public("oscar")),
    Operator(name="twin", role="administrator", key=public("olga")),
    Operator(name="vera", role="viewer", key=public("vera")),
)
T = TypeVar("T")


class Site(Protocol):
    """A broker of some kind."""

    def broker(self, participant: Participant) -> Broker:
        """A link, not opened yet."""

    async def cut(self) -> None:
        """Everybody loses the link."""

    async def mend(self) -> None:
        """Everybody may come back."""

    async def close(self) -> None: ...


async def until(ready: Callable[[], Awaitable[T | None]], what: str) -> T:
    """Look again and again until there is something that is neither None nor False."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await ready()
            if found is not None and found is not False:
                return found
            await asyncio.sleep(0.01)
    raise AssertionError(what)


@dataclass
class Hand(Peer):
    """A peer with a link: what it seals it also sends, and it hears what it is told."""

    broker: Broker | None = None
    heard: list[Message] = field(default_factory=list)
    nonces: list[str] = field(default_factory=list)
    """Those of the control envelopes heard, in order."""
    envelopes: list[bytes] = field(default_factory=list)

    @property
    def link(self) -> Broker:
        assert self.broker is not None
        return self.broker

    async def send(self, *envelopes: bytes) -> None:
        """Send envelopes as they are, in this order, until the broker has them all."""
        parcels = [
            Parcel(to=str(self.to), body=body, message_id="by hand", type="envelope")
            for body in envelopes
        ]

        async def sent() -> bool:
            nonlocal parcels
            outcomes = await self.link.publish(parcels)
            parcels = [p for p, done in zip(parcels, outcomes, strict=True) if not done]
            return not parcels

        await until(sent, "a way to the broker")

    async def listen(self) -> list[Message]:
        """Everything that was told so far."""
        while arrivals := await self.link.receive(100, 0.0):
            for arrival in arrivals:
                opened = open_envelope(arrival.body)
                self.envelopes.append(arrival.body)
                self.heard += map(parse_message, opened.lines)
                self.nonces += [opened.manifest.nonce] if opened.manifest.nonce else []
            await self.link.acknowledge(arrivals)
        return self.heard

    async def hears(self, wanted: Callable[[Message], bool], what: str) -> Message:
        """Wait for a message."""

        async def told() -> Message | None:
            return next((m for m in await self.listen() if wanted(m)), None)

        return await until(told, what)

    async def answer_greeting(self, greeting: Hello, nonce: str) -> None:
        """Say that nothing is missing on either side."""
        body = Hello(actor=greeting.actor, sent=greeting.sent, received=0, answer=True)
        line = self.line("hello", "control", body)
        members = {"control": True, "nonce": self.ids.nonce(), "answers_nonce": nonce}
        await self.send(self.seal([line], **members))

    async def answer(self, about: str) -> Message:
        """Wait for what answers a line, by its digest."""
        return await self.hears(lambda m: m.answers == about, f"an answer to {about[:12]}")


@dataclass
class Engine:
    """Nodes on one kind of store and one kind of broker, and what they log."""

    site: Site
    urls: dict[Participant, str]
    logs: list[EventDict]
    toys: dict[Participant, Toy] = field(default_factory=dict)
    nodes: dict[Participant, Node] = field(default_factory=dict)
    tasks: dict[Participant, asyncio.Task[None]] = field(default_factory=dict)
    keyrings: dict[Participant, Keyring] = field(default_factory=dict)
    hands: list[Hand] = field(default_factory=list)
    settings: NodeSettings = field(
        default_factory=lambda: NodeSettings(
            tick_seconds=0.02,
            greet_seconds=0.1,
            sweep_seconds=0.2,
            hold_seconds=0.3,
            gap_seconds=0.1,
            drain_seconds=5.0,
            retry_seconds=0.02,
        )
    )

    operators: tuple[Operator, ...] = OPERATORS
    """Who may command the nodes that start from now on; `twin` has the key of `olga`."""
    second: SecondPerson | None = None
    """What needs a second person there, if it is not what the program says."""
    through: dict[Participant, str] = field(default_factory=dict)
    """Other ways to their databases, for nodes alone."""

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.ids = Ids()
        self._stores: dict[Participant, Store] = {}

    # --- nodes ----------------------------------------------------------------------------------

    async def start(
        self,
        participant: Participant = HUB,
        *,
        wrap: Callable[[Store], Any] = lambda store: store,
        **members: Any,
    ) -> Node:
        """Start a toy on its database, whatever is in that."""
        toy = self.toys[participant] = Toy(participant, **members)
        ring = self.keyrings.setdefault(participant, empty_keyring(participant))
        self.nodes[participant] = node = Node(
            toy,
            wrap(open_store(self.through.get(participant, self.urls[participant]))),
            self.site.broker(participant),
            self.clock,
            ring,
            operators=self.operators,
            second=self.second,
            settings=self.settings,
        )
        self.tasks[participant] = asyncio.create_task(node.run())
        return node

    async def stop(self, participant: Participant = HUB) -> None:
        """As SIGTERM does."""
        self.nodes[participant].stop()
        await self.tasks.pop(participant)

    async def crash(self, participant: Participant = HUB) -> None:
        """Kill it where it stands."""
        task = self.tasks.pop(participant)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def died(self, participant: Participant = HUB) -> bool:
        """Whether a node on a crashing store has died."""
        task = self.tasks[participant]
        if not task.done():
            return False
        assert isinstance(task.exception(), Crash), task.exception()
        del self.tasks[participant]
        return True

    async def hand(self, actor: Actor, to: Participant = HUB) -> Hand:
        """A peer that speaks by hand."""
        hand = Hand(actor, to, self.clock.now, broker=self.site.broker(actor.participant))
        await hand.link.open()
        self.hands.append(hand)
        return hand

    async def close(self) -> None:
        for participant in list(self.tasks):
            if self.tasks[participant].done():
                self.tasks.pop(participant).result()
            else:
                await self.stop(participant)
        for hand in self.hands:
            await hand.link.close()
        for store in self._stores.values():
            await store.close()
        await self.site.close()

    async def linked(self, participant: Participant = HUB) -> None:
        """Wait until a node's link is up."""

        async def up() -> bool:
            return self.nodes[participant].broker.state is LinkState.UP

        await until(up, f"the link of {participant}")

    # --- looking --------------------------------------------------------------------------------

    def store(self, participant: Participant = HUB) -> Store:
        """A connection of our own to a database."""
        if participant not in self._stores:
            self._stores[participant] = open_store(self.urls[participant])
        return self._stores[participant]

    async def rows(self, sql: str, at: Participant = HUB, **values: Any) -> list[Any]:
        async with self.store(at).snapshot() as session:
            return list(await session.execute(text(sql), values))

    async def counted(self, at: Participant = HUB) -> list[str]:
        """The transactions whose messages had an effect, in the order of effects."""
        return [
            r[0] for r in await self.rows('select "transaction" from toy_counted order by id', at)
        ]

    async def counts(self, *numbers: int, at: Participant = HUB) -> None:
        """Wait until exactly these were counted, in this order; then nothing more may have been."""

        async def there() -> bool:
            return len(await self.counted(at)) >= len(numbers)

        await until(there, f"{numbers} counted at {at}")
        assert [int(name.rpartition("-")[2]) for name in await self.counted(at)] == list(numbers)

    async def taken(self, hand: Hand) -> None:
        """Wait until a node has taken all that a hand has sealed."""

        async def there() -> bool:
            sql = "select last from sequences where sender = :s and recipient = :r"
            found = await self.rows(sql, hand.to, s=hand.actor, r=hand.to)
            return bool(found) and found[0][0] >= hand.sequence

        await until(there, f"sequence {hand.sequence} of {hand.actor}")

    async def dead(self, number: int, at: Participant = HUB) -> list[str]:
        """Wait until there are so many dead letters; gives their reasons."""

        async def there() -> list[str] | None:
            rows = await self.rows("select reason from dead_letters order by id", at)
            return [row[0] for row in rows] if len(rows) >= number else None

        return await until(there, f"{number} dead letters at {at}")

    async def logged(self, event: str, number: int = 1, **values: Any) -> list[EventDict]:
        """Wait until an event was logged so often."""

        async def there() -> list[EventDict] | None:
            found = self.so_far(event, **values)
            return found if len(found) >= number else None

        return await until(there, f"{number} times {event}")

    def so_far(self, event: str, **values: Any) -> list[EventDict]:
        return [
            e
            for e in self.logs
            if e["event"] == event and all(str(e.get(k)) == str(v) for k, v in values.items())
        ]

    async def resume(self, participant: Participant = HUB) -> None:
        """Let a program that has halted start again."""
        store = open_store(self.urls[participant])
        async with store.transaction() as session:
            assert await halts.lift(session)
        await store.close()

    # --- doing ----------------------------------------------------------------------------------

    async def submit(
        self, command: str, /, at: Participant = HUB, operator: str = "olga", **arguments: Any
    ) -> int:
        """Put a command on the desk; gives its number."""
        now = self.clock.now()
        key = signer("olga" if operator == "twin" else operator)
        order, signature = write_order(at, command, arguments, operator, key, now, self.ids)
        async with self.store(at).transaction() as session:
            return await submit(session, order, signature, now)

    async def order(
        self, command: str, /, at: Participant = HUB, operator: str = "olga", **arguments: Any
    ) -> tuple[str, str]:
        """Give a command and wait for its end: its state and result."""
        number = await self.submit(command, at, operator, **arguments)

        async def handled() -> tuple[str, str] | None:
            sql = "select state, result from desk where id = :id"
            state, result = (await self.rows(sql, at, id=number))[0]
            return None if state == "open" else (state, result)

        return await until(handled, f"command {command}")

    async def change(self, statement: Callable[[Session], Awaitable[Any]], at: Participant) -> None:
        """Write into a database behind its node's back."""
        async with self.store(at).transaction() as session:
            await statement(session)
