# SPDX-License-Identifier: Apache-2.0
"""The guard against going on from an older database: whoever was sent an entry would be sent
another one under its position, and every node stops at that.

The size and root of the log are kept outside the database, in the anchor, as a note under the log's
checkpoint key. They are written whenever a batch has made the log longer: after its commit, and
before anything of it leaves. So, at any moment:

* the anchor is never ahead of the database, but for one that was set back;
* nobody has been sent an entry or a checkpoint beyond it.

At each start, and after each outage of the database, the log must be as long as the anchor says and
have its root there. A database that is ahead is what a crash between commit and anchor leaves: the
anchor follows, before anything is sent.

Elsewhere: where the note is kept (`runtime.anchor`), the hub's steps (`program`), what an operator
does about a refusal (`docs/operating.md`), why it is so (ADR 0017).
"""

from dataclasses import dataclass
from enum import StrEnum

from hub import storage
from hub.state import Kept
from ledger import log, note
from ledger.growth import Growth
from runtime.anchor import Anchor
from runtime.errors import LocalProtocolError
from runtime.store import Session, Store
from schemas import jws
from schemas.directory import Genesis
from schemas.identifiers import Actor

__all__ = [
    "NO_LOG",
    "RUNBOOK",
    "Guard",
    "Head",
    "Refusal",
    "anchored_and_logged",
    "bring",
    "lay_anew",
    "refused",
    "root_at",
]

NO_LOG = "there is no log yet; begin one with `a6hub hub begin`"
RUNBOOK = "see 'Restoring the hub' in docs/operating.md"


class Refusal(StrEnum):
    """Why the hub does not go on; the first word of what it says."""

    MISSING = "anchor-missing"
    THERE = "anchor-there"
    DAMAGED = "anchor-damaged"
    STRANGE = "anchor-of-another-log"
    SHORTER = "log-shorter"
    FORKED = "log-forked"
    KEY = "checkpoint-key-wrong"
    LACKING = "tail-lacking"
    BEGUN = "recovery-begun"
    NONE = "recovery-none"


@dataclass(frozen=True, slots=True)
class Head:
    """Size and root of a log."""

    size: int
    root: bytes

    @classmethod
    def of(cls, grown: Growth) -> "Head":
        """The log as it is."""
        return cls(grown.size, grown.root())

    def __str__(self) -> str:
        return f"{self.size} entries with root {self.root.hex()}"


class Guard:
    """Holds a log to its anchor. What it refuses is a `LocalProtocolError` that begins with a
    `Refusal`; an anchor that cannot be written is `Unavailable`, and nothing may be sent then.
    """

    def __init__(self, anchor: Anchor, signer: jws.Signer | None) -> None:
        self._anchor = anchor
        self._signer = signer
        self._size = 0

    async def check(self, session: Session, genesis: Genesis, grown: Growth) -> None:
        """Hold the database's log to the anchor, and bring the anchor up to it."""
        self.require_key(genesis)
        held = self.read(genesis)
        await self.compare(session, held, grown)
        self._size = held.size
        self.move(genesis.log, grown)

    def move(self, log_id: str, grown: Growth) -> None:
        """The log is longer: nothing of that is sent before this has returned."""
        if grown.size == self._size:
            return
        assert grown.size > self._size, "a log only grows"
        assert self._signer is not None, "the key was asked for at the start"
        text = note.Checkpoint(log_id, grown.size, grown.root()).to_text()
        self._anchor.write(note.format_note(text, [note.sign_note(text, log_id, self._signer)]))
        self._size = grown.size

    def require_key(self, genesis: Genesis) -> None:
        """Heads signed by another key than the log's would halt every node."""
        if self._signer is None:
            raise LocalProtocolError("the key folder has no checkpoint.pem; heads are signed by it")
        if self._signer.public.to_text() != genesis.checkpoint_key:
            raise refused(Refusal.KEY, f"checkpoint.pem is not the key of log {genesis.log}")

    def require_none(self) -> None:
        """A log that begins, and an anchor that is laid anew, overwrite none."""
        if self._anchor.read() is not None:
            raise refused(
                Refusal.THERE,
                f"{self._anchor.name}: a hub has run with it; find the database that goes with it, "
                f"or put the file aside; {RUNBOOK}",
            )

    def read(self, genesis: Genesis) -> Head:
        """What the anchor says, its signature verified."""
        written = self._anchor.read()
        if written is None:
            raise refused(
                Refusal.MISSING,
                f"{self._anchor.name}: no such file, so nobody knows whether the database is the "
                f"newest; write it anew with `a6hub hub anchor --size … --root …`; {RUNBOOK}",
            )
        public = jws.PublicKey.from_text(genesis.checkpoint_key)
        key = note.VerifierKey(genesis.log, note.SignatureType.ED25519, public)
        try:
            head = note.Checkpoint.from_text(note.parse_note(written)[0])
            if head.origin != genesis.log:
                raise refused(
                    Refusal.STRANGE,
                    f"{self._anchor.name}: it is of log {head.origin}, the database has log "
                    f"{genesis.log}",
                )
            note.open_note(written, [key])
        except note.NoteError as error:
            raise refused(
                Refusal.DAMAGED,
                f"{self._anchor.name}: not a head under the log's checkpoint key: {error}; put it "
                f"aside and write it anew with `a6hub hub anchor --size … --root …`; {RUNBOOK}",
            ) from None
        return Head(head.size, head.root)

    async def compare(self, session: Session, held: Head, grown: Growth) -> None:
        """The database's log must have, at the anchor's size, the anchor's root."""
        if grown.size < held.size:
            raise refused(
                Refusal.SHORTER,
                f"the database has {Head.of(grown)}; {held} were sent already, says "
                f"{self._anchor.name}. It is an older one: bring back the newest, or have it "
                f"given what it lacks with `a6hub hub recover`; {RUNBOOK}",
            )
        found = await root_at(session, held.size)
        if found != held.root:
            raise refused(
                Refusal.FORKED,
                f"the database's first {held.size} entries have root "
                f"{found.hex() if found else 'none'}; {held} were sent, says {self._anchor.name}. "
                f"It is not this hub's database, or was changed: do not run it; {RUNBOOK}",
            )


async def root_at(session: Session, size: int) -> bytes | None:
    """The root of the database's log at a size that it has had; None when nodes are missing."""
    addresses = log.frontier(size)
    nodes = await storage.load_nodes(session, None, addresses)
    return log.root(size, nodes) if len(nodes) == len(addresses) else None


async def anchored_and_logged(store: Store, guard: Guard) -> tuple[Head, Head]:
    """What the anchor says and how far the database is, if the database holds it; nothing is
    written. The hub may be running, so the database is looked at once more after the anchor.
    """
    async with store.snapshot() as session:
        held = guard.read((await _kept(session)).directory.genesis)
    async with store.snapshot() as session:
        grown = (await _kept(session)).log
        await guard.compare(session, held, grown)
    return held, Head.of(grown)


async def lay_anew(store: Store, guard: Guard, seen: Head) -> Head:
    """Write an anchor where there is none, for a database that holds what somebody else has seen;
    gives what was written. The hub must not run.
    """
    await store.lock_writer()
    guard.require_none()
    async with store.snapshot() as session:
        kept = await _kept(session)
        genesis = kept.directory.genesis
        guard.require_key(genesis)
        if kept.log.size < seen.size:
            raise refused(Refusal.SHORTER, f"the database has {Head.of(kept.log)}, not {seen}")
        found = await root_at(session, seen.size)
        if found != seen.root:
            first = f"the database's first {seen.size} entries have root"
            shown = found.hex() if found else "none"
            raise refused(Refusal.FORKED, f"{first} {shown}, not {seen.root.hex()}")
    guard.move(genesis.log, kept.log)
    return Head.of(kept.log)


async def _kept(session: Session) -> Kept:
    kept = await storage.load_kept(session)
    if kept is None:
        raise LocalProtocolError(NO_LOG)
    return kept


def bring(author: Actor) -> str:
    """What helps when somebody has lost what it said."""
    return f"Bring a newer database of {author.participant}; {RUNBOOK}"


def refused(why: Refusal, detail: str) -> LocalProtocolError:
    """The refusal to go on."""
    return LocalProtocolError(f"{why}: {detail}")
