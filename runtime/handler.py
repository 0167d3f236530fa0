# SPDX-License-Identifier: Apache-2.0
"""The handler: one batch, one transaction, and nothing said before it is durable.

    open ─► load ─► decide ─► commit ─► acknowledge ─► send

`Handler.run` carries a batch from authenticated envelopes to a commit and says what is to be sent
and acknowledged then (`Done`). Inbox, messages, the program's facts, sequences and sealed outbox
rows are written in the same transaction, so a crash anywhere repeats bytes, never effects.

An exception out of `decide` names its item (`Culprit`); the node runs the batch again one by one,
and the culprit alone gets an internal finding. A program that must stop at a message stops the
batch there (`Halting`): what follows is neither committed nor acknowledged. One that pauses there
takes it in its next batch.

Elsewhere: where envelopes come from and go to (`node`), the rules (`program`), order (`arranging`),
what becomes of a message that has no effect (`hearing`), commands (`desk`), sealing (`sealing`).
"""

from collections.abc import Sequence
from typing import Any

from runtime import halts, outbox
from runtime import journal as journals
from runtime.arranging import Arranged, arrange
from runtime.clock import Ids
from runtime.control import Control, Here
from runtime.desk import Desk
from runtime.hearing import Hearing
from runtime.intake import Authentic, Refused
from runtime.journal import Journal, Sealed
from runtime.keys import Keyring
from runtime.orders import Operator
from runtime.program import Batch, Heard, Item, Order, Program, Recovery, Tick
from runtime.recalling import recall
from runtime.sealing import Sealer
from runtime.second_person import SecondPerson
from runtime.store import Session, Store
from runtime.work import Culprit, Done, Halting, Work
from schemas.envelope import EnvelopeError, Opened
from schemas.identifiers import Actor, Instant
from schemas.limits import MESSAGES_MAX
from schemas.messages import CONTROL_TYPES, Malformed, parse_message

__all__ = ["Handler"]


class Handler:
    """Runs batches for one program on one store; there is one at a time."""

    def __init__(
        self,
        program: Program,
        store: Store,
        keyring: Keyring,
        ids: Ids,
        operators: dict[str, Operator],
        second: SecondPerson | None = None,
        bundle_max: int = MESSAGES_MAX,
    ) -> None:
        self.program = program
        self.journal = Journal(program.participant)
        self.control = Control(program.participant, program.actors, program.greets, self.journal)
        self.sealer = Sealer(program, keyring, self.journal, bundle_max)
        self._hearing = Hearing(program)
        self._desk = Desk(program, self.sealer, operators, second or SecondPerson())
        self._store = store
        self._ids = ids
        self.halted = False

    async def load(self) -> None:
        """Take the state between batches from the database, at start and after a lost commit."""
        async with self._store.transaction() as session:
            await self.journal.load(session)
            await self.program.start(session)
            await self.sealer.load(session)
            self.halted = await halts.is_halted(session)
        self._meet()
        self.control.recover(recovering=self.program.recovery is not None, anew=True)

    def _meet(self) -> None:
        """Greet whom the program depends on, by its actors as far as they are admitted."""
        able = self.program.directory.known_of(self.program.actors)
        self.control.meet(self.program.greets, able)

    async def run(
        self, work: Work, now: Instant, confirmed: Sequence[Sealed], culprits: frozenset[str]
    ) -> Done:
        """One batch in one transaction; after an exception nothing has happened."""
        batch = Batch(now=now, ids=self._ids, sequences=self.journal.last)
        done = Done(batch, list(work.refused))
        async with self._store.transaction() as session:
            arranged = await self._open(session, work, done)
            items = await self._items(session, work, arranged.ready, culprits, done)
            facts = await self.program.load(session, items, batch)
            self._decide(facts, items, arranged.ready, batch)
            # Before anything else is written: it changes the outbox, to which `_keep` adds, and two
            # writes to one table cannot be one statement. Here it can join the program's own.
            await outbox.mark_confirmed(session, confirmed)
            await self.program.finish(session, facts, batch)
            if batch.halt is not None:
                await halts.mark(session)
            await self._desk.close(session, done)
            await self._seal(session, done)
            await self._keep(session, arranged, done)
        # Up to the commit nothing has happened, and the broker hands everything out again. From
        # here on a crash loses memory alone, which `load` takes from the database anew: what was
        # not acknowledged comes again and is recognised, what was not sent is in the outbox.
        self._committed(facts, arranged, done)
        return done

    async def recover(self, recovery: Recovery, now: Instant) -> Done:
        """A step of a program's recovery, in a transaction of its own (rule 3.13)."""
        done = Done(Batch(now=now, ids=self._ids, sequences=self.journal.last))
        arranged = Arranged()
        async with self._store.transaction() as session:
            facts = await recovery.step(session, done.batch, self.control.others)
            for opened in done.batch.restored:
                self._restore(opened, arranged)
            await self._seal(session, done)
            await self._keep(session, arranged, done)
        self._committed(facts, arranged, done)
        return done

    def _restore(self, opened: Opened, arranged: Arranged) -> None:
        """An envelope that its author has lost is kept for it, like one that came early."""
        sender, sequence = opened.manifest.sender, opened.manifest.sequence
        assert sequence is not None
        stored = arranged.stored.setdefault(sender, set(self.journal.early.get(sender, ())))
        assert sequence not in stored, "nothing is put together that is here"
        stored.add(sequence)
        arranged.early.append(opened)

    # --- open -----------------------------------------------------------------------------------

    async def _open(self, session: Session, work: Work, done: Done) -> Arranged:
        """Put envelopes into order, hear control envelopes, and take back what was lost.

        In that order, because a greeting is answered with all that is here, this batch included.
        """
        arranged = await arrange(
            session,
            self.journal,
            self.program.directory,
            work.sequenced,
            self.control.unheard,
            work.resume,
            work.until,
        )
        stored = {**self.journal.early, **arranged.stored}
        done.batch.early = work.held | {sender for sender, early in stored.items() if early}
        done.batch.waiting = self.control.waiting
        for authentic in work.control:
            author = authentic.opened.manifest.sender
            last = arranged.last.get(author, self.journal.received(author))
            here = None if author in work.held else Here(last, stored.get(author, set()))
            await self._hear_control(session, authentic, here, done)
        await recall(session, self.program, self.journal, self._hearing, done)
        done.refused += arranged.refused
        done.unfinished = arranged.unfinished
        if self.program.recovery is None:  # which says nothing to anybody
            for refused in done.refused:
                self._hearing.tell_sender(refused, done.batch)
        return arranged

    async def _hear_control(
        self, session: Session, authentic: Authentic, here: Here | None, done: Done
    ) -> None:
        """The messages of a control envelope, up to one that is wrong: it is put aside once. Others
        than control messages have no place in it and are passed over (rule 3.6).
        """
        opened, directory = authentic.opened, self.program.directory
        for line in opened.lines:
            try:
                message = parse_message(line)
                if message.type in CONTROL_TYPES:
                    own = self.sealer.own_key
                    await self.control.handle(
                        session, opened, message, directory, own, here, done.replies
                    )
            except (Malformed, EnvelopeError) as error:
                done.refused.append(Refused(authentic.unit, error.finding))
                return

    # --- load and decide ------------------------------------------------------------------------

    async def _items(
        self,
        session: Session,
        work: Work,
        ready: Sequence[Opened],
        culprits: frozenset[str],
        done: Done,
    ) -> list[Item]:
        """What the program is to decide about: messages, then commands, then the clock."""
        items: list[Item] = [*await self._hearing.hear(session, ready, culprits, done)]
        if work.commands:
            items += await self._desk.take(session, culprits, done)
        if work.tick and "tick" not in culprits:
            items.append(Tick(done.batch.now, consuming=work.consuming))
        return items

    def _decide(
        self, facts: Any, items: Sequence[Item], ready: Sequence[Opened], batch: Batch
    ) -> None:
        for item in items:
            try:
                found = self.program.decide(facts, item, batch)
            except Exception as error:  # a bug: the batch is run again without this item
                raise Culprit(item) from error
            if found and isinstance(item, Heard):
                self._hearing.tell(item, found, batch)
            elif found and isinstance(item, Order):
                batch.refusals[item.id] = found
            if (batch.halt is not None or batch.pause) and isinstance(item, Heard):
                _stop_behind(item, ready, more=not isinstance(items[-1], Heard))

    # --- commit ---------------------------------------------------------------------------------

    async def _seal(self, session: Session, done: Done) -> None:
        """Seal what was said. A rotation comes last: it is the last envelope under the old key, and
        names the last sequence to everybody.
        """
        done.sealed, said = self.sealer.seal(done.batch, done.changed)
        done.kept += said
        for actor in done.batch.rotations:
            sealed, row = await self.sealer.rotate(session, actor, done.batch, done.changed)
            done.sealed.append(sealed)
            done.kept.append(row)

    async def _keep(self, session: Session, arranged: Arranged, done: Done) -> None:
        now = done.batch.now
        await journals.keep_received(session, arranged.fresh, now, applied=True)
        await journals.keep_received(session, arranged.early, now, applied=False)
        for sender, last in arranged.last.items():
            done.changed[sender, self.program.participant] = last
        await journals.save_sequences(session, done.changed)
        await journals.keep_messages(session, done.kept)
        await outbox.keep_sealed(session, done.sealed, now)
        for refused in done.refused:
            claimed = str(refused.claimed) if refused.claimed else refused.unit.sender
            await journals.bury(session, refused.finding, refused.unit.body, claimed, now)

    def _committed(self, facts: Any, arranged: Arranged, done: Done) -> None:
        """The batch is durable: what is kept in memory follows. The program is first, because it
        may find that nothing may be sent; then all of memory is taken from the database anew.
        """
        self.program.committed(facts)
        self.journal.moved(done.changed)
        self.journal.early.update(arranged.stored)
        for actor in done.batch.rotations:
            self.sealer.rotated(actor)
        self.control.committed(done.replies)
        self._meet()
        self.control.recover(recovering=self.program.recovery is not None, anew=False)


def _stop_behind(item: Heard, ready: Sequence[Opened], *, more: bool) -> None:
    """`Halting` if the batch holds more than the envelope of the item at which the program stops or
    pauses.

    The other messages of that envelope cannot be parted from it, and have their outcome.
    """
    last: dict[Actor, int] = {}
    place = None
    for opened in ready:
        assert opened.manifest.sequence is not None
        place = opened.manifest.sender, opened.manifest.sequence
        last[place[0]] = place[1]
        if place == (item.author, item.sequence):
            more = more or opened is not ready[-1]
            break
    assert place == (item.author, item.sequence)
    if more:
        raise Halting(last)
