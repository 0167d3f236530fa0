# SPDX-License-Identifier: Apache-2.0
"""Gathering the figures of a run from its programs' databases, and the envelopes they sent.

Everything is counted from what is there: the log's entries, the hub's rows, each registry's own
rows, the reconciliation's cases and the outboxes. No figure is carried over from the scenario.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.adjusted import adjusted
from harness.outcome import (
    TONNES,
    DiscrepancyLine,
    ExampleLine,
    FlowLine,
    HoldingLine,
    Outcome,
    ProofLine,
    Summary,
    TimelineLine,
    TransactionLine,
    units_name,
)
from harness.remote import Remote
from harness.runner import Record, Run
from harness.sums import Pile, held_by, issued_in
from schemas.effects import Move
from schemas.envelope import Opened, open_envelope
from schemas.identifiers import HUB, REC
from schemas.messages import Entry, Message, Proposal, parse_message
from schemas.units import ItmoIdentifier

__all__ = ["gather", "write_messages"]


async def gather(
    run: Run,
    started_at: str,
    finished_at: str,
    examples: Sequence[ExampleLine] = (),
    verdicts: Sequence[Mapping[str, Any]] = (),
) -> Outcome:
    """The outcome of a run; `examples` say what came of each, `verdicts` are those on evidence."""
    remote = run.remote
    entries = await _entries(remote)
    envelopes = await _envelopes(remote)
    proven = {verdict["transaction"]: verdict for verdict in verdicts if verdict["valid"]}
    met = {line.id: line.agrees for line in examples}
    summary = await _summary(run, entries, envelopes, len(proven), met)
    transactions = await _transactions(run)
    subject = _subject(run.records)
    return Outcome(
        title=run.scenario.title,
        sources=run.scenario.sources,
        registries={str(r.id): r.name for r in run.scenario.registries},
        started_at=started_at,
        finished_at=finished_at,
        examples=list(examples),
        transactions=transactions,
        flows=_flows(transactions),
        holdings=await _holdings(run, entries),
        adjustments=adjusted(effect for entry in entries for effect in entry.body.effects),
        timeline_of=subject or "",
        timeline=_timeline(envelopes, subject),
        proof=[ProofLine(**step) for step in proven.get(subject or "", {}).get("steps", ())],
        discrepancies=summary.discrepancies,
        summary=summary,
    )


async def write_messages(remote: Remote, folder: Path) -> int:
    """Write every envelope as it was sent, one file each; gives how many."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for participant in remote.stores:
        for row in await remote.rows(
            participant, "select sender, recipient, sequence, body from outbox"
        ):
            name = f"{row.sender.replace('/', '-')}_to_{row.recipient}_{row.sequence:06d}.a6h"
            (folder / name).write_bytes(bytes(row.body))
            number += 1
    return number


async def _entries(remote: Remote) -> list[Message]:
    rows = await remote.rows(HUB, "select line from log_entries order by position")
    return [parse_message(bytes(row.line)) for row in rows]


async def _envelopes(remote: Remote) -> list[Opened]:
    found = []
    for participant in remote.stores:
        rows = await remote.rows(participant, "select body from outbox")
        found += [open_envelope(bytes(row.body)) for row in rows]
    return sorted(found, key=lambda o: (o.manifest.sent_at, o.manifest.sender, o.manifest.sequence))


async def _summary(
    run: Run,
    entries: list[Message],
    envelopes: list[Opened],
    evidence: int,
    examples: dict[str, bool],
) -> Summary:
    remote = run.remote
    states = await remote.rows(HUB, "select state, count(*) as n from transactions group by state")
    held: dict[str, dict[str, int]] = defaultdict(dict)
    layers: Counter[str] = Counter()
    for pile, units in (await held_by(remote, HUB)).items():
        layers[pile.name] += units
        held[pile.actor][units_name(f"{pile.layer} {pile.kind}", pile.unit)] = units
    head = (await remote.rows(HUB, "select size, root from checkpoints order by size desc"))[0]
    return Summary(
        title=run.scenario.title,
        examples=examples,
        transactions={row.state: row.n for row in sorted(states, key=lambda r: r.state)},
        units_issued=dict(issued_in(message.body for message in entries)),
        units_by_position={a: dict(sorted(k.items())) for a, k in sorted(held.items())},
        units_by_layer=dict(layers),
        discrepancies=await _discrepancies(remote),
        settled=run.settled,
        log_size=len(entries),
        log_root=head.root,
        messages=sum(len(opened.lines) for opened in envelopes),
        signatures=len(envelopes),
        evidence=evidence,
        expectations_failed=list(run.failed),
    )


async def _discrepancies(remote: Remote) -> list[DiscrepancyLine]:
    rows = await remote.rows(
        REC,
        "select id, actor, key, first, last, cause, expected, stated, state, opened_at from cases "
        "order by opened_at, id",
    )
    return [
        DiscrepancyLine(
            case=row.id,
            participant=row.actor.partition("/")[0],
            actor=row.actor,
            key=row.key,
            first=row.first,
            last=row.last,
            quantity=row.last - row.first + 1,
            cause=row.cause,
            expected=row.expected,
            stated=row.stated,
            state=row.state,
            found_at=row.opened_at,
        )
        for row in rows
    ]


async def _transactions(run: Run) -> list[TransactionLine]:
    known = {r.id: r for r in await run.remote.rows(HUB, "select * from transactions")}
    lines = []
    for record in run.records:
        row = known.get(record.transaction)
        proposal = parse_message(bytes(row.proposal)).body if row is not None else None
        lines.append(_line(record, row, proposal))
    return lines


def _line(record: Record, row: object, proposal: Proposal | None) -> TransactionLine:
    step = record.step
    quantity = (
        proposal.quantity if proposal else sum(u.span()[2] - u.span()[1] + 1 for u in step.units)
    )
    return TransactionLine(
        id=record.transaction or "(not sent)",
        step=step.name,
        case=step.case,
        action=step.action,
        proposer=str(step.by),
        acquirer=str(step.acquirer) if step.acquirer else None,
        quantity=quantity,
        unit=step.unit or TONNES,
        identifiers=_identifiers(proposal, step.units[0].first if step.units else ""),
        state=record.state,
        expected=step.expect,
        findings=[record.detail] if record.detail else [],
        opened_at=getattr(row, "opened_at", ""),
        changed_at=getattr(row, "changed_at", ""),
        position=getattr(row, "position", None),
        story=step.story,
    )


def _identifiers(proposal: Proposal | None, otherwise: str) -> str:
    if proposal is None or not proposal.lines:
        return otherwise
    texts = [f"{ItmoIdentifier.of(x.key, x.first)} … {x.last}" for x in proposal.lines[:3]]
    return "; ".join(texts) + (" …" if len(proposal.lines) > 3 else "")


def _flows(transactions: list[TransactionLine]) -> list[FlowLine]:
    sums: Counter[tuple[str, str, str]] = Counter()
    numbers: Counter[tuple[str, str, str]] = Counter()
    for line in transactions:
        if line.state == "completed" and line.acquirer is not None:
            way = (line.proposer, line.acquirer, line.unit)
            sums[way] += line.quantity
            numbers[way] += 1
    return [
        FlowLine(
            source=a, target=b, layer="itmo", unit=u, quantity=q, transactions=numbers[a, b, u]
        )
        for (a, b, u), q in sorted(sums.items())
    ]


async def _holdings(run: Run, entries: list[Message]) -> list[HoldingLine]:
    """Per actor, kind and layer: at issuance, by the log at the end, by the actor's own rows."""
    before: Counter[Pile] = Counter()
    for message in entries:
        body: Entry = message.body
        if body.action == "issuance":
            for effect in body.effects:
                if isinstance(effect, Move):
                    target, unit = effect.target, effect.attributes.unit or TONNES
                    before[Pile(target.actor, target.kind, effect.key.layer, unit)] += (
                        effect.quantity
                    )
    after = await held_by(run.remote, HUB)
    rows: Counter[Pile] = Counter()
    for registry in run.scenario.registries:
        rows.update(await held_by(run.remote, registry.id))
    return [
        HoldingLine(**pile._asdict(), before=before[pile], after=after[pile], rows=rows[pile])
        for pile in sorted({*before, *after, *rows})
    ]


def _subject(records: list[Record]) -> str | None:
    """The transfer whose timeline is shown: the first completed one with an acquirer."""
    return next(
        (
            r.transaction
            for r in records
            if r.transaction and r.state == "completed" and r.step.acquirer is not None
        ),
        None,
    )


def _timeline(envelopes: list[Opened], subject: str | None) -> list[TimelineLine]:
    lines = []
    for opened in envelopes:
        for line, told in zip(opened.lines, opened.manifest.messages, strict=True):
            message = parse_message(line)
            if message.conversation == subject:
                lines.append(
                    TimelineLine(
                        at=opened.manifest.sent_at,
                        author=opened.manifest.sender,
                        recipient=opened.manifest.to,
                        type=message.type,
                        digest=told,
                        says=_says(message),
                    )
                )
    return lines


def _says(message: Message) -> str:
    """A message in a few plain words."""
    body = message.body
    if isinstance(body, Entry):
        return f"entry {body.position}: {body.state or 'recorded'}"
    if isinstance(body, Proposal):
        return f"proposes {body.action} of {body.quantity:,}"
    words = {
        "acceptance": "accepts the proposal",
        "rejection": "rejects the proposal",
        "enclosure": "passes on what was signed",
        "withdrawal": "takes the proposal back",
        "notice": "says why it had no effect",
    }
    return words.get(message.type, message.type)
