# SPDX-License-Identifier: Apache-2.0
"""Reporting workbooks out of registries that run: written, checked, read back.

The federation is established with authorizations of Ghana and Myanmar that say no sectors: what the
terms lack is found in the workbooks, and nothing else.
"""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from aef.nomenclature import load
from aef.reading import read_workbook
from aef.report import check
from aef.tables import SHEETS, SUMMARY, Aef, SubmissionRow
from aef.writing import write_workbook
from registry.aef import load_aef
from runtime.errors import LocalProtocolError
from schemas.identifiers import Participant
from tests.acceptance.test_federation_evidence_asked import written_settings
from tests.cast import (
    ACTORS,
    CHE,
    GHA,
    KOR,
    VUT,
    A,
    I,
    first_transfer,
    terms,
    transfer,
    use,
)
from tests.federation import Federation
from tests.unit.aef.books import cells_elsewhere, cells_of

GHANA, SWISS, SECTIONS, MECHANISM = (Participant(p) for p in ("GHA01", "CHE01", "UN02", "UN01"))
LISTS = load()
EVERYBODY = [
    (GHANA, "GHA"),
    (SWISS, "CHE"),
    (SECTIONS, "KOR"),
    (SECTIONS, "VUT"),
    (MECHANISM, "MMR"),
]


async def aef(federation: Federation, place: Participant, party: str, year: int = 0) -> Aef:
    """A Party's tables of a year, of the one that it is if none is named."""
    year = year or federation.clock.now().moment().year
    row = SubmissionRow(
        party=party,
        version="1.0",
        year=year,
        submitted=f"{year + 1}-04-15",
        ndc_first_year=2021,
        ndc_last_year=2030,
    )
    async with federation.store(place).snapshot() as session:
        return await load_aef(session, place, ACTORS[place], row)


def packed(book: Aef) -> bytes:
    file = io.BytesIO()
    write_workbook(book, file, LISTS)
    return file.getvalue()


async def books(federation: Federation) -> dict[str, Aef]:
    return {party: await aef(federation, place, party) for place, party in EVERYBODY}


async def work(federation: Federation) -> None:
    """Units go from Party to Party, are used, and are in no two places."""
    for actor, proposal in (
        (GHA, first_transfer(101, 140, 101)),
        (CHE, transfer(I, 1, 50, CHE, KOR)),
        (KOR, use(I, 1, 30, KOR)),
        (CHE, use(I, 51, 55, CHE)),
        (KOR, transfer(A, 1, 10, KOR, VUT)),
        (VUT, {"action": "authorization", "terms": terms("VU-1", VUT, "CA0001")}),
    ):
        assert await federation.transact(actor, proposal) == "completed"


@pytest.mark.requirement(13)
async def test_every_party_reports_what_it_did_and_all_of_it_agrees(federation: Federation) -> None:
    await work(federation)
    found = await books(federation)
    files = [(party, io.BytesIO(packed(book))) for party, book in found.items()]
    report = check(files, LISTS)
    lacking = {(str(one.code), one.detail) for one in report.findings}
    assert lacking == {("R01", "'Sector(s)'")}, [str(one) for one in report.findings]
    assert report.unchecked == []
    for (party, file), reading in zip(files, report.readings, strict=True):
        assert reading.aef == found[party]
        sheets = CalamineWorkbook.from_filelike(io.BytesIO(file.getvalue())).sheet_names
        assert sheets == [SUMMARY, *SHEETS.values()]
        assert cells_of(file.getvalue()) == cells_elsewhere(file.getvalue())
    assert {party: [row.type for row in book.actions] for party, book in found.items()} == {
        "GHA": ["First transfer", "First transfer"],
        "CHE": ["Acquisition", "Acquisition", "Transfer", "Use"],
        "KOR": ["Acquisition", "Acquisition", "Use", "Transfer"],
        "VUT": ["Acquisition"],
        "MMR": ["First transfer"],
    }
    held = {party: sum(row.quantity or 0 for row in book.holdings) for party, book in found.items()}
    assert held == {"GHA": 0, "CHE": 85, "KOR": 110, "VUT": 10, "MMR": 300}


async def test_the_same_entries_are_the_same_file_and_edited_rows_are_not_reported(
    federation: Federation,
) -> None:
    before = packed(await aef(federation, SWISS, "CHE"))
    federation.diverged.add(CHE)
    await federation.edit(SWISS, "update blocks set last = 90 where actor = 'CHE01/CHE'")
    assert packed(await aef(federation, SWISS, "CHE")) == before


async def test_a_year_before_everything_is_empty_and_a_strange_party_is_refused(
    federation: Federation,
) -> None:
    empty = await aef(federation, GHANA, "GHA", 2022)
    assert (empty.actions, empty.holdings, empty.authorizations) == ((), (), ())
    report = check([("A", io.BytesIO(packed(empty)))], LISTS)
    assert [str(one) for one in report.findings] == []
    with pytest.raises(LocalProtocolError, match="CHE has no section in GHA01; there are GHA"):
        await aef(federation, GHANA, "CHE")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; main()", "aef", *words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_the_verbs_write_and_check(federation: Federation, tmp_path: Path) -> None:
    settings = written_settings(federation, tmp_path, GHANA)
    year = federation.clock.now().moment().year
    whole, public = tmp_path / "whole.xlsx", tmp_path / "public.xlsx"
    common = ["--settings", str(settings), "--party", "GHA", "--year", str(year)]
    common += ["--submitted", f"{year + 1}-04-15", "--ndc-period", "2021-2030"]
    done = run("export", *common, "--output", str(whole))
    assert done.returncode == 0, done.stderr
    assert whole.read_bytes() == packed(await aef(federation, GHANA, "GHA"))
    options = ["--public", "--identifiers", "integer", "--version", "1.10"]
    done = run("export", *common, "--output", str(public), *options)
    assert done.returncode == 0, done.stderr
    with public.open("rb") as file:
        reading = read_workbook(file, "public", LISTS)
    assert reading.aef.public
    assert reading.aef.actions[0].first == "1"

    checked = run("check", str(whole), "--json")
    found = json.loads(checked.stdout)
    assert (checked.returncode, found["status"], found["errors"]) == (1, 1, 1)
    (finding,) = found["findings"]
    assert (finding["code"], finding["sheet"], finding["cell"]) == (
        "R01",
        "Table 2 Authorizations",
        "I6",
    )
    words = run("check", str(tmp_path), str(tmp_path / "none.xlsx"))
    assert words.returncode == 2
    assert "error F01 file-unreadable" in words.stdout
    assert "warning X08 superseded" in words.stdout
    assert "Fill" not in words.stderr
