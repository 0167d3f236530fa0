# SPDX-License-Identifier: Apache-2.0
"""Summing units by actor, kind, layer and unit of measure: never two units of measure in one sum.

Nearly all units are tonnes of CO2 equivalent, and sums of these are named by their layer alone;
what is counted otherwise has a sum of its own, such as `itmo MWh`.

Elsewhere: which sums are shown (`gather`), and which must agree (`runner`).
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from harness.outcome import TONNES, units_name
from harness.remote import Remote
from schemas.effects import Move
from schemas.identifiers import Participant
from schemas.messages import Entry

__all__ = ["Pile", "held_by", "issued_in"]


class Pile(NamedTuple):
    """Units that are summed together."""

    actor: str
    kind: str
    layer: str
    unit: str

    @property
    def name(self) -> str:
        """What the sum is called where actor and kind do not matter."""
        return units_name(self.layer, self.unit)


def issued_in(entries: Iterable[Entry]) -> Counter[str]:
    """Units that came into being, by name."""
    issued: Counter[str] = Counter()
    for effect in (effect for entry in entries for effect in entry.effects):
        if isinstance(effect, Move) and effect.source is None:
            name = units_name(effect.key.layer, effect.attributes.unit or TONNES)
            issued[name] += effect.quantity
    return issued


async def held_by(remote: Remote, participant: Participant) -> Counter[Pile]:
    """The units in a participant's rows."""
    found: Counter[Pile] = Counter()
    sql = "select actor, kind, series, first, last, attributes from blocks"
    for row in await remote.rows(participant, sql):
        unit = json.loads(row.attributes)["unit"] or TONNES
        layer = row.series.partition(":")[0]
        found[Pile(row.actor, row.kind, layer, unit)] += row.last - row.first + 1
    return found
