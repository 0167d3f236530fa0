# SPDX-License-Identifier: Apache-2.0
"""Recovering: a hub whose database was set back takes the tail of its log from what others hold.

Everybody keeps every envelope of the hub's byte for byte. So, under a mark in the database that an
operator sets (`begin_recovery`), the hub greets everybody and is given back its own envelopes, like
a registry (rules 3.11 and 3.13). Until it has them all it hears nobody, takes no command, looks at
no deadline, and seals and signs nothing. In steps, each a transaction:

* entries that came back are taken in the order of the log: appended, and carried out by their
  effects. One that begins a transaction waits for its proposal, which its author sends again,
  unless it has said all that it ever sent;
* heads that came back are kept, if the log has their root at their size.

It ends when everybody has given back what they keep, the log is what the anchor says, or longer,
and whoever has said what the log rests on still has it, or has it again. Then those who lack an
entry are sent it, as it was. If what came back contradicts the anchor or itself, or is not all, the
program ends and says what is wrong: nothing is made up, nothing forks.

Elsewhere: what came back (`tail`), acts before their turn (`ahead`), taking an entry (`taking`),
proposals (`causes`), what others had said (`words`) and say once more (`again`), what they lack
(`owing`), the anchor (`guard`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from hub import saving, storage, tail
from hub.ahead import Ahead
from hub.causes import Causes
from hub.guard import NO_LOG, RUNBOOK, Guard, Head, Refusal, bring, refused, root_at
from hub.owing import say_what_is_owed
from hub.reach import approvals_counted
from hub.state import HubFacts, Kept, facts_of
from hub.tail import RECOVERED, RECOVERING
from hub.taking import take_back
from hub.words import Words
from ledger.asking import Policy, authorizations_named
from ledger.directory import Directory
from ledger.effects import spans_of_effects
from runtime import books, events
from runtime.errors import LocalProtocolError
from runtime.journal import Journal, answers_said, get_mark, set_mark
from runtime.program import Batch, Heard, Others
from runtime.store import Session, Store
from schemas.effects import AuthorizationEffect
from schemas.identifiers import HUB, HUB_ACTOR, Actor, Digest, Participant, TransactionId
from schemas.messages import Message, Proposal, parse_message

__all__ = ["TAKEN_MAX", "Recovery", "begin_recovery", "undo_recovery"]

TAKEN_MAX = 200
"""Entries taken in one step."""

Lines = Sequence[tuple[Message, bytes]]


async def begin_recovery(store: Store, guard: Guard) -> tuple[Head, Head]:
    """Have the hub recover when it starts next; gives the log as it is, and what the anchor says.
    The hub must not run. A recovery that has begun goes on as it was begun.
    """
    await store.lock_writer()
    async with store.transaction() as session:
        kept = await storage.load_kept(session)
        if kept is None:
            raise LocalProtocolError(NO_LOG)
        guard.require_key(kept.directory.genesis)
        held = guard.read(kept.directory.genesis)
        if kept.log.size >= held.size:
            await guard.compare(session, held, kept.log)
        if not await get_mark(session, RECOVERING):
            await set_mark(session, RECOVERING, kept.log.size)
    return Head.of(kept.log), held


async def undo_recovery(store: Store) -> Head:
    """Have the hub start as ever; gives the log as it is. Only while nothing has come back: from
    then on the database has envelopes that it had not, and the rest of them is needed.
    """
    await store.lock_writer()
    async with store.transaction() as session:
        kept = await storage.load_kept(session)
        base = await get_mark(session, RECOVERING)
        if kept is None or not base:
            raise refused(Refusal.NONE, "the hub was not told to recover; there is nothing to undo")
        if kept.log.size != base or not await tail.is_untouched(session):
            raise refused(
                Refusal.BEGUN,
                "envelopes of the hub have come back since. Start it, and it goes on where it was; "
                f"or bring another copy of the database; {RUNBOOK}",
            )
        await set_mark(session, RECOVERING, 0)
    return Head.of(kept.log)


class Awaited(NamedTuple):
    """A proposal that an entry begins with and that is not here."""

    position: int
    transaction: TransactionId

    @property
    def author(self) -> Actor:
        """Who proposed it: nobody else may."""
        return self.transaction.proposer


class Recovery:
    """Brings back the tail of a log; `base` is the size that it had when that began."""

    def __init__(self, kept: Kept, guard: Guard, policy: Policy, base: int) -> None:
        self._ahead = Ahead(kept.directory, kept.acts)
        self._kept = kept
        self._guard = guard
        self._policy = policy
        self._base = base
        self._causes = Causes()
        self._words = Words(base, self._causes)
        self._awaited: Awaited | None = None
        self._looked = False
        """Whether all that was given back was found to be there."""
        self._said: tuple[object, ...] = ()

    @property
    def lacking(self) -> frozenset[Actor]:
        """Whose messages are awaited."""
        return frozenset({self._awaited.author}) if self._awaited else self._words.awaited

    @property
    def directory(self) -> Directory:
        """As far as acts came back or were said, though entries before them may not have: who
        changed a key since must be understood.
        """
        return self._ahead.directory

    async def keep(self, session: Session, said: Sequence[Heard]) -> None:
        """Envelopes of the hub's have come back with these messages."""
        self._looked = False
        await tail.keep(session, said)

    async def step(self, session: Session, batch: Batch, others: Others) -> HubFacts:
        """Take what can be taken; end, when all of it is."""
        aim = self._guard.read(self._kept.directory.genesis)
        facts = facts_of(self._kept, batch.now, self._policy)
        other = await tail.contradicted(session, facts.log.size)
        if other is not None:
            raise refused(Refusal.FORKED, f"another entry {other} came back than the log has")
        taken = await self._take(session, facts, aim)
        if taken:
            await saving.save_facts(session, facts, self._kept)
            await books.save_holdings(session, storage.BOOK, facts.holdings.changes())
        await tail.forget_entries(session, facts.log.size)
        await _take_heads(session, facts)
        await self._ahead.learn(session, facts, others.early, entries=not taken)
        ready = not taken and not others.waiting
        self._looked = self._looked and ready
        if ready and await self._is_all_here(session, facts, batch, others, aim):
            await self._end(session, facts, batch)
            return facts
        self._tell(facts, batch, aim, others.waiting)
        return facts

    def _tell(
        self, facts: HubFacts, batch: Batch, aim: Head, waiting: frozenset[Participant]
    ) -> None:
        """Log how far it is, whenever that has changed."""
        said = (facts.log.size, waiting, self.lacking)
        if said != self._said:
            self._said = said
            batch.log(
                events.LOG_RECOVERING,
                size=facts.log.size,
                anchored=aim.size,
                waiting=" ".join(sorted(waiting)),
                lacking=" ".join(sorted(self.lacking)),
            )

    # --- taking ---------------------------------------------------------------------------------

    async def _take(self, session: Session, facts: HubFacts, aim: Head) -> int:
        """Take the entries that come next; gives how many."""
        came = _unbroken(await tail.load_entries(session, facts.log.size, TAKEN_MAX), facts)
        came, proposals = await self._with_proposals(session, facts, came)
        await _load(session, facts, came, proposals)
        for message, line in came:
            problem = take_back(facts, message, line, proposals)
            if problem is not None:
                detail = f"entry {message.body.position} that came back does not fit: {problem}"
                raise refused(Refusal.FORKED, f"{detail}; {RUNBOOK}")
            if facts.log.size == aim.size and facts.log.root() != aim.root:
                detail = f"with what came back the log would have {Head.of(facts.log)}, not {aim}"
                raise refused(Refusal.FORKED, f"{detail}; {RUNBOOK}")
        return len(came)

    async def _with_proposals(
        self, session: Session, facts: HubFacts, came: Lines
    ) -> tuple[Lines, dict[Digest, bytes]]:
        """The entries up to one whose transaction begins with it and whose proposal is not here,
        and the proposals of the others.
        """
        ids = {m.conversation for m, _ in came if m.body.state is not None}
        facts.transactions = await storage.load_transactions(session, ids)
        named = _first_named(facts, came)
        found = await self._causes.find(
            session, {digest: TransactionId(id_).proposer for id_, digest in named.items()}
        )
        self._awaited = None
        for number, (message, _) in enumerate(came):
            digest = named.get(message.conversation)
            if digest is not None and digest not in found:
                id_ = TransactionId(message.conversation)
                self._awaited = Awaited(message.body.position, id_)
                return came[:number], {one: word.line for one, word in found.items()}
        return came, {one: word.line for one, word in found.items()}

    # --- ending ---------------------------------------------------------------------------------

    async def _is_all_here(
        self, session: Session, facts: HubFacts, batch: Batch, others: Others, aim: Head
    ) -> bool:
        """Everybody has given back what they keep; whether that is all of it. It may be that
        somebody has not sent again yet what it had said.
        """
        if self._awaited is not None:
            if self._awaited.author in others.whole:
                raise refused(Refusal.LACKING, _gone(self._awaited))
            return False
        if not self._looked:
            lost = await _still_lacking(session, facts, aim)
            if lost is not None:
                raise refused(Refusal.LACKING, f"everybody gave back what they keep, and {lost}")
            self._looked = True
        return await self._words.hold(session, facts.directory, batch, others)

    async def _end(self, session: Session, facts: HubFacts, batch: Batch) -> None:
        """Go on."""
        await self._guard.check(session, facts.directory.genesis, facts.log)
        await say_what_is_owed(session, facts, self._base, self._causes, batch)
        await _end_answers(session, self._kept)
        await set_mark(session, RECOVERING, 0)
        await set_mark(session, RECOVERED, 1)
        await tail.forget_back(session, facts.directory.members)
        facts.recovered = await storage.load_kept(session)
        batch.log(events.LOG_RECOVERED, size=facts.log.size, root=facts.log.root().hex())


def _gone(awaited: Awaited) -> str:
    """Nobody has a proposal, its author included."""
    author = awaited.author
    return (
        f"entry {awaited.position} begins {awaited.transaction}, and its proposal is with nobody "
        f"any more: {author} has sent again all that it keeps. {bring(author)}"
    )


def _unbroken(came: Lines, facts: HubFacts) -> Lines:
    """Those that follow the log and one another without a gap."""
    positions = [message.body.position for message, _ in came]
    for number, position in enumerate(positions):
        if number and position == positions[number - 1]:
            detail = f"two different entries {position} came back, both signed by this hub"
            raise refused(Refusal.FORKED, f"{detail}; {RUNBOOK}")
    following = [n for n, position in enumerate(positions) if position == facts.log.size + n]
    return came[: len(following)]


def _first_named(facts: HubFacts, came: Lines) -> dict[str, Digest]:
    """The proposal of each transaction that begins with one of these entries."""
    named: dict[str, Digest] = {}
    for message, _ in came:
        known = message.conversation in facts.transactions or message.conversation in named
        if message.body.state is not None and not known and message.answers is not None:
            named[message.conversation] = message.answers
    return named


async def _load(
    session: Session, facts: HubFacts, came: Lines, proposals: dict[Digest, bytes]
) -> None:
    """What the effects of entries change."""
    bodies = [message.body for message, _ in came]
    asked = [state.proposal for state in facts.transactions.values()]
    for line in proposals.values():
        proposal: Proposal = parse_message(line).body
        asked.append(proposal)
    facts.holdings = await books.load_holdings(session, storage.BOOK, spans_of_effects(bodies))
    names = authorizations_named(asked, facts.holdings.blocks())
    for body in bodies:
        for effect in body.effects:
            if isinstance(effect, AuthorizationEffect):
                names.add((effect.terms.party, effect.terms.id))
    facts.authorizations = await storage.load_authorizations(session, names)
    facts.approvals = await storage.load_approvals(session, approvals_counted(bodies))


async def _take_heads(session: Session, facts: HubFacts) -> None:
    """Keep the heads that the log has reached, if they are its own."""
    heads = await tail.load_heads(session, facts.log.size)
    known = await storage.load_checkpoint_roots(session, [head.size for head in heads])
    for head in heads:
        root = await root_at(session, head.size)
        if root is None or root.hex() != head.root:
            detail = f"a head of size {head.size} came back with root {head.root}, the log has"
            shown = root.hex() if root else "none"
            raise refused(Refusal.FORKED, f"{detail} {shown}; {RUNBOOK}")
        if head.size not in known:
            root_bytes = bytes.fromhex(head.root)
            await saving.save_checkpoint(session, head.size, root_bytes, head.note, head.at)
    await tail.forget_heads(session, heads)


async def _still_lacking(session: Session, facts: HubFacts, aim: Head) -> str | None:
    """What nobody has given back and somebody was sent; None when there is nothing."""
    size = facts.log.size
    entry, head = await tail.first_left(session)
    if entry is not None:
        return f"entry {size} did not come back; entry {entry} did. Keep all databases; {RUNBOOK}"
    if head is not None:
        return f"entry {size} did not come back; a head of {head} entries was sent; {RUNBOOK}"
    if size < aim.size:
        return f"entry {size} did not come back; the anchor says that {aim} were sent; {RUNBOOK}"
    journal = Journal(HUB)
    await journal.load(session)
    for (sender, recipient), beyond in sorted(journal.ahead.items()):
        free = journal.sent(sender, recipient) + 1
        return f"{recipient} has our envelope {min(beyond)} and not {free}, before it; {RUNBOOK}"
    return None


async def _end_answers(session: Session, kept: Kept) -> None:
    """Requests for evidence whose answers had gone on since, or had been given up by a notice: to
    begin such an answer again would spoil what its asker has of it. Where it lacks something, it
    asks anew.
    """
    said = await answers_said(session, HUB_ACTOR, kept.wanted)
    for wanted in kept.wanted.values():
        types = [k.type for k in said if k.answers == wanted.message]
        if "notice" in types or types.count("evidence-part") > wanted.part:
            await saving.save_turn(session, wanted, over=True)
