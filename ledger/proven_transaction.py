# SPDX-License-Identifier: Apache-2.0
"""Evidence, steps 5 to 8: the messages of a transaction, its steps, consent, receipts.

Elsewhere: what all steps are (`verifying`), the log that these rest on (`proven_log`), what an
actor has agreed to (`consent`).
"""

from dataclasses import dataclass, field

from ledger import consent, log
from ledger.flaws import Flaw, must
from ledger.proven_log import ProvenEntry, ProvenLog, hashes
from ledger.proven_words import ProvenWord, prove_word
from ledger.transactions import EVENT_OF, FINAL, IllegalStep, State, step
from schemas.envelope import digest
from schemas.evidence import Bundle, Receipt
from schemas.identifiers import HUB, Actor, Digest, TransactionId
from schemas.messages import Proposal, Statement

__all__ = ["ProvenTransaction"]


@dataclass(frozen=True)
class _Known:
    """The transaction, as `consent` wants to know it."""

    id: TransactionId
    proposer: Actor
    acquirer: Actor | None
    proposal: Proposal | None
    message: Digest | None


@dataclass
class ProvenTransaction:
    """The file's transaction, as far as it has been found to hold."""

    bundle: Bundle
    log: ProvenLog
    state: State | None = None
    said: dict[Digest, ProvenWord] = field(default_factory=dict)
    said_proposals: dict[Digest, Proposal] = field(default_factory=dict)
    transactions: dict[TransactionId, _Known] = field(default_factory=dict)

    @property
    def known(self) -> _Known:
        """The transaction, once its proposal is known."""
        return self.transactions[self.bundle.transaction]

    # --- 5 --------------------------------------------------------------------------------------

    def authentic(self) -> list[str]:
        """Each message was signed by its author, to the hub, with a key that was valid for it."""
        wanted = self._named()
        for said in self.bundle.messages:
            position = wanted.get(digest(said.line.encode()))
            if position is None:
                raise Flaw("a message stands here that no entry names")
            heard = prove_word(said, self.log.as_of(position), HUB)
            must(heard.digest not in self.said, f"the {heard.type} stands twice")
            self.said[heard.digest] = heard
            if isinstance(heard.message.body, Proposal):
                self.said_proposals[heard.digest] = heard.message.body
        must(
            list(self.said) == list(wanted),
            "messages are not those that the entries name, in order",
        )
        return [heard.words() for heard in self.said.values()]

    def _named(self) -> dict[Digest, int]:
        """The messages that entries name, in order, and the first entry that does."""
        found: dict[Digest, int] = {}
        for entry in self.log.entries:
            if entry.message.answers is not None:
                found.setdefault(entry.message.answers, entry.body.position)
            for one in entry.body.consents:
                found.setdefault(one.message, entry.body.position)
        return found

    # --- 6 --------------------------------------------------------------------------------------

    def lawful(self) -> list[str]:
        """From proposed to an end, each step by a message of whoever may cause it."""
        transaction = self.bundle.transaction
        proposed = next(iter(self.said.values()))
        proposal = proposed.message.body
        must(isinstance(proposal, Proposal), "the first message is no proposal")
        must(proposed.conversation == transaction, "the proposal is of another transaction")
        must(proposed.author == transaction.proposer, f"{proposed.author} proposed it")
        known = _Known(transaction, proposed.author, proposal.acquirer, proposal, proposed.digest)
        self.transactions[transaction] = known
        state, words = State.PROPOSED, []
        for entry in self.log.entries:
            state = self._stepped(known, state, entry)
            words.append(_step_in_words(entry))
        must(state in FINAL, f"the transaction has not ended: it is {state}")
        self.state = state
        return words

    def _stepped(self, known: _Known, state: State, entry: ProvenEntry) -> State:
        """The state after an entry, if its cause may lead there."""
        body, position = entry.body, entry.body.position
        try:
            after = State(body.state or "")
            step(state, EVENT_OF[after])
        except (ValueError, KeyError, IllegalStep):
            raise Flaw(f"entry {position}: {state} does not become {body.state}") from None
        assert known.proposal is not None
        must(body.action == known.proposal.action, f"entry {position} is of another action")
        if state is State.PROPOSED and after is not State.REFUSED:
            asked = known.acquirer not in {None, known.proposer}
            must((after is State.CLEARED) == asked, f"entry {position}: nobody was asked")
        told = sorted(one.actor for one in body.addressed)
        must(told == _concerned(known, state, entry), f"entry {position} is addressed to {told}")
        if after is State.EXPIRED:
            must(body.manifest is None and entry.message.answers is None, "expiry has no cause")
            expired = body.at >= known.proposal.expires_at
            must(expired, f"entry {position}: it expired before {known.proposal.expires_at}")
            return after
        cause = self.said.get(entry.message.answers or Digest("0" * 64))
        if cause is None:
            raise Flaw(f"entry {position} names no message as its cause")
        must(
            cause.manifest_digest == body.manifest,
            f"entry {position} rests on another envelope than the one that is here",
        )
        must(
            cause.manifest.seen <= position,
            f"the {cause.type} had seen {cause.manifest.seen} entries, and caused entry {position}",
        )
        author, type_ = _entitled(known, state, after)
        must(
            (cause.author, cause.conversation) == (author, known.id) and cause.type in type_,
            f"entry {position}: {cause.type} of {cause.author} does not make it {after}",
        )
        if after is State.REJECTED:
            given = cause.message.body.findings == body.findings
            must(given, f"entry {position} has other findings than the rejection")
        if cause.digest != known.message:
            answered = cause.answers == known.message
            must(answered, f"the {cause.type} answers another proposal than this one")
        return after

    # --- 7 --------------------------------------------------------------------------------------

    def agreed(self) -> list[str]:
        """What was done to anybody follows from that actor's own messages."""
        words: list[str] = []
        for entry in self.log.entries:
            body, position = entry.body, entry.body.position
            for one in body.consents:
                heard = self.said[one.message]
                whose = f"{one.actor} is said to consent, by a message of {heard.author}"
                must(heard.author == one.actor, whose)
                must(self._consents(heard), f"{heard.type} of {heard.author} is no consent to this")
                words.append(f"{one.actor} agreed by its {heard.type}")
            bound = {actor for effect in body.effects for actor in consent.bound_by(effect)}
            if body.state == "completed":
                parties = {self.known.proposer, self.known.acquirer} - {None}
                missing = sorted(filter(None, parties - {one.actor for one in body.consents}))
                must(not missing, f"entry {position}: {', '.join(missing)} did not consent")
                bound |= {actor for actor in parties if actor is not None}
            problem = consent.not_agreed(self, entry.message, bound)
            must(problem is None, f"entry {position}: {problem}")
        return words or ["nothing was done to anybody's units or rights"]

    def _consents(self, heard: ProvenWord) -> bool:
        """This proposal, an acceptance of it, or a pledge that was made before."""
        if heard.digest == self.known.message:
            return True
        if heard.conversation == self.bundle.transaction:
            return (heard.type, heard.answers) == ("acceptance", self.known.message)
        return heard.type == "proposal"

    # --- 8 --------------------------------------------------------------------------------------

    def acknowledged(self) -> list[str]:
        """Every actor concerned has stated that these entries were delivered to it."""
        wanted = sorted({one.actor for e in self.log.entries for one in e.body.addressed})
        words, found = [], []
        for receipt in self.bundle.receipts:
            heard = prove_word(receipt.statement, self.log.latest, HUB)
            found.append(heard.author)
            words += self._received(heard, receipt)
        must(found == wanted, f"receipts are of {found}, and should be of {wanted}")
        return words

    def _received(self, heard: ProvenWord, receipt: Receipt) -> list[str]:
        author, statement = heard.author, heard.message.body
        if not isinstance(statement, Statement):
            raise Flaw(f"the receipt of {author} is no statement, but {heard.type}")
        root = bytes.fromhex(statement.root)
        headed = any((top.size, top.root) == (statement.size, root) for top in self.log.heads)
        must(headed, f"{author} speaks of a head of {statement.size} that is not here")
        places = [
            (entry, one.index)
            for entry in self.log.entries
            for one in entry.body.addressed
            if one.actor == author
        ]
        must(len(places) == len(receipt.proofs), f"{author}: a proof too many or too few")
        delivered = statement.delivered
        for (entry, index), proof in zip(places, receipt.proofs, strict=True):
            where = (index, delivered.size, hashes(proof), bytes.fromhex(delivered.root))
            must(
                log.verify_inclusion(entry.leaf, *where),
                f"{author} has not acknowledged entry {entry.body.position}",
            )
        numbers = ", ".join(str(index + 1) for _, index in places)
        when = heard.manifest.sent_at
        words = [f"{author} acknowledged them on {when}, as {numbers} of {delivered.size}"]
        answers = [one for one in statement.expiries if one.transaction == self.bundle.transaction]
        must(len(answers) <= 1, f"{author} says twice whether it had answered")
        if self.state is State.EXPIRED and answers and author == self.known.acquirer:
            sequence = answers[0].sequence
            said = "it had not answered" if sequence is None else f"it had answered in {sequence}"
            words.append(f"{author} states that when it expired {said}")
        return words


def _entitled(known: _Known, state: State, after: State) -> tuple[Actor | None, set[str]]:
    """Who causes a step, by which types of message."""
    if state is State.PROPOSED:
        return known.proposer, {"proposal"}
    if after is State.WITHDRAWN:
        return known.proposer, {"withdrawal"}
    return known.acquirer, {"rejection"} if after is State.REJECTED else {"acceptance"}


def _concerned(known: _Known, state: State, entry: ProvenEntry) -> list[Actor]:
    """To whom an entry must be addressed; who was never asked does not hear of a refusal."""
    concerned = {known.proposer, *(one.actor for one in entry.body.consents)}
    refused_at_once = state is State.PROPOSED and entry.body.state == "refused"
    if known.acquirer is not None and not refused_at_once:
        concerned.add(known.acquirer)
    return sorted(concerned)


def _step_in_words(entry: ProvenEntry) -> str:
    body = entry.body
    checked = f"by rules {body.rules}"
    if body.findings:
        checked += ": " + "; ".join(str(one) for one in body.findings)
    return f"{body.at}: {body.state} ({body.action}), checked {checked}"
