# SPDX-License-Identifier: Apache-2.0
"""Closing years: an operator signs a year's figures, and they are what the year has from then on.

The command names the digest of the figures, so that whoever signs it has seen them; the node counts
them itself and closes the year only if they are the same. What is logged later and would change a
closed year changes units and accounts like anything else, and the closed figures not at all: it is
told as an event when it comes, and by the verb `adjustments` for ever after.

A Party's registry does not agree to take back the first transfer of units of a closed vintage:
nothing could be mended after it in any year.

Elsewhere: left_out (`ledger.tally`), the rules of a year (`ledger.adjustments`), SQL (`tallying`).
"""

from collections.abc import Container, Iterable
from contextlib import suppress

from ledger.adjustments import (
    ClosedYear,
    annual_figures,
    levies_left_out,
    may_close,
    period_of,
)
from ledger.tally import changes
from registry.state import RegistryFacts
from runtime import events
from runtime.program import Batch, Order
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Digest, Participant, PartyCode
from schemas.messages import Entry, Proposal

__all__ = ["COMMANDS", "close_year", "closed_vintages", "count_entry", "parties_closing"]

COMMANDS = {"close-year": "administrator"}
"""Commands about years and the role that each needs."""


def parties_closing(orders: Iterable[Order]) -> set[PartyCode]:
    """The Parties of which commands close a year, as far as they can be read."""
    found = set()
    for order in orders:
        with suppress(ValueError):
            if order.command == "close-year":
                found.add(PartyCode(str(order.arguments.get("party"))))
    return found


def close_year(
    facts: RegistryFacts, order: Order, participant: Participant, batch: Batch
) -> list[Finding]:
    """Close a Party's year with the figures that the operator has signed."""
    arguments = order.arguments
    party, signed = PartyCode(str(arguments["party"])), Digest(str(arguments["digest"]))
    year = arguments["year"]
    if not isinstance(year, int):
        raise TypeError(f"{year!r:.60} is not a calendar year such as 2024")
    closed = facts.closed.get(party, {})
    period = period_of(facts.ndc_periods, party, year, closed)
    may_close(period, year, closed, facts.now)
    figures = annual_figures(participant, year, period, facts.tallies[party].sums(), closed)
    if figures.digest != signed:
        detail = (
            f"the figures of {party} {year} are others by now, {figures.digest}; look at them "
            "again with `adjustments`"
        )
        return [finding(Reason.COMMAND_INVALID, detail, field="digest")]
    one = ClosedYear(figures, facts.now, order.operator, order.id)
    facts.closed = {**facts.closed, party: {**closed, year: one}}
    facts.new_closed.append(one)
    batch.results[order.id] = f"{party} {year} closed"
    return []


def closed_vintages(
    facts: RegistryFacts, proposal: Proposal, taker: Actor, mine: Container[Actor]
) -> list[Finding]:
    """What speaks against a counter-entry at the first transferring Party, to which units go back:
    final figures have no first transfer taken out of them (2/CMA.3 annex para 12).
    """
    if proposal.action != "counter-entry" or taker not in mine:
        return []
    found = []
    for i, line in enumerate(proposal.lines):
        closed = facts.closed.get(line.key.party, {}).get(line.key.vintage)
        if closed is not None:
            detail = f"{line.key.party} {line.key.vintage} is closed since {closed.closed_at}"
            units = (line.key, line.first, line.last)
            where = f"body/lines/{i}/key/vintage"
            found.append(finding(Reason.YEAR_CLOSED, detail, field=where, units=units))
    return found


def count_entry(facts: RegistryFacts, entry: Entry, participant: Participant, batch: Batch) -> None:
    """Count an entry that comes in the batch in which a year is closed, and tell of one that comes
    too late for a closed year.
    """
    for tally in facts.tallies.values():
        tally.take(entry.effects)
    for party, closed in facts.closed.items():
        left_out = levies_left_out(facts.ndc_periods, party)
        for account, more in changes(entry.effects, party, participant, left_out).items():
            if account.year in closed:
                batch.log(
                    events.CLOSED_YEAR_CONTRADICTED,
                    party=party,
                    year=account.year,
                    unit=account.unit,
                    first_transferred=more.first_transferred,
                    used=more.used,
                    position=entry.position,
                )
