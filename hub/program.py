# SPDX-License-Identifier: Apache-2.0
"""The hub as a program of its node: load facts, decide by the rules, write, show checkpoints.

A checkpoint is made with a batch that has new entries, at most every `checkpoint_seconds`, and
shown to whoever was sent an entry that no checkpoint covers yet; everybody else gets a heartbeat
now and then. Each carries the consistency proof from the last one shown to that participant, the
delivery trees of its actors, and the cosignatures that the one before has gathered.

Elsewhere: the rules (`rules`), entries (`entries`), statements in SQL (`storage`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from hub import rules, storage, tables
from hub.state import HubFacts, Kept
from ledger import log, note
from ledger.blocks import Block
from ledger.checks import Policy
from ledger.directory import Directory
from ledger.growth import Growth
from runtime import books, events
from runtime.errors import LocalProtocolError
from runtime.journal import set_mark
from runtime.keys import Keyring
from runtime.program import Batch, Heard, Item, Order, Tick
from runtime.store import Session
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Digest, Instant, Participant, TransactionId
from schemas.messages import CaseNotice, Checkpoint, DeliveryTree, Proposal, Statement
from schemas.units import Layer

__all__ = ["Hub", "HubSettings"]

HUB = Actor("HUB")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """How the hub behaves; durations in seconds."""

    checkpoint_seconds: float = 1.0
    """Checkpoints are made at most this often while there are new entries."""
    heartbeat_seconds: float = 60.0
    """A participant that needs no checkpoint is shown one this often all the same."""
    expiries_max: int = 200
    """Transactions that expire in one batch."""
    policy: Policy = Policy()
    """The rules' settings."""


class Hub:
    """The program of participant `HUB`."""

    participant = Participant("HUB")
    actors: tuple[Actor, ...] = (HUB,)
    greets: tuple[Participant, ...] = ()
    packages: tuple[str, ...] = ("runtime", "hub")
    roles = rules.COMMANDS

    def __init__(self, keyring: Keyring, settings: HubSettings | None = None) -> None:
        self._settings = settings or HubSettings()
        self._keyring = keyring
        self._kept: Kept | None = None

    @property
    def kept(self) -> Kept:
        """What is known since the last commit."""
        assert self._kept is not None, "the hub has not started"
        return self._kept

    @property
    def directory(self) -> Directory:
        """The directory as the log has it."""
        return self.kept.directory

    @property
    def seen(self) -> int:
        """The size of the log."""
        return self.kept.log.size

    async def start(self, session: Session) -> None:
        """Load what is kept between batches."""
        self._kept = await storage.load_kept(session)
        if self._kept is None:
            raise LocalProtocolError("there is no log yet; begin one with `a6hub hub begin`")

    def due(self, now: Instant) -> bool:
        """Whether a deadline or a checkpoint is due, or the clock's mark is old."""
        kept = self.kept
        if kept.next_deadline is not None and kept.next_deadline <= now:
            return True
        if kept.next_deadline is not None and (
            kept.last_turn is None or kept.last_turn < _before(now, rules.STALL_SECONDS / 5)
        ):
            return True
        return bool(self._to_show(kept.owed, now))

    def _to_show(
        self, owed: Sequence[Participant] | frozenset[Participant], now: Instant
    ) -> list[Participant]:
        """Who is shown a checkpoint now: whoever is owed one, or has not seen one for long."""
        kept = self.kept
        soon = _before(now, self._settings.checkpoint_seconds)
        late = _before(now, self._settings.heartbeat_seconds)
        chosen = []
        for participant in self.directory.members:
            shown = kept.shown_at.get(participant)
            if (participant in owed and (shown is None or shown <= soon)) or (
                shown is not None and shown <= late
            ):
                chosen.append(participant)
        return chosen

    # --- the handler's three steps --------------------------------------------------------------

    async def load(self, session: Session, items: Sequence[Item], batch: Batch) -> HubFacts:
        """Every fact that the items need."""
        kept, heard = self.kept, [i for i in items if isinstance(i, Heard)]
        ids = {h.message.conversation for h in heard}
        ids |= {
            str(h.message.body.transaction) for h in heard if h.message.type == "status-request"
        }
        transactions = await storage.load_transactions(session, ids)
        tick = next((i for i in items if isinstance(i, Tick)), None)
        deadlines: dict[TransactionId, Instant] = {}
        if tick is not None:
            due = await storage.load_due(session, batch.now, self._settings.expiries_max)
            transactions = {**due, **transactions}
            if kept.last_turn is None or kept.last_turn < _before(batch.now, rules.STALL_SECONDS):
                deadlines = await storage.load_deadlines(session)
        proposals = [h.message.body for h in heard if isinstance(h.message.body, Proposal)]
        proposals += [state.proposal for state in transactions.values()]
        spans = _spans(proposals, [h.message.body for h in heard])
        holdings = await books.load_holdings(session, storage.BOOK, spans)
        below = _underlying_spans(holdings.blocks(), proposals)
        if below:
            holdings = await books.load_holdings(session, storage.BOOK, spans | below)
        names = _authorization_names(proposals, holdings.blocks())
        facts = HubFacts(
            directory=kept.directory,
            holdings=holdings,
            authorizations=await storage.load_authorizations(session, names),
            now=batch.now,
            policy=self._settings.policy,
            transactions=transactions,
            log=kept.log,
            log_id=kept.directory.genesis.log,
            deliveries=dict(kept.deliveries),
            owed=set(kept.owed),
            deadlines=deadlines,
            last_turn=kept.last_turn,
        )
        await self._load_statements(session, heard, facts)
        if any(isinstance(i, Order) for i in items):
            facts.earlier = await storage.load_earlier(session)
        return facts

    async def _load_statements(
        self, session: Session, heard: Sequence[Heard], facts: HubFacts
    ) -> None:
        said = [(h.author, h.message.body) for h in heard if isinstance(h.message.body, Statement)]
        if not said:
            return
        facts.statements = await storage.load_statements(session, {a for a, _ in said})
        sizes = sorted({body.size for _, body in said})
        facts.checkpoint_roots = await storage.load_checkpoint_roots(session, sizes)
        facts.delivered_roots = await storage.load_delivered_roots(
            session, {(author, body.delivered.size) for author, body in said}
        )

    def decide(self, facts: HubFacts, item: Item, batch: Batch) -> list[Finding]:
        """Carry out one item."""
        if isinstance(item, Heard):
            try:
                return rules.decide_heard(facts, item, batch)
            except ValueError as error:  # a conversation that is no transaction's id
                return [finding(Reason.MESSAGE_MALFORMED, str(error), field="conversation")]
        if isinstance(item, Order):
            return rules.decide_order(facts, item, batch)
        return rules.decide_tick(facts, item, batch)

    async def finish(self, session: Session, facts: HubFacts, batch: Batch) -> None:
        """Write the facts and show checkpoints."""
        await storage.save_facts(session, facts)
        await books.save_holdings(session, storage.BOOK, facts.holdings.changes())
        for id_, deadline in facts.deadlines.items():
            if id_ not in facts.transactions:
                await session.execute(
                    tables.transactions.update()
                    .where(tables.transactions.c.id == id_)
                    .values(deadline=deadline)
                )
        if facts.last_turn != self.kept.last_turn and facts.last_turn is not None:
            await set_mark(session, "last_turn", _microseconds(facts.last_turn))
        facts.shown = await self._show(session, facts, batch)

    def committed(self, facts: HubFacts) -> None:
        """Keep what the next batch starts from."""
        kept = self.kept
        kept.directory = facts.directory
        kept.log = facts.log.written()
        kept.deliveries = {a: g.written() if g.fresh else g for a, g in facts.deliveries.items()}
        kept.last_turn = facts.last_turn
        kept.owed = frozenset(facts.owed - set(facts.shown))
        for participant in facts.shown:
            kept.shown[participant] = facts.log.size
            kept.shown_at[participant] = facts.now
        for participant in kept.directory.members:
            kept.shown_at.setdefault(participant, facts.now)
        if facts.shown:
            kept.checkpoint_size, kept.checkpoint_at = facts.log.size, facts.now
        open_deadlines = [s.deadline for s in facts.transactions.values() if s.state == "cleared"]
        open_deadlines += facts.deadlines.values()
        if facts.ticked:
            kept.next_deadline = facts.next_deadline
        for deadline in open_deadlines:
            if kept.next_deadline is None or deadline < kept.next_deadline:
                kept.next_deadline = deadline

    async def recall(self, session: Session, said: Sequence[Heard], batch: Batch) -> None:
        """The hub asks nobody for its own envelopes: a log that lost its tail is mended by command."""

    # --- checkpoints ----------------------------------------------------------------------------

    async def _show(self, session: Session, facts: HubFacts, batch: Batch) -> list[Participant]:
        if facts.ticked:
            facts.next_deadline = await storage.next_deadline(session)
        chosen = self._to_show(frozenset(facts.owed), batch.now)
        if not chosen or facts.log.size == 0:
            return []
        root = facts.log.root()
        text = note.Checkpoint(facts.log_id, facts.log.size, root).to_text()
        assert self._keyring.checkpoint is not None, "the hub has no checkpoint key"
        line = note.sign_note(text, facts.log_id, self._keyring.checkpoint)
        signed = note.format_note(text, [line])
        if facts.log.size > self.kept.checkpoint_size:
            await session.execute(
                tables.checkpoints.insert(),
                {
                    "size": facts.log.size,
                    "root": root.hex(),
                    "note": signed,
                    "at": str(batch.now),
                },
            )
            batch.log(events.CHECKPOINT_MADE, size=facts.log.size, root=root.hex())
        previous, cosignatures = await self._previous(session, facts.log.size)
        proofs: dict[int, tuple[Digest, ...]] = {}
        for participant in chosen:
            old = self.kept.shown.get(participant, 0)
            if old not in proofs:
                proofs[old] = await _proof(session, old, facts.log)
            body = Checkpoint(
                note=signed,
                proof_from=old,
                proof=proofs[old],
                deliveries=_trees(facts, participant),
                previous=previous,
                cosignatures=cosignatures,
            )
            batch.say(HUB, participant, "checkpoint", "checkpoint", body)
            await set_mark(session, f"shown {participant}", facts.log.size)
        return chosen

    async def _previous(self, session: Session, size: int) -> tuple[str | None, tuple[str, ...]]:
        """The checkpoint before this size, and the cosignatures on it."""
        found = await session.execute(
            select(tables.checkpoints.c.size, tables.checkpoints.c.note)
            .where(tables.checkpoints.c.size < size)
            .order_by(tables.checkpoints.c.size.desc())
            .limit(1)
        )
        row = found.one_or_none()
        if row is None:
            return None, ()
        lines = await session.execute(
            select(tables.cosignatures.c.line)
            .where(tables.cosignatures.c.size == row.size)
            .order_by(tables.cosignatures.c.participant)
        )
        return row.note, tuple(line[0] for line in lines)


async def _proof(session: Session, old: int, grown: Growth) -> tuple[Digest, ...]:
    """The consistency proof from an older size; empty from nothing or from the same size."""
    if old in {0, grown.size}:
        return ()
    nodes = await storage.load_nodes(session, None, log.consistency_path(old, grown.size))
    proof = log.consistency_proof(old, grown.size, nodes)
    return tuple(Digest(value.hex()) for value in proof)


def _trees(facts: HubFacts, participant: Participant) -> tuple[DeliveryTree, ...]:
    member = facts.directory.members[participant]
    grown = [(actor, facts.deliveries.get(actor, Growth())) for actor in member.actors]
    return tuple(
        DeliveryTree(actor=actor, size=g.size, root=Digest(g.root().hex())) for actor, g in grown
    )


def _spans(proposals: Sequence[Proposal], bodies: Sequence[object]) -> set[tuple[str, int, int]]:
    """The ranges that proposals and cases touch."""
    spans: set[tuple[str, int, int]] = set()
    for proposal in proposals:
        for line in proposal.lines:
            spans.add((line.key.series, line.first, line.last))
            if line.itmo_first is not None:
                last = line.itmo_first + line.last - line.first
                spans.add((line.key.on(Layer.ITMO).series, line.itmo_first, last))
    for body in bodies:
        if isinstance(body, CaseNotice):
            spans.add((body.key.series, body.first, body.last))
    return spans


def _underlying_spans(
    blocks: Sequence[Block], proposals: Sequence[Proposal]
) -> set[tuple[str, int, int]]:
    """The ranges of the units that used or cancelled ITMOs represent."""
    spans: set[tuple[str, int, int]] = set()
    if not any(p.action in {"use", "cancellation"} for p in proposals):
        return spans
    for block in blocks:
        offset = block.attributes.underlying_offset
        if block.key.layer is Layer.ITMO and offset is not None:
            series = block.key.on(Layer.UNDERLYING).series
            spans.add((series, block.first + offset, block.last + offset))
    return spans


def _authorization_names(
    proposals: Sequence[Proposal], blocks: Sequence[Block]
) -> set[tuple[str, str]]:
    names: set[tuple[str, str]] = set()
    for proposal in proposals:
        if proposal.terms is not None:
            names.add((str(proposal.terms.party), str(proposal.terms.id)))
        if proposal.authorization is not None:
            names |= {(str(x.key.party), str(proposal.authorization.id)) for x in proposal.lines}
    for block in blocks:
        if block.attributes.authorization is not None:
            names.add((str(block.key.party), str(block.attributes.authorization.id)))
    return names


def _before(now: Instant, seconds: float) -> Instant:
    return Instant.of(now.moment() - timedelta(seconds=seconds))


def _microseconds(instant: Instant) -> int:
    since = instant.moment() - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)
