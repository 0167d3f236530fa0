# SPDX-License-Identifier: Apache-2.0
"""The reconciliation service as a program of its node: participant and actor `REC`.

It holds every entry of the log and no units. It answers checkpoints with statements, like anybody,
and so is one more witness; it compares what actors state with what the log implies, and says what
differs. It never moves a unit: it opens and closes cases, and the hub logs these.

Elsewhere: following the log (`follow`), comparing (`examine`), people's work on cases (`work`),
reports (`report`).
"""

from collections.abc import Sequence
from dataclasses import replace

from ledger import note
from ledger.directory import Directory
from reconciliation import follow, past, silence, storage, work
from reconciliation.cases import recalled
from reconciliation.examine import Examination, ReconcilerSettings, next_due
from reconciliation.state import NOTHING, Enclosed, Facts, Kept
from runtime import events
from runtime.errors import LocalProtocolError
from runtime.keys import Keyring
from runtime.program import Batch, Heard, Item, Order, Recovery, Tick
from runtime.store import Session
from schemas.directory import SignedAct
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, REC_ACTOR, Actor, Digest, Instant, Participant
from schemas.messages import (
    Answer,
    CaseNotice,
    Checkpoint,
    Delivered,
    Enclosure,
    Entry,
    LastSent,
    Notice,
    Statement,
)

__all__ = ["Reconciler", "ReconcilerSettings"]


class Reconciler:
    """The program of participant `REC`."""

    participant = Participant("REC")
    actors: tuple[Actor, ...] = (REC_ACTOR,)
    packages: tuple[str, ...] = ("runtime", "reconciliation")
    roles = work.COMMANDS
    second_person: tuple[str, ...] = ()  # two sign a resolution as it is
    recovery: Recovery | None = None

    def __init__(
        self, genesis: SignedAct, keyring: Keyring, settings: ReconcilerSettings | None = None
    ) -> None:
        self._genesis = genesis
        self._keyring = keyring
        self._settings = settings or ReconcilerSettings()
        self._kept: Kept | None = None

    @property
    def kept(self) -> Kept:
        """What is known since the last commit."""
        assert self._kept is not None, "the service has not started"
        return self._kept

    @property
    def greets(self) -> tuple[Participant, ...]:
        """The hub, and every registry: any of them may have been asked something."""
        others = set(self.directory.members) - {HUB, self.participant}
        return (HUB, *sorted(others))

    @property
    def directory(self) -> Directory:
        """The directory as the log has it."""
        return self.kept.directory if self._kept else Directory.begin(self._genesis)

    @property
    def seen(self) -> int:
        """How many entries of the log have come."""
        return self.kept.log.size

    async def start(self, session: Session) -> None:
        """Load what is kept between batches."""
        self._kept = await storage.load_kept(session, self._genesis)
        self._kept.trust_root = expected = self._settings.trust_root
        found = (await past.load_digests(session, [0])).get(0)
        if None not in {expected, found} and found != expected:
            raise LocalProtocolError(
                f"settings: trust_root is {expected}, and the log that came here begins with "
                f"{found}"
            )

    def due(self, now: Instant) -> bool:
        """Whether a question has waited long enough, or somebody may have been silent for long."""
        late = any(next_due(d, self._settings) <= now for d in self.kept.drills.values())
        return late or silence.due(self.kept, now, self._settings.silent_seconds)

    def malformed(self, order: Order, now: Instant) -> list[Finding]:
        """What is wrong with a command whatever the facts are."""
        return work.malformed(order)

    # --- the handler's three steps --------------------------------------------------------------

    async def load(self, session: Session, items: Sequence[Item], batch: Batch) -> Facts:
        """What the items may ask of the past: three queries at most."""
        facts, kept = Facts(kept=self.kept.copy()), self.kept
        heard = [i for i in items if isinstance(i, Heard)]
        bodies = [h.message.body for h in heard]
        for one in heard:
            if isinstance(one.message.body, Enclosure):
                facts.enclosed[one.digest] = follow.open_enclosed(one.message.body)
        stated = [
            (e.manifest.sender, e.message.body)
            for e in facts.enclosed.values()
            if isinstance(e, Enclosed) and isinstance(e.message.body, Statement)
        ]
        repeated = [b.position for b in bodies if isinstance(b, Entry)]
        facts.digests = await past.load_digests(
            session, (position for position in repeated if position < kept.log.size)
        )
        sizes = {n for b in bodies if isinstance(b, Checkpoint) for n in follow.head_sizes(b)}
        sizes |= {body.size for _, body in stated}
        now = {kept.log.size: kept.log.root()}
        older = (size for size in sizes if size < kept.log.size)
        facts.roots = {**await past.load_roots(session, older), **now}
        spoken = {(actor, body.delivered.size) for actor, body in stated}
        spoken |= {(b.actor, b.delivered.size) for b in bodies if isinstance(b, Answer)}
        known = (pair for pair in spoken if pair[1] <= kept.delivered(pair[0]).size)
        facts.delivered_roots = await past.load_delivered_roots(session, known)
        worked_on = [work.case_named(i) for i in items if isinstance(i, Order)]
        if worked_on:
            facts.notes = await past.load_notes(session, worked_on)
        return facts

    def decide(self, facts: Facts, item: Item, batch: Batch) -> list[Finding]:
        """Carry out one item."""
        if isinstance(item, Tick):
            facts.ticked = True
            return []
        if isinstance(item, Order):
            return work.decide_order(facts, item, batch)
        body = item.message.body
        if item.author.participant == HUB:
            silence.hear_hub(facts.kept, batch.now, self._settings.silent_seconds)
        if isinstance(body, Entry):
            return follow.take_entry(facts, item, batch)
        if isinstance(body, Checkpoint):
            return follow.take_checkpoint(facts, item, batch)
        if isinstance(body, Enclosure):
            return follow.take_enclosure(facts, item, batch)
        if isinstance(body, Answer):
            if body.actor != item.author:
                return [finding(Reason.AUTHOR_NOT_ACTING, f"{item.author} for {body.actor}")]
            facts.answers.append((item, body))
            return []
        assert isinstance(body, Notice), item.message.type
        for found in body.findings:
            batch.log(events.NOTICE_RECEIVED, about=body.about, finding=str(found))
        return []

    async def finish(self, session: Session, facts: Facts, batch: Batch) -> None:
        """Write what came, examine what was stated, say what follows."""
        await storage.save_log(session, facts, self.kept)
        await Examination(session, facts, batch, self._settings).run()
        self._state(facts, batch)
        await storage.save_kept(session, facts, self.kept, batch.now)

    def committed(self, facts: Facts) -> None:
        """Keep what the next batch starts from."""
        facts.kept.log = facts.kept.log.written()
        self._kept = facts.kept

    async def recall(self, session: Session, said: Sequence[Heard], batch: Batch) -> None:
        """Cases that were opened or closed before a restore: their numbers are taken."""
        for heard in said:
            notice = heard.message.body
            if not isinstance(notice, CaseNotice):
                continue
            case = recalled(notice, batch.now)
            self.kept.last_case = max(self.kept.last_case, case.number)
            if notice.open:
                known = self.kept.cases.get(case.number)
                if known is not None and case.explanation is not None:
                    case = replace(known, explanation=case.explanation, explained_at=batch.now)
                self.kept.cases[case.number] = case
                await storage.save_cases(session, [case], None)
            else:
                closed = self.kept.cases.pop(case.number, case)
                await storage.save_cases(session, [closed], batch.now)

    # --- our own statement ----------------------------------------------------------------------

    def _state(self, facts: Facts, batch: Batch) -> None:
        """The answer to a checkpoint that is right: we saw it, and hold nothing."""
        head = facts.head
        if head is None:
            return
        own = facts.kept.delivered(REC_ACTOR)
        seconds = int(batch.now.moment().timestamp())
        sent = sorted(
            (to, last) for (author, to), last in batch.sequences.items() if author == REC_ACTOR
        )
        statement = Statement(
            size=head.size,
            root=Digest(head.root.hex()),
            delivered=Delivered(size=own.size, root=Digest(own.root().hex())),
            holdings=NOTHING,
            sent=tuple(LastSent(to=to, last=last) for to, last in sent),
            cosignature=note.cosign(head.text, str(REC_ACTOR), self._keyring.witness, seconds),
        )
        batch.say(REC_ACTOR, HUB, "statement", "statement", statement)
        batch.log(events.STATEMENT_MADE, actor=REC_ACTOR, size=head.size)
