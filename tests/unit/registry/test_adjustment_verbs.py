# SPDX-License-Identifier: Apache-2.0
"""The verb `adjustments` in this process, on databases to which nothing has come yet.

What it says of units is tried with registries that run.
"""

import asyncio
import csv
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness.cli import COMMANDS
from registry.program import Registry
from runtime.schema import migrate

PERIOD = {"party": "GHA", "first_year": 2021, "last_year": 2030, "method": "averaging"}
REGISTRIES = {
    "party": ("GHA01", ["GHA01/GHA"]),
    "international": ("UN02", ["UN02/KOR", "UN02/VUT"]),
    "mechanism": ("UN01", ["UN01/ADM", "UN01/MMR"]),
}


def run(
    folder: Path, program: str, *words: str, periods: list[dict[str, Any]] | None = None
) -> Result:
    """Run the verb with settings and a database made for it."""
    participant, actors = REGISTRIES[program]
    url = f"sqlite:///{folder / f'{participant}.db'}"
    asyncio.run(migrate(url, Registry.packages))
    (folder / "database").write_text(url)
    lines = [
        f"participant = {json.dumps(participant)}",
        f"actors = {json.dumps(actors)}",
        f"database_file = {json.dumps(str(folder / 'database'))}",
        'broker_file = "broker"',
        'keys = "keys"',
    ]
    for period in [PERIOD] if periods is None else periods:
        lines.append("[[ndc_periods]]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in period.items()]
    settings = folder / "settings.toml"
    settings.write_text("\n".join(lines))
    app = importlib.import_module(COMMANDS[program][0]).app
    return CliRunner().invoke(app, ["adjustments", "--settings", str(settings), *words])


@pytest.mark.parametrize("program", REGISTRIES)
def test_every_registry_tells_a_partys_adjustments(program: str, tmp_path: Path) -> None:
    words = () if program == "party" else ("--party", "GHA")
    done = run(tmp_path, program, "--year", "2024", *words)
    assert done.exit_code == 0, done.output
    first, second, *_ = done.stdout.splitlines()
    assert first == f"GHA 2024, by the entries that came to {REGISTRIES[program][0]}"
    assert second == "NDC period 2021-2030, single-year, averaging"
    assert "average a year                      +0  (+0 / 4)" in done.stdout


def test_the_forms_agree(tmp_path: Path) -> None:
    words = ("--year", "2022", "--emissions", "-7")
    found = json.loads(run(tmp_path, "party", *words, "--format", "json").stdout)
    (account,) = found["accounts"]
    text = run(tmp_path, "party", *words, "--format", "csv").stdout
    (row,) = csv.DictReader(text.splitlines())
    table = run(tmp_path, "party", *words).stdout
    assert (account["balance"], row["balance"]) == (-7, "-7")
    assert (found["closed_at"], row["closed_at"], row["late_used"]) == (None, "", "")
    assert found["late"] == []
    assert found["report_due"] == "2023-04-15"
    assert found["digest"] in table
    assert "open; to be reported by 2023-04-15" in table


@pytest.mark.parametrize(
    ("program", "words", "periods", "why"),
    [
        ("party", (), [], "--party: whose adjustments? There are periods of none; add ndc_periods"),
        ("party", ("--party", "CHE"), [], "CHE has no section in GHA01; there are GHA"),
        ("mechanism", ("--party", "CHE"), None, "CHE has no section in UN01; there are MMR"),
        ("international", ("--party", "VUT"), [], "no period of VUT with the year 2024; add it"),
        ("party", ("--party", "CHE"), None, "CHE has no section in GHA01; there are GHA"),
        ("party", ("--party", "Ghana"), None, "'Ghana' is not a Party code"),
        ("party", ("--indicator", "MWh"), None, "--indicator MWh: give unit and number, as MWh=5"),
        ("party", ("--indicator", "MWh=5.5"), None, "give unit and number"),
        ("party", ("--indicator", "MWh=5"), None, "GHA has no account in MWh up to 2024"),
        ("party", (), [PERIOD | {"party": "CHE"}], "ndc_periods: GHA01 keeps no books of CHE"),
        ("party", (), [PERIOD, PERIOD], "ndc_periods: two periods of GHA have the year 2021"),
        ("party", (), [PERIOD | {"target": "multi-year"}], "averaging is for single-year targets"),
        ("party", (), [PERIOD | {"methods": "x"}], "ndc_periods/0/methods"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_what_to_do(
    program: str,
    words: tuple[str, ...],
    periods: list[dict[str, Any]] | None,
    why: str,
    tmp_path: Path,
) -> None:
    done = run(tmp_path, program, "--year", "2024", *words, periods=periods)
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert why in line
