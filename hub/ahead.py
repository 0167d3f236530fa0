# SPDX-License-Identifier: Apache-2.0
"""Ahead: acts that a hub which recovers learns before it is their turn.

Whoever changed a key since the database was written, or was admitted, would not be understood, and
may alone have what the others lack. So these are looked for and count at once:

* acts in entries that came back, though entries before them may not have;
* changes of their keys that owners have said meanwhile. No entry has them; the envelopes that carry
  them are stored with all that is not heard yet.

By what is learned so envelopes are authenticated, and participants greeted; nothing else follows.
Acts count in their turn (`taking`), and changes of keys once they are heard (`acts`).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from hub import tail
from hub.acts import unfit_change
from hub.state import HubFacts
from ledger.directory import Directory, DirectoryError
from runtime.journal import received_part
from runtime.store import Session
from schemas.directory import SignedAct
from schemas.effects import DirectoryEffect
from schemas.envelope import Opened, open_envelope
from schemas.identifiers import Actor
from schemas.messages import Entry, Malformed, RotationRequest, parse_message

__all__ = ["Ahead"]


class Ahead:
    """The directory as far as anybody can tell; remembers what it has looked through."""

    def __init__(self, directory: Directory, acts: int) -> None:
        self.directory = directory
        self._logged = directory
        """With the acts that came back alone."""
        self._acts = acts
        self._count = 0
        self._looked: dict[Actor, set[int]] = {}
        self._changes: dict[tuple[Actor, int], SignedAct] = {}

    async def learn(
        self,
        session: Session,
        facts: HubFacts,
        early: Mapping[Actor, AbstractSet[int]],
        *,
        entries: bool,
    ) -> None:
        """Look through what is new; without `entries`, of the log only what it has by now."""
        before = self._acts, len(self._changes)
        if facts.acts > self._acts:
            self._logged, self._acts = facts.directory, facts.acts
        if entries:
            await self._look_through_entries(session, facts)
        for actor in sorted(early):
            await self._look_through_envelopes(session, actor, early[actor])
        if (self._acts, len(self._changes)) != before:
            self.directory = self._changed()

    async def _look_through_entries(self, session: Session, facts: HubFacts) -> None:
        count = await tail.count(session)
        if count == self._count:
            return
        self._count = count
        for message, _ in await tail.load_entries(session, facts.log.size):
            body: Entry = message.body
            carried = [e for e in body.effects if isinstance(e, DirectoryEffect)]
            if not carried or body.acts != self._acts:
                continue
            directory = self._logged
            try:
                for effect in carried:
                    signed = SignedAct(act=effect.act, signatures=effect.signatures)
                    directory = directory.apply(signed)
            except DirectoryError:  # told when it is that entry's turn
                break
            self._logged, self._acts = directory, body.acts_after

    async def _look_through_envelopes(
        self, session: Session, actor: Actor, stored: AbstractSet[int]
    ) -> None:
        looked = self._looked.setdefault(actor, set())
        left = stored - looked
        looked |= left
        first, last = min(left, default=1), max(left, default=0)
        while first <= last:
            bodies = await received_part(session, actor, first, last)
            for opened in map(open_envelope, bodies):
                assert opened.manifest.sequence is not None
                first = opened.manifest.sequence + 1
                self._note(opened)
            if not bodies:
                break

    def _note(self, opened: Opened) -> None:
        author, sequence = opened.manifest.sender, opened.manifest.sequence
        assert sequence is not None
        for line in opened.lines:
            if b"rotation" not in line:
                continue
            try:
                body = parse_message(line).body
            except Malformed:
                continue
            if isinstance(body, RotationRequest) and not unfit_change(author, sequence, body.act):
                self._changes[author, sequence] = body.act

    def _changed(self) -> Directory:
        """With the changes of keys as well, each actor's in order; those that are in the log, or
        that the hub would refuse, change nothing.
        """
        directory = self._logged
        for place in sorted(self._changes):
            try:
                directory = directory.apply(self._changes[place])
            except DirectoryError:
                continue
        return directory
