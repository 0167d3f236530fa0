# SPDX-License-Identifier: Apache-2.0
"""The broker port's contract, run on the in-process twin and on RabbitMQ with the same tests.

What one of the two cannot show is in `tests/unit/runtime/test_memory.py` (the twin's faults) and
below in `TestOnlyRabbitMQ` (what a stranger may do with a client of his own).
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import aio_pika
import pytest
from aiormq.abc import ChannelFrame, FrameType
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from harness.services import PrivateRabbitMQ
from runtime.amqp import AmqpBroker
from runtime.broker import Arrival, Broker, BrokerSettings, LinkState, Parcel
from runtime.definitions import (
    DEAD_EXCHANGE,
    EXCHANGE,
    Definitions,
    apply_definitions,
    definitions,
    hash_password,
    recipients,
)
from runtime.errors import Unavailable
from runtime.memory import Faults, MemoryBroker, MemoryExchange

PARTICIPANTS = ("HUB", "REC", "GHA01", "CHE01", "THA01", "VUT01")
LINKS = (("GHA01", "CHE01"), ("GHA01", "VUT01"))
NOT_BOUND = "VUT01"  # may be written to, but has no inbox
PATIENCE_SECONDS = 60.0  # for what must happen in the end; an idle machine needs a second or two


class Site(Protocol):
    """A broker of some kind, with the participants above."""

    def broker(self, participant: str, *, login: str | None = None, **limits: Any) -> Broker:
        """Not opened yet. `login` is whose password it has, if not its own."""

    async def define(self, participant: str) -> None:
        """Adds a participant that was not there when the site was made."""

    def lose_dead_letters(self) -> None:
        """From now on no dead letter of HUB reaches its queue."""

    async def stop(self) -> None:
        """As a power cut would."""

    async def start(self) -> None: ...


class MemorySite:
    def __init__(self) -> None:
        permitted = recipients(PARTICIPANTS, LINKS)
        bound = {name: to for name, to in permitted.items() if name != NOT_BOUND}
        self.exchange = MemoryExchange(bound, randomness=random.Random(1))

    def broker(self, participant: str, *, login: str | None = None, **limits: Any) -> Broker:
        chosen = settings("memory:", **limits)
        return MemoryBroker(self.exchange, participant, chosen, login=login)

    async def define(self, participant: str) -> None:
        self.exchange.define(recipients([*PARTICIPANTS, participant], LINKS))

    def lose_dead_letters(self) -> None:
        self.exchange.faults = Faults(lost_permille=1000)

    async def stop(self) -> None:
        self.exchange.stop()

    async def start(self) -> None:
        self.exchange.start()


class RabbitMQSite:
    """A virtual host of its own in the session's RabbitMQ."""

    def __init__(self, server: PrivateRabbitMQ) -> None:
        self.server = server
        self.restarted = False
        self.vhost = f"test-{secrets.token_hex(6)}"

    def url(self, login: str) -> str:
        address = urlsplit(self.server.amqp_url)
        netloc = f"{login}:{login}-password@{address.hostname}:{address.port}"
        return urlunsplit((address.scheme, netloc, quote(self.vhost), "", ""))

    def broker(self, participant: str, *, login: str | None = None, **limits: Any) -> Broker:
        return AmqpBroker(participant, settings(self.url(login or participant), **limits))

    def document(self, *more: str) -> Definitions:
        everybody = [*PARTICIPANTS, *more]
        hashes = {name: hash_password(f"{name}-password", b"salt") for name in everybody}
        document = definitions(everybody, LINKS, hashes, vhost=self.vhost)
        document["bindings"] = [b for b in document["bindings"] if b["routing_key"] != NOT_BOUND]
        return document

    async def define(self, participant: str) -> None:
        await apply_definitions(self.server.admin_url, self.document(participant))

    async def remove(self) -> None:
        if not self.restarted:  # RabbitMQ takes five seconds for it then, and ends with the session
            self.server.admin("DELETE", f"/api/vhosts/{self.vhost}")

    def lose_dead_letters(self) -> None:
        binding = f"/api/bindings/{self.vhost}/e/{DEAD_EXCHANGE}/q/dead.HUB/HUB"
        self.server.admin("DELETE", binding)

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop, kill=True)

    async def start(self) -> None:
        self.restarted = True
        self.server.restart()  # in this thread: a server dies with the thread that started it


def settings(url: str, **limits: Any) -> BrokerSettings:
    return BrokerSettings(**{"url": url, "backoff_max_seconds": 0.5, **limits})


Opener = Callable[..., Awaitable[Broker]]


def parcel(to: str, body: bytes | str = b"body", name: str | None = None) -> Parcel:
    content = body.encode() if isinstance(body, str) else body
    return Parcel(to=to, body=content, message_id=name or secrets.token_hex(8), type="test")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def take(broker: Broker, count: int, most: int = 100) -> list[Arrival]:
    """Receives, without acknowledging, until `count` have come; then there must be no more."""
    arrivals: list[Arrival] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(arrivals) < count:
            arrivals += await broker.receive(min(most, count - len(arrivals)), 1.0)
    arrivals += await broker.receive(most, 0.05)
    assert len(arrivals) == count
    return arrivals


def bodies(arrivals: Sequence[Arrival]) -> list[str]:
    return [arrival.body.decode() for arrival in arrivals]


def numbered(to: str, first: int, last: int) -> list[Parcel]:
    return [parcel(to, str(number)) for number in range(first, last + 1)]


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


class BrokerContract:
    """The tests; a subclass says which site they run on."""

    @pytest.fixture
    async def opened(self, site: Site) -> AsyncIterator[Opener]:
        """Opens a participant's link, waits until it is up, and closes it in the end."""
        async with AsyncExitStack() as stack:

            async def opened(participant: str, **limits: Any) -> Broker:
                broker = site.broker(participant, **limits)
                await broker.open()
                stack.push_async_callback(broker.close)
                await until(lambda: broker.state is LinkState.UP)
                return broker

            yield opened

    # --- Durability, order, redelivery -----------------------------------------------------------

    async def test_a_confirmed_parcel_arrives_although_its_recipient_was_away(
        self, opened: Opener
    ) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        await recipient.close()
        assert await sender.publish([parcel("HUB", "kept")]) == [True]
        await sender.close()
        assert bodies(await take(await opened("HUB"), 1)) == ["kept"]

    async def test_what_was_published_is_what_arrives(self, opened: Opener) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        sent = Parcel(
            to="HUB",
            body=bytes(range(256)),
            message_id="m-1",
            type="proposal",
            correlation_id="c-1",
            headers={"traceparent": "00-ü"},
        )
        assert await sender.publish([sent]) == [True]
        (arrival,) = await take(recipient, 1)
        assert (arrival.body, arrival.message_id) == (sent.body, "m-1")
        assert (arrival.sender, arrival.redelivered) == ("GHA01", False)
        assert arrival.headers == {"traceparent": "00-ü"}

    async def test_two_thousand_parcels_arrive_once_each_in_the_order_published(
        self, opened: Opener
    ) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        for first in range(1, 2000, 500):
            outcome = await sender.publish(numbered("HUB", first, first + 499))
            assert outcome == [True] * 500
        arrived: list[str] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(arrived) < 2000:
                batch = await recipient.receive(100, 1.0)
                arrived += bodies(batch)
                await recipient.acknowledge(batch)
        assert arrived == numbers(1, 2000)
        assert await recipient.receive(1, 0.1) == []

    async def test_each_senders_parcels_keep_their_order(self, opened: Opener) -> None:
        one, two, recipient = await opened("GHA01"), await opened("CHE01"), await opened("HUB")
        await asyncio.gather(
            *(one.publish(numbered("HUB", n, n + 9)) for n in range(0, 100, 10)),
            *(two.publish(numbered("HUB", n, n + 9)) for n in range(1000, 1100, 10)),
        )
        arrivals = await take(recipient, 200)
        by_sender = {
            name: bodies([a for a in arrivals if a.sender == name]) for name in ("GHA01", "CHE01")
        }
        assert by_sender == {"GHA01": numbers(0, 99), "CHE01": numbers(1000, 1099)}

    async def test_waiting_for_arrivals_can_be_ended(self, opened: Opener) -> None:
        broker = await opened("HUB")
        waiting = asyncio.create_task(broker.receive(1, PATIENCE_SECONDS * 10))
        await asyncio.sleep(0.05)
        broker.wake()
        assert await asyncio.wait_for(waiting, PATIENCE_SECONDS) == []
        broker.wake()  # nobody waits now: it holds for the next time, and once
        assert await broker.receive(1, PATIENCE_SECONDS * 10) == []
        assert await broker.receive(1, 0.01) == []

    async def test_what_was_not_acknowledged_comes_again_first_and_in_order(
        self, opened: Opener
    ) -> None:
        sender, first = await opened("GHA01"), await opened("HUB")
        await sender.publish(numbered("HUB", 1, 5))
        assert bodies(await take(first, 5)) == numbers(1, 5)
        await first.close()
        await sender.publish(numbered("HUB", 6, 7))
        again = await take(await opened("HUB"), 7)
        assert bodies(again) == numbers(1, 7)
        assert [a.redelivered for a in again[:5]] == [True] * 5

    async def test_the_body_may_be_a_mebibyte(self, opened: Opener) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        body = random.Random(7).randbytes(2**20)
        assert await sender.publish([parcel("HUB", body), parcel("HUB", b"")]) == [True, True]
        large, empty = await take(recipient, 2)
        assert large.body == body
        assert empty.body == b""

    # --- Acknowledging ---------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("acknowledged", "come_again"),
        [
            (["abc"], "defghi"),
            (["def"], "abcghi"),
            (["ghi", "abc"], "def"),
            (["ghi", "def", "abc"], ""),
            (["ac", "b"], "defghi"),
            (["bdfh"], "acegi"),
            (["bdfh", "c"], "aegi"),
            (["e", "abcd"], "fghi"),
            (["i"], "abcdefgh"),
        ],
    )
    async def test_exactly_what_was_acknowledged_does_not_come_again(
        self, opened: Opener, acknowledged: list[str], come_again: str
    ) -> None:
        sender, first = await opened("GHA01"), await opened("HUB")
        await sender.publish([parcel("HUB", letter) for letter in "abcdefghi"])
        handed: list[Arrival] = []
        for _ in range(3):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(handed) % 3 or not handed or len(handed) < 9:
                    handed += await first.receive(3, 1.0)
        arrivals = {arrival.body.decode(): arrival for arrival in handed}
        for batch in acknowledged:
            await first.acknowledge([arrivals[letter] for letter in batch])
        await first.close()
        assert bodies(await take(await opened("HUB"), len(come_again))) == list(come_again)

    async def test_acknowledgements_may_run_at_the_same_time(self, opened: Opener) -> None:
        sender, first = await opened("GHA01"), await opened("HUB")
        await sender.publish(numbered("HUB", 0, 99))
        arrivals = await take(first, 100)
        order = random.Random(3).sample(arrivals[:90], 90)
        await asyncio.gather(*(first.acknowledge(order[n : n + 7]) for n in range(0, 90, 7)))
        await first.close()
        assert bodies(await take(await opened("HUB"), 10)) == numbers(90, 99)

    async def test_no_more_is_handed_out_than_prefetch_allows(self, opened: Opener) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB", prefetch=10)
        await sender.publish(numbered("HUB", 1, 25))
        arrivals = await take(recipient, 10)
        await recipient.acknowledge(arrivals[:4])
        assert bodies(await take(recipient, 4)) == numbers(11, 14)

    # --- Putting aside ---------------------------------------------------------------------------

    async def test_a_dead_letter_says_why_and_whose_it_was(self, opened: Opener) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        await sender.publish(numbered("HUB", 1, 3))
        arrivals = await take(recipient, 3)
        await recipient.dead_letter(arrivals[1], "signature", "key não conhecida " * 200)
        await recipient.acknowledge([arrivals[0], arrivals[2]])
        await recipient.close()
        recipient = await opened("HUB")
        assert await recipient.receive(10, 0.1) == []
        await until_dead(recipient, 1)
        (letter,) = await recipient.dead_letters(10)
        assert (letter.body, letter.sender, letter.reason) == (b"2", "GHA01", "signature")
        assert letter.message_id == arrivals[1].message_id
        assert letter.detail.startswith("key não conhecida key")
        assert len(letter.detail.encode()) <= 2000

    async def test_dead_letters_stay_until_discarded(self, opened: Opener) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        await sender.publish(numbered("HUB", 1, 3))
        for arrival in await take(recipient, 3):
            await recipient.dead_letter(arrival, "form", f"no. {arrival.body.decode()}")
        for _ in range(3):
            await until_dead(recipient, 3)
        letters = await recipient.dead_letters(10)
        assert await recipient.discard([letters[1]]) == 1
        await until_dead(recipient, 2)
        assert {x.detail for x in await recipient.dead_letters(10)} == {"no. 1", "no. 3"}
        assert await recipient.discard([letters[1]]) == 0

    async def test_an_arrival_whose_dead_letter_is_not_confirmed_comes_again(
        self, site: Site, opened: Opener
    ) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        await sender.publish(numbered("HUB", 1, 3))
        one, two, three = await take(recipient, 3)
        site.lose_dead_letters()
        with pytest.raises(Unavailable):
            await recipient.dead_letter(two, "form", "")
        (again,) = await take(recipient, 1)
        assert (again.body, again.redelivered) == (b"2", True)
        await recipient.acknowledge([one, three, again])
        await recipient.close()
        recipient = await opened("HUB")
        assert await recipient.receive(1, 0.1) == []
        assert await recipient.dead_letters(1) == []

    # --- Refusals --------------------------------------------------------------------------------

    async def test_an_unroutable_parcel_is_false_and_its_neighbours_are_not(
        self, opened: Opener
    ) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        parcels = [parcel("HUB", "1"), parcel(NOT_BOUND), parcel("HUB", "2")]
        assert await sender.publish(parcels) == [True, False, True]
        assert bodies(await take(recipient, 2)) == ["1", "2"]
        assert sender.state is LinkState.UP

    async def test_a_refused_recipient_is_false_and_everybody_else_is_served(
        self, opened: Opener
    ) -> None:
        sender, hub, other = await opened("GHA01"), await opened("HUB"), await opened("CHE01")
        refused = await opened("THA01")
        parcels = [p for n in range(20) for p in (parcel("HUB", str(n)), parcel("THA01"))]
        assert await sender.publish([*parcels, parcel("CHE01", "x")]) == [True, False] * 20 + [True]
        assert await sender.publish([parcel("THA01"), parcel("ZZZ99")]) == [False, False]
        assert await sender.publish([parcel("HUB", "20")]) == [True]
        # Copies are allowed where the first try is not known to have arrived.
        first_copies: list[str] = []
        while len(first_copies) < 21:
            for body in bodies(await hub.receive(100, PATIENCE_SECONDS)):
                if body not in first_copies:
                    first_copies.append(body)
        assert first_copies == numbers(0, 20)
        assert "x" in bodies(await other.receive(10, PATIENCE_SECONDS))
        assert await refused.receive(1, 0.1) == []

    async def test_one_id_may_be_published_twice_in_a_call(self, opened: Opener) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        parcels = [
            parcel("HUB", "1", "same"),
            parcel(NOT_BOUND, "2", "same"),
            parcel("HUB", "3", "same"),
        ]
        assert await sender.publish(parcels) == [True, False, True]
        assert bodies(await take(recipient, 2)) == ["1", "3"]

    async def test_nobody_reads_anothers_inbox_or_writes_in_anothers_name(
        self, site: Site, opened: Opener
    ) -> None:
        sender, hub = await opened("GHA01"), await opened("HUB")
        await sender.publish([parcel("CHE01", "for CHE01 alone")])
        impostor = site.broker("CHE01", login="GHA01", publish_timeout_seconds=1.0)
        await impostor.open()
        await until(lambda: impostor.last_error is not None)
        assert await impostor.receive(1, 0.5) == []
        assert await impostor.publish([parcel("HUB", "forged")]) == [False]
        assert impostor.state in (LinkState.DOWN, LinkState.CONNECTING)
        await impostor.close()
        assert await hub.receive(1, 0.1) == []
        assert bodies(await take(await opened("CHE01"), 1)) == ["for CHE01 alone"]

    async def test_a_second_consumer_waits_until_the_first_has_left(self, opened: Opener) -> None:
        sender, first, second = await opened("GHA01"), await opened("HUB"), await opened("HUB")
        await sender.publish(numbered("HUB", 1, 4))
        arrivals = await take(first, 4)
        assert await second.receive(10, 0.1) == []
        await first.acknowledge(arrivals[:2])
        await first.close()
        assert bodies(await take(second, 2)) == ["3", "4"]

    async def test_nothing_is_created_by_connecting(self, site: Site) -> None:
        early = site.broker("MEX01")
        await early.open()
        await until(lambda: early.last_error is not None)
        assert early.state in (LinkState.DOWN, LinkState.CONNECTING)
        await site.define("MEX01")
        await until(lambda: early.state is LinkState.UP)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await early.publish([parcel("HUB")]) != [True]:
                await asyncio.sleep(0.01)  # False is never more than "not known"
        await early.close()

    # --- Outages ---------------------------------------------------------------------------------

    async def test_after_an_outage_everything_goes_on_by_itself(
        self, site: Site, opened: Opener
    ) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        await sender.publish(numbered("HUB", 1, 4))
        arrivals = await take(recipient, 4)
        await recipient.acknowledge(arrivals[:1])
        assert await sender.publish([parcel("CHE01", "kept")]) == [True]
        waiting = asyncio.create_task(sender.receive(1, 10 * PATIENCE_SECONDS))
        await site.stop()
        await until(lambda: recipient.state is not LinkState.UP)
        assert await recipient.receive(1, 0.1) == []
        await recipient.acknowledge(arrivals[1:3])  # too late, and no harm
        await recipient.dead_letter(arrivals[3], "form", "too late as well")
        with pytest.raises(Unavailable):
            await recipient.dead_letters(1)
        await site.start()
        again = await take(recipient, 3)
        assert bodies(again) == ["2", "3", "4"]
        assert [a.redelivered for a in again] == [True] * 3
        assert again[0].tag > arrivals[-1].tag
        await recipient.acknowledge(arrivals)  # of the lost link: passed over
        await recipient.acknowledge(again)
        assert await recipient.publish([parcel("GHA01", "back")]) == [True]
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert bodies(await waiting) == ["back"]
        assert bodies(await take(await opened("CHE01"), 1)) == ["kept"]
        assert await recipient.dead_letters(1) == []

    async def test_publishing_during_an_outage_ends_in_time_and_a_true_is_kept(
        self, site: Site, opened: Opener
    ) -> None:
        sender = await opened("GHA01", publish_timeout_seconds=1.0)
        parcels = numbered("HUB", 0, 1999)
        under_way = asyncio.create_task(sender.publish(parcels))
        await site.stop()
        now = asyncio.get_running_loop().time
        outcome = await under_way
        began = now()
        assert await sender.publish(numbered("HUB", 5000, 5002)) == [False] * 3
        assert now() - began < 3.0  # the limit is 1
        await site.start()
        await until(lambda: sender.state is LinkState.UP)
        assert await sender.publish([parcel("HUB", "after")]) == [True]
        confirmed = {str(number) for number, known in enumerate(outcome) if known}
        arrived: list[str] = []
        recipient = await opened("HUB")
        while "after" not in arrived:
            batch = await recipient.receive(1000, PATIENCE_SECONDS)
            arrived += bodies(batch)
            await recipient.acknowledge(batch)
        assert confirmed <= set(arrived)
        assert not {"5000", "5001", "5002"} & set(arrived)
        assert [int(x) for x in arrived[:-1]] == sorted(int(x) for x in arrived[:-1])

    # --- Ending ----------------------------------------------------------------------------------

    async def test_closing_ends_a_waiting_receive(self, opened: Opener) -> None:
        broker = await opened("HUB")
        waiting = asyncio.create_task(broker.receive(1, 10 * PATIENCE_SECONDS))
        await until(lambda: not waiting.done())
        await broker.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await waiting == []
        assert broker.state is LinkState.CLOSED
        assert await broker.receive(1, PATIENCE_SECONDS) == []
        assert await broker.publish([parcel("GHA01")]) == [False]
        await broker.close()

    async def test_draining_hands_out_no_more_and_finishes_what_is_in_work(
        self, opened: Opener
    ) -> None:
        sender, first = await opened("GHA01"), await opened("HUB")
        await sender.publish(numbered("HUB", 1, 10))
        arrivals = await take_some(first, 3)
        waiting = asyncio.create_task(first.receive(10, 0.0))
        await waiting
        in_work = [*arrivals, *waiting.result()]
        await first.drain()
        assert first.state is LinkState.DRAINING
        assert await first.receive(10, PATIENCE_SECONDS) == []
        await sender.publish(numbered("HUB", 11, 12))
        assert await first.publish([parcel("GHA01", "answer")]) == [True]
        await first.acknowledge(in_work)
        assert bodies(await take(sender, 1)) == ["answer"]
        await first.close()
        left = [n for n in numbers(1, 12) if n not in bodies(in_work)]
        assert bodies(await take(await opened("HUB"), len(left))) == left

    async def test_closing_lets_publishing_under_way_end(self, opened: Opener) -> None:
        sender, recipient = await opened("GHA01"), await opened("HUB")
        publishing = asyncio.create_task(sender.publish(numbered("HUB", 1, 600)))
        await asyncio.sleep(0)
        await sender.close()
        outcome = await publishing
        assert outcome == [True] * 600
        arrived: list[str] = []
        while len(arrived) < 600:
            batch = await recipient.receive(100, PATIENCE_SECONDS)
            arrived += bodies(batch)
            await recipient.acknowledge(batch)
        assert arrived == numbers(1, 600)

    async def test_a_link_that_never_came_up_closes_at_once(self, site: Site) -> None:
        broker = site.broker("NOB01")
        await broker.open()
        publishing = asyncio.create_task(broker.publish([parcel("HUB")]))
        await asyncio.sleep(0)
        async with asyncio.timeout(5.0):
            await broker.close()
            assert await publishing == [False]


async def take_some(broker: Broker, count: int) -> list[Arrival]:
    arrivals: list[Arrival] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(arrivals) < count:
            arrivals += await broker.receive(count - len(arrivals), 1.0)
    return arrivals


async def until_dead(broker: Broker, count: int) -> None:
    """What another look had in its hands comes back a moment later."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(await broker.dead_letters(100)) != count:
            await asyncio.sleep(0.01)


class TestMemory(BrokerContract):
    @pytest.fixture
    def site(self) -> Site:
        return MemorySite()


class TestRabbitMQ(BrokerContract):
    @pytest.fixture
    async def site(self, restartable_rabbitmq: PrivateRabbitMQ) -> AsyncIterator[Site]:
        async for site in rabbitmq_site(restartable_rabbitmq):
            yield site


async def rabbitmq_site(server: PrivateRabbitMQ) -> AsyncIterator[RabbitMQSite]:
    site = RabbitMQSite(server)
    await apply_definitions(server.admin_url, site.document())
    yield site
    await site.remove()


class TestOnlyRabbitMQ:
    """What a participant might try with a client of its own."""

    @pytest.fixture
    async def site(self, restartable_rabbitmq: PrivateRabbitMQ) -> AsyncIterator[RabbitMQSite]:
        async for site in rabbitmq_site(restartable_rabbitmq):
            yield site

    @pytest.fixture
    async def hub(self, site: RabbitMQSite) -> AsyncIterator[Broker]:
        broker = site.broker("HUB")
        await broker.open()
        await until(lambda: broker.state is LinkState.UP)
        yield broker
        await broker.close()

    @pytest.mark.parametrize(
        ("exchange", "key", "user"),
        [
            (EXCHANGE, "HUB", "CHE01"),  # in another's name
            (EXCHANGE, "GHA01", "GHA01"),  # into its own inbox
            ("", "inbox.HUB", "GHA01"),  # past the exchange
            ("a6hub.dead", "HUB", "GHA01"),  # into another's dead letters
        ],
    )
    async def test_the_broker_refuses(
        self, site: RabbitMQSite, hub: Broker, exchange: str, key: str, user: str
    ) -> None:
        async with await aio_pika.connect(site.url("GHA01")) as connection:
            channel = await connection.channel()
            target = await channel.get_exchange(exchange, ensure=False)
            message = aio_pika.Message(b"x", user_id=user)
            with pytest.raises(aio_pika.exceptions.AMQPError):
                await target.publish(message, key, timeout=PATIENCE_SECONDS)
        assert await hub.receive(1, 0.1) == []
        assert await hub.dead_letters(1) == []

    @pytest.mark.parametrize("name", ["inbox.HUB", "dead.HUB"])
    async def test_the_broker_lets_nobody_read_it(self, site: RabbitMQSite, name: str) -> None:
        async with await aio_pika.connect(site.url("GHA01")) as connection:
            queue = await (await connection.channel()).get_queue(name, ensure=False)
            with pytest.raises(aio_pika.exceptions.ChannelClosed, match="ACCESS_REFUSED"):
                await queue.get(timeout=PATIENCE_SECONDS)

    async def test_properties_that_cannot_be_decoded_do_not_break_the_link(
        self, site: RabbitMQSite, hub: Broker
    ) -> None:
        async with await aio_pika.connect(site.url("GHA01")) as connection:
            channel = await (await connection.channel()).get_underlay_channel()
            frames: list[FrameType] = [
                Basic.Publish(exchange=EXCHANGE, routing_key="HUB"),
                ContentHeader(properties=Basic.Properties(message_id="AAAA"), body_size=4),
                ContentBody(b"body"),
            ]
            payload = ChannelFrame.marshall(channel.number, frames).payload
            broken = ChannelFrame(payload.replace(b"AAAA", b"\xff\xfe\xfd\xfc"), should_close=False)
            await channel.connection.write_queue.put(broken)
            (arrival,) = await take(hub, 1)
        assert (arrival.body, arrival.sender, arrival.message_id) == (b"body", None, None)
        await hub.dead_letter(arrival, "form", "no such properties")
        assert hub.state is LinkState.UP
        await until_dead(hub, 1)

    async def test_a_broker_that_is_not_there_is_a_state_and_not_an_exception(self) -> None:
        broker = AmqpBroker("HUB", settings("amqp://HUB:secret@127.0.0.1:1/"))
        await broker.open()
        await until(lambda: broker.last_error is not None)
        assert broker.state in (LinkState.DOWN, LinkState.CONNECTING)
        assert "127.0.0.1:1" in (broker.last_error or "")
        assert "secret" not in (broker.last_error or "")
        await broker.close()
