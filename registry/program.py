# SPDX-License-Identifier: Apache-2.0
"""A registry as a program of its node: what Party, international and mechanism registries share.

What differs between them is who their actors are and which actions those may take; the rules know
that from the actors' names and the policy (`ledger.checks`), so one program serves all three.

Elsewhere: entries (`applying`), checkpoints (`witness`), commands (`desk`), inquiries (`answers`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.actions import reserve
from ledger.checks import Policy
from ledger.directory import Directory
from ledger.effects import apply
from ledger.transactions import State
from registry import desk, storage, witness
from registry.answers import answer_inquiry
from registry.applying import apply_entry, release_locally
from registry.state import Inquired, Kept, RegistryFacts, Transaction
from runtime import books, events, journal
from runtime.keys import Keyring
from runtime.program import Batch, Heard, Item, Order
from runtime.store import Session
from schemas.directory import SignedAct
from schemas.effects import Units
from schemas.envelope import EnvelopeError, digest, open_manifest, verify
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Digest, Instant, Participant, TransactionId
from schemas.messages import (
    Enclosure,
    Entry,
    Inquiry,
    Malformed,
    Message,
    Notice,
    Proposal,
    StatusAnswer,
    parse_message,
)

__all__ = ["Registry", "RegistrySettings"]

HUB, REC = Participant("HUB"), Participant("REC")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """How a registry behaves."""

    accept: bool = True
    """Whether clearances are accepted at once, or wait for an operator."""
    policy: Policy = Policy()
    """The rules' settings, the same as the hub's."""


class Registry:
    """The program of one registry; `actors` are its sections, the first speaks for the program."""

    greets: tuple[Participant, ...] = (HUB, REC)
    packages: tuple[str, ...] = ("runtime", "registry")
    roles = desk.COMMANDS

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
    def seen(self) -> int:
        """The size of the last checkpoint witnessed."""
        return self.kept.log_size

    async def start(self, session: Session) -> None:
        """Load what is kept between batches."""
        self._kept = await storage.load_kept(session, self._genesis, self.actors)

    def due(self, now: Instant) -> bool:
        """A registry does nothing by the clock."""
        return False

    # --- the handler's three steps --------------------------------------------------------------

    async def load(self, session: Session, items: Sequence[Item], batch: Batch) -> RegistryFacts:
        """Every fact that the items need."""
        kept = self.kept
        heard = [i for i in items if isinstance(i, Heard)]
        orders = [i for i in items if isinstance(i, Order)]
        entries = [h.message.body for h in heard if isinstance(h.message.body, Entry)]
        ids = {h.message.conversation for h in heard}
        ids |= {str(o.arguments.get("transaction")) for o in orders}
        transactions = await storage.load_transactions(session, ids)
        spans = _effect_spans(entries)
        spans |= {s for o in orders for s in _order_spans(o)}
        spans |= {
            (x.key.series, x.first, x.last)
            for t in transactions.values()
            if t.proposal is not None
            for x in t.proposal.lines
        }
        facts = RegistryFacts(
            directory=kept.directory,
            holdings=await books.load_holdings(session, self.participant, spans),
            authorizations={},
            now=batch.now,
            policy=self._settings.policy,
            whole=False,
            transactions=transactions,
            deliveries=dict(kept.deliveries),
            log_size=kept.log_size,
            log_root=kept.log_root,
            known_acts=kept.known_acts,
            numbers=dict(kept.numbers),
        )
        enclosed = [h for h in heard if isinstance(h.message.body, Enclosure)]
        if orders or enclosed:
            facts.accounts = await storage.load_accounts(session)
        if orders or any(e.action == "authorization" for e in entries):
            facts.authorizations = await storage.load_authorizations(session)
        if enclosed:
            lines = [digest(h.message.body.line.encode()) for h in enclosed]
            facts.answered = await storage.answered(session, lines, set(self.actors))
        await self._load_consents(session, entries, facts)
        return facts

    async def _load_consents(
        self, session: Session, entries: Sequence[Entry], facts: RegistryFacts
    ) -> None:
        wanted = {c.message for e in entries for c in e.consents if c.actor in self.actors}
        if wanted:
            facts.said = await journal.messages_by_digest(session, wanted)
            standing = [k for k in facts.said.values() if k.author in self.actors]
            facts.said_proposals = await storage.said_proposals(session, standing)

    def decide(self, facts: RegistryFacts, item: Item, batch: Batch) -> list[Finding]:
        """Carry out one item."""
        if isinstance(item, Order):
            return desk.decide_order(facts, item, self.actors, batch)
        if not isinstance(item, Heard) or batch.halt:
            return []
        body = item.message.body
        if isinstance(body, Entry):
            return apply_entry(facts, item, self.actors, batch)
        if isinstance(body, Enclosure):
            return self._enclosed(facts, item, batch)
        if isinstance(body, Inquiry):
            if body.actor not in self.actors:
                return [finding(Reason.NOT_CONCERNED, f"{body.actor} is not of {self.participant}")]
            facts.inquiries.append(Inquired(body, item.message.conversation, item.digest))
            return []
        if isinstance(body, Notice):
            return self._noticed(facts, item, batch)
        if isinstance(body, StatusAnswer):
            return self._status(facts, body, item)
        return witness.witness_checkpoint(facts, item, self.actors, batch)

    async def finish(self, session: Session, facts: RegistryFacts, batch: Batch) -> None:
        """Write the facts; answer inquiries and checkpoints."""
        await storage.save_facts(session, facts, self.kept)
        await books.save_holdings(session, self.participant, facts.holdings.changes())
        if batch.halt:
            return
        for inquired in facts.inquiries:
            await answer_inquiry(session, facts, inquired, batch)
        if facts.witnessed:
            await witness.make_statements(session, facts, self.actors, self._keyring, batch)

    def committed(self, facts: RegistryFacts) -> None:
        """Keep what the next batch starts from."""
        kept = self.kept
        kept.directory, kept.known_acts = facts.directory, facts.known_acts
        kept.log_size, kept.log_root = facts.log_size, facts.log_root
        kept.deliveries = {a: g.written() if g.fresh else g for a, g in facts.deliveries.items()}
        kept.numbers = facts.numbers

    async def recall(self, session: Session, said: Sequence[Heard], batch: Batch) -> None:
        """Proposals sent before a restore: they are under way again, their units reserved."""
        proposals = [h for h in said if isinstance(h.message.body, Proposal)]
        if not proposals:
            return
        spans = {(x.key.series, x.first, x.last) for h in proposals for x in h.message.body.lines}
        ids = [h.message.conversation for h in proposals]
        facts = RegistryFacts(
            directory=self.directory,
            holdings=await books.load_holdings(session, self.participant, spans),
            authorizations={},
            now=batch.now,
            policy=self._settings.policy,
            transactions=await storage.load_transactions(session, ids),
            deliveries=self.kept.deliveries,
            log_size=self.kept.log_size,
            numbers=self.kept.numbers,
        )
        for heard in proposals:
            _recall_proposal(facts, heard, batch)
        await storage.save_facts(session, facts, self.kept)
        await books.save_holdings(session, self.participant, facts.holdings.changes())
        for actor, number in facts.numbers.items():
            await journal.set_mark(session, f"number {actor}", number)

    # --- single messages ------------------------------------------------------------------------

    def _enclosed(self, facts: RegistryFacts, heard: Heard, batch: Batch) -> list[Finding]:
        """What somebody else said, as said: a proposal to answer, or an answer to a proposal."""
        try:
            author, message, line = _open_enclosure(heard.message.body, facts.directory)
        except (EnvelopeError, Malformed) as error:
            return [error.finding]
        if not isinstance(message.body, Proposal) or message.body.acquirer not in self.actors:
            return []
        id_ = TransactionId(message.conversation)
        known = facts.transactions.get(id_)
        told = digest(line)
        if known is None or known.message != told or author != known.proposer:
            return [finding(Reason.ANSWERS_OTHER_PROPOSAL, f"{id_} was cleared for other bytes")]
        known.proposal, known.line, known.acquirer = message.body, line, message.body.acquirer
        facts.changed.add(id_)
        if known.state is State.CLEARED and told not in facts.answered:
            desk.answer_clearance(facts, known, self.actors, batch, accept=self._settings.accept)
        return []

    def _noticed(self, facts: RegistryFacts, heard: Heard, batch: Batch) -> list[Finding]:
        """The other side took a message without effect. A proposal that never became a transaction
        is over by the hub's signed word.
        """
        body: Notice = heard.message.body
        for found in body.findings:
            batch.log(events.NOTICE_RECEIVED, about=body.about, finding=str(found))
        if heard.author == Actor("HUB"):
            for known in facts.transactions.values():
                if known.message == body.about and known.state is State.PROPOSED:
                    self._give_up(facts, known, list(body.findings))
        return []

    def _status(self, facts: RegistryFacts, body: StatusAnswer, heard: Heard) -> list[Finding]:
        known = facts.transactions.get(body.transaction)
        if known is not None and known.state is State.PROPOSED and body.state is None:
            self._give_up(facts, known, [finding(Reason.TRANSACTION_UNKNOWN, str(known.id))])
        return []

    def _give_up(self, facts: RegistryFacts, known: Transaction, found: list[Finding]) -> None:
        known.state, known.findings = State.REFUSED, found
        facts.changed.add(known.id)
        release_locally(facts, known)


def _open_enclosure(body: Enclosure, directory: Directory) -> tuple[Actor, Message, bytes]:
    """An enclosed message whose author's signature covers it."""
    token, manifest = open_manifest(body.manifest.encode())
    key = directory.any_key(manifest.sender, token.kid)
    line = body.line.encode()
    if key is None:
        raise EnvelopeError(finding(Reason.KEY_UNKNOWN, f"{manifest.sender} with key {token.kid}"))
    verify(token, key)
    if digest(line) not in manifest.messages:
        raise EnvelopeError(finding(Reason.MANIFEST_MISMATCH, "the enclosed line is not named"))
    return manifest.sender, parse_message(line), line


def _recall_proposal(facts: RegistryFacts, heard: Heard, batch: Batch) -> None:
    proposal: Proposal = heard.message.body
    id_ = TransactionId(heard.message.conversation)
    number = int(id_.split("-")[2])
    facts.numbers[heard.author] = max(number, facts.numbers.get(heard.author, 0))
    if id_ in facts.transactions:
        return
    for effect in reserve(proposal, heard.author, id_):
        apply(facts.holdings, effect, {heard.author})
    facts.transactions[id_] = Transaction(
        id=id_,
        state=State.PROPOSED,
        action=proposal.action,
        proposer=heard.author,
        acquirer=proposal.acquirer,
        proposal=proposal,
        line=heard.line,
        message=Digest(heard.digest),
        position=None,
        opened_at=batch.now,
        changed_at=batch.now,
    )
    facts.changed.add(id_)


def _effect_spans(entries: Sequence[Entry]) -> set[tuple[str, int, int]]:
    return {
        (effect.key.series, effect.first, effect.last)
        for entry in entries
        for effect in entry.effects
        if isinstance(effect, Units)
    }


def _order_spans(order: Order) -> set[tuple[str, int, int]]:
    """The ranges that a proposal's arguments name, as far as they make sense."""
    if order.command != "propose":
        return set()
    try:
        arguments = {
            "quantity": 0,
            "expires_at": "2026-01-01T00:00:00.000000Z",
            **{k: v for k, v in order.arguments.items() if k not in {"actor", "lifetime_seconds"}},
        }
        proposal = Proposal.model_validate_json(json.dumps(arguments))
    except ValueError:
        return set()
    return {(x.key.series, x.first, x.last) for x in proposal.lines}
