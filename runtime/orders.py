# SPDX-License-Identifier: Apache-2.0
"""Operators' commands: signed lines in a desk inbox, handled like any other item.

A command is one line of JSON with `participant`, `command`, `arguments`, `operator`, `at` and
`nonce`, and is good once, at that participant's desk; its signature is a JWS over
`{"act": "<sha-256 of the line>"}` with the operator's key. Names, roles and public keys of
operators are the node's own settings. No command writes ledger tables: it waits at the desk until
the node's one writer takes it.

Elsewhere: what a command does (each program's `decide`), the tool that writes it (`verbs`).
"""

import json
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from ledger.directory import act_signature
from runtime.clock import Ids
from runtime.program import Entity, Order
from runtime.store import Session
from runtime.tables import desk
from schemas import jws
from schemas.directory import KeyText
from schemas.envelope import digest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import AccountNumber, Instant, Participant
from schemas.messages import strict_json
from schemas.plain import in_words, mistake_in
from schemas.units import Frozen, User

__all__ = [
    "ENTITY_COMMANDS",
    "RANKS",
    "Operator",
    "check_order",
    "submit",
    "unfit",
    "write_order",
]

RANKS = {"viewer": 0, "operator": 1, "administrator": 2}

ENTITY_COMMANDS = frozenset({"propose", "withdraw", "decline"})
"""What the role entity may command, about its own accounts; it declines what it gave itself."""


class Operator(Frozen):
    """A person who may command this node. Roles: viewer, operator, administrator; or entity, for
    one who acts for the authorized entity `entity`, with units in its `accounts` alone. Whoever is
    taken off the list has no access any more.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    role: Annotated[str, Field(pattern=r"^(?:viewer|operator|administrator|entity)$")]
    key: KeyText
    entity: User | None = None
    accounts: Annotated[tuple[AccountNumber, ...], Field(strict=False, max_length=100)] = ()

    @model_validator(mode="after")
    def _entity_has_accounts(self) -> Self:
        given = (self.entity is not None, bool(self.accounts))
        if given != (self.role == "entity",) * 2:
            raise ValueError("entity and accounts go with the role entity, and only with it")
        return self


class _Line(Frozen):
    participant: Participant
    command: Annotated[str, Field(pattern=r"^[a-z-]{2,40}$")]
    arguments: dict[str, Any]
    operator: str
    at: Instant
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


def write_order(
    participant: Participant,
    command: str,
    arguments: dict[str, Any],
    operator: str,
    signer: jws.Signer,
    now: Instant,
    ids: Ids,
) -> tuple[str, str]:
    """The line of a command for one participant, and its signature."""
    line = json.dumps(
        {
            "participant": participant,
            "command": command,
            "arguments": arguments,
            "operator": operator,
            "at": str(now),
            "nonce": ids.nonce(),
        },
        separators=(",", ":"),
    )
    return line, act_signature(line, signer)


async def submit(session: Session, line: str, signature: str, now: Instant) -> int:
    """Put a command into the desk inbox; gives its number.

    The same command twice is refused by the database (`IntegrityError`): its nonce is used.
    """
    nonce = json.loads(line)["nonce"]
    inserted = await session.execute(
        desk.insert().returning(desk.c.id),
        {"submitted_at": str(now), "nonce": nonce, "command": line, "signature": signature},
    )
    return int(inserted.scalar_one())


def check_order(
    row: Any, participant: Participant, operators: dict[str, Operator], roles: dict[str, str]
) -> Order | Finding:
    """A desk row as an order, if its operator signed it and may give it."""
    try:
        strict_json(row.command)
        line = _Line.model_validate_json(row.command)
        operator = operators[line.operator]
        token = jws.parse(row.signature)
        if json.loads(token.payload) != {"act": digest(row.command.encode())}:
            return finding(Reason.SIGNATURE_INVALID, "the signature is over another command")
        jws.verify(token, jws.PublicKey.from_text(operator.key))
        if line.participant != participant or line.nonce != row.nonce:
            return finding(Reason.COMMAND_NOT_ALLOWED, "the command was given to another desk")
    except KeyError:
        return finding(Reason.COMMAND_NOT_ALLOWED, "no such operator here")
    except jws.JWSError as error:
        return finding(Reason.SIGNATURE_INVALID, str(error))
    except ValueError as error:
        return finding(Reason.COMMAND_INVALID, in_words(error))
    needed = roles.get(line.command)
    if needed is None:
        return finding(Reason.COMMAND_INVALID, f"no command {line.command} here")
    if operator.entity is not None:
        if line.command not in ENTITY_COMMANDS:
            detail = f"{line.command} is not for entities"
            return finding(Reason.COMMAND_NOT_ALLOWED, detail)
        entity = Entity(operator.entity, operator.accounts)
        return Order(row.id, line.command, operator.name, line.arguments, entity)
    if RANKS[operator.role] < RANKS[needed]:
        detail = f"{line.command} needs the role {needed}, {operator.name} is {operator.role}"
        return finding(Reason.COMMAND_NOT_ALLOWED, detail)
    return Order(row.id, line.command, operator.name, line.arguments)


def unfit(error: ValidationError, remedy: str = "") -> Finding:
    """What a command's arguments are not fit for: the first fault, with the argument it is in."""
    mistake = mistake_in(error)
    return finding(Reason.COMMAND_INVALID, mistake.words + remedy, field=mistake.path or None)
