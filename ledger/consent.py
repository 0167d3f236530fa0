# SPDX-License-Identifier: Apache-2.0
"""Consent: whether an entry does what some actors agreed to, all of it and nothing else.

The hub decides when a transaction completes; what it then does to an actor's rows follows from what
that actor said, and is checked here effect by effect:

* its *proposal*, or its *acceptance* of another's, in this transaction: units of the lines, from
  and to the accounts of the lines, with the marks that the action gives, and every line whole;
* a *pledge*: the first-transfer proposal by which it locked units agrees to their retirement or
  cancellation beside the account that they are in, together with the ITMOs that represent them.
  With a counter-entry that this actor agreed to, it says which units are first-transferred no
  longer together with these ITMOs.

A consent counts when this actor really said the message, whatever the entry claims. A registry asks
this about its own actors before it applies an entry, and whoever verifies evidence about all of
them. Freezes and the end of a reservation need none. Attributes that a transfer leaves as they are,
are not looked at here: only the rows can say what they were, and rows that say otherwise are
disputed. All is pure.

What an action does is written here once more, from the other end, and on purpose: the effects come
from `ledger.actions`, and a fault there must not consent to itself.

Elsewhere: what is done about an entry that fails (`registry.applying`, `verifying`), what actions
do (`actions`).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from ledger.actions import companion
from ledger.blocks import quantity, subtract
from schemas.effects import (
    ApprovalEffect,
    ApprovalRecordEffect,
    AuthorizationEffect,
    Effect,
    Move,
    Pledge,
    Reserve,
    Restate,
)
from schemas.identifiers import Actor, Digest, TransactionId
from schemas.messages import Entry, Line, Message, Proposal
from schemas.units import Attributes, Key, Kind, Layer, Position, UseMark

__all__ = ["Facts", "Known", "Said", "bound_by", "moved_by", "not_agreed"]


class Said(Protocol):
    """A message that was really said: by whom, in which conversation."""

    @property
    def author(self) -> Actor: ...
    @property
    def digest(self) -> Digest: ...
    @property
    def type(self) -> str: ...
    @property
    def conversation(self) -> str: ...
    @property
    def answers(self) -> Digest | None: ...


class Known(Protocol):
    """A transaction: its proposal, and the digest of the line that proposed it."""

    @property
    def id(self) -> TransactionId: ...
    @property
    def proposer(self) -> Actor: ...
    @property
    def acquirer(self) -> Actor | None: ...
    @property
    def proposal(self) -> Proposal | None: ...
    @property
    def message(self) -> Digest | None: ...


class Facts(Protocol):
    """What there is to judge by: what was said, the proposals among it, the transactions."""

    @property
    def said(self) -> Mapping[Digest, Said]: ...
    @property
    def said_proposals(self) -> Mapping[Digest, Proposal]: ...
    @property
    def transactions(self) -> Mapping[TransactionId, Known]: ...


Agreed = tuple[Digest, Proposal]
"""A proposal that an actor agreed to, and the digest of its line."""


class Itmos(NamedTuple):
    """The ITMOs that represent the units of a line; `offset` leads from a serial to the unit's."""

    key: Key
    first: int
    last: int
    offset: int


def not_agreed(facts: Facts, message: Message, actors: set[Actor]) -> str | None:
    """What an entry does to one of `actors` without its agreement; None when all is agreed."""
    entry: Entry = message.body
    for actor in sorted(actors):
        said = [
            kept
            for consent in entry.consents
            if consent.actor == actor and (kept := facts.said.get(consent.message)) is not None
            if kept.author == actor
        ]
        agreed = [one for kept in said if (one := _agreed(facts, kept, message.conversation))]
        pledges = (facts.said_proposals.get(kept.digest) for kept in said)
        pledged = [pledge for pledge in pledges if pledge is not None]
        for effect in entry.effects:
            if actor not in bound_by(effect):
                continue
            if isinstance(effect, Reserve):
                is_agreed = _reserves(facts, message, effect)
            else:
                is_agreed = entry.state == "completed" and (
                    any(_follows_from(one, effect, actor) for one in agreed)
                    or any(_follows_the_itmos(pledge, entry, effect) for pledge in pledged)
                    or any(_goes_back(one, pledged, effect) for _, one in agreed)
                )
            if not is_agreed:
                return f"it binds units or rights of {actor} unasked ({effect.effect})"
        if entry.state == "completed":
            left = _left_out(facts, message, actor) or _left_behind(pledged, entry)
            left = left or _left_transferred(entry)
            if left is not None:
                return left
    return None


def moved_by(effect: Effect) -> set[Actor]:
    """The actors whose rows an effect changes."""
    if isinstance(effect, Restate):
        return {effect.position.actor}
    if isinstance(effect, Move):
        return {effect.target.actor} | ({effect.source.actor} if effect.source else set())
    return set()


def bound_by(effect: Effect) -> set[Actor]:
    """The actors whose agreement an effect needs."""
    if isinstance(
        effect, Reserve | Pledge | AuthorizationEffect | ApprovalRecordEffect | ApprovalEffect
    ):
        return {effect.actor}
    return moved_by(effect)


def _agreed(facts: Facts, said: Said, conversation: str) -> Agreed | None:
    """The proposal that a message of ours in this transaction agrees to."""
    if said.conversation != conversation:
        return None
    if said.type == "proposal" and said.digest in facts.said_proposals:
        return said.digest, facts.said_proposals[said.digest]
    if said.type == "acceptance":
        known = _known(facts, conversation)
        if known and known.message and known.message == said.answers and known.proposal:
            return known.message, known.proposal
    return None


def _known(facts: Facts, conversation: str) -> Known | None:
    """The transaction that a conversation is about, if it is known, and if it is about one."""
    try:
        return facts.transactions.get(TransactionId(conversation))
    except ValueError:
        return None


def _reserves(facts: Facts, message: Message, effect: Reserve) -> bool:
    """A clearance reserves what was proposed, for the transaction in which it was."""
    known = _known(facts, message.conversation)
    return (
        known is not None
        and known.proposal is not None
        and known.message == message.answers
        and (known.id, known.proposer) == (effect.transaction, effect.actor)
        and any(
            line.source is not None and _within(effect, line.key, line.first, line.last)
            for line in known.proposal.lines
        )
    )


# --- what follows from a proposal ---------------------------------------------------------------


def _follows_from(agreed: Agreed, effect: Effect, actor: Actor) -> bool:
    message, proposal = agreed
    if isinstance(effect, AuthorizationEffect):
        return (effect.actor, effect.terms) == (actor, proposal.terms)
    if isinstance(effect, ApprovalRecordEffect):
        return (effect.actor, effect.record) == (actor, proposal.approval)
    if isinstance(effect, ApprovalEffect):
        return _counts_against(proposal, effect)
    if isinstance(effect, Pledge) and effect.consent != message:
        return False
    return any(_follows_from_line(proposal, line, effect) for line in proposal.lines)


def _counts_against(proposal: Proposal, effect: ApprovalEffect) -> bool:
    """An issuance counts, with its quantity, against the approval that it names."""
    rests_on = proposal.references
    return rests_on is not None and (
        (rests_on.approval, rests_on.approved_quantity, proposal.quantity)
        == (effect.approval, effect.approved_quantity, effect.quantity)
    )


def _follows_from_line(proposal: Proposal, line: Line, effect: Effect) -> bool:
    """Whether an effect is one that this line has when the proposal completes."""
    match effect:
        case Move(source=None) if _makes(proposal, line):
            return _arrives(proposal, line, effect)
        case Move() | Restate() | Pledge() if not _within(effect, line.key, line.first, line.last):
            return False
        case Pledge():
            return _locks(proposal, line)
        case Restate():
            marked = effect.after == _after(proposal, effect.before)
            if proposal.action == "counter-entry":
                back = _is_under(proposal, effect.before)
                return marked and back and effect.position.account == line.target
            return marked and effect.position.account == line.source
        case Move():
            return _moves(proposal, line, effect)
        case _:
            return False


def _moves(proposal: Proposal, line: Line, move: Move) -> bool:
    """Units of a line come into being, go where it says, or are locked where they are."""
    if proposal.action in {"issuance", "cer-entry"}:
        made = (move.source, move.target.account, move.attributes)
        return made == (None, line.target, line.attributes)
    if move.source is None or move.source.account != line.source:
        return False
    if proposal.action == "counter-entry":  # as they are: they are restated where they arrive
        return move.target.account == line.target and _is_under(proposal, move.attributes)
    if move.attributes != _after(proposal, move.attributes):
        return False
    if _locks(proposal, line):
        return move.target == companion(move.source, "LCK", Kind.LOCKED)
    if _makes(proposal, line):
        assert line.target is not None
        end = ENDS.get(Position.of(line.target).kind)
        return end is not None and move.target == companion(move.source, *end)
    return move.target.account == line.target


def _locks(proposal: Proposal, line: Line) -> bool:
    """A first transfer of underlying units locks them, and ITMOs come into being."""
    return proposal.action == "first-transfer" and _makes(proposal, line)


def _makes(proposal: Proposal, line: Line) -> bool:
    """Underlying units become ITMOs: locked, or used or cancelled in the moment that they do."""
    named = proposal.action in {"use", "cancellation"} and proposal.authorization is not None
    return (
        (named or proposal.action == "first-transfer")
        and line.key.layer is Layer.UNDERLYING
        and line.itmo_first is not None
    )


def _arrives(proposal: Proposal, line: Line, effect: Move) -> bool:
    """The ITMOs that represent the units of a line."""
    itmos, marks = _itmos_of(line), effect.attributes
    return (
        _within(effect, itmos.key, itmos.first, itmos.last)
        and effect.target.account == line.target
        and marks == _after(proposal, marks)
        and marks.underlying_registry == line.key.registry
        and marks.underlying_offset == itmos.offset
    )


def _itmos_of(line: Line) -> Itmos:
    assert line.itmo_first is not None
    offset = line.first - line.itmo_first
    return Itmos(line.key.on(Layer.ITMO), line.itmo_first, line.last - offset, offset)


def _after(proposal: Proposal, before: Attributes) -> Attributes:
    """The attributes of units that the action has marked."""
    if proposal.action == "designation":
        return before.but(designation=proposal.designation, authorization=proposal.authorization)
    if proposal.action == "counter-entry":
        return before.but(first_transferred=False, authorization=None)
    after = before.but(use=proposal.use) if proposal.use is not None else before
    if proposal.authorization is None:
        return after
    return after.but(first_transferred=True, authorization=proposal.authorization)


def _is_under(proposal: Proposal, said: Attributes) -> bool:
    """Whether units are first-transferred under the authorization that a counter-entry names."""
    named, under = proposal.authorization, said.authorization
    return said.first_transferred and bool(named and under and named.id == under.id)


def _within(effect: Move | Restate | Pledge | Reserve, key: Key, first: int, last: int) -> bool:
    return effect.key == key and first <= effect.first and effect.last <= last


# --- what follows from a pledge -----------------------------------------------------------------

ENDS = {
    Kind.USE: ("RET", Kind.RETIREMENT),
    Kind.CANCELLATION: ("CAN", Kind.CANCELLATION),
    Kind.OMGE: ("CAN", Kind.CANCELLATION),
}
"""Where locked units end when the ITMOs that represent them are used or cancelled."""


def _follows_the_itmos(pledge: Proposal, entry: Entry, effect: Effect) -> bool:
    """Whether locked units end because, in the same entry, the ITMOs that represent them do."""
    if isinstance(effect, Move) and effect.source is not None:
        position, use = effect.source, effect.attributes.use
    elif isinstance(effect, Restate) and effect.after == effect.before.but(use=effect.after.use):
        position, use = effect.position, effect.after.use
    else:
        return False
    return any(
        _locks(pledge, line)
        and _within(effect, line.key, line.first, line.last)
        and line.source is not None
        and position == companion(Position.of(line.source), "LCK", Kind.LOCKED)
        and use is not None
        and any(_is_the_end(itmos, line, effect, use) for itmos in entry.effects)
        for line in pledge.lines
    )


def _is_the_end(itmos: Effect, line: Line, effect: Move | Restate, use: UseMark) -> bool:
    """Whether an effect moves the ITMOs of `effect` where that moves what they represent."""
    key, _, _, offset = _itmos_of(line)
    if not isinstance(itmos, Move) or (itmos.key, itmos.attributes.use) != (key, use):
        return False
    if itmos.first > effect.first - offset or itmos.last < effect.last - offset:
        return False
    end = ENDS.get(itmos.target.kind)
    if end is None or isinstance(effect, Restate):
        return end is not None
    assert effect.source is not None
    return effect.target == companion(effect.source, *end)


def _goes_back(proposal: Proposal, pledged: list[Proposal], effect: Effect) -> bool:
    """Whether locked units are restated because a counter-entry that was agreed to takes back the
    first transfer of the ITMOs that represent them.
    """
    if proposal.action != "counter-entry" or not isinstance(effect, Restate):
        return False
    if effect.after != _after(proposal, effect.before) or not _is_under(proposal, effect.before):
        return False
    for line in (line for pledge in pledged for line in pledge.lines if _locks(pledge, line)):
        assert line.source is not None
        key, _, _, offset = _itmos_of(line)
        beside = companion(Position.of(line.source), "LCK", Kind.LOCKED)
        if effect.position != beside or not _within(effect, line.key, line.first, line.last):
            continue
        low, high = effect.first - offset, effect.last - offset
        if any(one.key == key and one.first <= low and high <= one.last for one in proposal.lines):
            return True
    return False


# --- nothing left out ---------------------------------------------------------------------------


def _left_out(facts: Facts, message: Message, actor: Actor) -> str | None:
    """A completion does all that was agreed: whoever agreed to ten units is not moved five."""
    known = _known(facts, message.conversation)
    if known is None or known.proposal is None or actor not in {known.proposer, known.acquirer}:
        return None
    entry: Entry = message.body
    if known.proposal.terms is not None:
        recorded = any(
            isinstance(e, AuthorizationEffect) and e.terms == known.proposal.terms
            for e in entry.effects
        )
        return None if recorded else "it completes an authorization and records none"
    if known.proposal.approval is not None:
        recorded = any(
            isinstance(e, ApprovalRecordEffect) and e.record == known.proposal.approval
            for e in entry.effects
        )
        return None if recorded else "it completes an approval and records none"
    for line in known.proposal.lines:
        for kind, key, first, last in _expected(known.proposal, line):
            done = [
                (e.first, e.last)
                for e in entry.effects
                if isinstance(e, kind)
                and e.key == key
                and _follows_from_line(known.proposal, line, e)
            ]
            if subtract((first, last), done):
                return f"it completes {known.id} without all of {key.text} {first}-{last}"
            if quantity(done) > last - first + 1:
                return f"it completes {known.id} with some of {key.text} twice"
    return None


def _left_behind(pledged: list[Proposal], entry: Entry) -> str | None:
    """Units that were pledged end whenever the ITMOs that represent them do, and all of them."""
    ended = [e for e in entry.effects if isinstance(e, Move) and e.target.kind in ENDS]
    for line in (line for pledge in pledged for line in pledge.lines if _locks(pledge, line)):
        key, first, last, offset = _itmos_of(line)
        followed = [
            (e.first, e.last)
            for e in entry.effects
            if isinstance(e, Move) and _within(e, line.key, line.first, line.last) and e.source
        ]
        for itmos in ended:
            low, high = max(first, itmos.first) + offset, min(last, itmos.last) + offset
            if itmos.key == key and low <= high and subtract((low, high), followed):
                return f"it ends ITMOs and leaves some of {line.key.text} {low}-{high} locked"
    return None


def _left_transferred(entry: Entry) -> str | None:
    """Units are first-transferred no longer whenever the ITMOs that represent them are, and all of
    them: the ITMOs themselves say which these are.
    """
    restated = [e for e in entry.effects if isinstance(e, Restate) and e.before.first_transferred]
    back = [e for e in restated if not e.after.first_transferred]
    for itmos in back:
        key, offset = itmos.key, itmos.before.underlying_offset
        if offset is None or itmos.before.underlying_registry != str(key.registry):
            continue
        below = key.on(Layer.UNDERLYING)
        low, high = itmos.first + offset, itmos.last + offset
        if subtract((low, high), [(e.first, e.last) for e in back if e.key == below]):
            return f"it takes back ITMOs and leaves some of {below.text} {low}-{high}"
    return None


def _expected(
    proposal: Proposal, line: Line
) -> Iterator[tuple[type[Move | Restate | Pledge], Key, int, int]]:
    """What happens to the units of a line: all of them move, or are restated where they are, or
    both by a counter-entry; those that are locked are pledged, and as many ITMOs come into being.
    """
    if proposal.action == "designation":
        yield Restate, line.key, line.first, line.last
        return
    yield Move, line.key, line.first, line.last
    if proposal.action == "counter-entry":
        yield Restate, line.key, line.first, line.last
    if _locks(proposal, line):
        yield Pledge, line.key, line.first, line.last
    if _makes(proposal, line):
        itmos = _itmos_of(line)
        yield Move, itmos.key, itmos.first, itmos.last
