# SPDX-License-Identifier: Apache-2.0
"""What a scenario's run came to: the figures behind the tables, the report and `summary.json`.

Elsewhere: how they are gathered (`runner`), how they are shown (`report`, `console`).
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "TONNES",
    "AdjustmentLine",
    "DiscrepancyLine",
    "ExampleLine",
    "ExamplePoint",
    "FlowLine",
    "HoldingLine",
    "Outcome",
    "Summary",
    "TimelineLine",
    "TransactionLine",
    "units_name",
]

TONNES = "t CO2 eq"
"""The unit of measure of units that name no other."""


def units_name(layer: str, unit: str) -> str:
    """What a sum of units is called: by its layer, and its unit of measure if that is no tonne."""
    return layer if unit == TONNES else f"{layer} {unit}"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TransactionLine(_Model):
    """One transaction, as the hub's log has it; times are UTC instants as on the wire."""

    id: str
    step: str
    case: str
    action: str
    proposer: str
    acquirer: str | None
    quantity: int
    unit: str = TONNES
    identifiers: str
    state: str
    expected: str
    findings: list[str]
    opened_at: str
    changed_at: str
    position: int | None
    story: str


class FlowLine(_Model):
    """Units that completed transfers moved between actors."""

    source: str
    target: str
    layer: str
    unit: str = TONNES
    quantity: int
    transactions: int


class HoldingLine(_Model):
    """Units of one actor, kind and layer: before the transfers (after issuance), and at the end, by
    the log and by the actor's own rows.
    """

    actor: str
    kind: str
    layer: str
    unit: str = TONNES
    before: int
    after: int
    rows: int


class TimelineLine(_Model):
    """One signed message in the life of a transfer."""

    at: str
    author: str
    recipient: str
    type: str
    digest: str
    says: str


class ProofLine(_Model):
    """One step of verifying the evidence of a transaction, and what it shows."""

    number: int
    claim: str
    said: list[str]


class AdjustmentLine(_Model):
    """What a Party's units of one year and metric do to its emissions, or to its indicator."""

    party: str
    year: int
    unit: str
    first_transferred: int
    used: int
    adjustment: int


class DiscrepancyLine(_Model):
    """A difference that the reconciliation named."""

    case: str
    participant: str
    actor: str
    key: str
    first: int
    last: int
    quantity: int
    cause: str
    expected: str | None
    stated: str | None
    state: str
    found_at: str


class ExamplePoint(_Model):
    """One thing that was expected of an example, and what came."""

    about: str
    expected: str
    got: str
    agrees: bool


class ExampleLine(_Model):
    """An example: what it is, what it shows, and whether all that was expected of it came."""

    id: str
    title: str
    shows: str
    steps: int
    points: list[ExamplePoint]

    @property
    def agrees(self) -> bool:
        """Whether every point of it came as expected."""
        return all(point.agrees for point in self.points)


class Summary(_Model):
    """`summary.json`; see the README for what each member means."""

    title: str
    examples: dict[str, bool]
    transactions: dict[str, int]
    units_issued: dict[str, int]
    units_by_position: dict[str, dict[str, int]]
    units_by_layer: dict[str, int]
    discrepancies: list[DiscrepancyLine]
    settled: bool
    log_size: int
    log_root: str
    messages: int
    signatures: int
    evidence: int
    expectations_failed: list[str]


class Outcome(_Model):
    """Everything that is shown of a run."""

    title: str
    sources: list[str]
    registries: Annotated[dict[str, str], Field(description="participant → name")]
    started_at: str
    finished_at: str
    examples: list[ExampleLine]
    transactions: list[TransactionLine]
    flows: list[FlowLine]
    holdings: list[HoldingLine]
    adjustments: list[AdjustmentLine] = []
    timeline_of: str
    timeline: list[TimelineLine]
    proof: list[ProofLine]
    discrepancies: list[DiscrepancyLine]
    summary: Summary
