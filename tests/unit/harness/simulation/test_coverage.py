# SPDX-License-Identifier: Apache-2.0
"""What was reached, added up, and what never was."""

from harness.simulation.chances import KINDS
from harness.simulation.coverage import Coverage
from ledger.transactions import TRANSITIONS
from schemas.findings import Reason


def test_nothing_reached_is_everything_missing() -> None:
    missing = Coverage().missing()
    assert missing["faults"] == list(KINDS)
    assert missing["findings"] == [str(reason) for reason in Reason]
    steps = [f"{state} {event}" for state, event in TRANSITIONS if state is not None]
    assert missing["transitions"] == steps


def test_what_runs_reached_is_added_up() -> None:
    whole, part = Coverage(), Coverage()
    part.faults["loss"] = part.findings["units-reserved"] = part.operations["use"] = 2
    part.transitions["proposed clear"] = part.events["entry_logged"] = 3
    part.acts["rotation"] = 1
    whole.add(part)
    whole.add(part)
    assert whole.faults == {"loss": 4}
    assert whole.findings == {"units-reserved": 4}
    assert whole.operations == {"use": 4}
    assert whole.transitions == {"proposed clear": 6}
    assert whole.acts == {"rotation": 2}
    assert whole.events == {"entry_logged": 6}
    missing = whole.missing()
    assert "loss" not in missing["faults"]
    assert "units-reserved" not in missing["findings"]
    assert "proposed clear" not in missing["transitions"]
    assert len(missing["faults"]) == len(KINDS) - 1
