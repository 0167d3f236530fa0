# SPDX-License-Identifier: Apache-2.0
"""A registry as a program of its node: what Party, international and mechanism registries share.

What differs between them is who their actors are and which actions those may take; the rules know
that from the actors' names and the policy (`ledger.checks`), so one program serves all three.

Elsewhere: entries (`applying`), checkpoints (`witness`), what else the hub says (`hearing`),
commands (`desk`), inquiries (`answers`), hashing rows again (`scrubbing`), files of evidence
(`evidence`), SQL (`storage`, `saving`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.adjustments import NdcPeriod, levies_left_out
from ledger.asking import Policy, authorizations_named
from ledger.directory import Directory
from ledger.effects import spans_of_effects
from ledger.holdings import Holdings
from registry import (
    accounts,
    adjustments,
    desk,
    hearing,
    identification,
    saving,
    storage,
    tallying,
    witness,
)
from registry.answers import answer_inquiry
from registry.applying import apply_entry
from registry.evidence import trust_root
from registry.identified import entities_named, load_entities
from registry.initial_reports import InitialReports
from registry.reach import (
    accounts_of,
    approvals_of,
    authorizations_given,
    enclosed_proposals,
    proposals_of,
    spans_of_proposals,
)
from registry.recalling import recall_proposal
from registry.scrubbing import is_due, load_scrubbed, scrub_next
from registry.state import Inquired, Kept, RegistryFacts
from runtime import books, events, journal
from runtime.errors import LocalProtocolError
from runtime.keys import Keyring
from runtime.program import Batch, Heard, Item, Order, Recovery
from runtime.store import Session
from schemas.directory import SignedAct
from schemas.evidence import EvidencePart
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, REC, Actor, Digest, Instant, Participant
from schemas.messages import (
    Checkpoint,
    Enclosure,
    Entry,
    Inquiry,
    Notice,
    Proposal,
    StatusAnswer,
)

__all__ = ["Registry", "RegistrySettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """How a registry behaves."""

    accept: bool = True
    """Whether clearances are accepted at once, or wait for an operator."""
    scrub_seconds: float = 86400.0
    """Within so many seconds every holdings tree is hashed again from its rows, share by share."""
    majority_seconds: float = 3600.0
    """For so long may heads of the log be without the cosignatures of a majority."""
    trust_root: Digest | None = None
    """The digest of the log's first entry, if it was told."""
    policy: Policy = field(default_factory=Policy)
    """The rules' settings, the same as the hub's."""
    ndc_periods: tuple[NdcPeriod, ...] = ()
    """How Parties make their corresponding adjustments."""
    initial_reports: InitialReports = field(default_factory=InitialReports)
    """Which cooperative approaches have an initial report, and what comes of it."""


class Registry:
    """The program of one registry; `actors` are its sections, the first speaks for the program."""

    greets: tuple[Participant, ...] = (HUB, REC)
    recovery: Recovery | None = None
    packages: tuple[str, ...] = ("runtime", "registry")
    roles: dict[str, str] = {  # noqa: RUF012 - never changed
        **accounts.COMMANDS,
        **identification.COMMANDS,
        **desk.COMMANDS,
        **adjustments.COMMANDS,
    }
    second_person: tuple[str, ...] = ()

    def __init__(
        self,
        participant: Participant,
        actors: Sequence[Actor],
        genesis: SignedAct,
        keyring: Keyring,
        settings: RegistrySettings | None = None,
    ) -> None:
        self.participant = participant
        self.actors = tuple(actors)
        self._genesis = genesis
        self._keyring = keyring
        self._settings = settings or RegistrySettings()
        self._kept: Kept | None = None

    @property
    def kept(self) -> Kept:
        """What is known since the last commit."""
        assert self._kept is not None, "the registry has not started"
        return self._kept

    @property
    def directory(self) -> Directory:
        """The directory as far as it was delivered."""
        return self.kept.directory if self._kept else Directory.begin(self._genesis)

    @property
    def speaking(self) -> tuple[Actor, ...]:
        """Our actors that may say something in this batch: a section in the settings that was not
        admitted before it has greeted nobody yet.
        """
        return self.directory.known_of(self.actors)

    @property
    def _ours(self) -> frozenset[Actor]:
        """Every actor of this registry: what one has said counts, also if it is not in the settings
        any more.
        """
        member = self.directory.members.get(self.participant)
        return frozenset({*self.actors, *(member.actors if member else ())})

    @property
    def seen(self) -> int:
        """The size of the last checkpoint witnessed."""
        return self.kept.log_size

    async def start(self, session: Session) -> None:
        """Load what is kept between batches."""
        self._kept = await storage.load_kept(session, self._genesis, self.actors)
        self._kept.scrubbed = await load_scrubbed(session)
        self._kept.closed = await tallying.load_closed(session)
        await self._hold_to_root(session)

    async def _hold_to_root(self, session: Session) -> None:
        """`LocalProtocolError` if the log that came here begins otherwise than we were told."""
        expected = self._settings.trust_root
        if expected is None or self.kept.log_size == 0:
            return
        found = (await trust_root(session, self._genesis)).root
        if found != expected:
            raise LocalProtocolError(
                f"settings: trust_root is {expected}, and the log that came here begins with "
                f"{found}"
            )

    def due(self, now: Instant) -> bool:
        """Whether the next share of the holdings trees is to be hashed again."""
        seconds = self._settings.scrub_seconds
        return is_due(self.kept.scrubbed, now, len(self.actors), seconds)

    def malformed(self, order: Order, now: Instant) -> list[Finding]:
        """What is wrong with a command whatever the facts are."""
        return desk.malformed(order, self.actors, now)

    # --- the handler's three steps --------------------------------------------------------------

    async def load(self, session: Session, items: Sequence[Item], batch: Batch) -> RegistryFacts:
        """Every fact that the items need."""
        heard = [i for i in items if isinstance(i, Heard)]
        orders = [i for i in items if isinstance(i, Order)]
        bodies = [h.message.body for h in heard]
        entries = [b for b in bodies if isinstance(b, Entry)]
        notices = {b.about for b in bodies if isinstance(b, Notice)}
        said = await journal.messages_by_digest(session, notices, self._ours) if notices else {}
        ids = {h.message.conversation for h in heard} | {s.conversation for s in said.values()}
        ids |= {str(o.arguments.get("transaction")) for o in orders}
        ids |= {str(b.transaction) for b in bodies if isinstance(b, StatusAnswer)}
        transactions = await storage.load_transactions(session, ids)
        proposed, enclosed = proposals_of(orders), enclosed_proposals(bodies, self.actors)
        spans = spans_of_effects(entries) | spans_of_proposals(proposed)
        spans |= spans_of_proposals(t.proposal for t in transactions.values())
        facts = self._facts(batch, await books.load_holdings(session, self.participant, spans))
        facts.transactions, facts.said = transactions, said
        facts.deliveries = dict(self.kept.deliveries)
        if orders:
            await self._load_for_orders(session, orders, entries, proposed, facts)
        named = accounts_of([*proposed, *enclosed.values()], self.actors) - facts.accounts.keys()
        facts.accounts |= await storage.load_accounts(session, named)
        approvals = approvals_of(entries, proposed)
        if approvals:
            facts.approvals = await storage.load_approvals(session, approvals)
        entities = entities_named(orders, facts.accounts.values())
        await load_entities(session, entities, orders, facts)
        facts.answered = await storage.answered(session, enclosed, set(self.actors))
        await self._load_said(session, entries, facts, bodies)
        return facts

    def _facts(self, batch: Batch, holdings: Holdings) -> RegistryFacts:
        kept = self.kept
        return RegistryFacts(
            directory=kept.directory,
            holdings=holdings,
            authorizations={},
            now=batch.now,
            policy=self._settings.policy,
            whole=False,
            log_size=kept.log_size,
            log_root=kept.log_root,
            majority=kept.majority,
            cosigned=dict(kept.cosigned),
            majority_seconds=self._settings.majority_seconds,
            trust_root=self._settings.trust_root,
            known_acts=kept.known_acts,
            numbers=dict(kept.numbers),
            ndc_periods=self._settings.ndc_periods,
            initial_reports=self._settings.initial_reports,
            closed=kept.closed,
        )

    async def _load_for_orders(
        self,
        session: Session,
        orders: Sequence[Order],
        entries: Sequence[Entry],
        proposed: Sequence[Proposal],
        facts: RegistryFacts,
    ) -> None:
        """What commands alone look at: authorizations, accounts that are closed or that a waiting
        clearance names, and all accounts where one is opened, since it gets the next number; of a
        Party whose year is closed, all that was counted.
        """
        named = authorizations_named(proposed, facts.holdings.blocks())
        named |= authorizations_given(entries)
        facts.authorizations = await storage.load_authorizations(session, named)
        closing = {str(o.arguments.get("account")) for o in orders if o.command == "close-account"}
        for party in sorted(adjustments.parties_closing(orders)):
            left_out = levies_left_out(self._settings.ndc_periods, party)
            facts.tallies[party] = await tallying.load_tally(
                session, self.participant, party, left_out
            )
        if any(o.command == "open-account" for o in orders):
            facts.accounts = await storage.load_all_accounts(session)
        else:
            waiting = accounts_of((t.proposal for t in facts.transactions.values()), self.actors)
            facts.accounts = await storage.load_accounts(session, waiting | closing)
        closed = {str(a.number) for a in facts.accounts.values() if a.entity and not a.open}
        facts.occupied = await storage.occupied(session, closing | closed)

    async def _load_said(
        self,
        session: Session,
        entries: Sequence[Entry],
        facts: RegistryFacts,
        bodies: Sequence[object],
    ) -> None:
        """The messages of our own that entries name as consents, and that are asked about."""
        ours = self._ours
        wanted = {c.message for e in entries for c in e.consents if c.actor in ours}
        asked = [
            facts.transactions.get(b.transaction) for b in bodies if isinstance(b, StatusAnswer)
        ]
        wanted |= {t.message for t in asked if t is not None and t.message is not None}
        if wanted:
            facts.said |= await journal.messages_by_digest(session, wanted, ours)
            by_us = [kept for kept in facts.said.values() if kept.author in ours]
            proposals = [kept for kept in by_us if kept.type == "proposal"]
            facts.said_proposals = await storage.said_proposals(
                session, proposals, facts.transactions
            )

    def decide(self, facts: RegistryFacts, item: Item, batch: Batch) -> list[Finding]:
        """Carry out one item."""
        if isinstance(item, Order):
            return desk.decide_order(facts, item, self.speaking, batch)
        if not isinstance(item, Heard) or batch.halt:
            return []
        body = item.message.body
        if isinstance(body, Entry):
            return apply_entry(facts, item, self.actors, batch)
        if isinstance(body, Enclosure):
            accept = self._settings.accept
            return hearing.hear_enclosure(facts, item, self.speaking, batch, accept=accept)
        if isinstance(body, Inquiry):
            if body.actor not in self.speaking:
                return [finding(Reason.NOT_CONCERNED, f"{body.actor} is not of {self.participant}")]
            facts.inquiries.append(Inquired(body, item.message.conversation, item.digest))
        elif isinstance(body, Notice):
            hearing.hear_notice(facts, item, batch)
        elif isinstance(body, StatusAnswer):
            hearing.hear_status(facts, body)
        elif isinstance(body, EvidencePart):  # the journal keeps it, until a file is made of it
            if body.last:
                batch.log(events.EVIDENCE_RECEIVED, transaction=body.transaction)
        else:
            assert isinstance(body, Checkpoint), item.message.type
            return witness.witness_checkpoint(facts, item, self.actors, batch)
        return []

    async def finish(self, session: Session, facts: RegistryFacts, batch: Batch) -> None:
        """Write the facts; answer inquiries and checkpoints."""
        await saving.save_facts(session, facts, self.kept)
        await books.save_holdings(session, self.participant, facts.holdings.changes())
        if batch.halt:
            return
        if self.due(batch.now):
            seconds = self._settings.scrub_seconds
            facts.scrubbed = await scrub_next(
                session, self.actors, self.kept.scrubbed, seconds, batch
            )
        for inquired in facts.inquiries:
            await answer_inquiry(session, facts, inquired, batch)
        if facts.witnessed:
            await witness.make_statements(session, facts, self.speaking, self._keyring, batch)

    def committed(self, facts: RegistryFacts) -> None:
        """Keep what the next batch starts from."""
        kept = self.kept
        kept.directory, kept.known_acts = facts.directory, facts.known_acts
        kept.log_size, kept.log_root = facts.log_size, facts.log_root
        kept.majority, kept.cosigned = facts.majority, facts.cosigned
        kept.deliveries = {a: g.written() if g.made else g for a, g in facts.deliveries.items()}
        kept.numbers = facts.numbers
        kept.scrubbed = facts.scrubbed or kept.scrubbed
        kept.closed = facts.closed

    async def recall(self, session: Session, said: Sequence[Heard], batch: Batch) -> None:
        """Proposals sent before a restore: they are under way again, their units reserved."""
        proposals = [h for h in said if isinstance(h.message.body, Proposal)]
        if not proposals:
            return
        spans = spans_of_proposals(h.message.body for h in proposals)
        facts = self._facts(batch, await books.load_holdings(session, self.participant, spans))
        facts.deliveries = self.kept.deliveries
        ids = [h.message.conversation for h in proposals]
        facts.transactions = await storage.load_transactions(session, ids)
        for heard in proposals:
            recall_proposal(facts, heard, batch)
        await saving.save_facts(session, facts, self.kept)
        await books.save_holdings(session, self.participant, facts.holdings.changes())
        self.kept.numbers = (
            facts.numbers
        )  # if the batch fails, `start` takes them from the database
