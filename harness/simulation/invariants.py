# SPDX-License-Identifier: Apache-2.0
"""What must hold in a simulated federation: after each step, and when it has come to rest.

After each step: the log has grown at its end, every new entry has a cause and is as the auditor
predicts, and old ones are what they were; units are conserved at the hub and at each registry; what
open transactions bind is reserved, and nothing else; nothing is acknowledged before it is durable.
At rest: the whole log is what it was, all ledgers hold the units of the auditor's model, nothing is
bound to a transaction that is over, every completed transaction is settled, differences are those
that were planted and are named, and every envelope and message is accounted for.

A broken invariant is a `Violation`; it says which one and what was found. All of it is read from
databases as they stand, by SQL of its own.

Elsewhere: the auditor's model (`auditor`), what may cause an entry (`causes`), what is to be
reserved (`reservations`), sums of units (`conservation`), what became of messages (`outcomes`), how
a federation is brought to rest (`rest`), evidence at the end of a run (`proofs`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

from harness.simulation.auditor import Auditor, Observed
from harness.simulation.cast import HUB, REC, ROG
from harness.simulation.causes import Causes, Said, messages_in
from harness.simulation.conservation import in_two_positions, wrong_at_hub, wrong_at_registry
from harness.simulation.coverage import Coverage
from harness.simulation.disturb import Disturber
from harness.simulation.outcomes import letters_amiss, without_outcome
from harness.simulation.reservations import wrongly_reserved
from harness.simulation.voice import Voice
from harness.simulation.world import World
from schemas.identifiers import Actor, Instant, Participant

__all__ = ["Ledgers", "Violation"]

Block = tuple[str, int, int, str, str]
"""Key, first and last serial, account, attributes."""

READ_AGAIN = 100
"""Old entries that are read again at each look."""

UNDER_WAY_SECONDS = 60.0
"""What was sealed later than so long ago may be on its way: heartbeats never rest."""


class Violation(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail


def require(invariant: str, wrong: Iterable[object]) -> None:
    """`Violation` when anything is wrong; the first few are named."""
    found = [str(one) for one in wrong]
    if found:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise Violation(invariant, "; ".join(found[:4])[:2000] + more)


@dataclass
class Ledgers:
    """Holds a world's ledgers to the rules."""

    world: World
    auditor: Auditor
    disturber: Disturber
    voice: Voice
    coverage: Coverage
    leaves: list[bytes] = field(default_factory=list)
    """SHA-256 of every line of the log, in order."""
    wrong: list[str] = field(default_factory=list)
    """Events that programs log only when something is wrong."""
    _causes: Causes = field(default_factory=Causes)
    _read_to: int = 0

    # --- after each step ------------------------------------------------------------------------

    async def follow(self) -> None:
        """Show new entries to the auditor; look at the hub's rows."""
        require("no program finds a fault in itself or in the hub", self.wrong)
        require("programs run on", (f"{p}: {why}" for p, why in self.world.ended.items()))
        require("nothing is acknowledged before it is durable", self.world.hasty)
        rows = await self.world.rows(
            HUB,
            "select position, line from log_entries where position >= :p order by position",
            p=len(self.leaves),
        )
        for row in rows:
            require(
                "the log grows at its end",
                [row.position] if row.position != len(self.leaves) else [],
            )
            line = bytes(row.line)
            self.leaves.append(sha256(line).digest())
            self.world.trace.note("entry", str(row.position), line)
            entry = json.loads(line)
            self._count(entry)
            wrong = list(self._causes.wrong(entry, await self._said(entry)))
            require("entries have a cause", (f"entry {row.position}: {w}" for w in wrong))
            proposal = self._causes.proposal(entry["conversation"])
            if proposal and entry["body"]["state"]:
                self.coverage.entry(entry["body"]["state"], proposal.author, proposal.body)
            observed = Observed(
                entry, proposal.body if proposal else None, proposal.author if proposal else None
            )
            found = self.auditor.observe(observed)
            require("entries are as predicted", (f"entry {row.position}: {o}" for o in found))
        await self._log_is_as_it_was()
        await self._log_is_anchored()
        await self._units_are_conserved()

    async def _said(self, entry: Mapping[str, Any]) -> Said | None:
        """The message that an entry answers, from the very envelope that the hub was sent."""
        rows = await self.world.rows(
            HUB,
            "select i.body from inbox i join messages m on m.author = i.sender "
            "and m.sequence = i.sequence where m.digest = :d and i.applied = 1",
            d=entry["answers"],
        )
        named = (entry["answers"], entry["body"]["manifest"])
        said = (one for row in rows for one in messages_in(bytes(row.body)))
        return next((one for one in said if (one.digest, one.manifest) == named), None)

    def _count(self, entry: Mapping[str, object]) -> None:
        body = entry["body"]
        assert isinstance(body, dict)
        state = body["state"]
        before = self.auditor.transactions().get(str(entry["conversation"]), "proposed")
        if state is not None:
            event = _EVENTS[state]
            self.coverage.transitions[f"{before} {event}"] += 1
        for found in body["findings"]:
            self.coverage.findings[found["reason"]] += 1
        for effect in body["effects"]:
            if effect["effect"] == "directory":
                self.coverage.acts[json.loads(effect["act"])["act"]] += 1

    async def _log_is_as_it_was(self) -> None:
        """No entry is gone, and the next few old ones, going round, are what they were."""
        ((size,),) = await self.world.rows(HUB, "select count(*) from log_entries")
        whole = size == len(self.leaves) or await self.world.recovers()
        require("the log is only added to", [] if whole else [size])
        first = self._read_to if self._read_to < size else 0
        self._read_to = first + READ_AGAIN
        again = await self.world.rows(
            HUB,
            "select position, line from log_entries where position between :first and :last",
            first=first,
            last=first + READ_AGAIN - 1,
        )
        wrong = (r.position for r in again if sha256(r.line).digest() != self.leaves[r.position])
        require("the log is only added to", wrong)

    async def _log_is_anchored(self) -> None:
        """Nobody has been sent an entry that the hub's anchor does not cover, and the anchor covers
        none that the hub does not have. The reconciliation service is sent all of them.
        """
        ((newest,),) = await self.world.rows(REC, "select max(position) from entries")
        anchored, logged = self.world.anchor.size, len(self.leaves)
        sent = 0 if newest is None else newest + 1
        wrong = [] if sent <= anchored <= logged else [f"{sent} sent, {anchored}, {logged} logged"]
        require("the log is anchored before it is sent", wrong)

    async def _units_are_conserved(self) -> None:
        """At the hub and at each registry, and what is reserved is what is open; a database to
        which nothing was committed since the last look is as it was then.
        """
        for participant in self.world.cast.programs:
            if participant == REC or not self.world.places.has_changed(participant):
                continue
            twice = await in_two_positions(self.world, participant)
            require("no unit is in two positions", twice)
            wrong = await wrongly_reserved(self.world, participant)
            require("what is open is reserved, and nothing else", wrong)
            if participant == HUB:
                if not await self.world.recovers():
                    require("units are conserved", await wrong_at_hub(self.world, self.auditor))
                continue
            wrong = await wrong_at_registry(
                self.world, self.auditor, participant, self.disturber.diverged
            )
            require("registries hold what was delivered", wrong)

    # --- at rest --------------------------------------------------------------------------------

    async def at_rest(self) -> None:
        """Everything that must hold when nothing is under way."""
        await self.follow()
        await self._log_is_whole()
        await self._nothing_is_bound()
        await self._rows_agree()
        await self._roots_are_stated()
        await self._differences_are_named()
        await self._envelopes_have_arrived()
        require("what was said has an outcome", await without_outcome(self.world))
        amiss = await letters_amiss(self.world, self.voice, self.disturber)
        require("dead letters are what was wrong", amiss)

    async def _log_is_whole(self) -> None:
        rows = await self.world.rows(HUB, "select line from log_entries order by position")
        now = [sha256(bytes(row.line)).digest() for row in rows]
        require("the log is only added to", ["it was changed"] if now != self.leaves else [])
        kept = await self.world.rows(REC, "select line from entries order by position")
        same = [bytes(row.line) for row in kept] == [bytes(row.line) for row in rows]
        require("the reconciliation service holds the log", [] if same else ["its copy differs"])
        shown = await self.world.rows(HUB, "select size, root from checkpoints")
        lines = [bytes(row.line) for row in rows]
        wrong = [r.size for r in shown if merkle_root(lines[: r.size]).hex() != r.root]
        require("checkpoints are RFC 6962 roots of the log", wrong)

    async def _nothing_is_bound(self) -> None:
        """Refused, rejected, withdrawn, expired and completed transactions hold no units."""
        for participant in self.world.cast.programs:
            rows = await self.world.rows(
                participant,
                "select actor, key, first, reference from overlays where kind = 'reserved'",
            )
            require(f"nothing is reserved at {participant}", map(tuple, rows))

    async def _rows_agree(self) -> None:
        """Every ledger holds what the auditor's model says, and the hub holds all of it."""
        for actor in (*self.world.cast.holders, ROG):
            expected = _blocks(self.auditor.units(actor))
            at_hub = await self._held(HUB, actor)
            _compare(f"the hub's rows of {actor} are those of the model", at_hub, expected)
            if actor == ROG or actor in self.disturber.diverged:
                continue
            own = await self._held(actor.participant, actor)
            _compare(f"the rows of {actor} are those of the model", own, expected)

    async def _held(self, participant: Participant, actor: Actor) -> set[Block]:
        rows = await self.world.rows(
            participant,
            "select key, first, last, account, attributes from blocks where actor = :a "
            "order by key, first",
            a=str(actor),
        )
        return _joined((r.key, r.first, r.last, r.account, r.attributes) for r in rows)

    async def _roots_are_stated(self) -> None:
        """Whose rows are right has last stated the root that they must have: the way down can end
        without a difference though the statement was wrong.
        """
        at_hub = await self.world.rows(HUB, "select actor, holdings from statements")
        compared = await self.world.rows(REC, "select actor, holdings, expected from standings")
        stated = {row.actor: row.holdings for row in at_hub}
        wrong = [
            f"{row.actor} has stated {stated.get(row.actor)}, and {row.expected} is due"
            for row in compared
            if row.actor not in self.disturber.diverged
            and row.actor != ROG
            and {row.holdings, stated.get(row.actor)} != {row.expected}
        ]
        require("roots are stated as they are", wrong)

    async def _differences_are_named(self) -> None:
        """Every serial in which an actor's rows differ is in an open case of it, and every open
        case has such a serial; it may have others that have agreed, or left, since it was opened.
        """
        rows = await self.world.rows(
            REC,
            "select id, actor, key, first, last from cases where state = 'open' order by number",
        )
        for actor in self.world.cast.holders:
            own = await self._held(actor.participant, actor)
            expected = _blocks(self.auditor.units(actor))
            differ = {(key, n) for key, n, *_ in _each(own) ^ _each(expected)}
            wrong, named = [], set()
            for row in (row for row in rows if row.actor == str(actor)):
                serials = {(row.key, n) for n in range(row.first, row.last + 1)}
                named |= serials
                if not serials & differ:
                    wrong.append(f"{row.id} {row.key} {row.first}-{row.last} without need")
            wrong += [f"unnamed {one}" for one in _ranges(differ - named)]
            require("the cases of an actor are its differences", (f"{actor}: {w}" for w in wrong))

    async def _envelopes_have_arrived(self) -> None:
        """What was sealed for a program stands in its inbox, applied, and nothing else does."""
        sent: dict[Participant, dict[tuple[str, int], bytes]] = {
            p: {} for p in self.world.cast.programs
        }
        fresh: set[tuple[str, str, int]] = set()
        moment = self.world.right.now().moment() - timedelta(seconds=UNDER_WAY_SECONDS)
        for participant in self.world.cast.programs:
            rows = await self.world.rows(
                participant, "select sender, recipient, sequence, body, sealed_at from outbox"
            )
            for row in rows:
                if row.recipient in sent:
                    sent[Participant(row.recipient)][row.sender, row.sequence] = bytes(row.body)
                if row.sealed_at > str(Instant.of(moment)):
                    fresh.add((row.recipient, row.sender, row.sequence))
        for (to, sequence), body in self.voice.sent.items():
            sent[to][str(ROG), sequence] = body
        for participant, expected in sent.items():
            rows = await self.world.rows(
                participant, "select sender, sequence, body, applied from inbox"
            )
            found = {(r.sender, r.sequence): bytes(r.body) for r in rows if r.applied}
            lost = [
                place
                for place in sorted(set(expected) - set(found))
                if (str(participant), *place) not in fresh
            ]
            require("every envelope has arrived", (f"at {participant}: {one}" for one in lost))
            require(f"{participant} has heard what was said", sorted(set(found) - set(expected)))
            other = sorted(
                (sender, number)
                for (sender, number), body in found.items()
                if body != expected[sender, number]
                and not (sender == ROG and body in self.voice.contradictions.get(number, ()))
            )
            require(f"{participant} has heard it as it was said", other)


_EVENTS = {
    "cleared": "clear",
    "completed": "complete",
    "refused": "refuse",
    "rejected": "reject",
    "withdrawn": "withdraw",
    "expired": "expire",
}


def merkle_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it stands there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + merkle_root(leaves[:half]) + merkle_root(leaves[half:])).digest()


def _blocks(units: Mapping[str, list[tuple[int, int, str, str]]]) -> set[Block]:
    return _joined(
        (key, first, last, account, attributes)
        for key, ranges in units.items()
        for first, last, account, attributes in sorted(ranges)
    )


def _joined(blocks: Iterable[Block]) -> set[Block]:
    """Blocks, sorted by key and serial, joined where nothing but the range differs."""
    found: list[Block] = []
    for block in blocks:
        before = found[-1] if found else None
        if before and (before[0], before[2] + 1, *before[3:]) == (block[0], block[1], *block[3:]):
            found[-1] = (*before[:2], *block[2:])
        else:
            found.append(block)
    return set(found)


def _each(blocks: set[Block]) -> set[tuple[str, int, str, str]]:
    return {
        (key, serial, account, attributes)
        for key, first, last, account, attributes in blocks
        for serial in range(first, last + 1)
    }


def _ranges(units: set[tuple[str, int]]) -> list[tuple[str, int, int]]:
    blocks = _joined((key, n, n, "", "") for key, n in sorted(units))
    return sorted((key, first, last) for key, first, last, *_ in blocks)


def _compare(invariant: str, found: set[Block], expected: set[Block]) -> None:
    wrong = [f"only there {b}" for b in sorted(found - expected)]
    wrong += [f"only in the model {b}" for b in sorted(expected - found)]
    require(invariant, wrong)
