# SPDX-License-Identifier: Apache-2.0
"""Acts on the directory: who takes part, with which keys, connected how.

An act is one line of JSON, kept for ever as it was signed. Its signatures are JWS tokens whose
payload is `{"act": "<sha-256 of the line>"}`. Who must sign is stated with each act; whether they
did is checked in `ledger.directory`, which also says what the acts add up to.

Rules carried out here: 2/CMA.3 annex para 29 (a Party has a registry, or access to one); 6/CMA.4
annex I paras 10 and 24; the connection profiles of the seed's open options, as settings per pair of
actors.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from schemas.identifiers import Actor, Instant, Participant, PartyCode
from schemas.limits import ACTORS_MAX
from schemas.strict import strict_json
from schemas.units import Frozen, Whole

__all__ = [
    "Act",
    "ActorKey",
    "Administrator",
    "Admission",
    "BindingChange",
    "Genesis",
    "KeyId",
    "KeyText",
    "LastSequence",
    "NoteKeyText",
    "Profile",
    "ProfileChange",
    "Revocation",
    "Rotation",
    "SectionAdmission",
    "SignedAct",
    "Status",
    "StatusChange",
    "parse_act",
]

KeyText = Annotated[str, Field(pattern=r"^(?:Ed25519|ES256):[A-Za-z0-9_-]{43,90}$")]
"""A public key as `schemas.jws.PublicKey.to_text` writes it."""

NoteKeyText = Annotated[str, Field(pattern=r"^Ed25519:[A-Za-z0-9_-]{43}$")]
"""A public key for notes and cosignatures, which know Ed25519 alone."""

KeyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""RFC 7638 thumbprint of a public key."""


class Status(StrEnum):
    """`testing`: may talk, may not move units. `suspended`: may not start anything."""

    TESTING = "testing"
    ACTIVE = "active"
    SUSPENDED = "suspended"


class Profile(StrEnum):
    """What may pass between two actors; the default of every pair is `view`."""

    VIEW = "view"
    INFORMATION = "information"
    UNIT = "unit"
    EXTENSION = "extension"


class ActorKey(Frozen):
    """An actor and a public key of its own."""

    actor: Actor
    key: KeyText


class Administrator(Frozen):
    """A person who administers the hub; the name is a role, not a private detail."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    key: KeyText


class Genesis(Frozen):
    """Entry 0 of a log: signed by the hub and every administrator. Its digest is the trust root."""

    act: Literal["genesis"] = "genesis"
    log: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{2,60}$")]
    hub_key: KeyText
    checkpoint_key: NoteKeyText
    administrators: Annotated[tuple[Administrator, ...], Field(min_length=2, max_length=20)]
    threshold: Annotated[int, Field(ge=2, le=20)]
    witnesses: Literal["concerned-and-majority"] = "concerned-and-majority"
    at: Instant

    @model_validator(mode="after")
    def _administrators_can_decide(self) -> Self:
        if self.threshold > len(self.administrators):
            raise ValueError("the threshold is larger than the number of administrators")
        for values in zip(*((a.name, a.key) for a in self.administrators), strict=True):
            if len(set(values)) != len(values):
                raise ValueError("administrators have names and keys of their own")
        return self


class Admission(Frozen):
    """A participant joins: signed by two administrators and by each of its actors' keys."""

    act: Literal["admission"] = "admission"
    participant: Participant
    actors: Annotated[tuple[ActorKey, ...], Field(min_length=1, max_length=ACTORS_MAX)]
    witness_key: NoteKeyText
    status: Status = Status.ACTIVE
    at: Instant


class SectionAdmission(Frozen):
    """A participant gets further sections, `ACTORS_MAX` with those that it has: signed by two
    administrators, by each new section's key, and by the participant: by its administrators'
    section, or where there is none by any section that it has.
    """

    act: Literal["section"] = "section"
    participant: Participant
    actors: Annotated[tuple[ActorKey, ...], Field(min_length=1, max_length=ACTORS_MAX)]
    reason: Annotated[str, Field(max_length=400)] | None = None
    at: Instant


class LastSequence(Frozen):
    """The last sequence to one recipient that a key is good for."""

    to: Participant
    last: Whole


class Rotation(Frozen):
    """An actor changes its key: signed by both. `closes` are the last sequences of the old key."""

    act: Literal["rotation"] = "rotation"
    actor: Actor
    old: KeyId
    new: KeyText
    closes: Annotated[tuple[LastSequence, ...], Field(max_length=300)]
    at: Instant


class Revocation(Frozen):
    """A key is withdrawn: signed by two administrators. `closes` are the last sequences accepted;
    for a recipient not listed none is. `new`, if given, is what the actor signs with from there.
    """

    act: Literal["revocation"] = "revocation"
    actor: Actor
    old: KeyId
    new: KeyText | None
    closes: Annotated[tuple[LastSequence, ...], Field(max_length=300)]
    reason: Annotated[str, Field(max_length=400)]
    at: Instant


class StatusChange(Frozen):
    """A participant's status changes: signed by two administrators."""

    act: Literal["status"] = "status"
    participant: Participant
    status: Status
    reason: Annotated[str, Field(max_length=400)]
    at: Instant


class ProfileChange(Frozen):
    """Two actors agree on a profile: signed by both."""

    act: Literal["profile"] = "profile"
    actors: Annotated[tuple[Actor, ...], Field(min_length=2, max_length=2)]
    profile: Profile
    at: Instant


class BindingChange(Frozen):
    """A Party's ITMOs are tracked in this section from now on, or in none: signed by two
    administrators, by the actor that is bound, and by the one bound before while it can sign.
    """

    act: Literal["binding"] = "binding"
    party: PartyCode
    actor: Actor | None
    reason: Annotated[str, Field(max_length=400)]
    at: Instant

    @model_validator(mode="after")
    def _the_section_is_the_partys(self) -> Self:
        if self.actor is not None and self.actor.section != self.party:
            raise ValueError(f"{self.actor} is no section of {self.party}")
        return self


Act = Annotated[
    Genesis
    | Admission
    | SectionAdmission
    | Rotation
    | Revocation
    | StatusChange
    | ProfileChange
    | BindingChange,
    Field(discriminator="act"),
]

_ACT: TypeAdapter[Act] = TypeAdapter(Act)


class SignedAct(Frozen):
    """An act's line and the JWS tokens over its digest."""

    act: Annotated[str, Field(max_length=65536)]
    signatures: Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=300)]


def parse_act(line: str) -> Act:
    """Read an act's line; a `ValueError` (often pydantic's) says what is wrong."""
    strict_json(line)
    return _ACT.validate_json(line)
