# SPDX-License-Identifier: Apache-2.0
"""An outcome to be shown: small, with one of everything."""

import pytest

from harness.outcome import (
    AdjustmentLine,
    DiscrepancyLine,
    ExampleLine,
    ExamplePoint,
    FlowLine,
    HoldingLine,
    Outcome,
    ProofLine,
    Summary,
    TimelineLine,
    TransactionLine,
)

THAI, SWISS = "THA01/THA", "CHE01/CHE"
ATTRIBUTES = '{"first_transferred":true,"designation":"N","authorization":{"id":"T","version":2}}'


def transaction(number: int, state: str, expected: str = "") -> TransactionLine:
    sent = state != "refused-at-home"
    return TransactionLine(
        id=f"THA01-THA-{number}" if sent else "(not sent)",
        step=f"step-{number}",
        case="A1",
        action="first-transfer",
        proposer=THAI,
        acquirer=SWISS,
        quantity=7_140_000 + number,
        identifiers="CA0005-THA01-THA-1-2022 … 1916",
        state=state,
        expected=expected or state,
        findings=["6002 units-final: used"] if state.startswith("refused") else [],
        opened_at="2026-01-31T23:59:58.500000Z" if sent else "",
        changed_at="2026-02-01T00:00:00.250000Z" if sent else "",
        position=number if sent else None,
        story=f"The story of step {number}.",
    )


@pytest.fixture
def outcome() -> Outcome:
    discrepancy = DiscrepancyLine(
        case="REC-1",
        participant="CHE01",
        actor=SWISS,
        key="itmo:CA0005-THA01-THA-2022",
        first=1917,
        last=1960,
        quantity=44,
        cause="held-without-issuance",
        expected=None,
        stated=f"CHE01-CHE-HLD-1-27 {ATTRIBUTES}",
        state="open",
        found_at="2026-02-01T00:00:01.000000Z",
    )
    messages = [
        ("THA01/THA", "HUB", "proposal", "proposes first-transfer"),
        ("HUB", "CHE01", "entry", "entry 3: cleared"),
        ("HUB", "CHE01", "enclosure", "passes on what was signed"),
        ("CHE01/CHE", "HUB", "acceptance", "accepts the proposal"),
        ("HUB", "THA01", "entry", "entry 4: completed"),
        ("HUB", "REC", "entry", "entry 4: completed"),
    ]
    return Outcome(
        title="A test of everything",
        sources=["The gazette of 8 January 2024"],
        registries={"THA01": "Thailand", "CHE01": "Switzerland"},
        started_at="2026-01-31T23:59:50.000000Z",
        finished_at="2026-02-01T00:00:12.500000Z",
        examples=[
            ExampleLine(
                id="A1",
                title="Thailand to Switzerland, buses",
                shows="That both recognise it.",
                steps=3,
                points=[
                    ExamplePoint(
                        about="First transfers",
                        expected="7,140,002 units",
                        got="7,140,002 units",
                        agrees=True,
                    ),
                    ExamplePoint(
                        about="How steps end",
                        expected="1 rejected",
                        got="1 expired",
                        agrees=False,
                    ),
                ],
            ),
            ExampleLine(id="A2", title="Ghana, stoves", shows="A cap.", steps=0, points=[]),
        ],
        transactions=[
            transaction(1, "completed"),
            transaction(2, "refused-at-home"),
            transaction(3, "expired", expected="rejected"),
        ],
        flows=[
            FlowLine(source=THAI, target=SWISS, layer="itmo", quantity=1916, transactions=2),
            FlowLine(source=SWISS, target=THAI, layer="underlying", quantity=1, transactions=1),
        ],
        holdings=[
            HoldingLine(actor=SWISS, kind="holding", layer="itmo", before=0, after=1916, rows=1960),
            HoldingLine(
                actor=THAI, kind="locked", layer="underlying", before=7_140_000, after=0, rows=0
            ),
        ],
        adjustments=[
            AdjustmentLine(
                party="THA",
                year=2022,
                unit="t CO2 eq",
                first_transferred=1_930,
                used=14,
                adjustment=1_916,
            ),
            AdjustmentLine(
                party="CHE", year=2024, unit="MWh", first_transferred=0, used=815, adjustment=-815
            ),
        ],
        timeline_of="THA01-THA-1",
        timeline=[
            TimelineLine(
                at=f"2026-01-31T23:59:58.{500 + 40 * i}000Z",
                author=author,
                recipient=recipient,
                type=type_,
                digest=f"{i}" * 64,
                says=says,
            )
            for i, (author, recipient, type_, says) in enumerate(messages)
        ],
        proof=[
            ProofLine(number=1, claim="the log is the one that is trusted", said=["log a.b, begun"])
        ],
        discrepancies=[discrepancy],
        summary=Summary(
            title="A test of everything",
            examples={"A1": False, "A2": True},
            transactions={"completed": 1, "expired": 1},
            units_issued={"underlying": 7_140_000, "itmo": 1916},
            units_by_position={},
            units_by_layer={"underlying": 7_140_000, "itmo": 1916},
            discrepancies=[discrepancy],
            settled=True,
            log_size=1234,
            log_root="ab" * 32,
            messages=5678,
            signatures=4321,
            evidence=2,
            expectations_failed=["step step-3 ended expired, expected rejected"],
        ),
    )
