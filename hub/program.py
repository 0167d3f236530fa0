# SPDX-License-Identifier: Apache-2.0
"""The hub as a program of its node: load facts, decide by the rules, write, show checkpoints.

Elsewhere: the rules (`rules`), what a batch loads (`reach`), checkpoints (`showing`), evidence
(`evidence_answers`), holding the database to what was sent (`guard`), bringing back what it lacks
(`recovering`, `again`), SQL (`storage`, `saving`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hub import acts, evidence_answers, rules, saving, storage
from hub.again import hear_again, load_outcomes
from hub.deadlines import STALL_SECONDS, decide_tick, held_since
from hub.guard import NO_LOG, Guard
from hub.reach import (
    approvals_named,
    cases_named,
    evidence_named,
    spans_named,
    spans_represented,
)
from hub.recovering import Recovery
from hub.showing import Showing
from hub.state import HubFacts, Kept, facts_of
from hub.tail import RECOVERING
from ledger.asking import Policy, authorizations_named
from ledger.directory import Directory
from ledger.transactions import State
from runtime import books
from runtime.anchor import Anchor
from runtime.errors import LocalProtocolError
from runtime.journal import get_mark
from runtime.keys import Keyring
from runtime.program import Batch, Heard, Item, Order, Tick
from runtime.store import Session
from schemas.directory import Admission, parse_act
from schemas.findings import Finding
from schemas.identifiers import HUB, HUB_ACTOR, REC, Actor, Instant, Participant
from schemas.messages import Proposal, Statement, StatusRequest

__all__ = ["Hub", "HubSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """How the hub behaves; durations in seconds."""

    checkpoint_seconds: float = 1.0
    """Checkpoints are made at most this often while there are new entries."""
    heartbeat_seconds: float = 60.0
    """A participant that needs no checkpoint is shown one this often all the same."""
    expiries_max: int = 200
    """Transactions that expire in one batch."""
    policy: Policy = field(default_factory=Policy)
    """The rules' settings."""


class Hub:
    """The program of participant `HUB`."""

    participant = HUB
    actors: tuple[Actor, ...] = (HUB_ACTOR,)
    packages: tuple[str, ...] = ("runtime", "hub")
    roles = acts.COMMANDS
    second_person: tuple[str, ...] = ()  # acts have the signatures of the administrators' threshold

    def __init__(
        self, keyring: Keyring, anchor: Anchor, settings: HubSettings | None = None
    ) -> None:
        self._settings = settings or HubSettings()
        self._keyring = keyring
        self._guard = Guard(anchor, keyring.checkpoint)
        self._kept: Kept | None = None
        self._recovery: Recovery | None = None

    @property
    def recovery(self) -> Recovery | None:
        """What brings back the tail of the log, if the hub was told to have it brought back."""
        return self._recovery

    @property
    def greets(self) -> tuple[Participant, ...]:
        """Everybody, to be given back what is lost; otherwise nobody."""
        return tuple(sorted(self._recovery.directory.members)) if self._recovery else ()

    @property
    def kept(self) -> Kept:
        """What is known since the last commit."""
        assert self._kept is not None, "the hub has not started"
        return self._kept

    @property
    def directory(self) -> Directory:
        """The directory as the log has it."""
        return self._recovery.directory if self._recovery else self.kept.directory

    @property
    def seen(self) -> int:
        """The size of the log."""
        return self.kept.log.size

    async def start(self, session: Session) -> None:
        """Load what is kept between batches, unless the database is older than what was sent."""
        kept = await storage.load_kept(session)
        if kept is None:
            raise LocalProtocolError(NO_LOG)
        base = await get_mark(session, RECOVERING)
        if base:
            self._guard.require_key(kept.directory.genesis)
            self._recovery = Recovery(kept, self._guard, self._settings.policy, base)
        else:
            await self._guard.check(session, kept.directory.genesis, kept.log)
            self._recovery = None
        self._kept = kept

    def due(self, now: Instant) -> bool:
        """Whether a deadline, a checkpoint or an answer is due, or the last look at the clock is
        old.
        """
        kept = self.kept
        for participant in kept.directory.members:  # after a start, heartbeats begin anew
            kept.shown_at.setdefault(participant, now)
        if kept.next_deadline is not None and (
            kept.next_deadline <= now
            or kept.last_turn is None
            or kept.last_turn < _before(now, STALL_SECONDS / 5)
        ):
            return True
        if evidence_answers.next_wanted(kept.wanted, kept.checkpoint_size) is not None:
            return True
        return bool(self._showing.choose(kept, kept.owed, now))

    @property
    def _showing(self) -> Showing:
        assert self._keyring.checkpoint is not None
        return Showing(
            self._settings.checkpoint_seconds,
            self._settings.heartbeat_seconds,
            self._keyring.checkpoint,
        )

    def malformed(self, order: Order, now: Instant) -> list[Finding]:
        """What is wrong with a command whatever the facts are."""
        signed = acts.handed_in(order)
        return [signed] if isinstance(signed, Finding) else []

    # --- the handler's three steps --------------------------------------------------------------

    async def load(self, session: Session, items: Sequence[Item], batch: Batch) -> HubFacts:
        """Every fact that the items need."""
        kept, heard = self.kept, [i for i in items if isinstance(i, Heard)]
        bodies = [h.message.body for h in heard]
        ids = {h.message.conversation for h in heard}
        ids |= {str(b.transaction) for b in bodies if isinstance(b, StatusRequest)}
        wanted = evidence_named(heard)
        transactions = await storage.load_transactions(session, ids | set(wanted))
        ticks = any(isinstance(i, Tick) for i in items)
        if ticks:
            most, since = self._settings.expiries_max, held_since(batch.now)
            due = await storage.load_due(session, batch.now, most, batch.early, since)
            transactions = {**due, **transactions}
        proposals = [b for b in bodies if isinstance(b, Proposal)]
        proposals += [state.proposal for state in transactions.values()]
        spans = spans_named(proposals, bodies)
        holdings = await books.load_holdings(session, storage.BOOK, spans)
        below = spans_represented(holdings.blocks(), proposals)
        if below:
            holdings = await books.load_holdings(session, storage.BOOK, spans | below)
        names = authorizations_named(proposals, holdings.blocks())
        said = [(h.author, h.message.body) for h in heard if isinstance(h.message.body, Proposal)]
        facts = facts_of(kept, batch.now, self._settings.policy)
        facts.holdings, facts.transactions = holdings, transactions
        facts.authorizations = await storage.load_authorizations(session, names)
        said += [(state.proposer, state.proposal) for state in transactions.values()]
        facts.approvals = await storage.load_approvals(session, approvals_named(said))
        facts.cases = await storage.load_cases(session, cases_named(bodies))
        if kept.recovered and heard:
            facts.outcomes = await load_outcomes(session, heard)
        old = kept.last_turn is None or kept.last_turn < _before(batch.now, STALL_SECONDS)
        if ticks and (old or kept.away):
            facts.open = await storage.load_open(session)
        facts.concerned = await storage.load_concerned(
            session, {transactions[one].position for one in wanted & transactions.keys()}
        )
        await self._load_statements(session, heard, facts)
        newcomers = _newcomers([i for i in items if isinstance(i, Order)])
        if newcomers:
            facts.earlier = await storage.load_earlier(session, whole=REC in newcomers)
        return facts

    async def _load_statements(
        self, session: Session, heard: Sequence[Heard], facts: HubFacts
    ) -> None:
        said = [(h.author, h.message.body) for h in heard if isinstance(h.message.body, Statement)]
        if not said:
            return
        facts.statements = await storage.load_statements(session, {a for a, _ in said})
        sizes = sorted({body.size for _, body in said})
        facts.checkpoints = await storage.load_checkpoints(session, sizes)
        facts.delivered_roots = await storage.load_delivered_roots(
            session, {(author, body.delivered.size) for author, body in said}
        )

    def decide(self, facts: HubFacts, item: Item, batch: Batch) -> list[Finding]:
        """Carry out one item."""
        if isinstance(item, Heard):
            outcome = facts.outcomes.get(item.name)
            if outcome is not None:
                return hear_again(facts, item, outcome, batch)
            return rules.decide_heard(facts, item, batch)
        if isinstance(item, Order):
            return acts.decide_order(facts, item, batch)
        decide_tick(facts, item, batch)
        return []

    async def finish(self, session: Session, facts: HubFacts, batch: Batch) -> None:
        """Write the facts, show checkpoints, go on with an answer; a hub that recovers does nothing
        of it.
        """
        if self._recovery is not None:
            return
        if facts.ticked:  # so that answers take their share of time, however much is asked
            await evidence_answers.take_turn(session, facts, self.kept.checkpoint_size, batch)
        await saving.save_facts(session, facts, self.kept)
        await books.save_holdings(session, storage.BOOK, facts.holdings.changes())
        if facts.ticked:
            facts.next_deadline = await storage.next_deadline(session)
        facts.shown = await self._showing.show(session, self.kept, facts, batch)

    def committed(self, facts: HubFacts) -> None:
        """Anchor the log, since what the batch has sealed is sent next; keep what the next batch
        starts from.
        """
        if facts.recovered is not None:
            self._kept, self._recovery = facts.recovered, None
            return
        if self._recovery is None:
            self._guard.move(facts.log_id, facts.log)
        kept = self.kept
        kept.directory = facts.directory
        kept.log, kept.acts = facts.log.written(), facts.acts
        kept.deliveries = {a: g.written() if g.made else g for a, g in facts.deliveries.items()}
        kept.last_turn, kept.away = facts.last_turn, facts.away
        kept.overdue = facts.overdue
        kept.wanted = facts.wanted
        kept.owed = frozenset(facts.owed - set(facts.shown))
        for participant in facts.shown:
            kept.shown[participant] = facts.log.size
            kept.shown_at[participant] = facts.now
        if facts.shown:
            kept.checkpoint_size = facts.log.size
        if facts.ticked:
            kept.next_deadline = facts.next_deadline
        for state in facts.transactions.values():
            if state.state is State.CLEARED and (
                kept.next_deadline is None or state.deadline < kept.next_deadline
            ):
                kept.next_deadline = state.deadline

    async def recall(self, session: Session, said: Sequence[Heard], batch: Batch) -> None:
        """Its own envelopes, back from others: nobody is asked for them but by a hub that recovers,
        and what they say is taken in its own time.
        """
        assert self._recovery is not None, "nobody is asked otherwise"
        await self._recovery.keep(session, said)


def _newcomers(orders: Sequence[Order]) -> set[Participant]:
    """Who would be admitted by these commands."""
    found = set()
    for order in orders:
        signed = acts.handed_in(order)
        if isinstance(signed, Finding):
            continue
        try:
            act = parse_act(signed.act)
        except ValueError:
            continue
        if isinstance(act, Admission):
            found.add(act.participant)
    return found


def _before(now: Instant, seconds: float) -> Instant:
    return Instant.of(now.moment() - timedelta(seconds=seconds))
