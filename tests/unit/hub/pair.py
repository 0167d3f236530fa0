# SPDX-License-Identifier: Apache-2.0
"""Two hubs with the same first entries: one lives on, the other was set back.

`Pair.live` has the first say something; `given` and `resent` are what comes back to the second, and
`step` is what its node does then.
"""

import random
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import pytest

from hub.tail import RECOVERING
from runtime import journal as journals
from runtime.clock import Ids
from runtime.errors import LocalProtocolError
from runtime.hearing import kept_as
from runtime.outbox import keep_sealed
from runtime.program import Batch, Heard, Others, Said
from schemas.directory import Profile, SignedAct
from schemas.envelope import Manifest, digest, open_envelope, seal
from schemas.identifiers import HUB_ACTOR, Actor, Participant
from schemas.messages import Acceptance, Message
from tests.cast import (
    CHE,
    GHA,
    HUB,
    REC,
    U,
    admission,
    first_transfer,
    genesis,
    issuance,
    profile,
    signer,
    terms,
)
from tests.unit.hub.alone import NOON, Alone, later

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")
EVERYBODY: frozenset[Participant] = frozenset()


class Pair:
    """A hub that lives on, what it has said since, and one that was set back."""

    def __init__(self, alive: Alone, back: Alone) -> None:
        self.alive, self.back = alive, back
        self.said: list[Heard] = []
        self.heard: list[Heard] = []
        self._sequences: dict[Participant, int] = {}
        self._returned: set[tuple[Participant, int]] = set()

    @classmethod
    async def begin(cls, folder: Path, url: str) -> "Pair":
        acts: list[SignedAct] = [genesis()]
        acts += [admission(participant, NOON) for participant in (REC, GHANA, SWISS)]
        acts.append(profile(GHA, CHE, Profile.INFORMATION, NOON))
        alike = []
        for where in (f"sqlite:///{folder / 'alive.db'}", url):
            alone = await Alone.begin(where, ids=Ids(random.Random(1).randbytes))
            for act in acts[1:]:
                await alone.run(alone.order(act))
            alike.append(alone)
        pair = cls(*alike)
        assert pair.alive.hub.kept.log.root() == pair.back.hub.kept.log.root()
        return pair

    async def close(self) -> None:
        await self.alive.store.close()
        await self.back.store.close()

    async def live(self) -> None:
        """Units are issued and transferred, and heads shown."""
        await self.says(self.alive.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 100)))
        recorded = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007", quantity=60)}
        await self.says(self.alive.proposal(GHA, "GHA01-GHA-2", recorded))
        transfer = self.alive.proposal(GHA, "GHA01-GHA-3", first_transfer(1, 10, 1))
        await self.says(transfer)
        answer = self.alive.heard(CHE, "acceptance", "GHA01-GHA-3", Acceptance(), transfer.digest)
        await self.says(answer)
        self.collect(await self.alive.tick(5))

    async def says(self, heard: Heard) -> None:
        self.heard.append(heard)
        batch = await self.alive.run(heard)
        assert self.alive.found[heard.name] == []
        self.collect(batch)

    def collect(self, batch: Batch) -> None:
        self.said += [self.envelope(said) for said in batch.said]

    def envelope(self, said: Said) -> Heard:
        """What was said, in an envelope of its own."""
        number = self._sequences[said.to] = self._sequences.get(said.to, 0) + 1
        return envelope(said.to, number, said.message, said.line)

    def renumbered(self, said: Iterable[Heard]) -> list[Heard]:
        """The same messages, in envelopes numbered anew."""
        numbers: dict[Participant, int] = {}
        again = []
        for one in said:
            to = recipient(one)
            numbers[to] = numbers.get(to, 0) + 1
            again.append(envelope(to, numbers[to], one.message, one.line))
        return again

    # --- the one that was set back --------------------------------------------------------------

    async def set_back(self) -> None:
        """It is told to recover, and others send again what they had said."""
        self.back.now = later(60)
        async with self.back.store.transaction() as session:
            await journals.set_mark(session, RECOVERING, self.back.hub.kept.log.size)
        self.back.anchor.text = self.alive.anchor.text
        await self.back.restart()

    async def resent(self, heard: Iterable[Heard]) -> None:
        opened = [open_envelope(bytes_of(one)) for one in heard]
        async with self.back.store.transaction() as session:
            await journals.keep_received(session, opened, NOON, applied=False)

    async def given(self, said: Iterable[Heard]) -> None:
        """As the node takes back envelopes: they are kept as sent."""
        back = [one for one in said if (recipient(one), one.sequence) not in self._returned]
        self._returned |= {(recipient(one), one.sequence) for one in back}
        sealed = [
            journals.Sealed(HUB_ACTOR, recipient(one), one.sequence, bytes_of(one)) for one in back
        ]
        async with self.back.store.transaction() as session:
            await keep_sealed(session, sealed, NOON)
            for participant in {one.recipient for one in sealed}:
                last = next(n for n in count() if (participant, n + 1) not in self._returned)
                await journals.save_sequences(session, {(HUB_ACTOR, participant): last})
            await journals.keep_messages(session, [kept_as(one, recipient(one)) for one in back])
            await self.back.hub.recall(session, back, Batch(self.back.now, self.back.ids))

    async def step(self, *waiting: Participant, whole: Iterable[Actor] = ()) -> Batch:
        """As the node takes a step; of `whole` everything is here that they have said."""
        recovery = self.back.hub.recovery
        assert recovery is not None
        async with self.back.store.transaction() as session:
            journal = journals.Journal(HUB)
            await journal.load(session)
            batch = Batch(self.back.now, self.back.ids, sequences=journal.last)
            others = Others(frozenset(waiting), frozenset(whole), journal.early)
            facts = await recovery.step(session, batch, others)
            await journals.keep_received(session, batch.restored, NOON, applied=False)
        self.back.hub.committed(facts)
        return batch

    @property
    def lacking(self) -> frozenset[Actor]:
        assert self.back.hub.recovery is not None
        return self.back.hub.recovery.lacking

    async def finish(self, whole: Iterable[Actor] = ()) -> Batch:
        """Everybody has given back what they keep."""
        for _ in range(100):
            batch = await self.step(whole=whole)
            if self.back.hub.recovery is None:
                return batch
        raise AssertionError("it does not end")

    async def refusal(self, whole: Iterable[Actor] = ()) -> str:
        size = self.back.hub.kept.log.size
        with pytest.raises(LocalProtocolError) as error:
            await self.finish(whole)
        assert self.back.hub.recovery is not None
        await self.back.restart()
        assert self.back.hub.kept.log.size == size, "nothing of it was written"
        return str(error.value)


def envelope(to: Participant, number: int, message: Message, line: bytes) -> Heard:
    manifest = Manifest.model_validate(
        {
            "from": HUB_ACTOR,
            "to": to,
            "sequence": number,
            "sent_at": NOON,
            "seen": 0,
            "messages": (digest(line),),
        }
    )
    sealed = seal(manifest, (line,), signer("HUB"))
    return Heard(
        author=HUB_ACTOR,
        message=message,
        line=line,
        digest=digest(line),
        manifest=sealed.partition(b"\n")[0],
        sequence=number,
        index=0,
    )


def bytes_of(one: Heard) -> bytes:
    return one.manifest + b"\n" + one.line


def recipient(one: Heard) -> Participant:
    return open_envelope(bytes_of(one)).manifest.to
