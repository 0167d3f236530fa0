# SPDX-License-Identifier: Apache-2.0
"""The reports of a run: each Party's workbook of the year, checked together.

They are made from the registries' databases, as `a6hub aef export` makes them, and dated with the
day on which they would be due. What a check finds, and what is not read back as it was written, is
a line for people.

Elsewhere: the tables (`registry.aef`), checks (`aef.report`).
"""

import asyncio
from collections import defaultdict
from pathlib import Path

from aef.nomenclature import load
from aef.report import check
from aef.tables import Aef, SubmissionRow
from aef.writing import joined, write_workbook
from harness.prepare import Estate
from harness.remote import Remote
from registry.aef import load_aef
from schemas.identifiers import HUB, REC

__all__ = ["write_workbooks"]

NDC_PERIOD = (2021, 2030)
"""Most Parties' first; a demonstration knows nothing of theirs."""


async def write_workbooks(remote: Remote, estate: Estate, year: int, output: Path) -> list[str]:
    """Write `aef/<Party>-<year>.xlsx`; gives what is wrong with them."""
    folder = output / "aef"
    folder.mkdir(parents=True, exist_ok=True)
    made = await _reports(remote, estate, year)
    return await asyncio.to_thread(_write, made, folder, year)


async def _reports(remote: Remote, estate: Estate, year: int) -> dict[str, Aef]:
    """A report for each Party with a section anywhere."""
    parts: dict[str, list[Aef]] = defaultdict(list)
    for member in estate.members.values():
        if member.participant in {HUB, REC}:
            continue
        for party in sorted({actor.section for actor in member.actors} - {"ADM"}):
            row = SubmissionRow(
                party=party,
                version="1.0",
                year=year,
                submitted=f"{year + 1}-04-15",
                ndc_first_year=NDC_PERIOD[0],
                ndc_last_year=NDC_PERIOD[1],
            )
            async with remote.stores[member.participant].snapshot() as session:
                aef = await load_aef(session, member.participant, member.actors, row)
            parts[party].append(aef)
    return {party: joined(several) for party, several in sorted(parts.items())}


def _write(made: dict[str, Aef], folder: Path, year: int) -> list[str]:
    lists = load()
    paths = {party: folder / f"{party}-{year}.xlsx" for party in made}
    for party, path in paths.items():
        with path.open("wb") as written:
            write_workbook(made[party], written, lists)
    opened = [(path.name, path.open("rb")) for path in paths.values()]
    try:
        report = check(opened, lists)
    finally:
        for _, file in opened:
            file.close()
    wrong = [f"aef: {found}" for found in report.findings]
    wrong += [f"aef: {one.file}: {one.code} not checked: {one.reason}" for one in report.unchecked]
    for reading, party in zip(report.readings, made, strict=True):
        if reading.aef != made[party]:
            wrong.append(f"aef: {reading.file} is read back as other rows than were written")
    return wrong
