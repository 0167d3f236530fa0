# SPDX-License-Identifier: Apache-2.0
"""What was reached, added up, and what never was."""

from typing import get_args

from harness.simulation.cast import ADM, KOR, MMR
from harness.simulation.chances import KINDS
from harness.simulation.coverage import Coverage
from ledger.moves import MOVES
from ledger.transactions import TRANSITIONS
from schemas.findings import Reason
from schemas.identifiers import Actor, account_number
from schemas.messages import Action
from schemas.units import KIND_CODES


def test_nothing_reached_is_everything_missing() -> None:
    missing = Coverage().missing()
    assert missing["faults"] == list(KINDS)
    assert missing["findings"] == [str(reason) for reason in Reason]
    steps = [f"{state} {event}" for state, event in TRANSITIONS if state is not None]
    assert missing["transitions"] == steps
    assert len(missing["actions"]) == 2 * len(get_args(Action))
    assert len(missing["moves"]) == sum(max(1, len(row.targets)) for row in MOVES)


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


def test_an_entry_counts_for_its_action_and_if_completed_for_its_moves() -> None:
    reached = Coverage()
    for state in ("cleared", "refused", "completed"):
        reached.entry(state, MMR, proposal("cer-use", line(MMR, "CER", "RET")))
    reached.entry("completed", ADM, proposal("issuance", line(ADM, None, "PEN")))
    reached.entry("completed", KOR, proposal("use", line(KOR, "HLD", "USE")))
    reached.entry("completed", "GHA01/GHA", proposal("authorization"))
    assert reached.actions == {
        "cer-use refused": 1,
        "cer-use completed": 1,
        "issuance completed": 1,
        "use completed": 1,
        "authorization completed": 1,
    }
    assert reached.moves == {
        "cer-use, mechanism: cer to retirement": 1,
        "issuance, mechanism: pending": 1,
        "use, international: holding to use": 1,
    }
    missing = reached.missing()
    assert "cer-use, mechanism: cer to retirement" not in missing["moves"]
    assert "use, Party: holding to use" in missing["moves"]
    assert "use refused" in missing["actions"]


def test_every_move_that_is_missing_is_named_as_it_is_counted() -> None:
    reached, codes = Coverage(), {str(kind): code for code, kind in KIND_CODES.items()}
    of = {"mechanism": ADM, "Party": Actor("GHA01/GHA"), "international": KOR}
    for row in MOVES:
        for target in row.targets or {None}:
            actor = of[row.realm]
            source, entered = (codes[x] if x else None for x in (row.source, target))
            reached.entry("completed", actor, proposal(row.action, line(actor, source, entered)))
    assert reached.missing()["moves"] == []


def proposal(action: str, *lines: dict[str, str]) -> dict[str, object]:
    return {"action": action, "lines": list(lines)}


def line(actor: Actor, source: str | None, target: str | None) -> dict[str, str]:
    found = {"source": source, "target": target}
    return {name: str(account_number(actor, code, 1)) for name, code in found.items() if code}
