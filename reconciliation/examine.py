# SPDX-License-Identifier: Apache-2.0
"""Examining what actors state: compare, drill down, open and close cases.

An actor's replica is brought forward to the very position that its word speaks of, and compared
there. Where the roots are equal that is all: no question is asked. Where they differ, and otherwise
than is known already (`known`), a drill-down begins, one per actor at a time, and runs on the
actor's answers; statements that arrive meanwhile are compared like any others, and end it when they
agree.

Answers come directly and can overtake the hub's entries. One that speaks of deliveries which have
not come yet is kept until they have; one that speaks of a past which the replica has left is asked
for again. What is not answered is asked again after `inquiry_seconds`, and is a case of its own
(`statement-overdue`) after `overdue_seconds`.

A word about deliveries that the log does not have for its author cannot be compared with anything:
it is a case of its own (`deliveries-differ`) until the author says something else.

This is the end of a batch: entries are written, and reading and hashing rows may happen here.

Elsewhere: the descent itself (`descent`), an answer beside what our replica says (`ours`), causes
(`classify`), rows and tree (`runtime.books`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from ledger.consent import moved_by
from ledger.effects import apply
from reconciliation import drill as drills
from reconciliation import past, silence
from reconciliation.cases import OVERDUE, close_cases, gone, of_deliveries, open_cases
from reconciliation.classify import Classified, Moved, classify, unanswered
from reconciliation.descent import Broken, Named
from reconciliation.drill import Drill
from reconciliation.follow import misdelivered, raise_alarm
from reconciliation.known import Known, expected_of, sum_of
from reconciliation.ours import compare
from reconciliation.state import Facts, Standing, Stated
from reconciliation.telling import acknowledge
from runtime import books, events
from runtime.program import Batch
from runtime.store import Session
from schemas.effects import Cause, Move, Restate, Units
from schemas.envelope import digest
from schemas.identifiers import REC_ACTOR, Actor, Digest, Instant
from schemas.messages import Answer, AnswerMessage, Entry
from schemas.units import Key

__all__ = ["Examination", "ReconcilerSettings", "next_due"]

ENTRIES_AT_ONCE = 500
ASKED_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilerSettings:
    """How the service behaves; durations in seconds."""

    inquiry_seconds: float = 10.0
    """How long an answer is waited for before the question is asked again."""
    overdue_seconds: float = 300.0
    """How long an actor that differs may leave a question open before that is a case."""
    silent_seconds: float = 86400.0
    """How long an actor may state nothing, while the hub is heard, before that is a case."""
    restarts_max: int = 3
    """Drill-downs that come to nothing before they are given up until the next statement."""
    freeze: bool = True
    """Whether the units of an open case are frozen on the stating actor's own side."""
    trust_root: Digest | None = None
    """The digest of the log's first entry, if it was told."""


def next_due(drill: Drill, settings: ReconcilerSettings) -> Instant:
    """When a question without an answer is looked at again; rarely, once it is overdue."""
    seconds = settings.overdue_seconds if drill.overdue else settings.inquiry_seconds
    return Instant.of(drill.asked_at.moment() + timedelta(seconds=seconds))


class Examination(NamedTuple):
    """Examines the words of one batch."""

    session: Session
    facts: Facts
    batch: Batch
    settings: ReconcilerSettings

    async def run(self) -> None:
        """Everything that a batch has brought: answers, statements, deadlines."""
        kept = self.facts.kept
        for drill in list(kept.drills.values()):
            if drill.held is not None:
                message = AnswerMessage.model_validate_json(drill.held)
                await self._answer(message.body, digest(drill.held.encode()), drill.held)
        for heard, answer in self.facts.answers:
            drill_now = kept.drills.get(heard.author)
            if drill_now is not None and heard.message.answers in drill_now.asked:
                await self._answer(answer, heard.digest, heard.line.decode())
        for stated in self.facts.statements.values():
            await self._statement(stated)
        if self.facts.ticked:
            for drill in list(kept.drills.values()):
                if next_due(drill, self.settings) <= self.batch.now:
                    await self._unanswered(drill)
            if silence.due(kept, self.batch.now, self.settings.silent_seconds):
                await self._silence()

    # --- comparing ------------------------------------------------------------------------------

    async def _statement(self, stated: Stated) -> None:
        actor, body = stated.actor, stated.body
        kept = self.facts.kept
        size, known = body.delivered.size, kept.standing(actor)
        problem = misdelivered(self.facts, actor, size, body.delivered.root)
        if problem is not None:
            await self._misdelivered(actor, size, problem, stated.digest)
            return
        acknowledge(self.facts, stated, self.batch)
        close_cases(self.facts, self.batch, of_deliveries(kept.cases_of(actor)))
        if size < known.applied:  # older news than an answer has brought
            return
        standing = await self._advance(actor, size)
        equal = standing.expected == body.holdings
        if equal is not standing.equal:
            self.batch.log(events.STATEMENT_COMPARED, actor=actor, delivered=size, equal=equal)
        if equal:
            self._agreed(actor)
            return
        kept.standings[actor] = replace(standing, equal=False)
        if actor not in kept.drills and not await self._is_known(actor, body.holdings):
            begun = drills.begin(
                actor, body.holdings, standing.expected, [stated.digest], self.batch.now
            )
            self._ask(begun)
        if actor not in kept.drills:  # it has stated, and owes no answer
            close_cases(self.facts, self.batch, silence.of_silence(kept, actor))

    async def _misdelivered(self, actor: Actor, size: int, problem: str, said: Digest) -> None:
        """A case about all that the actor should hold: its word on deliveries is not the log's."""
        kept = self.facts.kept
        size = max(min(size, kept.delivered(actor).size), kept.standing(actor).applied)
        standing, before = await self._advance(actor, size), kept.last_case
        await self._about_all(actor, "deliveries-differ", problem, [said])
        if standing.equal is not False or kept.last_case > before:
            self.batch.log(events.DELIVERIES_DIFFER, actor=actor, problem=problem)
        kept.standings[actor] = replace(standing, equal=False)

    async def _silence(self) -> None:
        """Cases about whoever has stated nothing for too long."""
        now, seconds = self.batch.now, self.settings.silent_seconds
        for actor, since in silence.silent(self.facts, now, seconds):
            await self._advance(actor, self.facts.kept.delivered(actor).size)
            self.batch.log(events.STATEMENT_OVERDUE, actor=actor, since=since)
            await self._about_all(actor, OVERDUE, f"has stated nothing since {since}", [])

    async def _about_all(
        self, actor: Actor, cause: Cause, why: str, evidence: Sequence[Digest]
    ) -> None:
        """Open cases about all that our replica of an actor has."""
        units = await past.load_spans(self.session, actor, set())
        found = [
            Classified(one.key.text, one.first, one.last, cause, None, None, why=why)
            for one in units
        ]
        freeze = self.settings.freeze
        open_cases(self.facts, self.batch, actor, found, evidence, freeze=freeze)

    async def _is_known(self, actor: Actor, stated: Digest) -> bool:
        """Whether what an actor states differs just as it did when that was last looked into."""
        kept = self.facts.kept
        standing, known = kept.standing(actor), kept.known.get(actor)
        pair = _pair(stated, standing.expected)
        if pair == standing.explained:
            return True
        if known is None or await expected_of(self.session, known) != stated:
            return False
        kept.standings[actor] = replace(standing, explained=pair)
        return True

    async def _advance(self, actor: Actor, size: int) -> Standing:
        """Bring the replica to a number of deliveries; gives its standing, with the root there."""
        standing = self.facts.kept.standing(actor)
        for first in range(standing.applied, size, ENTRIES_AT_ONCE):
            after = min(first + ENTRIES_AT_ONCE, size)
            await self._apply(actor, await past.load_deliveries(self.session, actor, first, after))
        root = Digest((await books.holdings_root(self.session, actor)).hex())
        if (standing.applied, standing.expected) != (size, root):
            standing = replace(standing, applied=size, expected=root)
            self.facts.kept.standings[actor] = standing
        return standing

    async def _apply(self, actor: Actor, entries: Iterable[Entry]) -> None:
        effects = [
            (entry.position, effect)
            for entry in entries
            for effect in entry.effects
            if isinstance(effect, Move | Restate) and actor in moved_by(effect)
        ]
        spans = {(effect.key.series, effect.first, effect.last) for _, effect in effects}
        holdings = await books.load_holdings(self.session, str(actor), spans)
        for position, effect in effects:
            if apply(holdings, effect, {actor}):
                detail = f"entry {position} moves units that {actor} does not hold per the log"
                place = await past.load_place(self.session, position)
                raise_alarm(self.facts, self.batch, place, "entry-impossible", position, detail)
        await books.save_holdings(self.session, str(actor), holdings.changes())

    def _agreed(self, actor: Actor) -> None:
        kept = self.facts.kept
        standing = kept.standing(actor)
        if standing.equal is not True:
            kept.standings[actor] = replace(standing, equal=True, explained=None)
            self.facts.totals[actor] = ()
        kept.drills.pop(actor, None)
        kept.known.pop(actor, None)
        close_cases(self.facts, self.batch, kept.cases_of(actor))

    # --- drilling down --------------------------------------------------------------------------

    def _ask(self, drill: Drill) -> None:
        """Ask what the drill-down wants to know now.

        A registry that has not answered our greeting is asked nothing yet, since it may have been
        asked before a restore, under the same sequence; it counts as having been asked.
        """
        participant = drill.actor.participant
        if participant in self.batch.waiting:
            self.facts.kept.drills[drill.actor] = drill.but(
                asked_at=self.batch.now, tries=drill.tries + 1
            )
            return
        inquiry = drills.inquiry(drill)
        conversation = f"drill-{drill.actor.replace('/', '-')}"
        asked = self.batch.say(REC_ACTOR, participant, "inquiry", conversation, inquiry)
        self.facts.kept.drills[drill.actor] = drill.but(
            asked=(*drill.asked, asked)[-ASKED_MAX:],
            asked_at=self.batch.now,
            tries=drill.tries + 1,
            held=None,
        )
        self.batch.log(
            events.INQUIRY_SENT, actor=drill.actor, question=inquiry.question, level=inquiry.level
        )

    def _turn(self, drill: Drill) -> None:
        """Ask the next question of a drill-down."""
        self._ask(drill.but(asked=(), tries=0, overdue=False, since=self.batch.now))

    async def _answer(self, answer: Answer, said: Digest, line: str) -> None:
        """One answer to what a drill-down has asked."""
        actor, kept = answer.actor, self.facts.kept
        drill, size = kept.drills[actor], answer.delivered.size
        if not drills.fits(drill, answer):  # no answer at all, and overdue in time
            return
        if size > kept.delivered(actor).size:
            if drill.held != line:
                kept.drills[actor] = drill.but(held=line)
            return
        kept.drills[actor] = drill = drill.but(held=None)
        problem = misdelivered(self.facts, actor, size, answer.delivered.root)
        if problem is not None:  # no answer to what was asked, and overdue in time
            await self._misdelivered(actor, size, problem, said)
            return
        if size < kept.standing(actor).applied:
            if drill.tries < ASKED_MAX:
                self._ask(drill)
            return
        standing = await self._advance(actor, size)
        if standing.expected == answer.holdings:
            why = "the answer agrees with the log, as the statement before did not"
            self.batch.log(events.DRILL_BROKEN, actor=actor, why=why, false=False)
            self._agreed(actor)
            return
        after = await compare(self.session, drill, answer, said, standing.expected)
        if isinstance(after, Broken):
            await self._broken(drill, after)
        elif isinstance(after, Named):
            await self._named(drill, after, (*drill.evidence, said))
        else:
            if drill.question == "totals":
                self.facts.totals[actor] = after.totals
            self._turn(after)

    async def _broken(self, drill: Drill, broken: Broken) -> None:
        """Begin again, so many times; then blame the actor, or leave it to its next statement."""
        self.batch.log(events.DRILL_BROKEN, actor=drill.actor, why=broken.why, false=broken.false)
        if drill.restarts < self.settings.restarts_max:
            self._turn(drills.again(drill, self.batch.now))
            return
        if broken.false:
            await self._sweep(drill, "tampered-rows")
            self._explained(drill, None)
        del self.facts.kept.drills[drill.actor]

    async def _named(self, drill: Drill, named: Named, evidence: tuple[Digest, ...]) -> None:
        """Every range that differs is known: open cases for the new ones, close the others."""
        actor, kept = drill.actor, self.facts.kept
        ranges = [Units(key=Key.parse(r.key), first=r.first, last=r.last) for r in named.rows]
        moves, addressed = await self._moved(actor, ranges)
        entries = await past.load_digests(self.session, (t.position for t in named.trail))
        found = classify(actor, named, moves, entries, addressed)
        close_cases(self.facts, self.batch, gone(kept.cases_of(actor), ranges))
        whole = open_cases(
            self.facts, self.batch, actor, found, evidence, freeze=self.settings.freeze
        )
        if whole:
            self._explained(drill, sum_of(actor, named))
        del kept.drills[actor]

    async def _moved(
        self, actor: Actor, ranges: Sequence[Units]
    ) -> tuple[list[Moved], dict[int, tuple[Actor, ...]]]:
        """What the log has moved of these units, and whom the entries are addressed to."""
        moves = await past.load_movements(self.session, actor, ranges)
        positions = {moved.position for moved in moves}
        return moves, await past.load_addressed(self.session, positions)

    def _explained(self, drill: Drill, known: Known | None) -> None:
        """The difference is accounted for, as long as it stays the same."""
        kept, actor = self.facts.kept, drill.actor
        kept.standings[actor] = replace(
            kept.standing(actor), equal=False, explained=_pair(drill.stated, drill.expected)
        )
        kept.known.pop(actor, None)
        if known is not None:
            kept.known[actor] = known

    # --- no answer ------------------------------------------------------------------------------

    async def _unanswered(self, drill: Drill) -> None:
        """Ask again; an actor that was asked twice and for long has a case."""
        waited = self.batch.now.moment() - drill.since.moment()
        late = waited >= timedelta(seconds=self.settings.overdue_seconds)
        if late and drill.tries > 1 and not drill.overdue:
            self.batch.log(events.ANSWER_OVERDUE, actor=drill.actor, since=drill.since)
            await self._sweep(drill, OVERDUE)
            drill = drill.but(overdue=True)
        self._ask(drill)

    async def _sweep(self, drill: Drill, cause: Cause) -> None:
        """Open cases about all that the actor should hold in the slots that differ, or about what
        differs, if that is known and only the trail is not.
        """
        if drill.rows:
            ranges = [Units(key=Key.parse(r.key), first=r.first, last=r.last) for r in drill.rows]
            moves, addressed = await self._moved(drill.actor, ranges)
            found = unanswered(drill.actor, drill.rows, cause, moves, addressed)
        else:
            places, below = [*drill.now, *drill.todo, *drill.found], drill.level - 3
            slots = {place.node >> 4 * below for place in places} if below >= 0 else set()
            units = await past.load_spans(self.session, drill.actor, slots)
            found = [
                Classified(one.key.text, one.first, one.last, cause, None, None) for one in units
            ]
        evidence, freeze = drill.evidence, self.settings.freeze
        open_cases(self.facts, self.batch, drill.actor, found, evidence, freeze=freeze)


def _pair(stated: Digest, expected: Digest) -> str:
    return f"{stated} {expected}"
