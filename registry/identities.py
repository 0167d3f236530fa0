# SPDX-License-Identifier: Apache-2.0
"""Who an authorized entity is, as a registry has established it before it gives it an account.

The decision asks for an account of each entity that is authorized and meets the requirements for
identification (3/CMA.3 annex para 63). A registry keeps which document showed who the entity is,
and by which word its Party authorizes it: an authorization that the Party recorded here, the
approval of an activity that lists the entity as a participant, or a letter.

It is the registry's own record, and no message: what entities are called in terms and use marks is
all that the log knows. A record is never edited; a newer one, or an end, comes after it.

Elsewhere: making and ending records (`identification`), SQL (`identified`).
"""

import re
from typing import Annotated, NamedTuple, Protocol, Self

from pydantic import Field, model_validator

from ledger.asking import Approval, Authorization
from schemas.approvals import Reference
from schemas.identifiers import ADMINISTRATOR, Actor, AuthorizationId, Day, Instant, PartyCode
from schemas.units import Frozen, User

__all__ = [
    "Ending",
    "Ground",
    "Grounds",
    "Identification",
    "Identity",
    "IdentityDocument",
]


class IdentityDocument(Frozen):
    """What showed who the entity is: its type and reference, and whose it is of which day."""

    type: Annotated[str, Field(min_length=1, max_length=80)]
    reference: Reference
    authority: Annotated[str, Field(min_length=1, max_length=120)]
    country: PartyCode
    date: Day


class Ground(Frozen):
    """The Party's word that the entity is authorized: one of the three."""

    authorization: AuthorizationId | None = None
    approval: Reference | None = None
    letter: Reference | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(one is not None for one in (self.authorization, self.approval, self.letter)) != 1:
            raise ValueError("one of authorization, approval and letter")
        return self

    @property
    def words(self) -> str:
        """The word as people call it."""
        for name in ("authorization", "approval", "letter"):
            if (value := getattr(self, name)) is not None:
                return f"{name} {value}"
        raise AssertionError("one is there")


class Identity(Frozen):
    """An entity of a Party, whose section is `actor`. `entity` is its name in terms and use marks;
    `contact` is an office's, and no person's.
    """

    actor: Actor
    entity: User
    name: Annotated[str, Field(min_length=1, max_length=200)]
    document: IdentityDocument
    authorized_by: Ground
    contact: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _is_no_party(self) -> Self:
        if self.actor.section == ADMINISTRATOR:
            raise ValueError("actor: a Party authorizes entities, and no administrator")
        if re.fullmatch(PartyCode.pattern, self.entity):
            raise ValueError(f"entity: {self.entity} would be taken for a Party")
        return self


class Ending(Frozen):
    """That an entity is identified no longer, and why."""

    actor: Actor
    entity: User
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class Identification(NamedTuple):
    """A record: who made it when, by which command at the desk. The newest of an entity counts."""

    record: Identity | Ending
    number: int
    operator: str
    command: int
    at: Instant

    @property
    def identity(self) -> Identity | None:
        """Who the entity is, unless this is an end."""
        return self.record if isinstance(self.record, Identity) else None


class Grounds(Protocol):
    """What tells whether an entity stands: the newest records, by section and name, and the
    authorizations and approvals that they rest on.
    """

    identified: dict[tuple[Actor, str], Identification]
    authorizations: dict[tuple[PartyCode, AuthorizationId], Authorization]
    approvals: dict[tuple[Actor, str], Approval]
