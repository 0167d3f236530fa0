# SPDX-License-Identifier: Apache-2.0
"""What an actor agreed to, effect by effect: every right entry passes, and no changed one does.

Entries are made by the kernel's own rules from proposals that pass its checks. Then every member of
every effect is changed, one at a time, and effects are dropped, doubled and added: an actor that is
concerned must find each of these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ledger import actions
from ledger.asking import Policy
from ledger.consent import moved_by, not_agreed
from ledger.holdings import Holdings
from ledger.transactions import State
from registry.state import RegistryFacts, Transaction
from runtime.journal import Kept
from schemas.effects import (
    ApprovalEffect,
    ApprovalRecordEffect,
    AuthorizationEffect,
    Effect,
    Freeze,
    Move,
    Pledge,
    Release,
    Reserve,
    Restate,
)
from schemas.envelope import digest
from schemas.identifiers import Actor, CaseId, Digest, MessageId, Participant, TransactionId
from schemas.messages import Addressed, Consent, Entry, EntryMessage, Message, Proposal
from schemas.units import Attributes, AuthorizationRef, Position, Purpose, UseMark
from tests.unit.ledger.world import (
    CHE,
    GHA,
    GOOD,
    KOR,
    NOON,
    B,
    U,
    World,
    account,
    bound_first_transfer,
    first_transfer,
    move,
    settled,
)

ACCEPTANCE = digest(b"acceptance")
OTHER = digest(b"something else")
ID = MessageId("01912345-89ab-7def-8123-456789abcdef")


@dataclass
class Agreement:
    """A proposal that completes in a world: the right effects, and who said what."""

    author: Actor
    proposal: Proposal
    effects: list[Effect]
    consents: list[Consent]
    transaction: TransactionId
    earlier: dict[Digest, tuple[Actor, Proposal]]

    @classmethod
    def of(cls, world: World, author: Actor, wanted: Proposal) -> "Agreement":
        message = world.message(wanted)
        transaction = TransactionId(f"{author.replace('/', '-')}-77")
        effects = [
            *actions.release(wanted, author, transaction),
            *actions.completion(wanted, author, world.holdings, message),
        ]
        pledged = first_transfer(1001, 1100, 1)
        bound = bound_first_transfer(1901, 1950, 901)
        earlier = {world.message(one): (GHA, one) for one in (pledged, bound)}
        consents = actions.consents(wanted, author, world.holdings, message, ACCEPTANCE)
        return cls(author, wanted, effects, consents, transaction, earlier)

    @property
    def message(self) -> Digest:
        return digest(self.proposal.model_dump_json().encode())

    def concerned(self) -> list[Actor]:
        return sorted({consent.actor for consent in self.consents})

    def facts(self, actor: Actor) -> RegistryFacts:
        """What the actor's registry has loaded: its own word, and the transaction."""
        world = World()
        facts = RegistryFacts(
            directory=world.directory,
            holdings=Holdings(),
            authorizations={},
            now=NOON,
            policy=Policy(),
            whole=False,
        )
        said: list[tuple[Digest, Actor, str, str, Digest | None]] = [
            (self.message, self.author, "proposal", str(self.transaction), None)
        ]
        if self.proposal.acquirer is not None:
            said.append(
                (
                    ACCEPTANCE,
                    self.proposal.acquirer,
                    "acceptance",
                    str(self.transaction),
                    self.message,
                )
            )
        said += [(d, a, "proposal", "GHA01-GHA-3", None) for d, (a, _) in self.earlier.items()]
        facts.said = {one[0]: kept(*one) for one in said if one[1] == actor}
        proposals = {self.message: (self.author, self.proposal), **self.earlier}
        facts.said_proposals = {d: p for d, (a, p) in proposals.items() if a == actor}
        if actor in {self.author, self.proposal.acquirer}:
            facts.transactions = {self.transaction: self.known()}
        return facts

    def known(self) -> Transaction:
        return Transaction(
            id=self.transaction,
            state=State.CLEARED,
            action=self.proposal.action,
            proposer=self.author,
            acquirer=self.proposal.acquirer,
            proposal=self.proposal,
            line=self.proposal.model_dump_json().encode(),
            message=self.message,
            position=None,
            opened_at=NOON,
            changed_at=NOON,
        )

    def entry(self, effects: list[Effect] | None = None, **changes: Any) -> Message:
        members: dict[str, Any] = {
            "log": "hub.example",
            "position": 9,
            "acts": 5,
            "at": NOON,
            "manifest": None,
            "state": "completed",
            "action": self.proposal.action,
            "rules": "test",
            "consents": tuple(self.consents),
            "addressed": tuple(Addressed(actor=a, index=0) for a in self.concerned()),
            "effects": tuple(self.effects if effects is None else effects),
        }
        conversation = changes.pop("conversation", str(self.transaction))
        answers = changes.pop("answers", ACCEPTANCE)
        return EntryMessage(
            id=ID, conversation=conversation, answers=answers, body=Entry(**members | changes)
        )

    def refused(self, message: Message) -> set[Actor]:
        """The actors that find something in an entry."""
        return {a for a in self.concerned() if not_agreed(self.facts(a), message, {a})}


def kept(
    said: Digest, author: Actor, type_: str, conversation: str, answers: Digest | None
) -> Kept:
    return Kept(author, str(ID), said, type_, conversation, answers, Participant("HUB"), 1, 0)


AGREEMENTS = [name for name in GOOD if name != "a line that is refused"]


def agreement(name: str) -> Agreement:
    return Agreement.of(settled(), *GOOD[name])


@pytest.mark.parametrize("name", AGREEMENTS)
def test_what_the_kernel_does_with_a_proposal_is_agreed_by_all(name: str) -> None:
    one = agreement(name)
    assert one.refused(one.entry()) == set()


# --- changed effects ----------------------------------------------------------------------------

MARK = UseMark(purpose=Purpose.IMP, user="Mallory")
REF = AuthorizationRef.model_validate({"id": "QQQ-9", "version": 1})


def other_position(position: Position) -> list[Position]:
    """Another number, another kind, another actor."""
    number, actor = int(position.account.split("-")[3]), position.actor
    code = position.account.kind_code
    return [
        Position.of(account(actor, code, number + 1)),
        Position.of(account(actor, "CAN" if code != "CAN" else "HLD", number)),
        Position.of(account(KOR if actor != KOR else CHE, code, number)),
    ]


def other_marks(action: str, marks: Attributes, *, fresh: bool) -> Iterator[Attributes]:
    """Without the marks that an action gives, or with others. Those that it leaves as they are only
    the rows can say.
    """
    if action in {"use", "cancellation"}:
        yield marks.but(use=MARK)
        yield marks.but(use=None)
    if action in {"first-transfer", "issuance", "counter-entry"}:
        yield marks.but(first_transferred=not marks.first_transferred)
        yield marks.but(authorization=REF)
    if marks.underlying_offset is not None and fresh:
        yield marks.but(underlying_offset=marks.underlying_offset + 1)
        yield marks.but(underlying_registry="XXX01")


def changed(effect: Effect, action: str) -> Iterator[Effect]:
    """The effect with one member changed, in every way that is left to a hub. A restatement that is
    smaller, or of somebody else's units, leaves these as the move says they are.
    """

    def but(**members: Any) -> Effect:
        return effect.model_copy(update=members)

    if isinstance(effect, Move | Pledge) and effect.last > effect.first:
        yield but(last=effect.last - 1)
        yield but(first=effect.first + 1)
    if isinstance(effect, Move | Restate | Pledge):
        yield but(last=effect.last + 1)
        yield but(first=effect.first + 5000, last=effect.last + 5000)
        yield but(key=B if effect.key != B else U)
    if isinstance(effect, Move):
        yield from (but(target=position) for position in other_position(effect.target))
        if effect.source is not None:
            yield but(source=None)
            yield from (but(source=position) for position in other_position(effect.source))
        marks = other_marks(action, effect.attributes, fresh=effect.source is None)
        yield from (but(attributes=other) for other in marks)
    if isinstance(effect, Restate):
        yield from (but(position=position) for position in other_position(effect.position)[:2])
        yield but(after=effect.after.but(use=MARK))
        yield but(after=effect.after.but(designation="O"))
        yield but(after=effect.before)
    if isinstance(effect, Pledge):
        yield but(consent=OTHER)
    if isinstance(effect, ApprovalEffect):
        yield but(quantity=effect.quantity + 1)
        yield but(approval="another")
        yield but(approved_quantity=effect.approved_quantity + 1)
    if isinstance(effect, ApprovalRecordEffect):
        yield but(record=effect.record.model_copy(update={"quantity": 10**9}))
        yield but(record=effect.record.model_copy(update={"participants": ("Other",)}))
    if isinstance(effect, AuthorizationEffect):
        yield but(terms=effect.terms.model_copy(update={"quantity": 10**9}))
        yield but(terms=effect.terms.model_copy(update={"revoked": True}))


@pytest.mark.parametrize("name", AGREEMENTS)
def test_no_effect_can_be_changed_without_somebody_s_notice(name: str) -> None:
    """Each change is found by an actor whose rows it concerns, before or after the change."""
    one, tried = agreement(name), 0
    for index, effect in enumerate(one.effects):
        for wrong in changed(effect, one.proposal.action):
            if wrong == effect:
                continue
            effects = [*one.effects[:index], wrong, *one.effects[index + 1 :]]
            assert one.refused(one.entry(effects)), f"{effect!r} became {wrong!r}"
            tried += 1
    assert tried >= 2


@pytest.mark.parametrize("name", AGREEMENTS)
def test_no_move_can_be_left_out_or_done_twice(name: str) -> None:
    one = agreement(name)
    for index, effect in enumerate(one.effects):
        if isinstance(effect, Move) and effect.key.layer == one.proposal.lines[0].key.layer:
            without = [e for i, e in enumerate(one.effects) if i != index]
            assert one.refused(one.entry(without)), f"without {effect!r}"
            assert one.refused(one.entry([*one.effects, effect])), f"twice {effect!r}"
    assert one.refused(one.entry([])), "nothing at all"


@pytest.mark.parametrize("name", AGREEMENTS)
def test_what_was_agreed_to_happens_at_completion_alone(name: str) -> None:
    one = agreement(name)
    for state in ("cleared", "refused", "rejected", "withdrawn", "expired", None):
        assert one.refused(one.entry(state=state)), state


@pytest.mark.parametrize("name", AGREEMENTS)
def test_nobody_s_consent_stands_for_another_s(name: str) -> None:
    """Without its own, listed as its own and really said, an actor agrees to nothing."""
    one = agreement(name)
    for actor in one.concerned():
        kept = [c for c in one.consents if c.actor != actor]
        assert actor in one.refused(one.entry(consents=tuple(kept)))
        for wrong in {c.message for c in one.consents if c.actor != actor} | {OTHER}:
            listed = [*kept, Consent(actor=actor, message=wrong)]
            assert actor in one.refused(one.entry(consents=tuple(listed)))


@pytest.mark.parametrize("name", AGREEMENTS)
def test_a_consent_is_for_its_own_transaction(name: str) -> None:
    one = agreement(name)
    moved = one.entry(conversation="GHA01-GHA-999")
    own = {one.author} | ({one.proposal.acquirer} if one.proposal.acquirer else set())
    assert own <= one.refused(moved)


def test_a_use_is_agreed_by_whoever_pledged_units_for_it() -> None:
    """Two first transfers' units in one use: each is retired by its own pledge."""
    world = settled()
    use = move(
        "use",
        GOOD["use"][1].lines[0].key,
        1,
        20,
        account(CHE, "HLD"),
        account(CHE, "USE"),
        use=GOOD["use"][1].use,
    )
    one = Agreement.of(world, CHE, use)
    assert one.concerned() == [CHE, GHA]
    assert one.refused(one.entry()) == set()
    one.earlier = {OTHER: (GHA, first_transfer(1001, 1010, 1))}
    assert one.refused(one.entry()) == {GHA}, "another pledge than the one listed"


@pytest.mark.requirement(88)
def test_what_itmos_represent_is_taken_back_with_them_or_both_sides_notice() -> None:
    """Also where the entry says nothing of the pledge by which they were locked."""
    one = agreement("counter-entry")
    below = [e for e in one.effects if isinstance(e, Restate) and e.key == U]
    assert [(e.first, e.last) for e in below] == [(1901, 1930)]
    without = [e for e in one.effects if e not in below]
    unsaid = tuple(c for c in one.consents if c.message not in one.earlier)
    assert one.refused(one.entry(without, consents=unsaid)) == {CHE, GHA}
    part = [e.model_copy(update={"last": 1929}) if e in below else e for e in one.effects]
    assert one.refused(one.entry(part)) == {CHE, GHA}
    # And no further than the ITMOs that were agreed to, whatever was pledged.
    more = [e.model_copy(update={"last": 1940}) if e in below else e for e in one.effects]
    assert one.refused(one.entry(more)) == {GHA}


def test_freezes_and_releases_need_no_consent() -> None:
    one = agreement("use")
    effects: list[Effect] = [
        Freeze(key=U, first=1, last=5, actor=GHA, case=CaseId("REC-1")),
        Release(key=U, first=1, last=5, actor=GHA, transaction=one.transaction),
    ]
    message = one.entry(effects, state=None, conversation="REC-1", consents=())
    assert not_agreed(one.facts(GHA), message, {GHA}) is None


RESERVES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "what was proposed": ({}, {}, True),
    "a part of it": ({"last": 1105}, {}, True),
    "more than that": ({"last": 5000}, {}, False),
    "for another transaction": ({"transaction": TransactionId("GHA01-GHA-9")}, {}, False),
    "by another proposal": ({}, {"answers": OTHER}, False),
}


@pytest.mark.parametrize("name", RESERVES)
def test_a_clearance_reserves_what_was_proposed(name: str) -> None:
    changes, members, fine = RESERVES[name]
    one = agreement("first transfer")
    line = one.proposal.lines[0]
    values: dict[str, Any] = {
        "key": line.key,
        "first": line.first,
        "last": line.last,
        "actor": GHA,
        "transaction": one.transaction,
    }
    if name == "a part of it":
        changes = {"last": line.first}
    effect = Reserve(**values | changes)
    message = one.entry(
        [effect], **{"state": "cleared", "consents": (), "answers": one.message} | members
    )
    assert (not_agreed(one.facts(GHA), message, {GHA}) is None) is fine


def test_every_actor_whose_rows_move_is_named() -> None:
    one = agreement("first transfer")
    assert set().union(*map(moved_by, one.effects)) == {GHA, CHE}
