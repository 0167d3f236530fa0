# SPDX-License-Identifier: Apache-2.0
"""A hub that lies to one registry or to the reconciliation service, while its own log is right.

The auditor of the simulation sees the hub's database, in which nothing is wrong. Whoever is lied to
must find out by itself. Lies about what the log itself has, such as a completion that nobody
agreed to, are told to a federation of the acceptance tests (`test_federation_false_hub`).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from runtime.program import Batch, Said
from schemas.effects import DirectoryEffect
from schemas.envelope import digest
from schemas.identifiers import HUB_ACTOR, REC, Actor, Digest, Participant
from schemas.messages import Entry, Message
from tests.simulation.planted import replaced

__all__ = ["LIES", "Lie"]

VICTIM = Participant("GHA01")

Told = Callable[[Batch, Participant, Message, bytes], Iterable[tuple[Message, bytes]]]
"""What the hub says to one participant in place of an entry."""

Lied = list[Participant]
"""To whom it has said something else than it should, each time."""


class Lie(NamedTuple):
    """How a hub lies, who finds out, and what that one says."""

    plant: Callable[[], AbstractContextManager[Lied]]
    found_by: Participant
    event: str
    said: str

    @property
    def text(self) -> str:
        """What the lie is, in a sentence."""
        return " ".join((self.plant.__doc__ or "").split())


def withheld() -> AbstractContextManager[Lied]:
    """An entry is in the log, and is not sent to a registry that it is addressed to."""
    told = [0]

    def skip(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != VICTIM or not _concerns(message, to):
            return [(message, line)]
        told[0] += 1
        return [] if told[0] == 1 else [(message, line)]

    return _telling(skip)


def act_withheld() -> AbstractContextManager[Lied]:
    """An entry that carries an act is in the log, and is not sent to a registry."""
    told = [0]

    def skip(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != VICTIM or not _carries_an_act(message):
            return [(message, line)]
        told[0] += 1
        return [] if told[0] == 1 else [(message, line)]

    return _telling(skip)


def reordered() -> AbstractContextManager[Lied]:
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


def repeated() -> AbstractContextManager[Lied]:
    """An entry is sent to a registry twice, as two messages."""

    def twice(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != VICTIM or not _concerns(message, to):
            return [(message, line)]
        again = batch.make("entry", message.conversation, message.body, answers=message.answers)
        return [(message, line), again]

    return _telling(twice)


def shown_otherwise() -> AbstractContextManager[Lied]:
    """A registry is shown an entry with other words than the log has."""

    def other(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != VICTIM or not _concerns(message, to):
            return [(message, line)]
        body = message.body.model_copy(update={"rules": "others"})
        return [batch.make("entry", message.conversation, body, answers=message.answers)]

    return _telling(other)


def dropped() -> AbstractContextManager[Lied]:
    """The reconciliation service is not shown an entry."""
    told = [0]

    def skip(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        told[0] += to == REC
        return [] if to == REC and told[0] == 1 else [(message, line)]

    return _telling(skip)


def two_logs() -> AbstractContextManager[Lied]:
    """The reconciliation service is shown another log than everybody else."""

    def other(batch: Batch, to: Participant, message: Message, line: bytes) -> Iterable[Line]:
        if to != REC:
            return [(message, line)]
        body = message.body.model_copy(update={"rules": "others"})
        return [batch.make("entry", message.conversation, body, answers=message.answers)]

    return _telling(other)


Line = tuple[Message, bytes]


def _concerns(message: Message, to: Participant) -> bool:
    """Whether an entry is a delivery to a participant and nothing else: acts are counted too, and
    would give a lie away before the place of the delivery does.
    """
    entry: Entry = message.body
    addressed = any(one.actor.participant == to for one in entry.addressed)
    return addressed and not _carries_an_act(message)


def _carries_an_act(message: Message) -> bool:
    entry: Entry = message.body
    return any(isinstance(effect, DirectoryEffect) for effect in entry.effects)


@contextmanager
def _telling(told: Told) -> Iterator[Lied]:
    """The hub, with other words to whoever it likes, once the run goes on."""
    repeat = Batch.repeat
    lied: Lied = []

    def lie(
        self: Batch, author: Actor, to: Iterable[Participant], message: Message, line: bytes
    ) -> Digest:
        if author != HUB_ACTOR or message.type != "entry":
            return repeat(self, author, to, message, line)
        for one in to:
            words = list(told(self, one, message, line))
            if words != [(message, line)]:
                lied.append(one)
            for other, said in words:
                self.said.append(Said(author, one, other, said, digest(said)))
        return digest(line)

    with replaced((Batch, "repeat", lie)):
        yield lied


HALTS, ALARM = "node_halted", "alarm_raised"

LIES: dict[str, Lie] = {
    "withheld": Lie(withheld, VICTIM, HALTS, "is the next|is not what was received"),
    "an act withheld": Lie(
        act_withheld, VICTIM, HALTS, "counts [0-9]+ acts before it, [0-9]+ came"
    ),
    "reordered": Lie(reordered, VICTIM, HALTS, "is the next|is not what was received"),
    "repeated": Lie(repeated, VICTIM, HALTS, "is the next|is not what was received"),
    "shown otherwise": Lie(shown_otherwise, VICTIM, HALTS, "is not what was received"),
    "dropped": Lie(dropped, REC, ALARM, "log-hole|covers [0-9]+ entries, [0-9]+ came"),
    "two logs": Lie(two_logs, REC, ALARM, "checkpoint-false"),
}
