# SPDX-License-Identifier: Apache-2.0
"""What one batch is made of (`Work`), and what it leaves to do once it is durable (`Done`).

The two exceptions end a batch before its commit and say how it may be run again: without an item
(`Culprit`), or up to an envelope (`Halting`), behind which a program stops or pauses.

Elsewhere: how a batch is run (`handler`), who puts it together (`node`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from runtime.control import Replies
from runtime.intake import Authentic, Refused, Unit
from runtime.journal import Kept, Sealed
from runtime.program import Batch, Item
from schemas.identifiers import Actor, Participant

__all__ = ["Culprit", "Done", "Halting", "Work"]


class Culprit(Exception):
    """An item whose decision raised, with the exception as cause."""

    def __init__(self, item: Item) -> None:
        super().__init__(item.name)
        self.item = item


class Halting(Exception):
    """The program stops or pauses at a message and more lies behind it: `last` says up to which
    sequence of each sender the batch may go; senders that are not named have nothing in it.
    """

    def __init__(self, last: Mapping[Actor, int]) -> None:
        super().__init__(f"stops behind {dict(last)}")
        self.last = last


@dataclass(frozen=True, slots=True)
class Work:
    """What one batch is made of."""

    sequenced: Sequence[Authentic] = ()
    control: Sequence[Authentic] = ()
    refused: Sequence[Refused] = ()
    resume: Sequence[Actor] = ()
    """Senders whose stored envelopes are to be looked at again."""
    commands: bool = False
    """Whether the desk is looked at."""
    tick: bool = False
    consuming: bool = False
    """Whether the link is up and everything that had arrived is here, or was before."""
    held: frozenset[Actor] = frozenset()
    """Actors whose envelopes wait for their time."""
    until: Mapping[Actor, int] | None = None
    """How far each sender's sequence may go at most; None where there is no bound."""

    def cut(self, last: Mapping[Actor, int]) -> "Work":
        """The same up to these sequences; the desk and the clock come after all envelopes."""
        within = [a for a in self.sequenced if a.sequence <= last.get(a.opened.manifest.sender, 0)]
        return replace(self, sequenced=within, commands=False, tick=False, until=last)

    def behind(self, last: Mapping[Actor, int]) -> list[Unit]:
        """The envelopes that are beyond these sequences."""
        sequenced = ((a, last.get(a.opened.manifest.sender, 0)) for a in self.sequenced)
        return [a.unit for a, until in sequenced if a.sequence > until]

    def parts(self) -> "list[Work]":
        """The same in its smallest parts, in an order in which they may be run."""
        parts = [Work(sequenced=[a], until=self.until) for a in self.sequenced]
        parts += [Work(control=[a]) for a in self.control]
        parts.append(Work(refused=self.refused, resume=self.resume))
        if self.commands:
            parts.append(Work(commands=True, held=self.held))
        if self.tick:
            parts.append(Work(tick=True, consuming=self.consuming, held=self.held))
        return parts

    def units(self) -> list[Unit]:
        """Every envelope in it."""
        taken = [a.unit for a in (*self.sequenced, *self.control)]
        return taken + [r.unit for r in self.refused]

    def names(self) -> frozenset[str]:
        """The names of the messages in it, and of its tick."""
        names = {
            f"{a.opened.manifest.sender}#{a.sequence}/{index}"
            for a in self.sequenced
            for index in range(len(a.opened.lines))
        }
        return frozenset(names | ({"tick"} if self.tick else set()))


@dataclass
class Done:
    """What a batch does beside its program's facts, and what is left to do when it is durable."""

    batch: Batch
    refused: list[Refused] = field(default_factory=list)
    replies: Replies = field(default_factory=Replies)
    sealed: list[Sealed] = field(default_factory=list)
    again: list[Unit] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    """Where the messages heard and said stand."""
    changed: dict[tuple[Actor, Participant], int] = field(default_factory=dict)
    """The sequences that the batch has moved."""
    more_commands: bool = False
    """Whether there may be more at the desk than was taken."""
    confirmed: dict[int, int] = field(default_factory=dict)
    """Commands that a second person has confirmed in this batch, and by which command."""
    unfinished: set[Actor] = field(default_factory=set)
    """Senders of whom more is stored that may be applied."""
