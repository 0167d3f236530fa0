# SPDX-License-Identifier: Apache-2.0
"""Corresponding adjustments out of registries that run: what is counted, shown and closed.

The federation is established with these units: Ghana has first-transferred 100 of vintage 2023 to
Switzerland; of Myanmar's A6.4ERs of vintage 2024 Korea has acquired 100, and 70 are levies.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ledger.adjustments import Figures, NdcPeriod, annual_figures, late_entries, period_of
from registry.program import Registry
from registry.tallying import load_closed, load_tally
from runtime import events
from runtime.errors import LocalProtocolError
from runtime.schema import migrate
from schemas.identifiers import Participant, PartyCode
from tests.acceptance.test_federation_evidence_asked import written_settings
from tests.cast import (
    CHE,
    GHA,
    KOR,
    I,
    first_transfer,
    transfer,
    use,
)
from tests.federation import Federation, Settings

GHANA, SWISS, SECTIONS, MECHANISM = (Participant(p) for p in ("GHA01", "CHE01", "UN02", "UN01"))
PERIODS = tuple(
    NdcPeriod(
        party=PartyCode(party),
        first_year=2022,
        last_year=2026,
        method="averaging" if party == "GHA" else "trajectory",
    )
    for party in ("GHA", "CHE", "KOR", "MMR")
)

pytestmark = pytest.mark.parametrize("settings", [Settings(ndc_periods=PERIODS)])


async def figures(federation: Federation, place: Participant, party: str, year: int) -> Figures:
    """A Party's figures as a registry's operator gets them."""
    code = PartyCode(party)
    async with federation.store(place).snapshot() as session:
        closed = (await load_closed(session)).get(code, {})
        tally = await load_tally(session, place, code)
    period = period_of(PERIODS, code, year, closed)
    return annual_figures(place, year, period, tally.sums(), closed)


async def units(federation: Federation, place: Participant, party: str, year: int) -> list[Any]:
    found = await figures(federation, place, party, year)
    return [(a.unit, a.first_transferred, a.used, a.applied) for a in found.accounts]


async def close(federation: Federation, year: int) -> tuple[bool, str]:
    """Have Ghana's year closed, with the figures that it has."""
    seen = await figures(federation, GHANA, "GHA", year)
    return await federation.command(GHANA, "close-year", party="GHA", year=year, digest=seen.digest)


def shown(federation: Federation, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What the verb says at Ghana, in a process of its own."""
    file = written_settings(federation, folder, GHANA)
    members = PERIODS[0].model_dump(mode="json")
    rows = "".join(f"{name} = {json.dumps(value)}\n" for name, value in members.items())
    file.write_text(f"{file.read_text()}[[ndc_periods]]\n{rows}")
    command = ["party", "adjustments", "--settings", str(file), *words]
    return subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; main()", *command],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.requirement(90)
async def test_a_transfer_adds_by_vintage_and_a_use_takes_off_in_its_year(
    federation: Federation,
) -> None:
    assert await federation.transact(CHE, transfer(I, 1, 50, CHE, KOR)) == "completed"
    assert await federation.transact(KOR, use(I, 1, 30, KOR)) == "completed"
    assert await federation.transact(CHE, use(I, 51, 55, CHE)) == "completed"
    found = {
        (place, party, year): await units(federation, place, party, year)
        for place, party, year in (
            (GHANA, "GHA", 2023),
            (SWISS, "CHE", 2023),
            (SWISS, "CHE", 2025),
            (SECTIONS, "KOR", 2025),
            (SECTIONS, "MMR", 2024),
            (MECHANISM, "MMR", 2024),
            (MECHANISM, "KOR", 2025),
        )
    }
    tons, nothing = "t CO2 eq", [("t CO2 eq", 0, 0, 0)]
    assert found == {
        (GHANA, "GHA", 2023): [(tons, 100, 0, 50)],  # 100 in two years
        (SWISS, "CHE", 2023): nothing,
        (SWISS, "CHE", 2025): [(tons, 0, 5, -5)],
        (SECTIONS, "KOR", 2025): [(tons, 0, 30, -30)],
        (SECTIONS, "MMR", 2024): nothing,
        (MECHANISM, "MMR", 2024): [(tons, 170, 0, 170)],
        (MECHANISM, "KOR", 2025): nothing,
    }


@pytest.mark.requirement(4, 90)
async def test_the_parts_of_a_block_are_first_transfers_of_all_its_units(
    federation: Federation,
) -> None:
    for first, last in ((101, 140), (141, 200)):
        proposal = first_transfer(first, last, first)
        assert await federation.transact(GHA, proposal) == "completed"
    assert await units(federation, GHANA, "GHA", 2023) == [("t CO2 eq", 200, 0, 100)]


@pytest.mark.requirement(93)
async def test_a_closed_year_stays_and_what_comes_late_is_told(
    federation: Federation, tmp_path: Path
) -> None:
    assert await close(federation, 2022) == (True, "GHA 2022 closed")
    assert await close(federation, 2023) == (True, "GHA 2023 closed")
    closed = await figures(federation, GHANA, "GHA", 2023)
    assert await federation.transact(GHA, first_transfer(101, 140, 101)) == "completed"
    assert await figures(federation, GHANA, "GHA", 2023) == closed
    late = {"party": "GHA", "year": 2023, "first_transferred": 40, "used": 0, "unit": None}
    assert len(federation.logged(events.CLOSED_YEAR_CONTRADICTED, **late)) == 1
    said = shown(federation, tmp_path, "--year", "2023").stdout
    assert "closed at 2027-03-01" in said
    assert "2023, t CO2 eq: first-transferred +40, used +0, adjustment +40" in said
    assert closed.digest in said
    # Ghana's node starts again, and knows it.
    await federation.stop(GHANA)
    await federation.start(GHANA)
    await federation.greeted()
    done, why = await close(federation, 2023)
    assert not done
    assert "GHA 2023 is closed since 2027-03-01" in why
    # Units go on from what was closed: 100 of 2023, none of 2024, three years.
    (one,) = (await figures(federation, GHANA, "GHA", 2024)).accounts
    assert (one.cumulative_adjustment, one.applied) == (100, 33)


async def test_a_use_is_late_for_the_year_it_is_for_and_other_years_say_nothing(
    federation: Federation,
) -> None:
    for year in (2022, 2023, 2024, 2025):
        seen = await figures(federation, SWISS, "CHE", year)
        await federation.order(SWISS, "close-year", party="CHE", year=year, digest=seen.digest)
    later = {"use": {"purpose": "NDC", "user": "CHE", "year": 2026}}
    assert await federation.transact(CHE, use(I, 1, 3, CHE, **later)) == "completed"
    assert not federation.logged(events.CLOSED_YEAR_CONTRADICTED)
    assert await federation.transact(CHE, use(I, 4, 10, CHE)) == "completed"
    told = {"party": "CHE", "year": 2025, "used": 7, "first_transferred": 0}
    assert federation.logged(events.CLOSED_YEAR_CONTRADICTED) == federation.logged(
        events.CLOSED_YEAR_CONTRADICTED, **told
    )
    assert len(federation.logged(events.CLOSED_YEAR_CONTRADICTED)) == 1
    async with federation.store(SWISS).snapshot() as session:
        closed = (await load_closed(session))[PartyCode("CHE")]
        tally = await load_tally(session, SWISS, PartyCode("CHE"))
    assert [(x.year, x.adjustment) for x in late_entries(tally.sums(), closed)] == [(2025, -7)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"year": 2023}, "close GHA 2022 first"),
        ({"year": 2027}, "no period of GHA with the year 2027"),
        ({"party": "FRA"}, "no period of FRA"),
        ({"party": "Ghana"}, "not a Party code"),
        ({"party": None}, "not a Party code"),
        ({"digest": "0" * 64}, "the figures of GHA 2022 are others by now"),
        ({"digest": "abc"}, "not a SHA-256 digest"),
        ({"year": "next"}, "'next' is not a calendar year"),
    ],
)
async def test_a_year_that_cannot_be_closed_stays_open(
    federation: Federation, changes: dict[str, Any], why: str
) -> None:
    seen = await figures(federation, GHANA, "GHA", 2022)
    arguments = {"party": "GHA", "year": 2022, "digest": seen.digest} | changes
    done, said = await federation.command(GHANA, "close-year", **arguments)
    assert not done
    assert why in said
    assert await federation.rows(GHANA, "select * from closed_years") == []


async def test_a_year_that_is_not_over_stays_open(federation: Federation) -> None:
    federation.clock.start = federation.clock.start.replace(year=2026)  # type: ignore[attr-defined]
    for year in range(2022, 2026):
        assert (await close(federation, year))[0]
    done, why = await close(federation, 2026)
    assert (done, "2026 is not over yet" in why) == (False, True)


async def test_figures_that_have_changed_since_they_were_looked_at_are_not_closed(
    federation: Federation,
) -> None:
    assert (await close(federation, 2022))[0]
    seen = await figures(federation, GHANA, "GHA", 2023)
    assert await federation.transact(GHA, first_transfer(101, 140, 101)) == "completed"
    done, why = await federation.command(
        GHANA, "close-year", party="GHA", year=2023, digest=seen.digest
    )
    now = await figures(federation, GHANA, "GHA", 2023)
    assert (done, f"are others by now, {now.digest}" in why) == (False, True)


async def test_closed_figures_that_somebody_has_changed_keep_the_node_from_starting(
    federation: Federation,
) -> None:
    assert (await close(federation, 2022))[0]
    await federation.stop(GHANA)
    (row,) = await federation.rows(GHANA, "select figures from closed_years")
    for figures_now in (row.figures.replace("2026", "2028"), "{}", "nothing"):
        await federation.edit(GHANA, "update closed_years set figures = :f", f=figures_now)
        async with federation.store(GHANA).snapshot() as session:
            with pytest.raises(LocalProtocolError, match="other figures of GHA 2022"):
                await load_closed(session)
    await federation.edit(GHANA, "update closed_years set figures = :f", f=row.figures)
    await federation.start(GHANA)
    await federation.greeted()


async def test_a_database_of_an_earlier_version_counts_what_came_before(
    federation: Federation,
) -> None:
    await federation.stop(GHANA)
    async with federation.store(GHANA).transaction() as session:
        await session.execute(text("drop table closed_years"))
    await federation.edit(
        GHANA, "update alembic_version set version_num = 'g0003' where version_num like 'g%'"
    )
    await federation.let_go()
    await migrate(federation.urls[GHANA], Registry.packages)
    await federation.start(GHANA)
    await federation.greeted()
    assert (await close(federation, 2022))[0]
    assert await units(federation, GHANA, "GHA", 2023) == [("t CO2 eq", 100, 0, 50)]


async def test_the_verb_says_the_same_as_table_json_and_csv(
    federation: Federation, tmp_path: Path
) -> None:
    table = shown(federation, tmp_path, "--year", "2023", "--emissions", "1000")
    assert table.returncode == 0, table.stderr
    words = " ".join(table.stdout.split())
    for part in (
        "GHA 2023, by the entries that came to GHA01",
        "NDC period 2022-2026, single-year, averaging",
        "first-transferred, of this vintage 100",
        "average a year +50 (+100 / 2)",
        "emissions with +50 1050",
        "open; to be reported by 2024-04-15",
    ):
        assert part in words
    found = json.loads(
        shown(
            federation, tmp_path, "--year", "2023", "--emissions", "1000", "--format", "json"
        ).stdout
    )
    seen = await figures(federation, GHANA, "GHA", 2023)
    (one,) = found["accounts"]
    assert (one["balance"], one["average"]["denominator"], found["digest"]) == (
        1050,
        2,
        seen.digest,
    )
    assert one["units"]["first_transferred"] == [["underlying:CA0007-GHA01-GHA-2023", 1, 100]]
    rows = shown(
        federation, tmp_path, "--year", "2023", "--emissions", "1000", "--format", "csv"
    ).stdout
    (row,) = csv.DictReader(rows.splitlines())
    assert (row["unit"], row["first_transferred"], row["applied"], row["balance"]) == (
        "t CO2 eq",
        "100",
        "50",
        "1050",
    )
    wrong = shown(federation, tmp_path, "--year", "2023", "--indicator", "MWh=5")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "has no account in MWh up to 2023" in wrong.stderr
