# SPDX-License-Identifier: Apache-2.0
"""Hearing: the messages of envelopes that are next in their sequence, each with its own outcome.

A line that is no message, a type that its author may not say, a proposal of a clock far ahead: each
is refused by itself and its author told by a notice, and its neighbours go on (rule 2.14). The same
author and id again has no second effect; with other bytes it is kept as proof (rule 2.16).

Elsewhere: whether an envelope is next (`arranging`), what a message does (`program`).
"""

from collections.abc import Iterable, Sequence

from runtime import events, outbox
from runtime import journal as journals
from runtime.intake import Refused, is_ahead
from runtime.journal import Kept
from runtime.program import Batch, Heard, Program
from runtime.store import Session
from runtime.work import Done
from schemas import limits
from schemas.envelope import Opened, digest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Digest, Participant
from schemas.messages import CONTROL_TYPES, SAID_BY, Malformed, Notice, parse_message, role

__all__ = ["Hearing", "kept_as"]


class Hearing:
    """Hears for one program: what has an effect is given to it, the rest is answered here."""

    def __init__(self, program: Program) -> None:
        self._program = program

    async def hear(
        self,
        session: Session,
        ready: Sequence[Opened],
        culprits: frozenset[str],
        done: Done,
    ) -> list[Heard]:
        """The messages that the program is to decide about, in order."""
        parsed = self.parse(ready, done.batch)
        ahead = _clocks_ahead(ready, done.batch)
        ids = {(h.author, str(h.message.id)) for h in parsed}
        known = await journals.known_messages(session, ids)
        heard: list[Heard] = []
        for item in parsed:
            before = known.get((item.author, str(item.message.id)))
            if before is not None:
                await self._heard_before(session, item, before, done)
                continue
            row = kept_as(item, self._program.participant)
            known[item.author, str(item.message.id)] = row
            done.kept.append(row)
            found = self._refusal(item, culprits)
            if found is None and item.message.type == "proposal":  # rule 2.12: nothing else
                found = ahead.get((item.author, item.sequence))
            if found is not None:
                self.tell(item, [found], done.batch)
            else:
                heard.append(item)
        return heard

    def parse(self, envelopes: Iterable[Opened], batch: Batch) -> list[Heard]:
        """The messages of envelopes; the authors of lines that are none are told."""
        return [
            heard
            for opened in envelopes
            for index in range(len(opened.lines))
            if (heard := self._message(opened, index, batch)) is not None
        ]

    def _message(self, opened: Opened, index: int, batch: Batch) -> Heard | None:
        manifest, line = opened.manifest, opened.lines[index]
        assert manifest.sequence is not None
        try:
            message = parse_message(line)
        except Malformed as error:
            self._notice(manifest.sender, digest(line), manifest.sequence, [error.finding], batch)
            return None
        return Heard(
            author=manifest.sender,
            message=message,
            line=line,
            digest=manifest.messages[index],
            manifest=opened.manifest_line,
            sequence=manifest.sequence,
            index=index,
        )

    def _refusal(self, item: Heard, culprits: frozenset[str]) -> Finding | None:
        if item.name in culprits:
            return finding(Reason.INTERNAL)
        if item.message.type in CONTROL_TYPES:
            return finding(Reason.TYPE_NOT_ALLOWED, "control messages have envelopes of their own")
        way = (role(item.author), role(self._program.participant))
        if way not in SAID_BY[item.message.type]:
            return finding(Reason.TYPE_NOT_ALLOWED, f"{item.message.type} by {item.author}")
        return None

    async def _heard_before(self, session: Session, item: Heard, before: Kept, done: Done) -> None:
        """Same author and id: the same bytes are answered as before, other bytes are proof."""
        batch = done.batch
        if before.digest == item.digest:
            batch.log(events.ENVELOPE_TWICE, author=item.author, message=item.message.id)
            done.replies.resend += await outbox.answers_to(session, item.digest)
            return
        detail = f"id {item.message.id} was said with other bytes, digest {before.digest}"
        found = finding(Reason.MESSAGE_EQUIVOCATION, detail, field="id")
        await journals.bury(session, found, item.line, str(item.author), batch.now)
        self.tell(item, [found], batch)

    # --- telling --------------------------------------------------------------------------------

    def tell(self, item: Heard, found: Sequence[Finding], batch: Batch) -> None:
        """Findings go to who said it; a notice is never answered by a notice, only logged."""
        if item.message.type == "notice":
            for one in found:
                batch.log(
                    events.MESSAGE_REFUSED,
                    author=item.author,
                    message=item.digest,
                    finding=str(one),
                )
        else:
            conversation = item.message.conversation
            self._notice(item.author, item.digest, item.sequence, found, batch, conversation)

    def tell_sender(self, refused: Refused, batch: Batch) -> None:
        """Who signed an envelope that is refused all the same learns why."""
        if refused.authentic and refused.claimed is not None:
            told = digest(refused.unit.body.partition(b"\n")[0])
            self._notice(refused.claimed, told, None, [refused.finding], batch)

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
        ours = self._program.actors[0]
        batch.say(ours, to.participant, "notice", conversation, body, answers=about)


def _clocks_ahead(ready: Iterable[Opened], batch: Batch) -> dict[tuple[Actor, int | None], Finding]:
    """The envelopes that say that they were sent in the future, by sender and sequence."""
    ahead: dict[tuple[Actor, int | None], Finding] = {}
    for opened in ready:
        sender, sequence = opened.manifest.sender, opened.manifest.sequence
        found = is_ahead(opened.manifest.sent_at, batch.now)
        if found is not None:
            ahead[sender, sequence] = found
            batch.log(events.CLOCK_AHEAD, sender=sender, sequence=sequence, finding=str(found))
    return ahead


def kept_as(item: Heard, recipient: Participant) -> Kept:
    """Where a message stands that was said to a participant."""
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
