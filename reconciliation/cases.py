# SPDX-License-Identifier: Apache-2.0
"""Cases: a discrepancy that people can work on, opened, explained and closed by notices that the
hub logs and all concerned are told by.

A case is about one exact range of one actor's units. While it is open the range is frozen on that
actor's own side (`freeze`, a setting), and on nobody else's. The same units have one open case at
most, whatever becomes of the cause: what a new finding adds to them is opened beside it. Whom a
case concerns is settled when it is opened, and they are told of every turn that it takes.

Elsewhere: what the cause is (`classify`), whom it concerns (`concerned`), when cases open and close
(`examine`), who explains them (`work`), who has acknowledged what it was told (`telling`).
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ledger.blocks import Range, normalize, subtract
from reconciliation.classify import Classified
from reconciliation.drill import Held
from reconciliation.state import Case, Facts
from runtime import events
from runtime.program import Batch
from schemas.effects import CaseState, Cause, Units
from schemas.identifiers import HUB, REC_ACTOR, Actor, Digest, Instant
from schemas.messages import CaseNotice
from schemas.units import Key

__all__ = [
    "OVERDUE",
    "SWEEPING",
    "close_cases",
    "explain_case",
    "gone",
    "of_deliveries",
    "open_cases",
    "recalled",
]

OVERDUE: Cause = "statement-overdue"
"""An actor does not answer, or says nothing at all."""

SWEEPING: frozenset[Cause] = frozenset({"deliveries-differ", OVERDUE, "tampered-rows"})
"""Causes that cover all an actor should hold where it differs, for want of better knowledge; they
end when a drill-down has come to an end."""

CASES_MAX = 500
"""Cases that one drill-down opens; the next one goes on from there."""


def open_cases(
    facts: Facts,
    batch: Batch,
    actor: Actor,
    found: Iterable[Classified],
    evidence: Sequence[Digest],
    *,
    freeze: bool,
) -> bool:
    """Open a case for whatever has none; False when there was more than may be opened at once."""
    opened = 0
    cases = facts.kept.cases_of(actor)
    taken = _by_key((case.key, case.first, case.last) for case in cases)
    for one in found:
        ranges = taken.setdefault(one.key, [])
        near = _near(ranges, one.first, one.last)
        for first, last in subtract((one.first, one.last), near):
            if opened == CASES_MAX:
                return False
            _open(facts, batch, actor, one, (first, last), evidence, freeze=freeze)
            insort(ranges, (first, last))
            opened += 1
    return True


def _open(
    facts: Facts,
    batch: Batch,
    actor: Actor,
    one: Classified,
    span: Range,
    evidence: Sequence[Digest],
    *,
    freeze: bool,
) -> None:
    facts.kept.last_case += 1
    first, last = span
    case = Case(
        number=facts.kept.last_case,
        actor=actor,
        concerned=one.concerned.actors,
        key=one.key,
        first=first,
        last=last,
        cause=one.cause,
        frozen=freeze,
        detail=_detail(actor, one, last - first + 1),
        opened_at=batch.now,
        expected=one.expected,
        stated=one.stated,
        evidence=tuple(evidence),
    )
    facts.kept.cases[case.number] = case
    _notify(batch, case, "open", case.detail)
    batch.log(
        events.DISCREPANCY_FOUND,
        case=case.id,
        actor=actor,
        key=case.key,
        first=first,
        last=last,
        cause=case.cause,
        concerned=list(case.concerned),
    )


def explain_case(facts: Facts, batch: Batch, case: Case, text: str) -> None:
    """Say in words why the ledgers differ; a later explanation stands in place of an earlier."""
    facts.kept.cases[case.number] = replace(case, explanation=text, explained_at=batch.now)
    _notify(batch, case, "explained", text)


def gone(cases: Iterable[Case], differing: Iterable[Units]) -> list[Case]:
    """Which of an actor's open cases are over, now that all that differs is known."""
    found = _by_key((units.key.text, units.first, units.last) for units in differing)
    return [
        case
        for case in cases
        if case.cause in SWEEPING or not _near(found.get(case.key, []), case.first, case.last)
    ]


def of_deliveries(cases: Iterable[Case]) -> list[Case]:
    """Those that end when the actor says of its deliveries what the log says of them."""
    return [case for case in cases if case.cause == "deliveries-differ"]


def _by_key(units: Iterable[tuple[str, int, int]]) -> dict[str, list[Range]]:
    ranges: dict[str, list[Range]] = {}
    for key, first, last in units:
        ranges.setdefault(key, []).append((first, last))
    return {key: normalize(spans) for key, spans in ranges.items()}


def _near(ranges: Sequence[Range], first: int, last: int) -> list[Range]:
    """Those of sorted, disjoint ranges that share a serial with one."""
    start = bisect_left(ranges, first, key=lambda span: span[1])
    after = bisect_left(ranges, last + 1, key=lambda span: span[0])
    return list(ranges[start:after])


def close_cases(facts: Facts, batch: Batch, cases: Iterable[Case]) -> None:
    """These differences are gone."""
    for case in cases:
        del facts.kept.cases[case.number]
        facts.closed.append(case)
        _notify(batch, case, "closed", "the ledgers agree again")
        batch.log(events.DISCREPANCY_CLOSED, case=case.id, actor=case.actor)


def recalled(notice: CaseNotice, now: Instant) -> Case:
    """A case as far as our own notice tells it: what a restore from an older backup gets back."""
    explained = notice.state == "explained"
    return Case(
        number=int(notice.case.partition("-")[2]),
        actor=notice.actor,
        concerned=notice.concerned,
        key=notice.key.text,
        first=notice.first,
        last=notice.last,
        cause=notice.cause,
        frozen=notice.freeze,
        detail=notice.detail,
        opened_at=now,
        explanation=notice.detail if explained else None,
        explained_at=now if explained else None,
    )


def _notify(batch: Batch, case: Case, state: CaseState, detail: str) -> None:
    body = CaseNotice(
        key=Key.parse(case.key),
        first=case.first,
        last=case.last,
        case=case.id,
        actor=case.actor,
        concerned=case.concerned,
        cause=case.cause,
        state=state,
        freeze=case.frozen,
        detail=detail,
    )
    batch.say(REC_ACTOR, HUB, "case", str(case.id), body)


def _detail(actor: Actor, one: Classified, quantity: int) -> str:
    """The case in a sentence."""
    if one.cause == OVERDUE and one.why:
        return f"{actor} {one.why}"
    if one.cause == OVERDUE:
        return f"{actor} differs from the log and has not answered what exactly it holds"
    if one.cause == "tampered-rows":
        return f"{actor} differs from the log, and its answers contradict the root that it signed"
    if one.cause == "deliveries-differ":
        return f"{actor} says {one.why}"[:400]
    log, own = _where(one.expected), _where(one.stated)
    text = f"{quantity} units: {actor} states {own}, the log has {log}"
    if one.expected and one.stated and one.expected.account == one.stated.account:
        text = f"{quantity} units in {one.stated.account}: {_attribute_changes(one)}"
    if one.expected is None and one.holder not in {None, actor}:
        text += f" and places them with {one.holder}"
    if one.cause == "held-without-issuance":
        text += " and never issued them"
    if one.lost:
        text += f"; its books lack entries {', '.join(map(str, one.lost[:10]))}"
    if one.cause == "log-fork":
        text += "; its books name other entries than the log has"
    if one.concerned.left_out:
        text += f"; {one.concerned.left_out} others had a part in them and are not told"
    return text[:400]


def _where(held: Held | None) -> str:
    return f"them in {held.account}" if held else "none"


def _attribute_changes(one: Classified) -> str:
    assert one.expected is not None
    assert one.stated is not None
    return f"stated {one.stated.attributes:.150}, per the log {one.expected.attributes:.150}"
