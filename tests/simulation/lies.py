# SPDX-License-Identifier: Apache-2.0
"""A hub that lies to one registry or to the reconciliation service, while its own log is right.

The auditor of the simulation sees the hub's database, in which nothing is wrong. Whoever is lied to
must find out by itself. Lies about what the log itself has, such as a completion that nobody
agreed to, are told to a federation of the acceptance tests (`test_federation_false_hub`).
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple

from runtime.program import Batch, Said
from schemas.envelope import digest
from schemas.identifiers import HUB_ACTOR, REC, Actor, Digest, Participant
from schemas.messages import Entry, Message
from tests.simulation.planted import replaced

__all__ = ["LIES", "Lie"]

VICTIM = Participant("GHA01")

Told = Callable[[Batch, Participant, Message, bytes], Iterable[tuple[Message, bytes]]]
"""What the hub says to one participant in place of an entry."""


class Lie(NamedTuple):
    """How a hub lies, who finds out, and what that one says."""

    plant: Callable[[], AbstractContextManager[None]]
    found_by: Participant
    event: str
    said: str

    @property
    def text(self) -> str:
        """What the lie is, in a sentence."""
        return " ".join((self.plant.__doc__ or "").split())


def withheld() -> AbstractContextManager[None]:
    """An entry is in the log, and is not sent to a registry that it is addressed to."""
    told = [0]

    def skip(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != VICTIM or not _concerns(message, to):
            return [(message, line)]
        told[0] += 1
        return [] if told[0] == 1 else [(message, line)]

    return _telling(skip)


def reordered() -> AbstractContextManager[None]:
    """Two entries come to a registry in another order than the log has them."""
    kept: list[Line] = []
    done: list[Line] = []

    def swap(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != VICTIM or done or not _concerns(message, to):
            return [(message, line)]
        if not kept:
            kept.append((message, line))
            return []
        done.append((message, line))
        return [(message, line), *kept]

    return _telling(swap)


def repeated() -> AbstractContextManager[None]:
    """An entry is sent to a registry twice, as two messages."""

    def twice(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != VICTIM or not _concerns(message, to):
            return [(message, line)]
        again = batch.make("entry", message.conversation, message.body, answers=message.answers)
        return [(message, line), again]

    return _telling(twice)


def shown_otherwise() -> AbstractContextManager[None]:
    """A registry is shown an entry with other words than the log has."""

    def other(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != VICTIM or not _concerns(message, to):
            return [(message, line)]
        body = message.body.model_copy(update={"rules": "others"})
        return [batch.make("entry", message.conversation, body, answers=message.answers)]

    return _telling(other)


def dropped() -> AbstractContextManager[None]:
    """The reconciliation service is not shown an entry."""
    told = [0]

    def skip(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        told[0] += to == REC
        return [] if to == REC and told[0] == 1 else [(message, line)]

    return _telling(skip)


def two_logs() -> AbstractContextManager[None]:
    """The reconciliation service is shown another log than everybody else."""

    def other(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != REC:
            return [(message, line)]
        body = message.body.model_copy(update={"rules": "others"})
        return [batch.make("entry", message.conversation, body, answers=message.answers)]

    return _telling(other)


Line = tuple[Message, bytes]


def _concerns(message: Message, to: Participant) -> bool:
    entry: Entry = message.body
    return any(one.actor.participant == to for one in entry.addressed)


def _telling(told: Told) -> AbstractContextManager[None]:
    """The hub, with other words to whoever it likes, once the run goes on."""
    repeat = Batch.repeat

    def lie(
        self: Batch, author: Actor, to: Iterable[Participant], message: Message, line: bytes
    ) -> Digest:
        if author != HUB_ACTOR or message.type != "entry":
            return repeat(self, author, to, message, line)
        for one in to:
            for other, said in told(self, one, message, line):
                self.said.append(Said(author, one, other, said, digest(said)))
        return digest(line)

    return replaced((Batch, "repeat", lie))


HALTS, ALARM = "node_halted", "alarm_raised"

LIES: dict[str, Lie] = {
    "withheld": Lie(withheld, VICTIM, HALTS, "is the next|is not what was received"),
    "reordered": Lie(reordered, VICTIM, HALTS, "is the next|is not what was received"),
    "repeated": Lie(repeated, VICTIM, HALTS, "is the next|is not what was received"),
    "shown otherwise": Lie(shown_otherwise, VICTIM, HALTS, "is not what was received"),
    "dropped": Lie(dropped, REC, ALARM, "log-hole|covers [0-9]+ entries, [0-9]+ came"),
    "two logs": Lie(two_logs, REC, ALARM, "checkpoint-false"),
}
