# SPDX-License-Identifier: Apache-2.0
"""Working on cases: the commands by which people assign, comment, explain and resolve them.

A case says what differs; what is to be done about it people must find out, and somebody must answer
for that. So a case has an owner, a due date, comments, and a resolution that two operators have
signed, each in a command of their own with the very same text. All that stays here but one thing:
an explanation goes to the hub, which logs it, and so to everybody whom the case concerns. None of
this ends a case, lifts a freeze or moves a unit: a case ends when the ledgers agree, and a repair
is a transaction like any other. A case that has ended can still be commented and resolved, so that
what was learned stands with it.

Elsewhere: notes and what they come to (`notes`), opening and closing (`cases`).
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from reconciliation.cases import explain_case
from reconciliation.notes import Note, NoteKind, progress_of
from reconciliation.state import Facts
from runtime import events
from runtime.orders import unfit
from runtime.program import Batch, Order
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import CaseId
from schemas.units import Frozen

__all__ = ["COMMANDS", "case_named", "check_arguments", "decide_order", "malformed"]

COMMANDS = dict.fromkeys(("assign", "comment", "explain", "resolve"), "operator")
"""Commands about cases and the role that each needs."""

NOTES_MAX = 1000
"""Notes to one case: all of them are read for each more."""

Findings = list[Finding]


def _a_date(text: str) -> str:
    try:
        same = date.fromisoformat(text).isoformat() == text
    except ValueError:
        same = False
    if not same:
        raise ValueError("a date is written as in 2026-12-31")
    return text


def _readable(text: str) -> str:
    """Others read it in a terminal, and a database keeps it."""
    if not text.strip() or not all(c.isprintable() or c == "\n" for c in text):
        raise ValueError("words that can be read, please")
    return text


Words = Annotated[str, Field(max_length=2000), AfterValidator(_readable)]
Explanation = Annotated[str, Field(max_length=400), AfterValidator(_readable)]
Name = Annotated[str, Field(max_length=80), AfterValidator(_readable)]


class _Assignment(Frozen):
    case: CaseId
    owner: Name | None = None
    due: Annotated[str, AfterValidator(_a_date)] | None = None


class _Words(Frozen):
    case: CaseId
    text: Words


class _Explanation(Frozen):
    case: CaseId
    text: Explanation


def case_named(order: Order) -> str:
    """The case that a command is about, as far as it names one."""
    return str(order.arguments.get("case"))


def check_arguments(command: str, arguments: Mapping[str, Any]) -> None:
    """`ValidationError` for arguments that the command would be refused for, whatever the case."""
    _ARGUMENTS[command].model_validate(arguments)


def malformed(order: Order) -> Findings:
    """What is wrong with a command whatever the facts are."""
    try:
        check_arguments(order.command, order.arguments)
    except ValidationError as error:
        return [unfit(error)]
    return []


def decide_order(facts: Facts, order: Order, batch: Batch) -> Findings:
    """Carry out one command about a case."""
    try:
        return _ORDERS[order.command](facts, order, batch)
    except ValidationError as error:
        return [unfit(error)]


def _assign(facts: Facts, order: Order, batch: Batch) -> Findings:
    """Who answers for the case, and by when; without an owner it is nobody's again."""
    wanted = _Assignment.model_validate(order.arguments)
    found = _add(facts, order, batch, wanted.case, "assignment", "", wanted.owner, wanted.due)
    if not found:
        due = f", due {wanted.due}" if wanted.due else ""
        batch.results[order.id] = f"{wanted.case} is {wanted.owner or 'nobody'}'s{due}"
    return found


def _comment(facts: Facts, order: Order, batch: Batch) -> Findings:
    said = _Words.model_validate(order.arguments)
    found = _add(facts, order, batch, said.case, "comment", said.text)
    if not found:
        batch.results[order.id] = f"noted to {said.case}"
    return found


def _explain(facts: Facts, order: Order, batch: Batch) -> Findings:
    """Say why the ledgers differ, to all whom the case concerns."""
    said = _Explanation.model_validate(order.arguments)
    case = next((one for one in facts.kept.cases.values() if one.id == said.case), None)
    if case is None:
        return [finding(Reason.COMMAND_INVALID, f"{said.case} is not open", field="case")]
    if case.explanation == said.text:
        detail = f"{said.case} is explained in these words already"
        return [finding(Reason.COMMAND_INVALID, detail, field="text")]
    found = _add(facts, order, batch, said.case, "explanation", said.text)
    if not found:
        explain_case(facts, batch, case, said.text)
        told = ", ".join((case.actor, *case.concerned))
        batch.results[order.id] = f"{said.case} is explained to {told}"
    return found


def _resolve(facts: Facts, order: Order, batch: Batch) -> Findings:
    """Sign a resolution: the first of two, or the second one under the same words."""
    said = _Words.model_validate(order.arguments)
    before = progress_of(facts.notes.get(said.case, ())).resolution
    if before is not None and before.holds:
        detail = f"{said.case} was resolved by {' and '.join(before.signers)}"
        return [finding(Reason.COMMAND_INVALID, detail, field="case")]
    mine = (note.text for note in facts.notes.get(said.case, ()) if note.operator == order.operator)
    if said.text in mine and before is not None and before.text == said.text:
        detail = f"{order.operator} has signed this already; somebody else must, too"
        return [finding(Reason.COMMAND_INVALID, detail, field="text")]
    found = _add(facts, order, batch, said.case, "resolution", said.text)
    if found:
        return found
    after = progress_of(facts.notes[said.case]).resolution
    assert after is not None
    by = " and ".join(after.signers)
    wanting = "" if after.holds else "; somebody else must sign the same words"
    batch.results[order.id] = f"{said.case} resolved by {by}{wanting}"
    return []


def _add(
    facts: Facts,
    order: Order,
    batch: Batch,
    case: CaseId,
    kind: NoteKind,
    text: str,
    owner: str | None = None,
    due: str | None = None,
) -> Findings:
    notes = facts.notes.get(case)
    if notes is None:
        return [finding(Reason.COMMAND_INVALID, f"there is no case {case}", field="case")]
    if len(notes) >= NOTES_MAX:
        return [finding(Reason.COMMAND_INVALID, f"{case} has {NOTES_MAX} notes", field="case")]
    number = len(notes) + 1
    note = Note(case, number, batch.now, order.operator, kind, text, owner, due, order.id)
    facts.notes[case] = (*notes, note)
    facts.noted.append(note)
    batch.log(events.CASE_WORKED, case=case, operator=order.operator, kind=kind)
    return []


_ARGUMENTS: dict[str, type[_Assignment | _Words | _Explanation]] = {
    "assign": _Assignment,
    "comment": _Words,
    "explain": _Explanation,
    "resolve": _Words,
}

_ORDERS: dict[str, Callable[[Facts, Order, Batch], Findings]] = {
    "assign": _assign,
    "comment": _comment,
    "explain": _explain,
    "resolve": _resolve,
}
