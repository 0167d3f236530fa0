# SPDX-License-Identifier: Apache-2.0
"""A registry that came later, with second sections of Ghana and Switzerland, and acts about them.

Elsewhere: the world before it (`world`).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from ledger.directory import Directory, DirectoryError
from schemas.directory import BindingChange, Revocation
from schemas.findings import Reason
from schemas.identifiers import Actor, Instant, PartyCode
from tests.unit.ledger.world import NOON, admission, directory, signed, signer

GHANA, SWISS, LAOS, DESK = (Actor(f"UN03/{name}") for name in ("GHA", "CHE", "LAO", "ADM"))
MINUTES = [Instant(f"2027-03-01T12:{minute:02d}:00.000000Z") for minute in range(10)]


def binding(actor: Actor | None = GHANA, minute: int = 1, **changes: Any) -> BindingChange:
    members: dict[str, Any] = {
        "party": PartyCode("GHA"),
        "actor": actor,
        "reason": "letter of 1 March",
        "at": MINUTES[minute],
    }
    return BindingChange(**members | changes)


def revocation(actor: Actor) -> Revocation:
    """For good: no key follows."""
    old = signer(actor).public.key_id
    return Revocation(actor=actor, old=old, new=None, closes=(), reason="lost", at=NOON)


@cache
def shared() -> Directory:
    """Ghana and Switzerland have a second section each, in a registry that came later."""
    act = admission("UN03", GHANA, SWISS, LAOS, DESK, at=MINUTES[0])
    return directory().apply(signed(act, "ada", "ben", GHANA, SWISS, LAOS, DESK))


def refused(reason: Reason, match: str, act: Callable[[], object]) -> None:
    with pytest.raises(DirectoryError, match=match) as caught:
        act()
    assert caught.value.finding.reason is reason
