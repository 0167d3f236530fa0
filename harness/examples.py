# SPDX-License-Identifier: Apache-2.0
"""Holding a run to what is expected of each of its examples.

Figures come from where they arise: ends and findings of transactions, first transfers and places of
units from the hub's log and rows, discrepancies from the reconciliation, dates from account
statements.

Elsewhere: comparing them (`points`), the run as a whole (`runner`), the table (`report`).
"""

from collections import defaultdict

from harness.bookings import wrongly_dated
from harness.expected import Held
from harness.outcome import ExampleLine
from harness.points import Came, Event, points_of
from harness.runner import Run, expected_case, named
from ledger.first_transfer import Recorded, Version, first_transfers
from schemas.effects import AuthorizationEffect
from schemas.identifiers import HUB, AccountNumber
from schemas.messages import Entry, parse_message

__all__ = ["judge"]


async def judge(run: Run) -> list[ExampleLine]:
    """Each example with its points. What does not agree is told among what failed, too."""
    if not run.scenario.examples:
        return []
    came = await _gather(run)
    foreseen = {expected_case(one) for one in run.scenario.expect.discrepancies}
    lines = []
    for example in run.scenario.examples:
        records = [record for record in run.records if record.step.case == example.id]
        points = points_of(example, records, came, foreseen)
        lines.append(
            ExampleLine(
                id=example.id,
                title=example.title,
                shows=example.shows,
                steps=len(records),
                points=points,
            )
        )
        for point in points:
            if not point.agrees:
                told = f"{point.about}: expected {point.expected}; found {point.got}"
                run.failed.append(f"example {example.id}, {told}")
    return lines


async def _gather(run: Run) -> Came:
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    logged, events = {}, _Events()
    for row in await run.remote.rows(HUB, "select line from log_entries order by position"):
        message = parse_message(bytes(row.line))
        entries[message.conversation].append(message.body)
        logged[message.body.position] = message.body.at
        events.take(message.conversation, message.body)
    sql = "select id, proposal from transactions"
    proposals = {
        row.id: parse_message(bytes(row.proposal)).body for row in await run.remote.rows(HUB, sql)
    }
    held: defaultdict[str, list[Held]] = defaultdict(list)
    sql = "select series, first, last, account from blocks order by series, first"
    for row in await run.remote.rows(HUB, sql):
        account = AccountNumber(row.account)
        held[row.series].append(Held(row.series, row.first, row.last, account))
    registries = [registry.id for registry in run.scenario.registries]
    return Came(
        dict(entries),
        proposals,
        events.found,
        dict(held),
        await named(run.remote),
        await wrongly_dated(run.remote, registries, logged),
    )


class _Events:
    """First transfers as entries tell them, in the order of the log."""

    def __init__(self) -> None:
        self.found: list[Event] = []
        self._recorded: dict[Version, Recorded] = {}
        self._by: dict[Version, str] = {}

    def take(self, transaction: str, entry: Entry) -> None:
        """The next entry."""
        for effect in entry.effects:
            if isinstance(effect, AuthorizationEffect):
                terms = effect.terms
                version = (terms.party, terms.id, terms.version)
                self._recorded[version] = Recorded(terms, entry.at)
                self._by[version] = transaction
        for one in first_transfers(entry, self._recorded):
            ref, of = one.authorization, transaction
            if ref is not None and one.occurred_at != one.at:
                of = self._by[one.units.key.party, ref.id, ref.version]
            units = one.units.last - one.units.first + 1
            self.found.append(Event(transaction, of, one.subtype, units))
