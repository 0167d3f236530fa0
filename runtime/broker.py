# SPDX-License-Identifier: Apache-2.0
"""The broker port: how a participant's envelopes leave, and how others' arrive.

A participant has one inbox and one dead-letter queue. `runtime/amqp.py` carries this port over
RabbitMQ, `runtime/memory.py` inside one process; both pass `tests/contract/test_broker.py`.

What holds, whichever carries it:

- **Durability.** A parcel reported True is on the broker's disk and in the recipient's inbox; it
  stays until an acknowledgement of the recipient, through restarts of everybody. False means *not
  known*: it may arrive none the less, so the caller sends the same bytes again, later.
- **Order.** Parcels of one sender to one recipient first arrive in the order published, as long as
  all are reported True. What is repeated after a False arrives late, or twice. Between different
  recipients there is no order.
- **Idempotence.** There is none here: every parcel may arrive more than once, whatever was
  reported. Recipients recognise repetitions by what is signed in the body.
- **Redelivery.** What was handed out and not acknowledged comes back, marked `redelivered`, ahead
  of what came later, when the link is lost or closed. There is no limit on attempts.
- **Concurrency.** One event loop. `publish` calls run one after another in the order made;
  `receive` may wait in several tasks, each arrival goes to one. One broker at a time consumes a
  participant's inbox; a second one waits until the first is gone.
- **Errors.** A link that is down, slow or blocked is a state, not an exception: `receive` answers
  nothing, `publish` False. Only calls that have no such answer raise `Unavailable`. Every call
  ends within its time limit, whatever the broker does.
- **Trust.** Only what is signed in a body is believed. `sender` is what the broker has checked,
  which is good for logs and for a cheap first look, and says nothing about who signed.

Deliberately elsewhere: what is in a body (`schemas.envelope`), when to send again (the outbox
relay), and who may talk to whom (`runtime/definitions.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

__all__ = [
    "DETAIL_BYTES_MAX",
    "HEADERS_BYTES_MAX",
    "NAME_BYTES_MAX",
    "Arrival",
    "Broker",
    "BrokerSettings",
    "DeadLetter",
    "LinkState",
    "Parcel",
    "cut",
]

NAME_BYTES_MAX: Final = 255
"""AMQP 0-9-1 counts the bytes of a short string in one byte."""

HEADERS_BYTES_MAX: Final = 4096
"""Trace context and baggage fit; headers of one AMQP message share one frame, whatever its size."""

DETAIL_BYTES_MAX: Final = 2000
"""A dead letter says why in a paragraph; the whole story is in the log."""


class LinkState(StrEnum):
    """What a link can do at the moment; derived from facts, so there is no table of changes."""

    DOWN = "down"
    """Not connected: not opened yet, or waiting before the next try. `last_error` says why."""
    CONNECTING = "connecting"
    UP = "up"
    BLOCKED = "blocked"
    """Connected, but the broker takes no parcels (its memory or disk is short). Arrivals go on."""
    DRAINING = "draining"
    """Asked to end: no more arrivals; acknowledging and publishing go on."""
    CLOSED = "closed"
    """For good."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """An envelope on its way out.

    All but `body` is for operators' tools and travels as AMQP properties, up to 255 bytes of UTF-8
    each: `to` is the recipient's participant id, `message_id` is not empty. `headers` (W3C trace
    context and the like) is at most 4 KiB of UTF-8, names and values together. Anything else is a
    bug of the caller.
    """

    to: str
    body: bytes
    message_id: str
    type: str
    correlation_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = (self.to, self.message_id, self.type, self.correlation_id or "", *self.headers)
        assert self.to
        assert self.message_id
        assert all(len(name.encode()) <= NAME_BYTES_MAX for name in names), names
        size = sum(len(n.encode()) + len(v.encode()) for n, v in self.headers.items())
        assert size <= HEADERS_BYTES_MAX, self.headers


@dataclass(frozen=True, slots=True)
class Arrival:
    """An envelope that came in and waits to be acknowledged or dead-lettered."""

    tag: int
    """Grows with every arrival for as long as the broker object lives, across reconnects."""
    body: bytes
    sender: str | None
    """The participant that the broker saw publishing it; None when it did not say."""
    redelivered: bool
    """Whether it may have been handed out before."""
    message_id: str | None = None
    """As the sender says, for logs."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Text headers only, at most 4 KiB of them; others, and what exceeds it, are left out."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A copy of an arrival that was put aside, with the reason."""

    body: bytes
    sender: str | None
    message_id: str | None
    reason: str
    """A short stable code."""
    detail: str
    """For people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Limits and addresses of one participant's link."""

    url: str = field(repr=False)
    """`amqp://user:password@host:port/vhost`, or `amqps://host:port/vhost?auth=external&cafile=…&
    certfile=…&keyfile=…` for TLS with a client certificate. The broker's user is the participant.
    It is a secret."""
    prefetch: int = 256
    """Arrivals handed out or waiting here without acknowledgement, at most. Times the size of an
    envelope this is memory; larger batches than this gain nothing."""
    publish_window: int = 256
    """Parcels written together and not yet confirmed, at most; each multiple confirm costs time in
    proportion to it."""
    publish_timeout_seconds: float = 10.0
    """One `publish` or `dead_letter`, waiting for the link included, whatever the number of
    parcels."""
    connect_timeout_seconds: float = 10.0
    """One attempt to connect, the check of exchanges and queues included."""
    call_timeout_seconds: float = 5.0
    """One acknowledgement, cancellation or closing."""
    backoff_min_seconds: float = 0.2
    backoff_max_seconds: float = 15.0
    """Between attempts to connect; doubles from the one to the other."""
    heartbeat_seconds: int = 10
    """A peer silent for some three of these is gone."""
    refusal_seconds: float = 30.0
    """How long a recipient that the broker refused is not tried again; each try costs a channel."""

    def __post_init__(self) -> None:
        if not 1 <= self.prefetch <= 65_535:
            raise ValueError("prefetch must be between 1 and 65535")
        if not 1 <= self.publish_window <= 1000:
            raise ValueError("publish_window must be between 1 and 1000")
        if not 1 <= self.heartbeat_seconds <= 3600:
            raise ValueError("heartbeat_seconds must be between 1 and 3600")
        limits = (
            self.publish_timeout_seconds,
            self.connect_timeout_seconds,
            self.call_timeout_seconds,
            self.backoff_min_seconds,
        )
        if min(limits) <= 0 or self.backoff_max_seconds < self.backoff_min_seconds:
            raise ValueError("time limits and back-off must be positive, and back-off in order")


def cut(detail: str) -> str:
    """The beginning of a dead letter's detail, as much of it as is kept."""
    return detail.encode(errors="replace")[:DETAIL_BYTES_MAX].decode(errors="ignore")


class Broker(Protocol):
    """One participant's link to its broker. The contract is in the module's docstring."""

    @property
    def participant(self) -> str: ...

    @property
    def state(self) -> LinkState: ...

    @property
    def last_error(self) -> str | None:
        """The last trouble of the link in words, for logs; kept after it is over."""

    async def open(self) -> None:
        """Starts connecting and returns at once; goes on, with bounded back-off, until closed.

        Nothing is created at the broker: a missing exchange, queue or permission shows as state
        DOWN with `last_error`, and is looked for again at every attempt.
        """

    async def receive(self, most: int, wait_seconds: float) -> list[Arrival]:
        """What has arrived, in order, up to `most`; waits up to `wait_seconds` for the first.

        Empty when nothing came, or nothing may come: a link that is down is waited for like an
        arrival, but DRAINING and CLOSED answer at once. Not more than `prefetch` arrivals are
        handed out and unacknowledged at a time. `wake` ends the waiting.
        """

    def wake(self) -> None:
        """Has `receive` return at once, now or the next time: there is something else to do."""

    async def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        """Lets the broker forget these; call it after the commit, in any order and grouping.

        Arrivals of a link lost meanwhile are passed over in silence: they come again. So may any
        other, because the broker does not confirm acknowledgements.
        """

    async def dead_letter(self, arrival: Arrival, reason: str, detail: str) -> None:
        """Copies an arrival into the participant's dead-letter queue, then acknowledges it.

        `reason` is a stable code of up to 255 bytes; of `detail` the first 2000 bytes are kept.
        An arrival of a lost link is passed over. Raises `Unavailable` when the copy was not
        confirmed; the arrival then comes again, and there may be a copy none the less.
        """

    async def publish(self, parcels: Sequence[Parcel]) -> list[bool]:
        """Sends parcels; answers for each, in their order, whether the broker has it for good.

        True: confirmed, durable, and in the recipient's inbox. False: not known, or refused
        (no such recipient, not permitted, inbox full); `last_error` says which, where it is known.
        Parcels behind a False may be True. While the link is down or blocked it waits, within
        `publish_timeout_seconds` for the whole call; what has not been sent by then is False.
        """

    async def dead_letters(self, most: int) -> list[DeadLetter]:
        """The oldest dead letters, left where they are. For operators: it may miss letters that
        another look has in its hands just then. Raises `Unavailable`.
        """

    async def discard(self, letters: Sequence[DeadLetter]) -> int:
        """Removes dead letters and answers how many were found. Raises `Unavailable`."""

    async def drain(self) -> None:
        """Takes no more arrivals: a waiting `receive` returns, what was not handed out goes back.

        Acknowledging and publishing go on, reconnecting if need be, until `close`.
        """

    async def close(self) -> None:
        """Waits for acknowledgements and publishing under way, within their limits, then leaves.

        What is unacknowledged goes back to the inbox. Calling it twice does nothing more.
        """
