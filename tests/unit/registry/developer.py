# SPDX-License-Identifier: Apache-2.0
"""The mechanism registry, where an approval lists a developer, and commands about who entities are
and what they do.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mechanism_node.program import MechanismRegistry
from registry import tables
from runtime.many import write_over
from runtime.program import Order
from schemas.approvals import ApprovalRecord
from schemas.effects import AuthorizationTerms
from schemas.findings import Finding, Reason
from tests.cast import (
    ADM,
    KOR,
    MM1,
    MMR,
    A,
    account,
    approval,
    asked,
    genesis,
    instruction,
    keyring,
    line,
    terms,
)
from tests.unit.registry.bench import Bench, bench_of

HERE = ADM.participant
DEVELOPER, AIRLINE = "Developer", "Airline"
DOCUMENT = {
    "type": "certificate of incorporation",
    "reference": "C-4711",
    "authority": "Directorate of Companies",
    "country": "MMR",
    "date": "2025-03-01",
}
X = Reason


@asynccontextmanager
async def bench_with_developer(tmp_path: Path) -> AsyncIterator[Bench]:
    """The mechanism registry, where an approval lists the developer as a participant."""
    registry = MechanismRegistry(HERE, [ADM, MMR], genesis(), keyring(HERE))
    async with bench_of(registry, f"sqlite:///{tmp_path / 'registry.db'}") as bench:
        record = ApprovalRecord.model_validate_json(json.dumps(approval("A", A, 1000)["approval"]))
        row = {
            "actor": ADM,
            "approval": "A",
            "approved_quantity": 1000,
            "issued": 0,
            "record": record.model_dump_json(),
        }
        async with bench.store.transaction() as session:
            await write_over(session, tables.approvals, [row])
        yield bench


async def authorize(bench: Bench, version: int, **members: Any) -> None:
    """A version of the Party's authorization, as an entry would have brought it."""
    given = json.dumps(terms("MM-1", MMR, "CA0001", version=version, **members))
    row = {
        "party": "MMR",
        "id": "MM-1",
        "version": version,
        "terms": AuthorizationTerms.model_validate_json(given).model_dump_json(),
        "position": version,
    }
    async with bench.store.transaction() as session:
        await write_over(session, tables.authorizations, [row])


def order(command: str, **arguments: Any) -> Order:
    return Order(1, command, "olga", arguments)


def identify(entity: str = DEVELOPER, **members: Any) -> Order:
    given = {
        "actor": MMR,
        "entity": entity,
        "name": f"{entity} Ltd",
        "document": DOCUMENT,
        "authorized_by": {"approval": "A"},
    }
    return order("identify", **given | members)


def end(entity: str = DEVELOPER, reason: str = "dissolved") -> Order:
    return order("end-identification", actor=MMR, entity=entity, reason=reason)


def opening(entity: str | None = DEVELOPER, **members: Any) -> Order:
    return order("open-account", **{"actor": MMR, "kind": "holding", "entity": entity} | members)


def proposing(proposal: dict[str, Any], actor: Any = ADM, **members: Any) -> Order:
    return order("propose", actor=actor, **asked(proposal) | members)


def forwarding(number: int = 1) -> dict[str, Any]:
    one = line(A, 1, 10, account(ADM, "PEN"), account(MMR, "HLD", number))
    return {
        "action": "forwarding",
        "lines": (one,),
        "acquirer": MMR,
        "instruction": instruction("A"),
    }


def first_transfer(number: int = 1, **members: Any) -> dict[str, Any]:
    one = line(A, 1, 10, account(MMR, "HLD", number), account(KOR))
    return {"action": "first-transfer", "lines": (one,), "acquirer": KOR, "authorization": MM1} | (
        members
    )


def cancellation(user: str, number: int = 1) -> dict[str, Any]:
    one = line(A, 1, 10, account(MMR, "HLD", number), account(MMR, "CAN"))
    mark = {"purpose": "OP", "user": user, "cancellation": "voluntary"}
    return {"action": "cancellation", "lines": (one,), "use": mark}


def at(found: list[Finding]) -> list[tuple[Reason, str | None]]:
    return [(one.reason, one.field) for one in found]
