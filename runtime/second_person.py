# SPDX-License-Identifier: Apache-2.0
"""Dual control: which commands need a second person, and who may be one (ADR 0029). Pure.

The setting `second_person` names commands. One of these does nothing when it is given: it waits
until somebody else has signed `confirm` with its number and the digest of its very line. That is
another operator: another name, another key, and a role no lower than that of whoever gave it. An
authorized entity's command is confirmed by an operator of the registry. `decline` ends it, by
whoever might confirm it, or by its own author.

An entry is a command, or a command and a section, as in `propose ADM`: then what names another
section of this program goes without. Whatever does not plainly name another one waits.

Elsewhere: commands that wait, in the database (`awaiting`); what waits, who signed (`tables`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, ValidationError

from runtime.orders import RANKS, Operator, unfit
from runtime.program import Order
from runtime.tables import NUMBER_MAX
from schemas import jws
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Digest
from schemas.units import Frozen

__all__ = [
    "ANSWERS",
    "LIFETIME_SECONDS",
    "Answer",
    "SecondPerson",
    "answer_of",
    "check_entries",
    "key_id",
    "may_confirm",
    "objection",
]

ANSWERS: dict[str, str] = {"confirm": "operator", "decline": "viewer"}
"""What is said to a command that waits, and the role that it needs at least."""

LIFETIME_SECONDS = 3 * 24 * 3600.0
"""A weekend may lie between two persons; what nobody wants any more should not wait for ever."""


@dataclass(frozen=True, slots=True)
class SecondPerson:
    """Which commands need a second person, and how long they wait for one."""

    commands: tuple[str, ...] = ()
    seconds: float = LIFETIME_SECONDS

    def wanted(self, order: Order, actors: Sequence[Actor]) -> bool:
        """Whether a command of a program with these actors waits for a second person."""
        for entry in self.commands:
            command, _, section = entry.partition(" ")
            if command != order.command:
                continue
            named = order.arguments.get("actor")
            others = [actor for actor in actors if section and actor.section != section]
            if named not in others:
                return True
        return False


class Answer(Frozen):
    """Which command is meant: its number at this desk, and the digest of its line."""

    command: Annotated[int, Field(ge=1, le=NUMBER_MAX)]
    digest: Digest


def answer_of(order: Order) -> Answer | Finding:
    """The arguments of `confirm` or `decline`."""
    try:
        return Answer.model_validate(order.arguments)
    except ValidationError as error:
        return unfit(error, "; take number and digest from `commands`")


def check_entries(
    entries: Sequence[str], roles: Mapping[str, str], actors: Sequence[Actor]
) -> None:
    """`ValueError` for an entry that would never match a command of this program."""
    known = sorted(roles.keys() - ANSWERS.keys())
    sections = [actor.section for actor in actors]
    for entry in entries:
        command, blank, section = entry.partition(" ")
        if command not in known:
            raise ValueError(f"second_person: no command {command} here; one of {', '.join(known)}")
        if blank and section not in sections:
            raise ValueError(f"second_person: {entry}: no section {section} here")


def may_confirm(author: Operator, second: Operator, needed: str) -> bool:
    """Whether somebody may confirm what the author has given, which needs this role."""
    return objection(author, second, needed) is None


def objection(author: Operator, second: Operator, needed: str) -> Finding | None:
    """Why somebody is no second person for a command of the author's that needs this role."""
    if second.name == author.name:
        detail = f"{author.name} has given it; somebody else must confirm it"
        return finding(Reason.SECOND_PERSON_WRONG, detail)
    if key_id(second) == key_id(author):
        detail = f"{second.name} has the key of {author.name}; somebody with another key must"
        return finding(Reason.SECOND_PERSON_WRONG, detail)
    role = needed if author.entity is not None else author.role
    if second.entity is not None or RANKS[second.role] < RANKS[role]:
        detail = f"it takes the role {role}, {second.name} is {second.role}; ask somebody who is"
        return finding(Reason.SECOND_PERSON_WRONG, detail)
    return None


def key_id(operator: Operator) -> str:
    """The id of an operator's key: one key has one, however its text is written."""
    return jws.PublicKey.from_text(operator.key).key_id
