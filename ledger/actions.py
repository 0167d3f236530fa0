# SPDX-License-Identifier: Apache-2.0
"""What an action does: the effects of a proposal that has passed its checks.

One function per action, each the rule in a few lines. They read the rows as the log has them, so
the effects name exact units, positions and attributes, and replay needs none of this.

* *issuance* brings units into being, and counts against the approval that it rests on; in the
  mechanism registry the share of proceeds and the cancellation for overall mitigation are lines of
  the same proposal (3/CMA.3 annex paras 54-59).
* *forwarding* moves units inside the mechanism registry, without a first transfer (para 60).
* *first-transfer* of underlying units (profile `information`) locks them beside their account and
  creates as many ITMOs; of A6.4ERs (profile `unit`) marks and moves them.
* *replenishment* moves units to the buffer against reversals, *administrative-cancellation* out of
  it or out of the pending account to their end.
* *cer-entry*, *cer-transfer* and *cer-use* do the like with CERs, which are no ITMOs.
* *counter-entry* takes a first transfer back after a revocation: ITMOs go back to their Party and
  are first-transferred no longer. Units that they represent stay locked, and follow them in this.
* *transfer* moves ITMOs. *use* and *cancellation* move units to a final position with a use mark,
  and the pledged units that they represent follow in the same entry. One that names an
  authorization is the first transfer of the units, too; of underlying units it makes the ITMOs.
* *designation* authorizes mitigation contributions where they are, before their first transfer.
* *authorization* records terms, *approval* what may be issued; they move nothing.

Elsewhere: whether the action is allowed (`checks`), the transaction's life (`transactions`).
"""

from collections.abc import Callable, Iterator

from ledger.blocks import Block, join, overlaps
from ledger.holdings import Holdings, Overlay, OverlayKind
from ledger.moves import FOLLOWING
from schemas.effects import (
    ApprovalEffect,
    ApprovalRecordEffect,
    AuthorizationEffect,
    Effect,
    Move,
    Pledge,
    Release,
    Reserve,
    Restate,
)
from schemas.identifiers import Actor, Digest, TransactionId, account_number
from schemas.messages import Consent, Line, Proposal
from schemas.units import FINAL_KINDS, KIND_CODES, Attributes, Key, Kind, Layer, Position

__all__ = [
    "companion",
    "completion",
    "consents",
    "makes_itmos",
    "needs_acceptance",
    "pledged",
    "release",
    "reserve",
]


def needs_acceptance(proposal: Proposal, proposer: Actor) -> bool:
    """Whether another actor must agree before the action completes."""
    return proposal.acquirer is not None and proposal.acquirer != proposer


def reserve(proposal: Proposal, proposer: Actor, transaction: TransactionId) -> list[Effect]:
    """Bind the proposer's units to the transaction."""
    return [
        Reserve(key=x.key, first=x.first, last=x.last, actor=proposer, transaction=transaction)
        for x in proposal.lines
        if x.source is not None
    ]


def release(proposal: Proposal, proposer: Actor, transaction: TransactionId) -> list[Effect]:
    """End that binding."""
    return [
        Release(key=x.key, first=x.first, last=x.last, actor=proposer, transaction=transaction)
        for x in proposal.lines
        if x.source is not None
    ]


def completion(
    proposal: Proposal, proposer: Actor, holdings: Holdings, message: Digest
) -> list[Effect]:
    """The effects of completing a proposal whose line has the digest `message`."""
    if proposal.action == "authorization":
        assert proposal.terms is not None
        return [AuthorizationEffect(actor=proposer, terms=proposal.terms)]
    if proposal.action == "approval":
        assert proposal.approval is not None
        return [ApprovalRecordEffect(actor=proposer, record=proposal.approval)]
    rule = _RULES[proposal.action]
    effects = [e for line in proposal.lines for e in rule(line, proposal, holdings, message)]
    return [*effects, *_approved(proposal, proposer)]


def _approved(proposal: Proposal, proposer: Actor) -> list[Effect]:
    """What an issuance takes of the approval that it rests on."""
    rests_on = proposal.references
    if rests_on is None:
        return []
    return [
        ApprovalEffect(
            actor=proposer,
            approval=rests_on.approval,
            approved_quantity=rests_on.approved_quantity,
            quantity=proposal.quantity,
        )
    ]


def consents(
    proposal: Proposal,
    proposer: Actor,
    holdings: Holdings,
    message: Digest,
    acceptance: Digest | None,
) -> list[Consent]:
    """Per actor whose rows a completion moves, the message by which it consents.

    The proposer by its proposal, the acquirer by its acceptance, the holder of pledged units by the
    first-transfer proposal by which it pledged them. In a counter-entry the holder of pledged units
    is one of the two, and its pledge says which of them the ITMOs represent.
    """
    found = {(proposer, message)}
    if proposal.acquirer is not None and proposal.acquirer != proposer:
        assert acceptance is not None
        found.add((proposal.acquirer, acceptance))
    if proposal.action in {"use", "cancellation", "counter-entry"}:
        for line in proposal.lines:
            for part, overlay in pledged(line, holdings):
                assert part
                found.add((overlay.actor, Digest(overlay.reference)))
    return [Consent(actor=actor, message=digest) for actor, digest in sorted(found)]


def companion(position: Position, code: str, kind: Kind) -> Position:
    """The account of another kind with the same owner and number: units that are locked, retired or
    cancelled stay beside the account that they were in.
    """
    number = int(position.account.split("-")[3])
    return Position(
        actor=position.actor,
        kind=kind,
        account=account_number(position.actor, code, number),
    )


def _issuance(line: Line, proposal: Proposal, holdings: Holdings, message: Digest) -> list[Effect]:
    assert line.attributes is not None
    assert line.target is not None
    return [_move(line.key, line.first, line.last, line.attributes, None, Position.of(line.target))]


def _transfer(line: Line, proposal: Proposal, holdings: Holdings, message: Digest) -> list[Effect]:
    assert line.target is not None
    target = Position.of(line.target)
    return [
        _move(b.key, b.first, b.last, b.attributes, b.position, target)
        for b in _rows(line, holdings)
    ]


def _first_transfer(
    line: Line, proposal: Proposal, holdings: Holdings, message: Digest
) -> list[Effect]:
    assert line.target is not None
    effects: list[Effect] = []
    for block in _rows(line, holdings):
        after = block.attributes.but(first_transferred=True, authorization=proposal.authorization)
        if line.key.layer is Layer.UNDERLYING:
            effects += _information(line, block, after, message)
        else:
            effects += _restated(block, after)
            target = Position.of(line.target)
            effects.append(_move(block.key, block.first, block.last, after, block.position, target))
    return effects


def _counter_entry(
    line: Line, proposal: Proposal, holdings: Holdings, message: Digest
) -> list[Effect]:
    """ITMOs are moved back as they are, and restated where they arrive: at the Party whose first
    transfer it was, which is where that is counted.
    """
    assert line.target is not None
    target, effects = Position.of(line.target), list[Effect]()
    for block in _rows(line, holdings):
        key, first, last, before = block.key, block.first, block.last, block.attributes
        effects.append(_move(key, first, last, before, block.position, target))
        effects += _restated(block._replace(position=target), _taken_back(before))
    for part, _ in pledged(line, holdings):
        effects += _restated(part, _taken_back(part.attributes))
    return effects


def _taken_back(attributes: Attributes) -> Attributes:
    """What units are once their first transfer is taken back: neither that nor authorized."""
    return attributes.but(first_transferred=False, authorization=None)


def _designation(
    line: Line, proposal: Proposal, holdings: Holdings, message: Digest
) -> list[Effect]:
    """Contributions are authorized where they are."""
    effects: list[Effect] = []
    for block in _rows(line, holdings):
        after = block.attributes.but(
            designation=proposal.designation, authorization=proposal.authorization
        )
        effects += _restated(block, after)
    return effects


def _information(line: Line, block: Block, after: Attributes, message: Digest) -> list[Effect]:
    """Underlying units are locked; as many ITMOs come into being at the acquirer."""
    assert line.itmo_first is not None
    assert line.target is not None
    offset = line.first - line.itmo_first
    itmo = after.but(underlying_registry=str(line.key.registry), underlying_offset=offset)
    _, kind = FOLLOWING["first-transfer"]
    locked = companion(block.position, _CODES[kind], kind)
    first, last = block.first - offset, block.last - offset
    return [
        *_restated(block, after),
        _move(block.key, block.first, block.last, after, block.position, locked),
        Pledge(
            key=block.key,
            first=block.first,
            last=block.last,
            actor=block.position.actor,
            consent=message,
        ),
        _move(line.key.on(Layer.ITMO), first, last, itmo, None, Position.of(line.target)),
    ]


def makes_itmos(proposal: Proposal, key: Key) -> bool:
    """Whether units of a key become ITMOs: underlying units do by their first transfer."""
    ends = proposal.action in {"use", "cancellation"} and proposal.authorization is not None
    return key.layer is Layer.UNDERLYING and (ends or proposal.action == "first-transfer")


def _use(line: Line, proposal: Proposal, holdings: Holdings, message: Digest) -> list[Effect]:
    assert line.target is not None
    target = Position.of(line.target)
    assert target.kind in FINAL_KINDS
    if line.itmo_first is not None:
        return _made_and_ended(line, proposal, holdings, target)
    effects: list[Effect] = []
    for block in _rows(line, holdings):
        after = _ended(block.attributes, proposal)
        effects += _restated(block, after)
        effects.append(_move(block.key, block.first, block.last, after, block.position, target))
    _, kind = FOLLOWING[proposal.action]
    for part, _ in pledged(line, holdings):
        after = part.attributes.but(use=proposal.use)
        end = companion(part.position, _CODES[kind], kind)
        effects += _restated(part, after)
        effects.append(_move(part.key, part.first, part.last, after, part.position, end))
    return effects


def _administrative(
    line: Line, proposal: Proposal, holdings: Holdings, message: Digest
) -> list[Effect]:
    """Units end with a mark, and nothing follows them: an administrator's, or CERs."""
    assert line.target is not None
    target, effects = Position.of(line.target), list[Effect]()
    for block in _rows(line, holdings):
        after = block.attributes.but(use=proposal.use)
        effects += _restated(block, after)
        effects.append(_move(block.key, block.first, block.last, after, block.position, target))
    return effects


def _made_and_ended(
    line: Line, proposal: Proposal, holdings: Holdings, target: Position
) -> list[Effect]:
    """Underlying units end beside their account, and as many ITMOs come into being as ended."""
    assert line.itmo_first is not None
    offset, effects = line.first - line.itmo_first, list[Effect]()
    _, kind = FOLLOWING[proposal.action]
    for block in _rows(line, holdings):
        after = _ended(block.attributes, proposal)
        end = companion(block.position, _CODES[kind], kind)
        itmo = after.but(underlying_registry=str(line.key.registry), underlying_offset=offset)
        first, last = block.first - offset, block.last - offset
        effects += [
            *_restated(block, after),
            _move(block.key, block.first, block.last, after, block.position, end),
            _move(line.key.on(Layer.ITMO), first, last, itmo, None, target),
        ]
    return effects


def _ended(before: Attributes, proposal: Proposal) -> Attributes:
    """What units are once they are used or cancelled; by a first transfer if that names what they
    are authorized by.
    """
    after = before.but(use=proposal.use)
    if proposal.authorization is None:
        return after
    return after.but(first_transferred=True, authorization=proposal.authorization)


def pledged(line: Line, holdings: Holdings) -> list[tuple[Block, Overlay]]:
    """The locked units that the ITMOs of a line represent, cut to the pledges that cover them."""
    result: list[tuple[Block, Overlay]] = []
    for itmo in _rows(line, holdings):
        offset = itmo.attributes.underlying_offset
        if line.key.layer is not Layer.ITMO or offset is None:
            continue
        if itmo.attributes.underlying_registry != str(line.key.registry):
            continue
        key = line.key.on(Layer.UNDERLYING)
        first, last = itmo.first + offset, itmo.last + offset
        for block in join(holdings.find(key.series, first, last)):
            for pledge in holdings.overlaid(block.key, block.first, block.last):
                if pledge.kind is OverlayKind.PLEDGED and overlaps(
                    (pledge.first, pledge.last), (block.first, block.last)
                ):
                    low, high = max(pledge.first, block.first), min(pledge.last, block.last)
                    result.append((block._replace(first=low, last=high), pledge))
    return result


def _rows(line: Line, holdings: Holdings) -> Iterator[Block]:
    """The units of a line as few blocks as they can be: checked units differ in nothing."""
    return join(holdings.find(line.key.series, line.first, line.last))


def _restated(block: Block, after: Attributes) -> list[Effect]:
    if after == block.attributes:
        return []
    return [
        Restate(
            key=block.key,
            first=block.first,
            last=block.last,
            position=block.position,
            before=block.attributes,
            after=after,
        )
    ]


def _move(
    key: Key, first: int, last: int, attributes: Attributes, source: Position | None, to: Position
) -> Move:
    return Move(key=key, first=first, last=last, attributes=attributes, source=source, target=to)


_CODES = {kind: code for code, kind in KIND_CODES.items()}

_RULES: dict[str, Callable[[Line, Proposal, Holdings, Digest], list[Effect]]] = {
    "issuance": _issuance,
    "cer-entry": _issuance,
    "cer-transfer": _transfer,
    "cer-use": _administrative,
    "designation": _designation,
    "forwarding": _transfer,
    "first-transfer": _first_transfer,
    "counter-entry": _counter_entry,
    "transfer": _transfer,
    "replenishment": _transfer,
    "administrative-cancellation": _administrative,
    "use": _use,
    "cancellation": _use,
}
