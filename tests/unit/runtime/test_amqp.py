# SPDX-License-Identifier: Apache-2.0
"""Parts of the RabbitMQ adapter that need no broker to go wrong.

What it does with one is in `tests/contract/test_broker.py`.
"""

import asyncio
import struct

import pamqp.frame
import pytest
from aiormq.abc import ChannelFrame
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from runtime.amqp import AmqpBroker
from runtime.amqp_inbox import text_headers
from runtime.amqp_publish import WINDOW_BYTES_MAX, _windows
from runtime.amqp_wire import address, blank_if_undecodable, in_time
from runtime.broker import BrokerSettings, LinkState, Parcel, cut
from runtime.errors import Unavailable


def header_frame(properties: Basic.Properties) -> tuple[bytes, bytes]:
    """A content header as the reader meets it: the frame's own header, and its payload."""
    frame = ChannelFrame.marshall(1, [ContentHeader(properties=properties, body_size=2)]).payload
    return frame[:7], frame[7:]


def nested_headers(depth: int) -> tuple[bytes, bytes]:
    table = b"\x01aS\x00\x00\x00\x01b"
    for _ in range(depth):
        table = b"\x01aF" + struct.pack(">I", len(table)) + table
    payload = struct.pack(">HHQHI", 60, 0, 2, 0x2000, len(table)) + table
    return struct.pack(">BHI", 2, 1, len(payload)), payload + b"\xce"


def test_properties_that_can_be_decoded_stay_as_they_are() -> None:
    properties = Basic.Properties(message_id="m", user_id="GHA01", headers={"traceparent": "00-ü"})
    header, payload = header_frame(properties)
    assert blank_if_undecodable(header, payload) is payload


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        [part.replace(b"AAAA", b"\xff\xfe\xfd\xfc") for part in header_frame(properties)]
        for properties in (
            Basic.Properties(message_id="AAAA", user_id="GHA01"),
            Basic.Properties(headers={"AAAA": "x"}),
            Basic.Properties(content_type="text", message_type="AAAA"),
        )
    ]
    + [list(nested_headers(3000))],
)
def test_properties_that_cannot_be_decoded_are_blanked(header: bytes, payload: bytes) -> None:
    with pytest.raises((pamqp.exceptions.PAMQPException, RecursionError)):
        pamqp.frame.unmarshal(header + payload)
    blanked = blank_if_undecodable(header, payload)
    assert len(blanked) == len(payload)
    _, _, decoded = pamqp.frame.unmarshal(header + blanked)
    assert isinstance(decoded, ContentHeader)
    assert decoded.body_size == 2
    assert not [value for _, value in decoded.properties if value]


async def test_a_call_that_takes_too_long_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"no answer within 0\.0 s"):
        await in_time(asyncio.sleep(60), 0.01)


@pytest.mark.parametrize(
    "failure", [OSError("reset"), RuntimeError("closed"), asyncio.CancelledError("lost")]
)
async def test_whatever_a_call_fails_with_is_unavailable(failure: BaseException) -> None:
    async def fail() -> None:
        raise failure

    with pytest.raises(Unavailable):
        await in_time(fail(), 60)
    current = asyncio.current_task()
    assert current is not None
    assert not current.cancelling()


async def test_a_bug_of_ours_stays_a_bug() -> None:
    async def fail() -> None:
        raise AssertionError

    with pytest.raises(AssertionError):
        await in_time(fail(), 60)


async def test_our_own_cancellation_ends_the_call() -> None:
    begun = asyncio.Event()
    ended = asyncio.Event()

    async def call() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    waiting = asyncio.create_task(in_time(call(), 60))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(ended.wait(), 60)


def sizes(*lengths: int, names: str | None = None) -> list[Parcel]:
    labels = names or [str(n) for n in range(len(lengths))]
    return [Parcel("HUB", bytes(n), name, "t") for n, name in zip(lengths, labels, strict=True)]


@pytest.mark.parametrize(
    ("parcels", "windows"),
    [
        ([], []),
        (sizes(1, 1, 1, 1, 1), [[0, 1], [2, 3], [4]]),
        (sizes(WINDOW_BYTES_MAX - 1, 1, 1), [[0, 1], [2]]),
        (sizes(1, WINDOW_BYTES_MAX + 1, 1), [[0], [1], [2]]),
        (sizes(1, 1, 1, 1, names="aaab"), [[0], [1], [2, 3]]),
        (sizes(1, 1, 1, 1, names="abab"), [[0, 1], [2, 3]]),
    ],
)
def test_windows_are_bounded_and_hold_no_id_twice(
    parcels: list[Parcel], windows: list[list[int]]
) -> None:
    assert list(_windows(parcels, 2)) == windows


def test_only_headers_that_are_text_and_fit_are_kept() -> None:
    assert text_headers({"a": "b", "n": 1, "x": b"\xff", "t": {"c": "d"}}) == {"a": "b"}
    assert text_headers({"a": "x" * 4095, "b": "y"}) == {"a": "x" * 4095}


@pytest.mark.parametrize("detail", ["é" * 3000, "\ud800" * 3000, "short"])
def test_a_detail_is_cut_to_whole_characters(detail: str) -> None:
    kept = cut(detail)
    assert len(kept.encode()) <= 2000
    assert kept[:5] in (detail[:5], "?????")


@pytest.mark.parametrize("url", ["http://localhost/", "amqp:///vhost", "localhost:5672"])
def test_a_url_that_leads_nowhere_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        AmqpBroker("HUB", BrokerSettings(url=url))


def test_an_address_does_not_tell_the_password() -> None:
    assert address("amqp://HUB:secret@broker:5672/a6") == "amqp://broker:5672/a6"


async def test_the_pause_between_attempts_doubles_up_to_its_maximum_and_stays_there() -> None:
    limits = BrokerSettings(
        url="amqp://127.0.0.1:1", backoff_min_seconds=0.5, backoff_max_seconds=8.0
    )
    pauses = [AmqpBroker("HUB", limits)._pause(attempt) for attempt in (0, 1, 2, 3, 4, 5, 10_000)]
    assert [pause / pauses[0] for pause in pauses] == [1, 2, 4, 8, 16, 16, 16]
    assert 4.0 <= pauses[-1] <= 8.0


async def test_a_supervisor_that_fails_does_not_look_like_an_outage() -> None:
    def fail(state: LinkState, reason: str | None) -> None:
        raise AssertionError(state, reason)

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    broker = AmqpBroker("HUB", BrokerSettings(url="amqp://127.0.0.1:1"), fail)
    await broker.open()
    assert broker._supervisor is not None
    await asyncio.wait({broker._supervisor})
    await asyncio.sleep(0)
    assert broker.state is LinkState.CLOSED
    assert "AssertionError" in (broker.last_error or "")
    assert told
