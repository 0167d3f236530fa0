# SPDX-License-Identifier: Apache-2.0
"""Bugs, each planted in the real programs for as long as its context lasts, for the simulation to
find.

This is the one place where our own code is patched: a simulation that never failed would show
nothing, and nobody should have to break the programs by hand to see that it bites. Each bug is a
mistake that somebody could make in an afternoon, in one or two functions, and each is told in one
sentence. `BUGS` says with which faults it shows, by which invariant, and within how many seeds; a
test holds the table in `docs/reliability.md` to it.

Patches do not reach other processes: a planted bug is looked for in this one.

Elsewhere: that each is caught (`test_planted_bugs`).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple
from weakref import WeakSet

import hub.clearing
import hub.deadlines
import hub.evidence_answers
import hub.program
import hub.rules
import ledger.authorization_checks
import ledger.cer_checks
import ledger.shown
import registry.desk
import registry.program
import registry.witness
import runtime.digests
import runtime.journal
from harness.simulation.cast import HUB, REC, ROG, VUT
from harness.simulation.steps import Run
from hub.entries import Logging
from hub.evidence import acts_after
from hub.guard import Guard
from hub.recovering import Recovery
from hub.state import HubFacts, Transaction
from ledger import actions, tree
from ledger.holdings import Changes
from ledger.transactions import Event, State
from runtime import books, outbox
from runtime.arranging import _Line
from runtime.broker import Arrival
from runtime.handler import Handler
from runtime.hearing import Hearing
from runtime.intake import Authentic
from runtime.journal import Sealed
from runtime.node import Node
from runtime.program import Batch, Heard, Others
from runtime.relay import Relay
from runtime.store import Session
from runtime.work import Done, Work
from schemas.effects import Effect
from schemas.findings import Finding
from schemas.identifiers import Actor, Instant, Participant, TransactionId
from schemas.messages import Entry, Proposal, Rejection

__all__ = ["BUGS", "Bug", "replaced", "written_at"]


class Bug(NamedTuple):
    """A planted bug: how it is planted, and how it comes out."""

    plant: Callable[[], AbstractContextManager[None]]
    faults: str
    """The kinds of fault under which it shows, as `--faults` takes them."""
    invariant: str
    """The invariant that breaks."""
    seeds: int
    """One of the seeds from 1 to this breaks it."""
    steps: int = 60
    or_else: str = ""
    """Another invariant that may break before that one."""

    @property
    def text(self) -> str:
        """What the bug is, in a sentence."""
        return " ".join((self.plant.__doc__ or "").split())


@contextmanager
def replaced(*replacements: tuple[Any, str, Any]) -> Iterator[None]:
    """Attributes of modules and classes with others in their place."""
    with ExitStack() as undo:
        for owner, name, other in replacements:
            undo.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, other)
        yield


@contextmanager
def written_at(step: int, participant: Participant, sql: str) -> Iterator[list[int]]:
    """A database that somebody writes to at a step, past its program: no bug of a program's. What
    comes is how many rows each writing has changed.
    """
    take = Run._step
    changed: list[int] = []

    async def write_and_take(self: Run, number: int) -> None:
        if number == step:
            with closing(sqlite3.connect(self.world.places.paths[participant])) as database:
                database.executescript(sql)
                changed.append(database.total_changes)
        await take(self, number)

    with replaced((Run, "_step", write_and_take)):
        yield changed


# --- hearing ------------------------------------------------------------------------------------


def no_inbox_check() -> AbstractContextManager[None]:
    """Nobody looks whether an envelope or a message was here before: it is handled again."""
    return _handled_again()


def _handled_again(
    at: Participant | None = None, only: str | None = None
) -> AbstractContextManager[None]:
    """What comes again is handled again: by everybody or one participant, all messages or those of
    a type. What contradicts what was here is still noticed.
    """
    take, known_messages = _Line.take, runtime.journal.known_messages

    async def take_again(self: _Line, envelopes: Iterable[Authentic]) -> None:
        others: list[Authentic] = []
        for one in envelopes:
            known = await runtime.journal.signed_of(self._session, self._sender, one.sequence)
            again = one.sequence <= self._last and known == one.opened.signed_digest
            if again and at in {None, self._journal.participant}:
                self._result.ready.append(one.opened)
            else:
                others.append(one)
        await take(self, others)

    async def forgotten(session: Session, ids: Any) -> dict[Any, Any]:
        known = await known_messages(session, ids)
        return {name: kept for name, kept in known.items() if only not in {None, kept.type}}

    return replaced((_Line, "take", take_again), (runtime.journal, "known_messages", forgotten))


def no_sequence_check() -> AbstractContextManager[None]:
    """An envelope that comes early is applied as it comes, and the missing one when it comes."""

    async def take(self: _Line, envelopes: Iterable[Authentic]) -> None:
        for authentic in envelopes:
            known = await runtime.journal.signed_of(self._session, self._sender, authentic.sequence)
            if known is None:
                self._fresh[authentic.sequence] = authentic
            else:
                self._compare(authentic, known)

    async def advance(self: _Line, bound: int) -> None:
        opened = [self._fresh.pop(sequence).opened for sequence in sorted(self._fresh)]
        self._result.ready += opened
        self._result.fresh += opened
        numbers = [self._last, *(one.manifest.sequence or 0 for one in opened)]
        self._result.last[self._sender] = max(numbers)

    return replaced((_Line, "take", take), (_Line, "advance", advance))


def acknowledged_before_commit() -> AbstractContextManager[None]:
    """Envelopes are acknowledged when they are taken, and not when they are durable."""
    run = Node._run

    async def run_late(self: Node, work: Work, culprits: frozenset[str]) -> bool:
        units = [a.unit for a in (*work.sequenced, *work.control)]
        await self.broker.acknowledge(_open(self, [unit.arrival for unit in units]))
        return await run(self, work, culprits)

    async def bury(self: Node, work: Work, done: Done) -> None:
        for one in done.refused:
            for arrival in _open(self, [one.unit.arrival]):
                await self.broker.dead_letter(arrival, str(one.finding.reason), one.finding.detail)

    return replaced((Node, "_run", run_late), (Node, "_acknowledge", bury))


def _open(node: Node, arrivals: Iterable[Arrival | None]) -> list[Arrival]:
    """Those that the broker still waits for."""
    tags: dict[int, object] = getattr(node.broker, "_unacknowledged")  # noqa: B009
    return [one for one in arrivals if one is not None and one.tag in tags]


def nothing_is_buried() -> AbstractContextManager[None]:
    """What cannot be taken as an envelope is acknowledged, and no record of it is kept."""

    async def nothing(*_arguments: object) -> None:
        return None

    return replaced((runtime.journal, "bury", nothing))


# --- applying -----------------------------------------------------------------------------------


def entries_out_of_order() -> AbstractContextManager[None]:
    """A registry applies the entries of a batch in the order of their conversations, and does not
    look whether each is the next.
    """
    hear = Hearing.hear

    async def hear_sorted(self: Hearing, *arguments: Any) -> list[Heard]:
        heard = await hear(self, *arguments)
        if self._program.participant in {HUB, REC}:
            return heard
        return sorted(heard, key=lambda item: item.message.conversation)

    def in_place(facts: object, entry: Entry, addressed: object) -> None:
        return None

    return replaced((Hearing, "hear", hear_sorted), (ledger.shown, "_out_of_place", in_place))


def rows_and_inbox_apart() -> AbstractContextManager[None]:
    """Rows are committed in one transaction and the inbox in another: after a crash between the
    two, an acquirer creates its ITMOs twice.
    """

    async def run(
        self: Handler,
        work: Work,
        now: Instant,
        confirmed: Sequence[Sealed],
        culprits: frozenset[str],
    ) -> Done:
        batch = Batch(now=now, ids=self._ids, sequences=self.journal.last)
        done = Done(batch, list(work.refused))
        async with self._store.transaction() as session:
            arranged = await self._open(session, work, done)
            items = await self._items(session, work, arranged.ready, culprits, done)
            facts = await self.program.load(session, items, batch)
            self._decide(facts, items, arranged.ready, batch)
            await self.program.finish(session, facts, batch)
        async with self._store.transaction() as session:
            await self._desk.close(session, done)
            await self._seal(session, done)
            await self._keep(session, arranged, done)
            await outbox.mark_confirmed(session, confirmed)
        self._committed(facts, arranged, done)
        return done

    return replaced((Handler, "run", run))


def restored_without_memory() -> AbstractContextManager[None]:
    """A registry that was restored from a backup does not ask for what it had proposed since."""

    async def nothing(*_arguments: object) -> None:
        return None

    return replaced((registry.program.Registry, "recall", nothing))


def statement_from_memory() -> AbstractContextManager[None]:
    """A statement is of the rows as the program wrote them, not of the rows as they are."""
    written: set[tuple[Actor, int]] = set()
    save, rehash = books.save_holdings, runtime.digests._rehash

    async def save_noted(session: Session, book: str, changes: Changes) -> None:
        for block in (*changes.added, *changes.removed):
            for bucket in tree.dirty_buckets(block.key.text, block.first, block.last):
                written.add((block.position.actor, bucket))
        await save(session, book, changes)

    async def rehash_written(session: Session, actor: Actor, marked: Sequence[int]) -> None:
        own = [bucket for bucket in marked if (actor, bucket) in written]
        written.difference_update((actor, bucket) for bucket in own)
        if own:
            await rehash(session, actor, own)

    return replaced(
        (books, "save_holdings", save_noted), (runtime.digests, "_rehash", rehash_written)
    )


def wrong_root_stated() -> AbstractContextManager[None]:
    """A section states another root than its rows have, and answers questions about them truly."""
    root = books.holdings_root

    async def wrong_root(session: Session, actor: Actor) -> bytes:
        true = await root(session, actor)
        return true[::-1] if actor == VUT else true

    wrong = SimpleNamespace(**{**vars(books), "holdings_root": wrong_root})
    return replaced((registry.witness, "books", wrong))


# --- sending ------------------------------------------------------------------------------------


def outbox_scanned_at_start_only() -> AbstractContextManager[None]:
    """The outbox is looked through when a program starts, and never again: what the broker did not
    confirm waits for the next start.
    """
    sweep, publish, swept = Node._sweep, Relay._publish_some, WeakSet[Node]()

    async def sweep_once(self: Node) -> None:
        if self not in swept:
            swept.add(self)
            await sweep(self)

    async def publish_once(self: Relay) -> bool:
        chosen = list(self._pending)[: self._window]
        went = await publish(self)
        for place in chosen:
            self._pending.pop(place, None)
        return went

    return replaced((Node, "_sweep", sweep_once), (Relay, "_publish_some", publish_once))


# --- the hub ------------------------------------------------------------------------------------


def refusal_releases_twice() -> AbstractContextManager[None]:
    """A refusal releases what the proposal names, whether or not the log has reserved it."""

    def release(state: Transaction) -> list[Effect]:
        return actions.release(state.proposal, state.proposer, state.id)

    return replaced((hub.clearing, "_release", release))


def anchored_at_checkpoints() -> AbstractContextManager[None]:
    """The hub anchors its log with each checkpoint, and not with the entries that it sends before
    the next one.
    """
    committed = hub.program.Hub.committed

    def committed_late(self: hub.program.Hub, facts: HubFacts) -> None:
        with ExitStack() as stack:
            if not facts.shown:
                stack.enter_context(replaced((Guard, "move", lambda *_: None)))
            committed(self, facts)

    return replaced((hub.program.Hub, "committed", committed_late))


def expiry_forgets_to_release() -> AbstractContextManager[None]:
    """A transaction that expires keeps its units bound."""

    def end(logging: Logging, state: Transaction, event: Event, *_rest: object) -> None:
        logging.transaction(state, event, None)

    return replaced((hub.deadlines, "end", end))


@contextmanager
def acceptance_counts_again() -> Iterator[None]:
    """At the hub an acceptance that comes again is not known, and completes its transaction once
    more.
    """
    answered = hub.clearing._answered

    def answered_again(
        facts: HubFacts, heard: Heard, event: Event
    ) -> tuple[Transaction | None, list[Finding]]:
        state = facts.transactions.get(TransactionId(heard.message.conversation))
        if event is Event.COMPLETE and state is not None and state.state is State.COMPLETED:
            state.state = State.CLEARED
        return answered(facts, heard, event)

    with _handled_again(HUB, "acceptance"), replaced((hub.clearing, "_answered", answered_again)):
        yield


def rejection_completes() -> AbstractContextManager[None]:
    """At the hub a rejection by the participant that means harm is taken for its acceptance."""
    reject = hub.clearing.reject

    def accepted(facts: HubFacts, heard: Heard, batch: Batch) -> list[Finding]:
        decide = hub.clearing.accept if heard.author == ROG else reject
        return decide(facts, heard, batch)

    return _with_rule(Rejection, accepted)


def any_proposal_is_answered() -> AbstractContextManager[None]:
    """The hub does not look which proposal an answer is about: its transaction will do."""
    answered = hub.clearing._answered

    def answered_anyhow(
        facts: HubFacts, heard: Heard, event: Event
    ) -> tuple[Transaction | None, list[Finding]]:
        state = facts.transactions.get(TransactionId(heard.message.conversation))
        if state is not None:
            bound = heard.message.model_copy(update={"answers": state.message})
            heard = replace(heard, message=bound)
        return answered(facts, heard, event)

    return replaced((hub.clearing, "_answered", answered_anyhow))


def proposals_dropped() -> AbstractContextManager[None]:
    """The hub drops what the participant that means harm proposes, and says nothing."""
    propose = hub.clearing.propose

    def dropped(facts: HubFacts, heard: Heard, batch: Batch) -> list[Finding]:
        return [] if heard.author == ROG else propose(facts, heard, batch)

    return _with_rule(Proposal, dropped)


def _with_rule(
    type_: type, rule: Callable[[HubFacts, Heard, Batch], list[Finding]]
) -> AbstractContextManager[None]:
    """The hub with another rule for messages of a type."""
    return replaced((hub.rules, "DECIDED_BY", {**hub.rules.DECIDED_BY, type_: rule}))


def hub_forgets_to_reserve() -> AbstractContextManager[None]:
    """The hub clears a transaction and does not reserve its units."""
    return replaced((hub.clearing, "actions", _without_reserve()))


def registry_forgets_to_reserve() -> AbstractContextManager[None]:
    """A registry proposes units and does not reserve them in its own rows."""
    return replaced((registry.desk, "actions", _without_reserve()))


def cers_for_any_purpose() -> AbstractContextManager[None]:
    """Nobody looks what CERs are used for, by whom and for which year."""
    return replaced((ledger.cer_checks, "_towards_a_first_ndc", _nothing_found))


def revocation_overlooked() -> AbstractContextManager[None]:
    """Nobody looks whether the version of an authorization that is named still stands."""
    return replaced((ledger.authorization_checks, "_is_current", _nothing_found))


def _nothing_found(*_arguments: object) -> Iterator[Finding]:
    return iter(())


def last_act_left_out() -> AbstractContextManager[None]:
    """The hub leaves the last act out of the evidence that it sends."""

    async def all_but_one(session: Session, after: int, size: int, most: int) -> Any:
        return (await acts_after(session, after, size, most))[:-1]

    return replaced((hub.evidence_answers, "acts_after", all_but_one))


def recovered_without_asking_all() -> AbstractContextManager[None]:
    """A hub that was set back goes on as soon as its log is whole, whoever has not answered yet."""
    step = Recovery.step

    async def hasty(self: Recovery, session: Session, batch: Batch, others: Others) -> HubFacts:
        if self._kept.log.size >= self._guard.read(self._kept.directory.genesis).size:
            others = replace(others, waiting=frozenset())
        return await step(self, session, batch, others)

    return replaced((Recovery, "step", hasty))


def _without_reserve() -> SimpleNamespace:
    return SimpleNamespace(**{**vars(actions), "reserve": lambda *_: []})


FAULT_ITSELF = "no program finds a fault in itself or in the hub"
PREDICTED = "entries are as predicted"
CAUSED = "entries have a cause"

BUGS = {
    "no inbox check": Bug(no_inbox_check, "repeat,unreported", FAULT_ITSELF, 12),
    "no sequence check": Bug(no_sequence_check, "loss,delay", FAULT_ITSELF, 12),
    "acknowledged before commit": Bug(
        acknowledged_before_commit, "none", "nothing is acknowledged before it is durable", 1
    ),
    "nothing is buried": Bug(nothing_is_buried, "none", "dead letters are what was wrong", 1),
    "entries out of order": Bug(entries_out_of_order, "slow-consumer", FAULT_ITSELF, 12),
    "rows and inbox apart": Bug(
        rows_and_inbox_apart, "crash-before-commit,commit-fails,disk-full", FAULT_ITSELF, 12
    ),
    "restored without memory": Bug(restored_without_memory, "restore", FAULT_ITSELF, 12, 120),
    "statement from memory": Bug(
        *(statement_from_memory, "edited-rows", "the cases of an actor are its differences", 12),
        or_else="roots are stated as they are",  # rows that were set right, unknown to the program
    ),
    "wrong root stated": Bug(wrong_root_stated, "none", "roots are stated as they are", 1, 20),
    "outbox at start only": Bug(
        outbox_scanned_at_start_only, "loss,unreported", "everything comes to an end", 12
    ),
    "refusal releases twice": Bug(refusal_releases_twice, "none", PREDICTED, 12),
    "anchored at checkpoints": Bug(
        anchored_at_checkpoints, "none", "the log is anchored before it is sent", 12
    ),
    "expiry forgets to release": Bug(expiry_forgets_to_release, "partition", PREDICTED, 12),
    "acceptance counts again": Bug(
        acceptance_counts_again, "repeat,unreported,commit-unreported", FAULT_ITSELF, 12, steps=120
    ),
    "rejection completes": Bug(rejection_completes, "none", CAUSED, 12),
    "any proposal is answered": Bug(any_proposal_is_answered, "none", CAUSED, 12, 120),
    "proposals dropped": Bug(proposals_dropped, "none", "what was said has an outcome", 1),
    "hub forgets to reserve": Bug(hub_forgets_to_reserve, "none", PREDICTED, 12),
    "registry forgets to reserve": Bug(
        registry_forgets_to_reserve,
        "partition,broker-blocked",
        "what is open is reserved, and nothing else",
        12,
    ),
    "recovered without asking all": Bug(
        *(recovered_without_asking_all, "hub-restore,delay,operator,loss", FAULT_ITSELF, 12, 110),
        or_else="programs run on",
    ),
    "CERs for any purpose": Bug(cers_for_any_purpose, "none", PREDICTED, 12),
    "revocation overlooked": Bug(revocation_overlooked, "none", PREDICTED, 12, 120),
    "last act left out": Bug(last_act_left_out, "none", "those concerned prove the same", 1, 20),
}
"""Every planted bug, by the name that the documents give it."""
