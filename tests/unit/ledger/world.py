# SPDX-License-Identifier: Apache-2.0
"""A small world to try rules on: two Party registries, the mechanism and a section for Korea.

`GHA01/GHA` and `CHE01/CHE` have the profile `information`, `UN01/MMR` and `UN02/KOR` the profile
`unit`. `World.act` does what the hub does with a proposal that completes: examine, carry out, keep
count of authorizations. `settled()` is a world in which each of `GOOD` would pass next.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.actions import completion, consents
from ledger.approvals import count_approval
from ledger.asking import Approval, Ask, Authorization, Facts, Policy
from ledger.checks import examine
from ledger.directory import Directory, sign_act
from ledger.effects import Everybody, apply
from ledger.first_transfer import counted
from ledger.holdings import Holdings
from schemas.approvals import ApprovalRecord, Instruction
from schemas.directory import (
    ActorKey,
    Administrator,
    Admission,
    Genesis,
    Profile,
    ProfileChange,
    SignedAct,
    Status,
)
from schemas.effects import (
    ApprovalEffect,
    ApprovalRecordEffect,
    AuthorizationEffect,
    AuthorizationTerms,
    Effect,
)
from schemas.envelope import digest
from schemas.findings import Finding
from schemas.identifiers import (
    AccountNumber,
    Actor,
    ApproachId,
    AuthorizationId,
    CaseId,
    Day,
    Digest,
    Instant,
    Participant,
    PartyCode,
    RegistryId,
    TransactionId,
    account_number,
)
from schemas.jws import SoftwareSigner
from schemas.messages import Consent, IssuanceReferences, Line, Proposal
from schemas.units import (
    Attributes,
    AuthorizationRef,
    Cancellation,
    FirstTransferDefinition,
    Key,
    Layer,
    Purpose,
    UseMark,
)

GHA, CHE, MMR, ADM, KOR = (
    Actor(text) for text in ("GHA01/GHA", "CHE01/CHE", "UN01/MMR", "UN01/ADM", "UN02/KOR")
)
KOREA64 = Actor("UN01/KOR")
"""Korea's section in the mechanism registry; nobody has admitted it."""
ACTORS = (GHA, CHE, MMR, ADM, KOR)
NOON = Instant("2027-03-01T12:00:00.000000Z")
LATER = Instant("2027-03-08T12:00:00.000000Z")

U = Key(
    layer=Layer.UNDERLYING,
    approach=ApproachId("CA0007"),
    registry=RegistryId("GHA01"),
    party=PartyCode("GHA"),
    vintage=2023,
)
I = U.on(Layer.ITMO)  # noqa: E741 - beside U, as in the text
A = Key(
    layer=Layer.ITMO,
    approach=ApproachId("CA0001"),
    registry=RegistryId("UN01"),
    party=PartyCode("MMR"),
    vintage=2024,
    activity="A0042",
)
B = A.model_copy(update={"activity": "B0007"})
C = A.model_copy(update={"layer": Layer.UNDERLYING, "vintage": 2015, "activity": "CDM10471"})
AUTHORIZED = AuthorizationRef(id=AuthorizationId("GHA-1"), version=1)
AUTHORIZED64 = AuthorizationRef(id=AuthorizationId("MMR-1"), version=1)
AT_ISSUANCE = AuthorizationRef(id=AuthorizationId("GHA-2"), version=1)
"""Ghana's authorization by which units are first-transferred with their issuance."""
REVOKED = AuthorizationRef(id=AuthorizationId("GHA-3"), version=2)
"""Ghana's revocation, by terms that bind what was first-transferred."""
NDC = UseMark(purpose=Purpose.NDC, user="CHE", year=2026)
NDC_MYANMAR = UseMark(purpose=Purpose.NDC, user="MMR", year=2026)
NDC_KOREA = UseMark(purpose=Purpose.NDC, user="KOR", year=2026)
REVERSED = UseMark(user="Developer", cancellation=Cancellation.OTHER)
FLIGHT = UseMark(purpose=Purpose.IMP, user="Airline of the Alps")
VOLUNTARY = FLIGHT.model_copy(update={"cancellation": Cancellation.VOLUNTARY, "oimp": "CORSIA"})
BUYER = UseMark(purpose=Purpose.OP, user="Buyer")
OMGE = UseMark(user="GHA", cancellation=Cancellation.OMGE_VOLUNTARY)


@cache
def signer(name: str) -> SoftwareSigner:
    """A key of its own for whoever is named."""
    return SoftwareSigner(
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(digest(name.encode())))
    )


def key_text(name: str) -> str:
    return signer(name).public.to_text()


def signed(act: Genesis | Admission | ProfileChange | Any, *names: str) -> SignedAct:
    """An act's line, signed by those named."""
    return sign_act(act.model_dump_json(), [signer(name) for name in names])


def genesis(**changes: Any) -> Genesis:
    members: dict[str, Any] = {
        "log": "hub.example",
        "hub_key": key_text("HUB"),
        "checkpoint_key": key_text("checkpoints"),
        "administrators": tuple(
            Administrator(name=name, key=key_text(name)) for name in ("ada", "ben", "cleo")
        ),
        "threshold": 2,
        "at": NOON,
    }
    return Genesis(**members | changes)


def admission(participant: str, *actors: Actor, **changes: Any) -> Admission:
    members: dict[str, Any] = {
        "participant": Participant(participant),
        "actors": tuple(ActorKey(actor=actor, key=key_text(actor)) for actor in actors),
        "witness_key": key_text(f"witness {participant}"),
        "status": Status.ACTIVE,
        "at": NOON,
    }
    return Admission(**members | changes)


def profile(a: Actor, b: Actor, name: Profile) -> ProfileChange:
    return ProfileChange(actors=(a, b), profile=name, at=NOON)


@cache
def directory(mechanism: tuple[Actor, ...] = (ADM, MMR)) -> Directory:
    """Everybody admitted and connected."""
    result = Directory.begin(signed(genesis(), "HUB", "ada", "ben", "cleo"))
    for participant, actors in (
        ("GHA01", (GHA,)),
        ("CHE01", (CHE,)),
        ("UN01", mechanism),
        ("UN02", (KOR,)),
    ):
        result = result.apply(signed(admission(participant, *actors), "ada", "ben", *actors))
    for a, b, name in ((GHA, CHE, Profile.INFORMATION), (MMR, KOR, Profile.UNIT)):
        result = result.apply(signed(profile(a, b, name), a, b))
    return result


# --- proposals ----------------------------------------------------------------------------------


def account(actor: Actor, code: str, number: int = 1) -> AccountNumber:
    return account_number(actor, code, number)


def proposal(action: str, *lines: Line, **members: Any) -> Proposal:
    """A proposal with the right quantity, unless told otherwise."""
    return Proposal.model_validate(
        {
            "action": action,
            "lines": lines,
            "quantity": sum(x.last - x.first + 1 for x in lines),
            "expires_at": LATER,
            **members,
        }
    )


def issuance(
    actor: Actor,
    key: Key,
    first: int,
    last: int,
    attributes: Attributes | None = None,
    under: tuple[str, int] | None = None,
) -> Proposal:
    """A Party registry's issuance, or one of the mechanism registry with both levies, `under` an
    approval of so many units.
    """
    size = last - first + 1
    name, approved = under or (f"SB-{first}", size)
    ranges = [(first, last, "HLD")]
    if actor == ADM:
        share, omge = -(-size // 20), -(-size // 50)
        ranges = [
            (first, last - share - omge, "PEN"),
            (last - share - omge + 1, last - omge, "SOP"),
            (last - omge + 1, last, "OMG"),
        ]
    return proposal(
        "issuance",
        *(
            Line(
                key=key,
                first=low,
                last=high,
                target=account(actor, code),
                attributes=(attributes or Attributes()).but(
                    first_transferred=code in {"SOP", "OMG"}
                    or (attributes or Attributes()).first_transferred
                ),
            )
            for low, high, code in ranges
        ),
        references=IssuanceReferences(request="R-1", approval=name, approved_quantity=approved),
    )


def approval(name: str, quantity: int, key: Key = A, **changes: Any) -> Proposal:
    """The Supervisory Body approved a request for issuance, and the administrator records it."""
    members: dict[str, Any] = {
        "id": name,
        "request": "R-1",
        "requested_by": "Entity",
        "verification": "V-1",
        "certification": "C-1",
        "decided_on": Day("2027-02-01"),
        "party": key.party,
        "activity": key.activity,
        "vintage_from": key.vintage,
        "vintage_to": key.vintage,
        "quantity": quantity,
        "participants": ("Developer",),
    }
    return proposal("approval", approval=ApprovalRecord(**members | changes))


def instruction(key: Key = A, **changes: str) -> Instruction:
    """A participant of the activity says what becomes of pending units."""
    members = {
        "approval": "SB-101" if key == B else "SB-1",
        "participant": "Developer",
        "reference": "letter of 1 March 2027",
    }
    return Instruction(**members | changes)


def designation(first: int, last: int, letters: str = "I", **members: Any) -> Proposal:
    """Myanmar authorizes contributions of its own account later."""
    one = Line(key=B, first=first, last=last, source=account(MMR, "HLD"))
    members = {"designation": letters, "authorization": AUTHORIZED64, **members}
    return proposal("designation", one, **members)


def cer_entry(first: int, last: int, **members: Any) -> Proposal:
    """CERs are taken into the mechanism registry."""
    one = Line(
        key=C,
        first=first,
        last=last,
        target=account(ADM, "CER"),
        attributes=Attributes(designation="CER"),
    )
    references = IssuanceReferences(request="R-1", approval="CDM-1", approved_quantity=200)
    return proposal("cer-entry", one, **{"references": references, **members})


def replenishment(first: int, last: int, **members: Any) -> Proposal:
    """Myanmar's participants make up for a reversal."""
    source, target = account(MMR, "HLD"), account(ADM, "BUF")
    members = {"reversal": "RV-1", **members}
    return move("replenishment", B, first, last, source, target, **members)


def reversed_by(first: int, last: int, key: Key = B, **members: Any) -> Proposal:
    """The administrator cancels units of the buffer for a reversal."""
    source, target = account(ADM, "BUF"), account(ADM, "ADC")
    members = {"use": REVERSED, "reversal": "RV-1", **members}
    return move("administrative-cancellation", key, first, last, source, target, **members)


def move(
    action: str,
    key: Key,
    first: int,
    last: int,
    source: AccountNumber,
    target: AccountNumber,
    itmo_first: int | None = None,
    **members: Any,
) -> Proposal:
    one = Line(key=key, first=first, last=last, source=source, target=target, itmo_first=itmo_first)
    if target.actor != source.actor:
        members.setdefault("acquirer", target.actor)
    if source.kind_code == "PEN" and action in {
        "forwarding",
        "first-transfer",
        "cancellation",
        "replenishment",
    }:
        members.setdefault("instruction", instruction(key))
    return proposal(action, one, **members)


def terms(actor: Actor, **changes: Any) -> AuthorizationTerms:
    ghana = actor == GHA
    members: dict[str, Any] = {
        "id": AUTHORIZED.id if ghana else AUTHORIZED64.id,
        "version": 1,
        "approach": U.approach if ghana else A.approach,
        "party": PartyCode(actor.section),
        "purposes": (Purpose.NDC, Purpose.IMP),
        "parties": (PartyCode("CHE"),) if ghana else (PartyCode("KOR"),),
        "entities": (FLIGHT.user,),
        "quantity": 500,
        "vintage_from": 2022,
        "vintage_to": 2025,
        "use_from": 2024,
        "use_to": 2030,
        "first_transfer": FirstTransferDefinition.USE_OR_CANCELLATION,
        "oimp": "CORSIA",
    }
    return AuthorizationTerms(**members | changes)


def authorization(actor: Actor, **changes: Any) -> Proposal:
    return proposal("authorization", terms=terms(actor, **changes))


def first_transfer(first: int, last: int, itmo_first: int) -> Proposal:
    """Ghana's underlying units become Swiss ITMOs."""
    return move(
        "first-transfer",
        U,
        first,
        last,
        account(GHA, "HLD"),
        account(CHE, "HLD"),
        itmo_first,
        authorization=AUTHORIZED,
    )


def counter_entry(first: int, last: int, **members: Any) -> Proposal:
    """Switzerland gives back ITMOs of which the authorization is revoked."""
    source, target = account(CHE, "HLD"), account(GHA, "HLD", 3)
    members = {"authorization": REVOKED, **members}
    return move("counter-entry", I, first, last, source, target, **members)


def bound_first_transfer(first: int, last: int, itmo_first: int) -> Proposal:
    """Ghana's units become Swiss ITMOs, by terms under which a revocation binds them."""
    ref = REVOKED.model_copy(update={"version": 1})
    return first_transfer(first, last, itmo_first).model_copy(update={"authorization": ref})


def unit_transfer(first: int, last: int) -> Proposal:
    """Myanmar's A6.4ERs leave the mechanism registry for Korea's section."""
    return move(
        "first-transfer",
        A,
        first,
        last,
        account(MMR, "HLD"),
        account(KOR, "HLD"),
        authorization=AUTHORIZED64,
    )


# --- the world ----------------------------------------------------------------------------------


@dataclass
class World:
    """The log's facts, and what completes in it."""

    directory: Directory = field(default_factory=directory)
    holdings: Holdings = field(default_factory=Holdings)
    authorizations: dict[tuple[PartyCode, AuthorizationId], Authorization] = field(
        default_factory=dict
    )
    approvals: dict[tuple[Actor, str], Approval] = field(default_factory=dict)
    overdue: dict[Actor, tuple[CaseId, ...]] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    now: Instant = NOON
    whole: bool = True
    number: int = 0

    def facts(self) -> Facts:
        return Facts(
            self.directory,
            self.holdings,
            self.authorizations,
            self.now,
            self.policy,
            self.whole,
            self.approvals,
            self.overdue,
        )

    def ask(self, author: Actor, wanted: Proposal, **changes: Any) -> Ask:
        transaction = TransactionId(f"{author.replace('/', '-')}-{self.number + 1}")
        return Ask(transaction, author, wanted, self.facts())._replace(**changes)

    def examine(self, author: Actor, wanted: Proposal, **changes: Any) -> list[Finding]:
        return examine(self.ask(author, wanted, **changes))

    def consents(self, author: Actor, wanted: Proposal) -> list[Consent]:
        message, acceptance = self.message(wanted), digest(b"acceptance")
        return consents(wanted, author, self.holdings, message, acceptance)

    def message(self, wanted: Proposal) -> Digest:
        return digest(wanted.model_dump_json().encode())

    def act(self, author: Actor, wanted: Proposal) -> list[Effect]:
        """Complete a proposal that passes, and give its effects."""
        found = self.examine(author, wanted)
        assert not found, [str(f) for f in found]
        effects = completion(wanted, author, self.holdings, self.message(wanted))
        for effect in effects:
            assert apply(self.holdings, effect, Everybody()) == []
            if isinstance(effect, AuthorizationEffect):
                known = self.authorizations.setdefault(
                    (effect.terms.party, effect.terms.id), Authorization()
                )
                known.versions[effect.terms.version] = effect.terms
            if isinstance(effect, ApprovalEffect | ApprovalRecordEffect):
                count_approval(self.approvals, effect)
        for authorized, quantity in counted(wanted).items():
            self.authorizations[authorized].used += quantity
        self.number += 1
        return effects


def settled() -> World:
    """A world with something of everything: issued, authorized, transferred, used."""
    world = World()
    world.act(GHA, issuance(GHA, U, 1001, 2000))
    world.act(GHA, authorization(GHA))
    by_issuance = {"first_transfer": FirstTransferDefinition.ISSUANCE, "quantity": None}
    world.act(GHA, authorization(GHA, id=AT_ISSUANCE.id, **by_issuance))
    world.act(GHA, issuance(GHA, I, 4001, 4100, Attributes(authorization=AUTHORIZED)))
    world.act(GHA, first_transfer(1001, 1100, 1))
    binding: dict[str, Any] = {"id": REVOKED.id, "binds_first_transferred": True}
    world.act(GHA, authorization(GHA, **binding))
    world.act(GHA, bound_first_transfer(1901, 1950, 901))
    world.act(GHA, authorization(GHA, version=2, revoked=True, **binding))
    world.act(CHE, move("use", I, 91, 100, account(CHE, "HLD"), account(CHE, "USE"), use=NDC))
    for name, quantity in (("SB-301", 100), ("S100", 100), ("S101", 101)):
        world.act(ADM, approval(name, quantity))
    for key, first, last, designation in (
        (A, 1, 100, "NI"),
        (B, 101, 200, "MCU"),
        (B, 201, 300, "I"),
    ):
        world.act(ADM, approval(f"SB-{first}", last - first + 1, key))
        world.act(ADM, issuance(ADM, key, first, last, Attributes(designation=designation)))
        forward = move(
            "forwarding", key, first, first + 59, account(ADM, "PEN"), account(MMR, "HLD")
        )
        world.act(ADM, forward)
    world.act(MMR, authorization(MMR))
    world.act(MMR, unit_transfer(1, 20))
    world.act(MMR, replenishment(151, 160))
    world.act(ADM, approval("CDM-1", 200, C))
    world.act(ADM, cer_entry(1, 100))
    world.act(ADM, move("cer-transfer", C, 1, 50, account(ADM, "CER"), account(MMR, "CER")))
    return world


GOOD: dict[str, tuple[Actor, Proposal]] = {
    "issuance": (GHA, issuance(GHA, U, 2001, 2100)),
    "issuance of A6.4ERs": (ADM, issuance(ADM, A, 301, 400, Attributes(designation="N"))),
    "approval": (ADM, approval("SB-401", 100)),
    "authorization": (GHA, authorization(GHA, version=2)),
    "designation": (MMR, designation(111, 120)),
    "entry of CERs": (ADM, cer_entry(101, 200)),
    "transfer of CERs": (
        ADM,
        move("cer-transfer", C, 51, 60, account(ADM, "CER"), account(MMR, "CER")),
    ),
    "use of CERs": (
        MMR,
        move("cer-use", C, 1, 10, account(MMR, "CER"), account(MMR, "RET"), use=NDC_MYANMAR),
    ),
    "replenishment": (MMR, replenishment(141, 150)),
    "administrative cancellation": (ADM, reversed_by(151, 155)),
    "forwarding": (
        ADM,
        move("forwarding", A, 61, 70, account(ADM, "PEN"), account(MMR, "HLD")),
    ),
    "first transfer": (GHA, first_transfer(1101, 1150, 101)),
    "first transfer of A6.4ERs": (MMR, unit_transfer(21, 30)),
    "first transfer at home": (
        GHA,
        move(
            "first-transfer",
            U,
            1201,
            1210,
            account(GHA, "HLD"),
            account(GHA, "HLD", 2),
            501,
            authorization=AT_ISSUANCE,
        ),
    ),
    "issuance of ITMOs": (
        GHA,
        issuance(GHA, I, 5001, 5100, Attributes(authorization=AT_ISSUANCE, first_transferred=True)),
    ),
    "first transfer of a Party's ITMOs": (
        GHA,
        move(
            "first-transfer",
            I,
            4001,
            4010,
            account(GHA, "HLD"),
            account(CHE, "HLD"),
            authorization=AUTHORIZED,
        ),
    ),
    "first transfer by use": (
        GHA,
        move(
            "use",
            U,
            1401,
            1410,
            account(GHA, "HLD"),
            account(GHA, "USE"),
            601,
            authorization=AUTHORIZED,
            use=FLIGHT,
        ),
    ),
    "first transfer by cancellation": (
        GHA,
        move(
            "cancellation",
            I,
            4011,
            4020,
            account(GHA, "HLD"),
            account(GHA, "CAN"),
            authorization=AUTHORIZED,
            use=VOLUNTARY,
        ),
    ),
    "first transfer for overall mitigation": (
        GHA,
        move(
            "cancellation",
            U,
            1411,
            1412,
            account(GHA, "HLD"),
            account(GHA, "OMG"),
            611,
            authorization=AUTHORIZED,
            use=OMGE,
        ),
    ),
    "cancellation for overall mitigation": (
        CHE,
        move("cancellation", I, 41, 42, account(CHE, "HLD"), account(CHE, "OMG"), use=OMGE),
    ),
    "counter-entry": (CHE, counter_entry(901, 930)),
    "transfer": (CHE, move("transfer", I, 1, 10, account(CHE, "HLD"), account(GHA, "HLD"))),
    "use": (CHE, move("use", I, 11, 20, account(CHE, "HLD"), account(CHE, "USE"), use=NDC)),
    "use by an entity": (
        CHE,
        move("use", I, 21, 30, account(CHE, "HLD"), account(CHE, "USE"), use=FLIGHT),
    ),
    "use of A6.4ERs": (
        KOR,
        move("use", A, 1, 5, account(KOR, "HLD"), account(KOR, "USE"), use=NDC_KOREA),
    ),
    "cancellation": (
        CHE,
        move("cancellation", I, 31, 40, account(CHE, "HLD"), account(CHE, "CAN"), use=FLIGHT),
    ),
    "cancellation of underlying units": (
        GHA,
        move("cancellation", U, 1301, 1310, account(GHA, "HLD"), account(GHA, "CAN"), use=BUYER),
    ),
    "cancellation of a contribution": (
        MMR,
        move("cancellation", B, 101, 110, account(MMR, "HLD"), account(MMR, "CAN"), use=BUYER),
    ),
}
"""What each of the actions looks like when it is right, in the settled world."""
