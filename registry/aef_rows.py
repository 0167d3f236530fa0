# SPDX-License-Identifier: Apache-2.0
"""A year of a Party out of the entries that came to its registry: the rows of its workbook.

Every row follows from effects of entries, so that what was done is reported, not what was asked
for, and the position at the end of 31 December is what the entries up to that instant make of it:
nothing that comes later changes it, and rows that somebody edited do not either.

* Units are reported if an authorization covers them: others are no ITMOs, and no row could name
  what it asks for. Authorized A6.4ERs are reported as held before their first transfer, too. What
  is levied of mitigation contributions is first-transferred all the same (3/CMA.3 annex paras 58
  and 59): how much it was is counted, and told beside the tables.
* A first transfer is reported by the first transferring Party, an acquisition by whoever acquires.
  A use that is a first transfer is both. What moves within a Party's own accounts is no action.
* A counter-entry has no name in the nomenclatures. Between Parties it is the transfer and the
  acquisition that it is, with an explanation; and the version that revokes the authorization says
  in its own which units are first-transferred no longer. The first transfer stays in its year.
* The time of an action is that of its entry; a year is one of UTC.

Elsewhere: reading the entries (`aef`), the tables (`aef.tables`), events (`ledger.first_transfer`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from aef.tables import ActionRow, Aef, HoldingRow, SubmissionRow
from ledger.blocks import Block, join
from ledger.effects import apply
from ledger.first_transfer import FirstTransfer, Recorded, Subtype, Version, first_transfers
from ledger.holdings import Holdings
from ledger.ranges import Ranges
from registry.aef_terms import authorization_row, entity_name, entity_rows
from schemas.effects import AuthorizationEffect, Effect, Move, Restate, Units
from schemas.identifiers import (
    ADMINISTRATOR,
    Actor,
    Instant,
    Participant,
    PartyCode,
    TransactionId,
)
from schemas.messages import Entry
from schemas.units import (
    FINAL_KINDS,
    Cancellation,
    ItmoIdentifier,
    Key,
    Kind,
    Layer,
    Position,
    UseMark,
)

__all__ = ["Year"]

HELD = frozenset({Kind.HOLDING, Kind.PENDING})
GIVING = frozenset({"transfer", "counter-entry"})
"""What its giver reports as a transfer."""
RANGES_SHOWN = 20
"""Ranges that an explanation names; of more it says how many."""
SUBTYPES = {
    Subtype.INTERNATIONAL: "First transfer to another Party",
    Subtype.AUTHORIZATION: "Authorization",
    Subtype.ISSUANCE: "Issuance",
    Subtype.USE_OR_CANCELLATION: "Use or cancellation",
    Subtype.SHARE_OF_PROCEEDS: "Mandatory transfer to the Adaptation Fund (A6.4 ERs)",
    Subtype.OMGE_MANDATORY: "Mandatory cancellation to deliver OMGE",
    Subtype.OMGE_VOLUNTARY: "Voluntary cancellation to deliver OMGE",
}
CANCELLATIONS: dict[Cancellation | None, tuple[str, str | None]] = {
    None: ("Cancellation", None),
    Cancellation.VOLUNTARY: ("Voluntary Cancellation", "Other cancellations"),
    Cancellation.OMGE_VOLUNTARY: (
        "Voluntary Cancellation",
        "Voluntary cancellation to deliver OMGE",
    ),
    Cancellation.OMGE_MANDATORY: ("Cancellation", "Mandatory cancellation to deliver OMGE"),
    Cancellation.OTHER: ("Cancellation", "Other cancellations"),
}
"""Type and subtype of a cancellation of each kind."""


@dataclass
class Year:
    """A Party's year in one registry, as entries tell it, one after the other."""

    participant: Participant
    party: PartyCode
    year: int
    recorded: dict[Version, Recorded] = field(default_factory=dict)
    actions: list[ActionRow] = field(default_factory=list)
    unreported: int = 0
    holdings: Holdings = field(default_factory=Holdings)
    taken_back: dict[Version, dict[Key, Ranges]] = field(default_factory=dict)
    """Units that are first-transferred no longer, by the version that revokes."""

    @property
    def actor(self) -> Actor:
        """The Party's section here."""
        return Actor(f"{self.participant}/{self.party}")

    @property
    def end(self) -> Instant:
        """The first instant of the year after."""
        return Instant(f"{self.year + 1}-01-01T00:00:00.000000Z")

    def take(self, entry: Entry, conversation: str) -> None:
        """One entry, in the order of the log; what comes after the year changes nothing."""
        if entry.at >= self.end:
            return
        for effect in entry.effects:
            if isinstance(effect, AuthorizationEffect):
                terms = effect.terms
                recorded = Recorded(terms, entry.at)
                self.recorded.setdefault((terms.party, terms.id, terms.version), recorded)
            apply(self.holdings, effect, {self.actor})
            if entry.action == "counter-entry" and isinstance(effect, Restate):
                self._take_back(effect)
        if entry.state == "completed" and entry.at[:4] == str(self.year):
            self.actions += self._actions(entry, TransactionId(conversation))

    def report(self, submission: SubmissionRow) -> Aef:
        """The tables of the year."""
        held = tuple(self._held())
        named = {row.authorization for row in self.actions}
        named |= {row.authorization for row in held}
        named |= {str(id_) for _, id_, _ in self.taken_back}
        own = [
            one
            for one in self.recorded.values()
            if one.terms.party == self.party
            and (one.at[:4] == str(self.year) or str(one.terms.id) in named)
        ]
        return Aef(
            submission=submission,
            authorizations=tuple(authorization_row(one, self._explanation(one)) for one in own),
            actions=tuple(self.actions),
            holdings=held,
            entities=tuple(dict.fromkeys(row for one in own for row in entity_rows(one))),
            unreported=self.unreported,
        )

    # --- table 3 ----------------------------------------------------------------------------------

    def _actions(self, entry: Entry, transaction: TransactionId) -> Iterator[ActionRow]:
        """What an entry did, as the Party reports it."""
        proposer, more = transaction.proposer, None
        if entry.action == "counter-entry":
            more = f"Counter-entry {transaction}: the first transfer is taken back."
        if proposer.participant == self.participant:
            for event in first_transfers(entry, self.recorded):
                if event.units.key.party == self.party and event.authorization is not None:
                    yield from self._first_transfer(entry, event)
                elif event.units.key.party == self.party:
                    self.unreported += event.units.last - event.units.first + 1
        for effect in entry.effects:
            if isinstance(effect, Move) and effect.key.layer is Layer.ITMO:
                for row in self._moved(entry, effect, proposer):
                    yield replace(row, more=more)

    def _first_transfer(self, entry: Entry, event: FirstTransfer) -> Iterator[ActionRow]:
        move = _move_of(entry.effects, event.units)
        if move is None:
            return
        to = move.target.actor.section
        row = self._row(entry, move, SUBTYPES[event.subtype])
        mark = move.attributes.use
        if mark is not None:
            row = replace(row, **{**self._user(mark, move), "ndc_year": None})
        acquirer = to if to not in {str(self.party), ADMINISTRATOR} else None
        yield replace(row, type="First transfer", acquiring=acquirer)

    def _moved(self, entry: Entry, move: Move, proposer: Actor) -> Iterator[ActionRow]:
        if move.attributes.authorization is None:
            return
        source, target = move.source, move.target
        if target.actor == self.actor and target.kind in FINAL_KINDS:
            if (mark := move.attributes.use) is not None:
                type_, subtype = "Use", None
                if entry.action == "cancellation":
                    type_, subtype = CANCELLATIONS[mark.cancellation]
                row = self._row(entry, move, subtype)
                yield replace(row, type=type_, **self._user(mark, move))
            return
        giver = source.actor if source is not None else proposer
        if giver.section == target.actor.section or entry.action in {"issuance", "forwarding"}:
            return
        if target.actor == self.actor:
            by = str(move.key.party) if giver.section == ADMINISTRATOR else giver.section
            yield replace(self._row(entry, move, None), type="Acquisition", transferring=by)
        elif source is not None and source.actor == self.actor and entry.action in GIVING:
            to: str | None = target.actor.section
            if to == ADMINISTRATOR:  # of a Party's registry, to which units go back
                to = str(move.key.party) if entry.action == "counter-entry" else None
            yield replace(self._row(entry, move, None), type="Transfer", acquiring=to)

    def _row(self, entry: Entry, move: Move, subtype: str | None) -> ActionRow:
        block = self._block(move)
        return ActionRow(at=_milliseconds(entry.at), subtype=subtype, **block)

    def _user(self, mark: UseMark, move: Move) -> dict[str, Any]:
        """Who used units for what: a Party by its code, or an entity of one."""
        international = mark.purpose is not None and mark.year is None
        purpose = mark.oimp or (str(mark.purpose) if international else None)
        if mark.user == str(self.party) or _is_party(mark.user):
            return {"purpose": purpose, "user_party": mark.user, "ndc_year": mark.year}
        return {
            "purpose": purpose,
            "user_party": str(self.party),
            "user_entity": entity_name(self.recorded.values(), mark.user),
            "ndc_year": mark.year,
        }

    # --- table 2 ----------------------------------------------------------------------------------

    def _take_back(self, units: Restate) -> None:
        """Units of the Party's own that a counter-entry has restated."""
        ref = units.before.authorization
        if ref is None or (units.key.layer, units.key.party) != (Layer.ITMO, self.party):
            return
        versions = [v for party, id_, v in self.recorded if (party, id_) == (self.party, ref.id)]
        if versions:
            version = self.taken_back.setdefault((self.party, ref.id, max(versions)), {})
            version.setdefault(units.key, Ranges()).add(units.first, units.last)

    def _explanation(self, recorded: Recorded) -> str | None:
        """Which units are first-transferred no longer, after this version revoked."""
        terms = recorded.terms
        found = self.taken_back.get((terms.party, terms.id, terms.version))
        if not found:
            return None
        spans = [(key, *span) for key, ranges in found.items() for span in ranges]
        words = [
            f"{ItmoIdentifier.of(key, a)} to {ItmoIdentifier.of(key, b)}"
            for key, a, b in spans[:RANGES_SHOWN]
        ]
        if len(spans) > RANGES_SHOWN:
            words.append(f"{len(spans) - RANGES_SHOWN} more blocks")
        units = sum(ranges.quantity for ranges in found.values())
        said = f"The first transfer of {units} units was taken back by counter-entry: "
        return said + ", ".join(words) + "."

    # --- table 4 ----------------------------------------------------------------------------------

    def _held(self) -> Iterator[HoldingRow]:
        """What the section held; in which of its accounts, no column asks."""
        there = [
            block
            for block in self.holdings.blocks()
            if block.key.layer is Layer.ITMO
            and block.position.kind in HELD
            and block.attributes.authorization is not None
            and block.attributes.use is None
        ]
        for block in _joined(there):
            yield HoldingRow(**self._block(block))

    # --- what both have ---------------------------------------------------------------------------

    def _block(self, units: Move | Block) -> dict[str, Any]:
        """The members that a block has in table 3 and in table 4."""
        key, attributes = units.key, units.attributes
        ref = attributes.authorization
        assert ref is not None
        known = self.recorded.get((key.party, ref.id, ref.version))
        registry, offset = attributes.underlying_registry, attributes.underlying_offset

        def underlying(serial: int) -> str | None:
            if offset is None:
                return None
            own = registry == str(key.registry)
            return str(ItmoIdentifier.of(key, serial + offset)) if own else str(serial + offset)

        quantity = units.quantity
        whole = attributes.metric == "GHG"
        return {
            "approach": str(key.approach),
            "authorization": str(ref.id),
            "first_party": str(key.party),
            "registry": str(self.participant),
            "first": str(ItmoIdentifier.of(key, units.first)),
            "last": str(ItmoIdentifier.of(key, units.last)),
            "unit_registry": registry,
            "unit_first": underlying(units.first),
            "unit_last": underlying(units.last),
            "metric": attributes.metric,
            "gwp": known.terms.gwp if known else None,
            "non_ghg_metric": attributes.unit,
            "quantity": quantity if whole else None,
            "non_ghg_quantity": None if whole else quantity,
            "mitigation": attributes.mitigation,
            "vintage": key.vintage,
        }


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """Neighbours that differ in their account alone are one block."""
    first: Position | None = None
    together = []
    for block in blocks:
        first = first or block.position
        together.append(block._replace(position=first))
    yield from join(together)


def _move_of(effects: Iterable[Effect], units: Units) -> Move | None:
    """The move of these units in the entry that first-transferred them."""
    for effect in effects:
        if not isinstance(effect, Move) or effect.key != units.key:
            continue
        if effect.first <= units.first and units.last <= effect.last:
            return effect.model_copy(update={"first": units.first, "last": units.last})
    return None


def _milliseconds(at: Instant) -> str:
    """An instant as the nomenclatures write it: what is finer is cut off, so no year changes."""
    return f"{at[:23]}Z"


def _is_party(text: str) -> bool:
    try:
        PartyCode(text)
    except ValueError:
        return False
    return True
