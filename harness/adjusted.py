# SPDX-License-Identifier: Apache-2.0
"""What a run did to each Party's corresponding adjustments, counted from the whole log.

A scenario has no NDC periods: each year stands for itself, and nothing is averaged.

Elsewhere: what counts (`ledger.tally`), a registry's own figures (`a6hub party adjustments`).
"""

from collections.abc import Iterable

from harness.outcome import AdjustmentLine
from ledger.adjustments import adjustment
from ledger.tally import Tally
from schemas.effects import Effect, Move, Restate
from schemas.identifiers import ADMINISTRATOR, PartyCode

__all__ = ["adjusted"]


def adjusted(effects: Iterable[Effect]) -> list[AdjustmentLine]:
    """By Party, unit and year; Parties that have neither transferred nor used are left out."""
    effects = list(effects)
    lines = []
    for party in sorted(_parties(effects)):
        tally = Tally(party)
        tally.take(effects)
        for account, units in tally.sums().items():
            lines.append(
                AdjustmentLine(
                    party=party,
                    year=account.year,
                    unit=account.unit or "t CO2 eq",
                    first_transferred=units.first_transferred,
                    used=units.used,
                    adjustment=adjustment(account.unit, units),
                )
            )
    return sorted(lines, key=lambda line: (line.party, line.unit, line.year))


def _parties(effects: Iterable[Effect]) -> set[PartyCode]:
    """Those in keys, and those with a section in which units change."""
    found: set[PartyCode] = set()
    for effect in effects:
        if isinstance(effect, Move | Restate):
            place = effect.target if isinstance(effect, Move) else effect.position
            found.add(effect.key.party)
            if place.actor.section != ADMINISTRATOR:
                found.add(PartyCode(place.actor.section))
    return found
