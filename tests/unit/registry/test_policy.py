# SPDX-License-Identifier: Apache-2.0
"""The settings of the rules reach the checks, at the hub and at registries: what an operator has
chosen is what is asked.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from hub.cli import HubDaemonSettings
from ledger.asking import Policy
from registry.cli import RegistryDaemonSettings
from runtime.settings import load_settings

CHOSEN: dict[str, Any] = {
    "mechanism": "UN07",
    "international": ("UN08", "UN09"),
    "share_of_proceeds_permille": 51,
    "share_of_proceeds_rounding": "nearest",
    "omge_permille": 21,
    "omge_rounding": "down",
    "mechanism_passes_all": True,
    "mechanism_to_parties": True,
    "first_ndc_last_year": 2025,
    "transfer_data": True,
    "suspend_overdue": False,
}
FIXED = {"vintage_from"}
"""What the decisions leave to nobody's choice."""
THE_HUBS = {"suspend_overdue"}
"""What only the hub can judge by, since it alone knows who owes an answer."""
FILES = ("database_file", "broker_file", "keys", "anchor_file")


def written(folder: Path, participant: str, chosen: dict[str, Any]) -> Path:
    """A settings file with these members."""
    actors = [participant if participant == "HUB" else f"{participant}/{participant[:3]}"]
    members = {"participant": participant, "actors": actors, **dict.fromkeys(FILES, "x"), **chosen}
    if participant != "HUB":
        del members["anchor_file"]
    path = folder / f"{participant}.toml"
    path.write_text("\n".join(f"{name} = {json.dumps(said)}" for name, said in members.items()))
    return path


def hub(folder: Path, **chosen: Any) -> Policy:
    return load_settings(HubDaemonSettings, written(folder, "HUB", chosen)).policy()


def registry(folder: Path, **chosen: Any) -> Policy:
    return load_settings(RegistryDaemonSettings, written(folder, "GHA01", chosen)).policy()


def test_without_settings_the_rules_are_those_of_the_documents(tmp_path: Path) -> None:
    assert hub(tmp_path) == registry(tmp_path) == Policy()


@pytest.mark.requirement(95)
def test_what_is_chosen_in_the_settings_is_what_the_checks_ask(tmp_path: Path) -> None:
    names = {one.name for one in fields(Policy)} - FIXED
    assert names == set(CHOSEN), "a rule that can be chosen, and stands in no settings"
    expected = CHOSEN | {"international": frozenset(CHOSEN["international"])}
    found = asdict(hub(tmp_path, **CHOSEN))
    assert {name: found[name] for name in names} == expected
    own = names - THE_HUBS
    found = asdict(registry(tmp_path, **{name: CHOSEN[name] for name in own}))
    assert {name: found[name] for name in own} == {name: expected[name] for name in own}
