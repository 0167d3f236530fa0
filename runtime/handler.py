# SPDX-License-Identifier: Apache-2.0
"""The handler: one batch, one transaction, and nothing said before it is durable.

    open ─► load ─► decide ─► commit ─► acknowledge ─► send

`Handler.run` carries a batch from authenticated envelopes to a commit and says what is to be sent
and acknowledged then (`Done`). Inbox, messages, the program's facts, sequences and sealed outbox
rows are written in the same transaction, so a crash anywhere repeats bytes, never effects.

An exception out of `decide` names its item (`Culprit`); the node runs the batch again one by one,
and the culprit alone gets an internal finding.

Elsewhere: where envelopes come from and go to (`node`), the rules (`program`), order (`intake`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime import events
from runtime import journal as journals
from runtime.clock import Ids
from runtime.control import Control, Replies
from runtime.intake import Arranged, Authentic, Refused, Unit, arrange
from runtime.journal import Journal, Kept, Sealed
from runtime.keys import Keyring
from runtime.orders import Operator, check_order
from runtime.program import Batch, Heard, Item, Order, Program, Tick
from runtime.sealing import Sealer
from runtime.store import Session, Store
from schemas import limits
from schemas.envelope import EnvelopeError, Opened, digest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Digest, Instant, Participant
from schemas.messages import CONTROL_TYPES, SAID_BY, Malformed, Notice, parse_message, role

__all__ = ["Culprit", "Done", "Handler", "Work"]

OWN_COMMANDS = ("replay", "discard", "rotate-key")
"""Commands that every node has."""


class Culprit(Exception):
    """An item whose decision raised; its name, and the exception as cause."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Work:
    """What one batch is made of."""

    sequenced: Sequence[Authentic] = ()
    control: Sequence[Authentic] = ()
    refused: Sequence[Refused] = ()
    resume: Sequence[Actor] = ()
    commands: bool = False
    tick: bool = False
    consuming: bool = False


@dataclass
class Done:
    """What a committed batch leaves to do."""

    batch: Batch
    sealed: list[Sealed]
    replies: Replies
    refused: list[Refused]
    again: list[Unit] = field(default_factory=list)
    gaps: dict[Actor, tuple[int, int]] = field(default_factory=dict)
    applied: int = 0


class Handler:
    """Runs batches for one program on one store; there is one at a time."""

    def __init__(
        self,
        program: Program,
        store: Store,
        keyring: Keyring,
        ids: Ids,
        operators: dict[str, Operator],
    ) -> None:
        self.program = program
        self.journal = Journal(program.participant)
        self.control = Control(program.participant, program.actors, program.greets, self.journal)
        self.sealer = Sealer(program, keyring, self.journal)
        self._store = store
        self._ids = ids
        self._operators = operators

    async def load(self) -> None:
        """Take the state between batches from the database, at start and after a lost commit."""
        async with self._store.transaction() as session:
            await self.journal.load(session)
            await self.program.start(session)
            await self.sealer.load(session)

    async def run(
        self, work: Work, now: Instant, confirmed: Sequence[Sealed], culprits: frozenset[str]
    ) -> Done:
        """One batch in one transaction; after an exception nothing has happened."""
        batch = Batch(now=now, ids=self._ids, sequences=self.journal.last)
        async with self._store.transaction() as session:
            done, changed, early, facts = await self._inside(session, work, batch, culprits)
            await journals.mark_confirmed(session, confirmed)
        self.journal.last.update(changed)
        for sender, sequences in early.items():
            self.journal.early[sender] = sequences
        self.program.committed(facts)
        for actor in batch.rotations:
            self.sealer.rotated(actor)
        self.control.committed(done.replies)
        return done

    async def _inside(
        self, session: Session, work: Work, batch: Batch, culprits: frozenset[str]
    ) -> tuple[Done, dict[tuple[Actor, Participant], int], dict[Actor, set[int]], object]:
        done = Done(batch=batch, sealed=[], replies=Replies(), refused=list(work.refused))
        changed: dict[tuple[Actor, Participant], int] = {}
        for authentic in work.control:
            await self._hear_control(session, authentic, done)
        if done.replies.returned:
            changed.update(await self._recall(session, done))
        arranged = await arrange(
            session,
            self.journal,
            self.program.directory,
            work.sequenced,
            self.control.waiting,
            work.resume,
        )
        done.refused += arranged.refused
        early = self._early_after(arranged, done)
        batch.early = frozenset(
            sender for sender, stored in {**self.journal.early, **early}.items() if stored
        )
        for refused in done.refused:
            self._tell_sender(refused, batch)
        heard, kept = await self._hear(session, arranged.ready, done, culprits)
        items: list[Item] = [*heard, *await self._orders(session, work, batch, culprits, done)]
        if work.tick and "tick" not in culprits:
            items.append(Tick(batch.now, consuming=work.consuming))
        facts = await self.program.load(session, items, batch)
        for item in items:
            self._decide(facts, item, batch)
        await self.program.finish(session, facts, batch)
        for number, result in batch.results.items():
            await journals.close_command(session, number, done=True, result=result)
        for number, found in batch.refusals.items():
            text = "; ".join(str(one) for one in found)
            await journals.close_command(session, number, done=False, result=text)
            batch.log(events.COMMAND_REFUSED, command=number, finding=text)
        done.sealed, sent = self.sealer.seal(batch, changed)
        for actor in batch.rotations:
            sealed, row = await self.sealer.rotate(session, actor, batch, changed)
            done.sealed.append(sealed)
            sent.append(row)
        await self._keep(session, arranged, [*kept, *sent], done, changed)
        done.applied = len(arranged.ready)
        return done, changed, early, facts

    async def _hear_control(self, session: Session, authentic: Authentic, done: Done) -> None:
        for line in authentic.opened.lines:
            try:
                message = parse_message(line)
            except Malformed as error:
                done.refused.append(Refused(authentic.unit, error.finding))
                continue
            if message.type in CONTROL_TYPES:
                try:
                    await self.control.handle(
                        session,
                        authentic.opened,
                        message,
                        self.program.directory,
                        self.sealer.own_key,
                        done.replies,
                    )
                except EnvelopeError as error:
                    done.refused.append(Refused(authentic.unit, error.finding))

    async def _hear(
        self, session: Session, ready: Sequence[Opened], done: Done, culprits: frozenset[str]
    ) -> tuple[list[Heard], list[Kept]]:
        """The messages of envelopes that are next in their sequence, each with its own outcome."""
        batch = done.batch
        parsed: list[Heard] = []
        for opened in ready:
            for index, line in enumerate(opened.lines):
                self._parse(opened, index, line, batch, parsed)
        known = await journals.known_messages(
            session, {(h.author, str(h.message.id)) for h in parsed}
        )
        heard: list[Heard] = []
        kept: list[Kept] = []
        for item in parsed:
            before = known.get((item.author, str(item.message.id)))
            if before is not None:
                await self._heard_before(session, item, before, done)
                continue
            row = _kept(item, self.program.participant)
            known[item.author, str(item.message.id)] = row
            kept.append(row)
            found = self._refusal(item, culprits)
            if found is not None:
                self._tell(item, [found], batch)
            else:
                heard.append(item)
        return heard, kept

    def _parse(
        self, opened: Opened, index: int, line: bytes, batch: Batch, parsed: list[Heard]
    ) -> None:
        manifest = opened.manifest
        assert manifest.sequence is not None
        try:
            message = parse_message(line)
        except Malformed as error:
            self._notice(manifest.sender, digest(line), manifest.sequence, [error.finding], batch)
            return
        parsed.append(
            Heard(
                author=manifest.sender,
                message=message,
                line=line,
                digest=manifest.messages[index],
                manifest=opened.manifest_line,
                sequence=manifest.sequence,
                index=index,
            )
        )

    def _refusal(self, item: Heard, culprits: frozenset[str]) -> Finding | None:
        if item.name in culprits:
            return finding(Reason.INTERNAL)
        if item.message.type in CONTROL_TYPES:
            return finding(Reason.TYPE_NOT_ALLOWED, "control messages have envelopes of their own")
        way = (role(item.author), role(self.program.participant))
        if way not in SAID_BY[item.message.type]:
            return finding(Reason.TYPE_NOT_ALLOWED, f"{item.message.type} by {item.author}")
        return None

    async def _heard_before(self, session: Session, item: Heard, before: Kept, done: Done) -> None:
        """Same author and id: the same bytes are answered as before, other bytes are proof."""
        batch = done.batch
        if before.digest == item.digest:
            batch.log(events.ENVELOPE_TWICE, author=item.author, message=item.message.id)
            done.replies.resend += await journals.answers_to(session, item.digest)
            return
        detail = f"id {item.message.id} was said with other bytes, digest {before.digest}"
        found = finding(Reason.MESSAGE_EQUIVOCATION, detail, field="id")
        await journals.bury(session, found, item.line, str(item.author), batch.now)
        self._tell(item, [found], batch)

    async def _orders(
        self, session: Session, work: Work, batch: Batch, culprits: frozenset[str], done: Done
    ) -> list[Order]:
        if not work.commands:
            return []
        orders: list[Order] = []
        roles = {**self.program.roles, **dict.fromkeys(OWN_COMMANDS, "administrator")}
        for row in await journals.open_commands(session, 50):
            order = check_order(row, self.program.participant, self._operators, roles)
            if isinstance(order, Order) and order.name in culprits:
                order = finding(Reason.INTERNAL)
            if isinstance(order, Finding):
                batch.log(events.COMMAND_REFUSED, command=row.id, finding=str(order))
                await journals.close_command(session, row.id, done=False, result=str(order))
            elif order.command == "rotate-key":
                await self._rotation_order(session, order, batch)
            elif order.command in OWN_COMMANDS:
                await self._dead_letter_order(session, order, batch, done)
            else:
                orders.append(order)
        return orders

    async def _rotation_order(self, session: Session, order: Order, batch: Batch) -> None:
        named = order.arguments.get("actor", self.program.actors[0])
        actor = next((a for a in self.program.actors if a == named), Actor("HUB"))
        problem = None
        if actor == Actor("HUB"):
            problem = f"{named!r:.60} is not a registry actor of this program"
        elif not self.sealer.following(actor):
            problem = (
                f"the next key of {actor} is not in the key folder; make it with keygen --next"
            )
        elif actor in batch.rotations:
            problem = f"the key of {actor} is being changed already"
        if problem is not None:
            await journals.close_command(session, order.id, done=False, result=problem)
            return
        batch.rotations.append(actor)
        batch.results[order.id] = f"the key of {actor} changes with the next envelope"

    async def _dead_letter_order(
        self, session: Session, order: Order, batch: Batch, done: Done
    ) -> None:
        number = order.arguments.get("letter")
        state = "replayed" if order.command == "replay" else "discarded"
        body = await journals.settle_dead_letter(session, number, state)
        if body is None:
            await journals.close_command(
                session, order.id, done=False, result=f"no open dead letter {number}"
            )
            return
        if order.command == "replay":
            done.again.append(Unit(body, None))
        batch.results[order.id] = f"dead letter {number} {state}"

    def _decide(self, facts: object, item: Item, batch: Batch) -> None:
        try:
            found = self.program.decide(facts, item, batch)
        except Exception as error:  # a bug: the batch is run again without this item
            raise Culprit(item.name) from error
        if not found:
            return
        if isinstance(item, Heard):
            self._tell(item, found, batch)
        elif isinstance(item, Order):
            batch.refusals[item.id] = found

    def _tell(self, item: Heard, found: Sequence[Finding], batch: Batch) -> None:
        """Findings go to who said it; a notice is never answered by a notice."""
        if item.message.type != "notice":
            self._notice(
                item.author,
                item.digest,
                item.sequence,
                found,
                batch,
                item.message.conversation,
            )

    def _notice(
        self,
        to: Actor,
        about: Digest,
        sequence: int | None,
        found: Sequence[Finding],
        batch: Batch,
        conversation: str = "notice",
    ) -> None:
        for one in found:
            batch.log(events.MESSAGE_REFUSED, author=to, message=about, finding=str(one))
        body = Notice(about=about, sequence=sequence, findings=tuple(found[: limits.FINDINGS_MAX]))
        batch.say(
            self.program.actors[0], to.participant, "notice", conversation, body, answers=about
        )

    def _tell_sender(self, refused: Refused, batch: Batch) -> None:
        """Who signed an envelope that is refused all the same learns why."""
        if refused.authentic and refused.claimed is not None:
            told = digest(refused.unit.body.partition(b"\n")[0])
            self._notice(refused.claimed, told, None, [refused.finding], batch)

    async def _recall(self, session: Session, done: Done) -> dict[tuple[Actor, Participant], int]:
        """Envelopes of our own that came back: stored as sent, and told to the program."""
        changed: dict[tuple[Actor, Participant], int] = {}
        said: list[Heard] = []
        kept: list[Sealed] = []
        for opened in done.replies.returned:
            manifest = opened.manifest
            place = (manifest.sender, manifest.to)
            last = changed.get(place, self.journal.sent(*place))
            if manifest.sequence != last + 1:
                continue
            changed[place] = last + 1
            kept.append(Sealed(manifest.sender, manifest.to, last + 1, opened.body))
            for index, line in enumerate(opened.lines):
                self._parse(opened, index, line, done.batch, said)
        await journals.keep_sealed(session, kept, done.batch.now)
        await journals.mark_confirmed(session, kept)
        await journals.keep_messages(session, [_kept(h, _to(kept, h)) for h in said])
        await self.program.recall(session, said, done.batch)
        for row in await journals.open_commands(session, 1000) if kept else ():
            why = "the node was restored from an older backup; see what was sent, then ask anew"
            await journals.close_command(session, row.id, done=False, result=why)
        return changed

    async def _keep(
        self,
        session: Session,
        arranged: Arranged,
        kept: list[Kept],
        done: Done,
        changed: dict[tuple[Actor, Participant], int],
    ) -> None:
        stored = {id(opened) for opened in arranged.stored}
        fresh = [opened for opened in arranged.ready if id(opened) not in stored]
        now = done.batch.now
        await journals.keep_received(session, fresh, now, applied=True)
        await journals.keep_received(session, arranged.early, now, applied=False)
        for sender, last in arranged.last.items():
            changed[sender, self.program.participant] = last
        await journals.save_sequences(session, changed)
        await journals.keep_messages(session, kept)
        await journals.keep_sealed(session, done.sealed, now)
        for refused in done.refused:
            claimed = str(refused.claimed) if refused.claimed else refused.unit.sender
            await journals.bury(session, refused.finding, refused.unit.body, claimed, now)

    def _early_after(self, arranged: Arranged, done: Done) -> dict[Actor, set[int]]:
        early: dict[Actor, set[int]] = {}
        for opened in arranged.early:
            sender, sequence = opened.manifest.sender, opened.manifest.sequence
            assert sequence is not None
            early.setdefault(sender, set(self.journal.early.get(sender, ()))).add(sequence)
        for sender, last in arranged.last.items():
            kept = early.get(sender, set(self.journal.early.get(sender, ())))
            early[sender] = {sequence for sequence in kept if sequence > last}
        for sender, first in arranged.forgotten.items():
            kept = early.get(sender, set(self.journal.early.get(sender, ())))
            early[sender] = {sequence for sequence in kept if sequence < first}
        for sender, sequences in early.items():
            if sequences and sender.participant not in self.control.waiting:
                last = arranged.last.get(sender, self.journal.received(sender))
                done.gaps[sender] = (last + 1, min(sequences) - 1)
        return early


def _kept(item: Heard, recipient: Participant) -> Kept:
    message = item.message
    return Kept(
        item.author,
        str(message.id),
        item.digest,
        message.type,
        message.conversation,
        message.answers,
        recipient,
        item.sequence,
        item.index,
    )


def _to(kept: Sequence[Sealed], heard: Heard) -> Participant:
    return next(
        e.recipient for e in kept if (e.sender, e.sequence) == (heard.author, heard.sequence)
    )
