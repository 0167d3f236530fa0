# SPDX-License-Identifier: Apache-2.0
"""The hub's program alone: no node, no broker; batches as the handler would hand them over.

`Alone.run` does what the handler does with a program: load, decide item by item, finish, commit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from harness.simulation.virtual_time import START
from hub.genesis import begin_log
from hub.guard import Guard
from hub.program import Hub, HubSettings
from hub.state import HubFacts
from runtime.anchor import MemoryAnchor
from runtime.clock import Ids
from runtime.program import Batch, Heard, Item, Order, Tick
from runtime.schema import migrate
from runtime.store import Store, open_store
from schemas.directory import SignedAct
from schemas.envelope import Manifest, digest, seal
from schemas.findings import Finding
from schemas.identifiers import Actor, Digest, Instant
from schemas.messages import Proposal, new_message, parse_message
from schemas.units import Frozen
from tests.cast import HUB, PROFILES, admission, asked, genesis, keyring, profile, signer

NOON = Instant.of(START)


def later(seconds: float) -> Instant:
    return Instant.of(START + timedelta(seconds=seconds))


@dataclass
class Alone:
    """A hub on a database, spoken to without a broker."""

    store: Store
    hub: Hub
    anchor: MemoryAnchor
    now: Instant = NOON
    ids: Ids = field(default_factory=Ids)
    sequence: int = 0
    seen: int = 0
    """What whoever speaks next says of the log's size."""
    early: frozenset[Actor] = frozenset()
    found: dict[str, list[Finding]] = field(default_factory=dict)
    facts: HubFacts | None = None

    @classmethod
    async def begin(
        cls, url: str, settings: HubSettings | None = None, ids: Ids | None = None
    ) -> "Alone":
        anchor, ring = MemoryAnchor(), keyring(HUB)
        hub = Hub(ring, anchor, settings)
        await migrate(url, hub.packages)
        store = open_store(url)
        ids = ids or Ids()
        await begin_log(store, genesis(), NOON, ids, Guard(anchor, ring.checkpoint))
        alone = cls(store, hub, anchor, ids=ids)
        await alone.restart()
        return alone

    async def restart(self) -> None:
        """As after a crash: everything is taken from the database."""
        async with self.store.transaction() as session:
            await self.hub.start(session)

    async def run(self, *items: Item) -> Batch:
        """One batch, committed."""
        batch = Batch(now=self.now, ids=self.ids, early=self.early)
        self.found = {}
        async with self.store.transaction() as session:
            facts = await self.hub.load(session, items, batch)
            for item in items:
                self.found[item.name] = self.hub.decide(facts, item, batch)
            await self.hub.finish(session, facts, batch)
        self.hub.committed(facts)
        self.facts = facts
        return batch

    async def tick(self, seconds: float, *, consuming: bool = True) -> Batch:
        """Time has come so far, and the hub looks at the clock."""
        self.now = later(seconds)
        return await self.run(Tick(self.now, consuming=consuming))

    def heard(
        self, author: Actor, type_: str, conversation: str, body: Frozen, answers: str | None = None
    ) -> Heard:
        """A message in an envelope of its own."""
        made = new_message(
            type_,
            self.ids.message(self.now),
            conversation,
            body,
            answers=Digest(answers) if answers else None,
        )
        return self.line(author, made.model_dump_json().encode())

    def line(self, author: Actor, line: bytes) -> Heard:
        self.sequence += 1
        manifest = Manifest.model_validate(
            {
                "from": author,
                "to": HUB,
                "sequence": self.sequence,
                "sent_at": self.now,
                "seen": self.seen,
                "messages": (digest(line),),
            }
        )
        envelope = seal(manifest, (line,), signer(author))
        return Heard(
            author=author,
            message=parse_message(line),
            line=line,
            digest=digest(line),
            manifest=envelope.partition(b"\n")[0],
            sequence=self.sequence,
            index=0,
        )

    def proposal(
        self, author: Actor, conversation: str, members: Mapping[str, Any], seconds: float = 3600
    ) -> Heard:
        lines = members.get("lines", ())
        values = {
            "quantity": sum(x.last - x.first + 1 for x in lines),
            "expires_at": str(Instant.of(self.now.moment() + timedelta(seconds=seconds))),
            **asked(members),
        }
        body = Proposal.model_validate_json(json.dumps(values))
        return self.heard(author, "proposal", conversation, body)

    def order(self, act: SignedAct, number: int = 1) -> Order:
        return Order(number, "act", "olga", {"act": act.model_dump_json()})

    async def admit(self, *participants: Any) -> None:
        """Admit participants, and connect those that the cast connects."""
        for participant in participants:
            await self.run(self.order(admission(participant, self.now)))
        for a, b, name in PROFILES:
            if {a.participant, b.participant} <= set(participants):
                await self.run(self.order(profile(a, b, name, self.now)))
