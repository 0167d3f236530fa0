# SPDX-License-Identifier: Apache-2.0
"""A small federation around the real reconciliation service: a hub and nodes of a few lines each.

The hub makes real entries, checkpoints and enclosures; a node keeps rows in a real database and
answers inquiries from them, as `runtime.books` gives them. What they say reaches the service as the
handler would hand it over, one transaction per batch. Nothing is patched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import CursorResult, Executable, Table, text

from ledger import log, note
from ledger.directory import sign_act
from ledger.effects import apply
from ledger.growth import Growth
from reconciliation import report
from reconciliation.program import Reconciler, ReconcilerSettings
from runtime import books
from runtime.clock import Ids
from runtime.keys import Keyring
from runtime.program import Batch, Heard, Item, Said, Tick
from runtime.rows import labelled
from runtime.schema import migrate
from runtime.store import Rows, Session, Store, open_store
from schemas import jws
from schemas.directory import ActorKey, Administrator, Admission, Genesis, SignedAct
from schemas.effects import DirectoryEffect, Effect, Move, Restate
from schemas.envelope import Manifest, digest, open_envelope, seal
from schemas.findings import Finding
from schemas.identifiers import Actor, Digest, Instant, Participant, account_number
from schemas.messages import (
    Addressed,
    Answer,
    AuditLine,
    CaseNotice,
    Checkpoint,
    Delivered,
    DeliveryTree,
    Enclosure,
    Entry,
    Inquiry,
    Statement,
    Total,
    parse_message,
)
from schemas.nodes import Children
from schemas.units import Attributes, Frozen, ItmoIdentifier, Key, Position

HUB, REC = Actor("HUB"), Actor("REC")
GHANA, SWISS = Actor("GHA01/GHA"), Actor("CHE01/CHE")
LOG = "test.a6hub"
KEY = ItmoIdentifier.parse("CA0007-GHA01-GHA-1-2023").key()
OTHER_KEY = ItmoIdentifier.parse("CA0001-THA01-THA-1-2022").key()
PLAIN = Attributes(first_transferred=True)
USED = Attributes(designation="N")
START = Instant("2026-03-01T12:00:00.000000Z")


def private(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def signer(name: str) -> jws.SoftwareSigner:
    return jws.SoftwareSigner(private(name))


def public(name: str) -> str:
    return signer(name).public.to_text()


def holding(actor: Actor, number: int = 1) -> Position:
    return Position.of(account_number(actor, "HLD", number))


def move(
    first: int,
    last: int,
    target: Position,
    source: Position | None = None,
    key: Key = KEY,
    attributes: Attributes = PLAIN,
) -> Move:
    return Move(
        key=key, first=first, last=last, attributes=attributes, source=source, target=target
    )


class Counted:
    """Ids that a test can repeat."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, size: int) -> bytes:
        self.number += 1
        return self.number.to_bytes(size)


def genesis() -> SignedAct:
    people = ("anna", "ben")
    act = Genesis(
        log=LOG,
        hub_key=public("HUB"),
        checkpoint_key=public("checkpoint"),
        administrators=tuple(Administrator(name=p, key=public(p)) for p in people),
        threshold=2,
        at=START,
    )
    return sign_act(act.model_dump_json(), [signer(p) for p in ("HUB", *people)])


def admission(actor: Actor) -> SignedAct:
    act = Admission(
        participant=actor.participant,
        actors=(ActorKey(actor=actor, key=public(actor)),),
        witness_key=public(f"witness {actor.participant}"),
        at=START,
    )
    return sign_act(act.model_dump_json(), [signer(p) for p in ("anna", "ben", actor)])


@dataclass
class Voice:
    """Says things as an actor: sealed envelopes with a sequence of their own."""

    actor: Actor
    ids: Ids
    sequences: dict[str, int] = field(default_factory=dict)

    def say(
        self,
        to: Participant,
        type_: str,
        body: Frozen,
        now: Instant,
        *,
        answers: Digest | None = None,
    ) -> Heard:
        batch = Batch(now=now, ids=self.ids)
        _, line = batch.make(type_, "conversation", body, answers=answers)
        sequence = self.sequences[to] = self.sequences.get(to, 0) + 1
        return self.sealed(to, line, sequence, now)

    def sealed(self, to: Participant, line: bytes, sequence: int, now: Instant) -> Heard:
        manifest = Manifest.model_validate(
            {
                "from": self.actor,
                "to": to,
                "sequence": sequence,
                "sent_at": now,
                "seen": 0,
                "messages": (digest(line),),
            }
        )
        opened = open_envelope(seal(manifest, (line,), signer(self.actor)))
        return Heard(
            author=self.actor,
            message=parse_message(line),
            line=line,
            digest=digest(line),
            manifest=opened.manifest_line,
            sequence=sequence,
            index=0,
        )


@dataclass
class FakeHub:
    """A log and delivery trees; it logs whatever it is told to."""

    ids: Ids
    log: Growth = field(default_factory=Growth)
    acts: int = 0
    deliveries: dict[Actor, Growth] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.voice = Voice(HUB, self.ids)

    def entry(
        self,
        *effects: Effect,
        to: Sequence[Actor] = (),
        now: Instant = START,
        position: int | None = None,
        index: int | None = None,
        acts: int | None = None,
    ) -> Heard:
        addressed = tuple(
            Addressed(
                actor=a,
                index=self.deliveries.get(a, Growth()).size if index is None else index,
            )
            for a in to
        )
        body = Entry(
            log=LOG,
            position=self.log.size if position is None else position,
            acts=self.acts if acts is None else acts,
            at=now,
            manifest=None,
            state=None,
            action=None,
            rules="1",
            addressed=addressed,
            effects=effects,
        )
        heard = self.voice.say(Participant("REC"), "entry", body, now)
        leaf = log.leaf_hash(heard.line)
        self.log = self.log.append(leaf)
        self.acts += body.acts_after - body.acts
        for actor in to:
            self.deliveries[actor] = self.deliveries.get(actor, Growth()).append(leaf)
        return heard

    def act(self, signed: SignedAct, to: Sequence[Actor] = ()) -> Heard:
        return self.entry(DirectoryEffect(act=signed.act, signatures=signed.signatures), to=to)

    def note(self, root: bytes | None = None, key: str = "checkpoint") -> str:
        head = note.Checkpoint(LOG, self.log.size, root or self.log.root()).to_text()
        return note.format_note(head, [note.sign_note(head, LOG, signer(key))])

    def checkpoint(
        self,
        now: Instant = START,
        root: bytes | None = None,
        key: str = "checkpoint",
        **members: Any,
    ) -> Heard:
        own = self.deliveries.get(REC, Growth())
        tree = DeliveryTree(actor=REC, size=own.size, root=Digest(own.root().hex()))
        body = Checkpoint(
            note=self.note(root, key), proof_from=0, proof=(), deliveries=(tree,), **members
        )
        return self.voice.say(Participant("REC"), "checkpoint", body, now)

    def enclose(self, said: Heard, now: Instant = START) -> Heard:
        body = Enclosure(manifest=said.manifest.decode(), line=said.line.decode())
        return self.voice.say(Participant("REC"), "enclosure", body, now, answers=said.digest)


class FakeNode:
    """A registry with one actor: rows in a database, an account statement, a delivery tree."""

    def __init__(self, actor: Actor, store: Store, ids: Ids) -> None:
        self.actor, self.store, self.voice = actor, store, Voice(actor, ids)
        self.deliveries = Growth()
        self.trail: list[AuditLine] = []
        self.asked: list[str] = []

    async def apply(self, heard: Heard, *, lose: bool = False) -> None:
        """Apply an entry; `lose` leaves rows and books as they were, as a lost message would."""
        entry: Entry = heard.message.body
        number = self.deliveries.size
        self.deliveries = self.deliveries.append(log.leaf_hash(heard.line))
        effects = [e for e in entry.effects if isinstance(e, Move | Restate)]
        if lose or not effects:
            return
        spans = {(e.key.series, e.first, e.last) for e in effects}
        async with self.store.transaction() as session:
            holdings = await books.load_holdings(session, "registry", spans)
            for effect in effects:
                apply(holdings, effect, {self.actor})
            await books.save_holdings(session, "registry", holdings.changes())
        self.trail += [
            AuditLine(
                key=e.key,
                first=e.first,
                last=e.last,
                delivery=number,
                position=entry.position,
                entry=heard.digest,
            )
            for e in effects
        ]

    async def sql(self, statement: str, **parameters: object) -> None:
        """Edit rows behind the program's back."""
        async with self.store.transaction() as session:
            await session.execute(text(statement), parameters)

    async def state(self, hub: FakeHub, now: Instant = START, **changes: object) -> Heard:
        async with self.store.transaction() as session:
            root = await books.holdings_root(session, self.actor)
        values = {
            "size": hub.log.size,
            "root": Digest(hub.log.root().hex()),
            "delivered": self.delivered,
            "holdings": Digest(root.hex()),
            "sent": (),
            "cosignature": "none",
        }
        body = Statement.model_validate({**values, **changes})
        return self.voice.say(Participant("HUB"), "statement", body, now)

    @property
    def delivered(self) -> Delivered:
        return Delivered(size=self.deliveries.size, root=Digest(self.deliveries.root().hex()))

    async def answer(self, said: Said, now: Instant = START) -> Heard:
        """The answer to one inquiry, from the rows as they are."""
        inquiry: Inquiry = said.message.body
        self.asked.append(f"{inquiry.question} {inquiry.level}")
        async with self.store.transaction() as session:
            root = await books.holdings_root(session, self.actor)
            contents = await self.contents(session, inquiry)
        answer = Answer.model_validate(
            {
                "question": inquiry.question,
                "actor": self.actor,
                "delivered": self.delivered,
                "holdings": Digest(root.hex()),
                "level": inquiry.level,
                **contents,
            }
        )
        return self.voice.say(Participant("REC"), "answer", answer, now, answers=said.digest)

    async def contents(self, session: Session, inquiry: Inquiry) -> dict[str, tuple[Any, ...]]:
        if inquiry.question == "children":
            return {"children": await self.children(session, inquiry)}
        if inquiry.question == "points":
            points = await books.load_tree_points(session, self.actor, inquiry.nodes)
            return labelled(books.buckets_of(points))
        if inquiry.question == "totals":
            sums = await books.totals(session, self.actor, inquiry.nodes)
            return {"totals": tuple(Total(key=k, kind=n, quantity=q) for k, n, q in sums)}
        return {
            "trail": tuple(
                line
                for line in self.trail
                if any(
                    line.key == u.key and line.first <= u.last and u.first <= line.last
                    for u in inquiry.ranges
                )
            )
        }

    async def children(self, session: Session, inquiry: Inquiry) -> tuple[Children, ...]:
        """All stored children of nodes, or where each has one, of these, and so on (7.16)."""
        found: dict[tuple[int, int], dict[int, bytes]] = {}
        level, nodes = inquiry.level, [(inquiry.level, node) for node in inquiry.nodes]
        while nodes:
            found = await books.children_of(session, self.actor, nodes)
            level += 1
            if inquiry.one_level or level in {3, 12} or any(len(x) > 1 for x in found.values()):
                break
            nodes = [(level, child) for below in found.values() for child in below]
        return tuple(Children.of(*at, below) for at, below in found.items() if below)


class Counting:
    """A session that counts statements."""

    def __init__(self, session: Session) -> None:
        self.session, self.dialect, self.queries = session, session.dialect, 0

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Rows | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        self.queries += 1
        return await self.session.execute(statement, parameters)

    async def write(
        self, table: Table, statement: Executable, parameters: Mapping[str, Any] | Rows
    ) -> None:
        self.queries += 1
        await self.session.write(table, statement, parameters)


class Crash(Exception):
    """The process ends here."""


class World:
    """The service on a database, a hub, and nodes by actor."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self.store, self.ids, self.hub = store, ids, FakeHub(ids)
        self.now = START
        self.settings = ReconcilerSettings()
        self.nodes: dict[Actor, FakeNode] = {}
        self.said: list[Said] = []
        self.findings: list[Finding] = []
        self.events: list[str] = []
        self.inbox: list[Item] = []
        self.queries = 0
        self.rec = self.reconciler()

    @classmethod
    async def begin(cls, folder: Path, url: str | None = None) -> "World":
        """A log with two registries admitted, told to the service."""
        url = url or f"sqlite:///{folder / 'rec.db'}"
        await migrate(url, Reconciler.packages)
        world = cls(open_store(url), Ids(Counted()))
        await world.restart()
        for actor in (GHANA, SWISS):
            own = f"sqlite:///{folder / actor.replace('/', '-')}.db"
            await migrate(own, ["runtime"])
            world.nodes[actor] = FakeNode(actor, open_store(own), world.ids)
        await world.feed(world.hub.act(genesis()))
        await world.feed(*(world.hub.act(admission(a)) for a in (REC, GHANA, SWISS)))
        return world

    def reconciler(self) -> Reconciler:
        keyring = Keyring(actors={REC: [signer("REC")]}, witness=signer("witness REC"))
        return Reconciler(genesis(), keyring, self.settings)

    async def restart(self) -> None:
        """A new process on the same database."""
        self.rec = self.reconciler()
        async with self.store.transaction() as session:
            await self.rec.start(session)

    def later(self, seconds: float) -> Instant:
        self.now = Instant.of(self.now.moment() + timedelta(seconds=seconds))
        return self.now

    async def feed(self, *items: Item, crash: bool = False) -> list[Said]:
        """One batch; gives what the service said. With `crash` it ends just before the commit."""
        batch = Batch(now=self.now, ids=self.ids)
        async with self.store.transaction() as plain:
            session = Counting(plain)
            facts = await self.rec.load(session, items, batch)
            for item in items:
                self.findings += self.rec.decide(facts, item, batch)
            await self.rec.finish(session, facts, batch)
            self.queries += session.queries
            if crash:
                raise Crash
        self.rec.committed(facts)
        self.said += batch.said
        self.events += [event for event, _ in batch.events]
        return batch.said

    async def tick(self) -> list[Said]:
        return await self.feed(Tick(self.now)) if self.rec.due(self.now) else []

    async def log(self, *effects: Effect, to: Sequence[Actor], lose: Sequence[Actor] = ()) -> Heard:
        """Log an entry and deliver it to the service and to the nodes."""
        heard = self.hub.entry(*effects, to=to, now=self.now)
        await self.feed(heard)
        for actor in to:
            await self.nodes[actor].apply(heard, lose=actor in lose)
        return heard

    async def stated(self, actor: Actor, **changes: object) -> Heard:
        """An actor's statement, as the hub passes it on."""
        return self.hub.enclose(await self.nodes[actor].state(self.hub, self.now, **changes))

    async def settle(self, said: Sequence[Said], most: int = 100) -> list[CaseNotice]:
        """Have inquiries answered until no more come; gives the cases opened and closed."""
        notices: list[CaseNotice] = []
        waiting = list(said)
        for _ in range(most):
            notices += [s.message.body for s in waiting if s.message.type == "case"]
            asked = [s for s in waiting if s.message.type == "inquiry"]
            if not asked:
                return notices
            waiting = []
            for one in asked:
                actor = one.message.body.actor
                waiting += await self.feed(await self.nodes[actor].answer(one, self.now))
        raise AssertionError("the drill-down does not end")

    async def examine(self, actor: Actor) -> list[CaseNotice]:
        """One statement of an actor and everything that follows from it."""
        return await self.settle(await self.feed(await self.stated(actor)))

    async def discrepancies(self) -> list[report.Discrepancy]:
        async with self.store.snapshot() as session:
            return await report.discrepancies(session)

    async def alarms(self) -> list[str]:
        async with self.store.snapshot() as session:
            return [alarm.kind for alarm in await report.alarms(session)]


def brief(notices: Sequence[CaseNotice]) -> list[tuple[str, int, int]]:
    """Cause, first and last of the cases opened."""
    return [(n.cause, n.first, n.last) for n in notices if n.open]
