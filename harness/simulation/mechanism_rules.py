# SPDX-License-Identifier: Apache-2.0
"""What the auditor knows of the mechanism registry alone: approvals and levies, designations,
instructions, and what is forwarded (protocol 5.13; 3/CMA.3 annex paras 52-61).

Elsewhere: which action asks what (`terms`), what is authorized (`authorized`).
"""

from collections.abc import Iterator
from typing import Any

from harness.simulation.model import kind_of
from harness.simulation.question import Question

__all__ = [
    "administrative",
    "approval",
    "cer_transfer",
    "cer_use",
    "designation",
    "forwarding",
    "instructed",
    "issued",
    "recorded",
    "replenishment",
]


FIRST_NDC_LAST = 2030


def approval(q: Question) -> Iterator[str]:
    """Recorded once."""
    record = q.proposal["approval"]
    known = q.model.approvals.get((q.proposer, record["id"]))
    if known is not None and known.record is not None:
        yield "approval-exists"
    elif known is not None and known.approved != record["quantity"]:
        yield "approval-differs"


def issued(q: Question) -> Iterator[str]:
    """What is issued pays its levies, and each unit is designated."""
    known = q.model.approvals.get((q.proposer, q.proposal["references"]["approval"]))
    record = known.record if known is not None else None
    yield from _levies(q, q.proposal["quantity"])
    yield from _deposited(q, record)
    if any(line["attributes"].get("designation") is None for line in q.lines):
        yield "designation-wrong"


def recorded(q: Question, record: dict[str, Any] | None) -> Iterator[str]:
    """The Supervisory Body approved this request, for these units."""
    if record is None:
        yield "approval-missing"
        return
    wrong = q.proposal["references"]["request"] != record["request"]
    for key in (line["key"] for line in q.lines):
        wrong |= any(key[name] != record[name] for name in ("party", "activity"))
        wrong |= not record["vintage_from"] <= key["vintage"] <= record["vintage_to"]
    if wrong:
        yield "approval-differs"


def _levies(q: Question, quantity: int) -> Iterator[str]:
    sums: dict[str, int] = {}
    for line in q.lines:
        kind = kind_of(line["target"])
        sums[kind] = sums.get(kind, 0) + line["last"] - line["first"] + 1
    if sums.get("share-of-proceeds", 0) != _up(quantity, q.model.share_of_proceeds_permille):
        yield "share-of-proceeds-wrong"
    if sums.get("omge", 0) < _up(quantity, q.model.omge_permille):
        yield "omge-too-small"


def _deposited(q: Question, record: dict[str, Any] | None) -> Iterator[str]:
    """What the approval says goes to the buffer."""
    found = sum(x["last"] - x["first"] + 1 for x in q.lines if kind_of(x["target"]) == "buffer")
    if record is not None:
        due = _up(q.proposal["quantity"], record.get("buffer_permille", 0))
        if found != due:
            yield "buffer-wrong"


def replenishment(q: Question) -> Iterator[str]:
    """To the administrator's buffer, of what was not first-transferred."""
    if (q.acquirer or q.proposer) != f"{q.model.mechanism}/ADM":
        yield "acquirer-wrong"
    if any(unit.said["first_transferred"] for _, _, unit in q.units()):
        yield "already-first-transferred"


def administrative(q: Question) -> Iterator[str]:
    """For nobody's purpose; of the buffer, for a reversal."""
    mark = q.proposal["use"]
    if mark.get("cancellation") != "other" or mark.get("purpose"):
        yield "authorization-purpose"
    buffered = any(kind_of(line["source"]) == "buffer" for line in q.lines)
    if buffered and not q.proposal.get("reversal"):
        yield "member-missing"


def cer_transfer(q: Question) -> Iterator[str]:
    """Inside the registry."""
    if q.leaves:
        yield "acquirer-wrong"


def cer_use(q: Question) -> Iterator[str]:
    """Towards the first NDC of whoever holds them."""
    mark = q.proposal["use"]
    if mark.get("purpose") != "NDC":
        yield "first-ndc-only"
        return
    if mark["year"] > FIRST_NDC_LAST:
        yield "first-ndc-only"
    if mark["user"] != q.section or q.section == "ADM":
        yield "author-not-acting"


def _up(quantity: int, permille: int) -> int:
    """A share, rounded up to whole units."""
    whole, rest = divmod(quantity * permille, 1000)
    return whole + (1 if rest else 0)


def designation(q: Question) -> Iterator[str]:
    """Contributions, for what the authorization is for."""
    reference, letters = q.proposal["authorization"], set(q.proposal["designation"])
    for _, _, unit in q.units():
        if unit.said["first_transferred"]:
            yield "already-first-transferred"
        if unit.said["designation"] != "MCU":
            yield "designation-wrong"
    for party in {line["key"]["party"] for line in q.lines}:
        known = q.model.authorizations.get((party, reference["id"]), [])
        named = known[-1]["purposes"] if 1 <= reference["version"] <= len(known) else "NIO"
        if letters - {purpose[0] for purpose in named}:
            yield "designation-wrong"


def forwarding(q: Question) -> Iterator[str]:
    """Authorized units that go to another Party are first-transferred."""
    to = (q.acquirer or "").partition("/")[2]
    for line, _, unit in q.units():
        if to not in {"ADM", line["key"]["party"]} and unit.said["designation"] != "MCU":
            yield "first-transfer-wrong"


def instructed(q: Question) -> Iterator[str]:
    """Somebody who takes part in the activity has said so, where units leave a pending account."""
    given = q.proposal.get("instruction")
    pending = [line for line in q.lines if kind_of(line.get("source") or "--") == "pending"]
    if q.action in {"designation", "administrative-cancellation"}:
        return
    if pending and not given:
        yield "member-missing"
    if given and not pending:
        yield "member-superfluous"
    if not given or not pending:
        return
    known = q.model.approvals.get((q.proposer, given["approval"]))
    if known is None or known.record is None:
        yield "approval-missing"
        return
    if given["participant"] not in known.record["participants"]:
        yield "instruction-wrong"
    for key in (line["key"] for line in q.lines):
        if any(key.get(name) != known.record[name] for name in ("party", "activity")):
            yield "instruction-wrong"
