# SPDX-License-Identifier: Apache-2.0
"""`a6hub demo` as its user runs it: what it writes, and that it fails when an expectation does not
hold."""

import json
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.acceptance.workbooks import hold_workbooks

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "scenarios" / "small.toml"
EXAMPLES = ("A1", "A2", "A3", "A4", "A5", "A6", "A8", "A9", "A10", "A11", "A12")
"""The acceptance scenarios that the demonstration plays."""


def run(*arguments: str, command: str = "demo") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, from the checkout."""
    code = "from harness.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, command, *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=ROOT,
    )


def test_the_demo_of_all_cases_holds_every_expectation(tmp_path: Path) -> None:
    output = tmp_path / "output"
    done = run("--output", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((output / "summary.json").read_text())
    assert summary["expectations_failed"] == []
    assert summary["settled"] is True
    assert summary["transactions"]["completed"] >= 12
    assert summary["examples"] == dict.fromkeys(EXAMPLES, True)
    held = sum(n for kinds in summary["units_by_position"].values() for n in kinds.values())
    assert held == sum(summary["units_issued"].values())
    assert summary["units_by_layer"] == summary["units_issued"]
    assert summary["units_issued"]["itmo MWh"] == 3000
    named = {
        (d["participant"], d["first"], d["last"], d["cause"]) for d in summary["discrepancies"]
    }
    assert ("CHE01", 1917, 1960, "held-without-issuance") in named
    assert len(named) == 2
    assert len(list((output / "messages").iterdir())) == summary["signatures"]
    report = (output / "report.html").read_text()
    assert "<svg" in report
    assert "1,916" in report
    assert report.count("✓ as expected") > len(EXAMPLES)
    for example in EXAMPLES:
        assert f"<td><strong>{example}</strong></td>" in report
        assert re.search(rf"\b{example}\b.*as expected", done.stdout), example
    assert "CHE01/CHE 1,917 to 1,960, held-without-issuance" in report
    ((stated, logged),) = re.findall(r"(\S+) in the account statement, (\S+) in the log", report)
    assert date.fromisoformat(stated) - date.fromisoformat(logged) == timedelta(days=5)
    assert "✗ differs" not in report
    assert "cosigned a head that contains it" in report
    proven = {path.stem for path in (output / "evidence").iterdir()}
    assert len(proven) == summary["evidence"] == sum(summary["transactions"].values())
    parties = {name.partition("/")[2] for name in summary["units_by_position"]} - {"ADM"}
    assert set(hold_workbooks(output / "aef")) >= parties


def test_evidence_is_verified_by_whoever_has_the_trust_root(tmp_path: Path) -> None:
    output = tmp_path / "output"
    done = run("--scenario", str(SMALL), "--output", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    trust = ("--trust", str(output / "trust.json"))
    files = sorted(map(str, (output / "evidence").iterdir()))
    assert files
    done = run(*files, *trust, command="verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("valid: the transaction is") == len(files)
    done = run(files[0], *trust, "--json", command="verify")
    verdict = json.loads(done.stdout)
    assert verdict["valid"] is True
    assert [step["number"] for step in verdict["steps"]] == list(range(1, 10))

    changed, broken = tmp_path / "changed.json", tmp_path / "broken.json"
    text = Path(files[0]).read_text()
    changed.write_text(text.replace("completed", "refused", 1))
    done = run(str(changed), files[0], *trust, command="verify")
    assert done.returncode == 1
    assert "3. FAILS: the entries are in it" in done.stdout
    assert done.stdout.count("valid: the transaction is") == 1
    broken.write_text(text[:-20])
    done = run(files[0], str(broken), str(tmp_path / "absent.json"), *trust, command="verify")
    assert done.returncode == 2
    assert f"{broken}: no file of evidence or proof of misbehaviour: not strict" in done.stderr
    assert "absent.json: No such file" in done.stderr
    done = run(files[0], "--trust", str(broken), command="verify")
    assert done.returncode == 2


EXPECTED = """
[[expect.discrepancies]]
"""

CHANGES = {
    "an expected discrepancy is removed": lambda text: text[: text.rindex(EXPECTED.strip())],
    "a planted figure is changed": lambda text: text.replace("set_last = 1960", "set_last = 1959"),
    "a transaction count is changed": lambda text: text.replace("completed = 4", "completed = 5"),
    "a figure of issued units is changed": lambda text: text.replace(
        "underlying = 2016", "underlying = 2017"
    ),
    "a planted error is left out": lambda text: text.replace("delete = true", "set_last = 2016"),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda name: name.replace(" ", "-"))
def test_the_demo_fails_when(change: str, tmp_path: Path) -> None:
    text = SMALL.read_text()
    changed = CHANGES[change](text)
    assert changed != text
    scenario = tmp_path / "changed.toml"
    scenario.write_text(changed)
    done = run("--scenario", str(scenario), "--output", str(tmp_path / "output"))
    assert done.returncode == 1, done.stdout + done.stderr
    summary = json.loads((tmp_path / "output" / "summary.json").read_text())
    assert summary["expectations_failed"]


def test_the_demo_says_which_point_of_an_example_came_otherwise(tmp_path: Path) -> None:
    """A1 by itself, in which three things are expected that do not come."""
    main = (ROOT / "scenarios" / "article6.toml").read_text()
    main = re.sub(r"examples = \[.*?\]", 'examples = ["a1.toml"]', main, count=1, flags=re.DOTALL)
    (tmp_path / "main.toml").write_text(
        main[: main.index("[expect]")]
        + "[expect]\ntransactions = { completed = 4, refused = 1, rejected = 1 }\n"
        + "units_issued = { underlying = 1916, itmo = 1916 }\nsettled = true\n"
    )
    example = (ROOT / "scenarios" / "article6" / "a01-thailand.toml").read_text()
    for old, new in (
        ("{ a1-first-transfer = 1916 }", "{ a1-first-transfer = 1960 }"),
        ('"1-1000" = "CHE01/CHE:use:1"\n"1001-', '"1-999" = "CHE01/CHE:use:1"\n"1000-'),
        ("days = 5", "days = 4"),
    ):
        assert old in example
        example = example.replace(old, new)
    (tmp_path / "a1.toml").write_text(example)
    done = run("--scenario", str(tmp_path / "main.toml"), "--output", str(tmp_path / "output"))
    assert done.returncode == 1, done.stdout + done.stderr
    summary = json.loads((tmp_path / "output" / "summary.json").read_text())
    assert summary["examples"] == {"A1": False}
    transfers, places, dates = summary["expectations_failed"]
    assert transfers == (
        "example A1, First transfers: "
        "expected 1,960 units: 1,960 by a1-first-transfer (first-international-transfer); "
        "found 1,916 units: 1,916 by a1-first-transfer (first-international-transfer)"
    )
    assert places.startswith("example A1, Units at the end: expected ")
    assert "999 use of CHE01/CHE" in places.partition("found")[0]
    assert "1,000 use of CHE01/CHE" in places.partition("found")[2]
    assert dates.startswith("example A1, Dates that differ: expected CHE01/CHE: 4 days later")


def more(found: re.Match[str]) -> str:
    return f"= {int(found[1]) + 1}"


def less(found: re.Match[str]) -> str:
    return f"{found[1]}{int(found[2]) - 1}{found[3]}"


OTHERWISE = (
    (re.compile(r"(?m)^first_transfers = \{\}$"), "first_transfers.issuance = { STEP = 1 }"),
    (re.compile(r"(?m)^adjustments = \{\}$"), 'adjustments = { "VUT 2026" = 1 }'),
    (re.compile(r'(?m)^("[\d-]+" = "[A-Z0-9/]+):[a-z-]+:'), r"\1:pending:"),
    (re.compile(r"(?m)^(last = .*-)(\d+)(-\d{4})"), less),
    (re.compile(r"= (-?\d+)(?=[ ,}\n])"), more),
)
"""What is put in the place of every figure and place that is expected of an example."""


def spoil(path: Path) -> set[str]:
    """Have a file expect other things than come; gives what a run must say differs."""
    steps, mark, expected = path.read_text().partition("\n[expect]\n")
    id_, first = re.findall(r'(?m)^(?:id|name) = "(.*)"', steps)[:2]
    about = {"First transfers", "Corresponding adjustments", "Units at the end"}
    about |= {"Findings"} if "\nreason = " in steps else set()
    about |= {"Discrepancies named"} if "discrepancies" in expected else set()
    about |= {"Dates that differ"} if "misdated" in expected else set()
    steps = re.sub(r'(?m)^reason = ".*"$', 'reason = "units-differ"', steps)
    for old, new in OTHERWISE:
        expected = old.sub(new, expected)
    path.write_text(steps + mark + expected.replace("STEP", first))
    return {f"example {id_}, {one}" for one in about}


def test_whatever_else_is_expected_of_any_example_the_demo_fails_and_says_of_which(
    tmp_path: Path,
) -> None:
    """All at once, since each is told by itself: one of them fails a run as well."""
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    examples = sorted((tmp_path / "scenarios" / "article6").iterdir())
    wanted = {one for path in examples for one in spoil(path)}
    assert len(wanted) > 3 * len(EXAMPLES)
    scenario, output = tmp_path / "scenarios" / "article6.toml", tmp_path / "output"
    done = run("--scenario", str(scenario), "--output", str(output))
    assert done.returncode == 1, done.stdout + done.stderr
    summary = json.loads((output / "summary.json").read_text())
    assert summary["examples"] == dict.fromkeys(EXAMPLES, False)
    told = {one.partition(":")[0] for one in summary["expectations_failed"]}
    assert wanted - told == set()
    for example in EXAMPLES:
        assert re.search(rf"\b{example}\b.*differs", done.stdout), example


def test_a_scenario_file_with_a_wrong_key_is_named_and_nothing_runs(tmp_path: Path) -> None:
    scenario = tmp_path / "wrong.toml"
    scenario.write_text(SMALL.read_text().replace("[expect]", "[expect]\nbogus = 1"))
    done = run("--scenario", str(scenario), "--output", str(tmp_path / "output"))
    assert done.returncode == 2
    assert "expect/bogus" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "output").exists()
