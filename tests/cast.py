# SPDX-License-Identifier: Apache-2.0
"""Who takes part in the tests' federation, with which keys, and what they propose to one another.

Keys are made from names, so that they are the same in every run. `ROG01` is admitted like everybody
and has no program: it is spoken for by hand.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.simulation.virtual_time import START
from ledger.directory import sign_act
from runtime.keys import Keyring
from schemas import jws
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
from schemas.identifiers import AccountNumber, Actor, Instant, Participant, account_number
from schemas.messages import Line
from schemas.units import Attributes, AuthorizationRef, Frozen, Key

HUB, REC = Participant("HUB"), Participant("REC")
GHA, CHE, ROG = Actor("GHA01/GHA"), Actor("CHE01/CHE"), Actor("ROG01/ROG")
ADM, MMR = Actor("UN01/ADM"), Actor("UN01/MMR")
KOR, VUT = Actor("UN02/KOR"), Actor("UN02/VUT")
ACTORS: dict[Participant, tuple[Actor, ...]] = {
    HUB: (Actor("HUB"),),
    REC: (Actor("REC"),),
    Participant("GHA01"): (GHA,),
    Participant("CHE01"): (CHE,),
    Participant("UN01"): (ADM, MMR),
    Participant("UN02"): (KOR, VUT),
    Participant("ROG01"): (ROG,),
}
PROFILES = (
    (GHA, CHE, Profile.INFORMATION),
    (GHA, ROG, Profile.INFORMATION),
    (CHE, ROG, Profile.INFORMATION),
    (MMR, KOR, Profile.UNIT),
    (KOR, CHE, Profile.UNIT),
)
ADMINISTRATORS = ("ada", "ben", "cleo")
LOG = "federation.test"

U = Key.parse("underlying:CA0007-GHA01-GHA-2023")
I = Key.parse("itmo:CA0007-GHA01-GHA-2023")  # noqa: E741 - beside U, as in the text
A = Key.parse("itmo:CA0001-UN01-MMR-2024:A0042")
R = Key.parse("underlying:CA0009-ROG01-ROG-2023")
RI = Key.parse("itmo:CA0009-ROG01-ROG-2023")
GH1 = AuthorizationRef.model_validate({"id": "GH-1", "version": 1})
RG1 = AuthorizationRef.model_validate({"id": "RG-1", "version": 1})
MM1 = AuthorizationRef.model_validate({"id": "MM-1", "version": 1})


# --- keys ---------------------------------------------------------------------------------------


@cache
def private(name: str) -> Ed25519PrivateKey:
    """The same key for a name in every run."""
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


@cache
def signer(name: str) -> jws.SoftwareSigner:
    return jws.SoftwareSigner(private(name))


def public(name: str) -> str:
    return signer(name).public.to_text()


def keyring(participant: Participant, *more: Actor) -> Keyring:
    actors: dict[Actor, list[jws.Signer]] = {
        a: [signer(a), signer(f"{a} next"), signer(f"{a} last")]
        for a in (*ACTORS[participant], *more)
    }
    checkpoint = signer("checkpoints") if participant == HUB else None
    return Keyring(actors, signer(f"witness {participant}"), checkpoint)


def signed(act: Frozen, *names: str) -> SignedAct:
    return sign_act(act.model_dump_json(), [signer(name) for name in names])


def genesis() -> SignedAct:
    act = Genesis(
        log=LOG,
        hub_key=public("HUB"),
        checkpoint_key=public("checkpoints"),
        administrators=tuple(Administrator(name=n, key=public(n)) for n in ADMINISTRATORS),
        threshold=2,
        at=Instant.of(START),
    )
    return signed(act, "HUB", *ADMINISTRATORS)


def admission(
    participant: Participant, now: Instant, status: Status = Status.ACTIVE, *more: Actor
) -> SignedAct:
    actors = (*ACTORS[participant], *more)
    act = Admission(
        participant=participant,
        actors=tuple(ActorKey(actor=a, key=public(a)) for a in actors),
        witness_key=public(f"witness {participant}"),
        status=status,
        at=now,
    )
    return signed(act, "ada", "ben", *actors)


def profile(a: Actor, b: Actor, name: Profile, now: Instant) -> SignedAct:
    return signed(ProfileChange(actors=(a, b), profile=name, at=now), a, b)


# --- what is proposed ---------------------------------------------------------------------------


def account(actor: Actor, code: str = "HLD", number: int = 1) -> AccountNumber:
    return account_number(actor, code, number)


def line(
    key: Key,
    first: int,
    last: int,
    source: AccountNumber | None = None,
    target: AccountNumber | None = None,
    **members: Any,
) -> Line:
    return Line(key=key, first=first, last=last, source=source, target=target, **members)


def asked(proposal: Mapping[str, Any]) -> dict[str, Any]:
    """Members of a proposal as arguments of a command."""
    lines = [x.model_dump(mode="json", exclude_none=True) for x in proposal.get("lines", ())]
    rest = {
        name: value.model_dump(mode="json") if isinstance(value, Frozen) else value
        for name, value in proposal.items()
        if name != "lines"
    }
    return {**rest, "lines": lines}


def issuance(actor: Actor, key: Key, first: int, last: int, **members: Any) -> dict[str, Any]:
    attributes = members.pop("attributes", Attributes())
    one = line(key, first, last, target=account(actor), attributes=attributes)
    approval = f"A {first}-{last}"
    references = {"request": "R", "approval": approval, "approved_quantity": last - first + 1}
    return {"action": "issuance", "lines": (one,), "references": references} | members


def approval(name: str, key: Key, quantity: int) -> dict[str, Any]:
    """What the Supervisory Body approved, as the mechanism registry's administrator records it."""
    record = {
        "id": name,
        "request": "R",
        "requested_by": "Entity",
        "verification": "V",
        "certification": "C",
        "decided_on": "2026-02-01",
        "party": key.party,
        "activity": key.activity,
        "vintage_from": key.vintage,
        "vintage_to": key.vintage,
        "quantity": quantity,
        "participants": ["Developer"],
    }
    return {"action": "approval", "approval": record}


def instruction(name: str, participant: str = "Developer") -> dict[str, Any]:
    """What a participant says, whom the approval names."""
    return {"approval": name, "participant": participant, "reference": "letter"}


def terms(id_: str, actor: Actor, approach: str, **members: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "version": 1,
        "approach": approach,
        "party": actor.section,
        "purposes": ["NDC"],
        **members,
    }


def first_transfer(
    first: int, last: int, itmo_first: int, to: Actor = CHE, **members: Any
) -> dict[str, Any]:
    """Ghana's, under the profile `information`."""
    one = line(U, first, last, account(GHA), account(to), itmo_first=itmo_first)
    return {"action": "first-transfer", "lines": (one,), "acquirer": to, "authorization": GH1} | (
        members
    )


def transfer(key: Key, first: int, last: int, source: Actor, to: Actor) -> dict[str, Any]:
    one = line(key, first, last, account(source), account(to))
    return {"action": "transfer", "lines": (one,), "acquirer": to}


def counter_entry(
    first: int, last: int, by: Actor, ref: Mapping[str, Any], **members: Any
) -> dict[str, Any]:
    """ITMOs of Ghana's go back to it; `ref` is the version that revokes their authorization."""
    one = line(I, first, last, account(by), account(GHA))
    return {"action": "counter-entry", "lines": (one,), "acquirer": GHA, "authorization": ref} | (
        members
    )


def use(key: Key, first: int, last: int, by: Actor, **members: Any) -> dict[str, Any]:
    one = line(key, first, last, account(by), account(by, "USE"))
    mark = {"purpose": "NDC", "user": by.section, "year": 2025}
    return {"action": "use", "lines": (one,), "use": mark} | members
