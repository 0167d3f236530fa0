# SPDX-License-Identifier: Apache-2.0
"""A first transfer taken back in a federation that runs: both sign, or nothing happens.

Beside what the federation is established with, 100 units of vintage 2023, Ghana first-transfers
ITMOs 201 to 260 under GH-9, whose terms let a revocation bind them. Switzerland uses ten and gives
twenty on to Korea; then Ghana revokes.
"""

import asyncio
import io
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aef.nomenclature import load
from aef.report import check
from hub import tables as hub_tables
from hub.cli import app
from registry import tables
from registry.tracing import trace_unit
from runtime import events
from runtime.stopped import load_stopped
from schemas.directory import Profile
from schemas.identifiers import Participant
from schemas.units import ItmoIdentifier
from tests.acceptance.test_federation_adjustments import PERIODS, close, units
from tests.acceptance.test_federation_aef import aef, packed
from tests.acceptance.test_federation_evidence import evidence
from tests.acceptance.test_federation_evidence_asked import written_settings
from tests.cast import (
    CHE,
    GHA,
    HUB,
    KOR,
    I,
    counter_entry,
    first_transfer,
    profile,
    terms,
    transfer,
    use,
)
from tests.cast import (
    asked as asked_of,
)
from tests.federation import Federation, Settings

GHANA, SWISS, SECTIONS = (Participant(p) for p in ("GHA01", "CHE01", "UN02"))
ONE, TWO = ({"id": "GH-9", "version": version} for version in (1, 2))
TONS = "t CO2 eq"

pytestmark = pytest.mark.requirement(88)
BY_HAND = pytest.mark.parametrize(
    "settings", [Settings(manual=frozenset({GHANA}), ndc_periods=PERIODS)]
)
ACCEPTING = pytest.mark.parametrize("settings", [Settings(ndc_periods=PERIODS)])


def bound(**members: Any) -> dict[str, Any]:
    said = {"binds_first_transferred": True, "sectors": ["Energy generation"], **members}
    return {"action": "authorization", "terms": terms("GH-9", GHA, "CA0007", **said)}


async def revoked(federation: Federation) -> None:
    """Up to the revocation."""
    done, why = await federation.act(profile(GHA, KOR, Profile.INFORMATION, federation.clock.now()))
    assert done, why
    for actor, proposal in (
        (GHA, bound()),
        (GHA, first_transfer(201, 260, 201, authorization=ONE)),
        (CHE, use(I, 201, 210, CHE)),
        (CHE, transfer(I, 241, 260, CHE, KOR)),
        (GHA, bound(version=2, revoked=True)),
    ):
        assert await federation.transact(actor, proposal) == "completed"


async def blocks(federation: Federation, place: Participant | str, first: int, last: int) -> Any:
    """Account, first-transferred or not, and range of ITMOs of Ghana's and what they represent."""
    rows = await federation.rows(
        place,
        "select account, layer, first, last, attributes from (select *, substr(series, 1, 4) "
        "as layer from blocks where series like '%CA0007-GHA01-GHA-2023') as held "
        "where first >= :first and last <= :last order by layer, first",
        first=first,
        last=last,
    )
    return [
        (
            "-".join(row.account.split("-")[:3]),
            f"{row.layer} {row.first}-{row.last}",
            '"first_transferred":true' in row.attributes,
        )
        for row in rows
    ]


@ACCEPTING
async def test_holder_and_party_take_back_what_is_left_and_the_figures_follow(
    federation: Federation,
) -> None:
    await revoked(federation)
    assert await units(federation, GHANA, "GHA", 2023) == [(TONS, 160, 0, 80)]
    assert await federation.transact(CHE, use(I, 211, 220, CHE)) == "refused"
    assert await federation.transact(KOR, transfer(I, 241, 250, KOR, CHE)) == "refused"
    half = await federation.propose(CHE, counter_entry(211, 225, CHE, TWO))
    assert await federation.ended(half) == "completed"
    third = counter_entry(241, 260, KOR, TWO)
    assert await federation.transact(KOR, third) == "completed"
    await federation.settled()
    # 160 first-transferred, and 15 and 20 of them taken back; ten were used, by Switzerland. Ghana
    # averages over the two years since 2022: 80, and then 62.5.
    assert await units(federation, GHANA, "GHA", 2023) == [(TONS, 125, 0, 63)]
    assert await units(federation, SWISS, "CHE", 2025) == [(TONS, 0, 10, -10)]
    assert await units(federation, SECTIONS, "KOR", 2025) == [(TONS, 0, 0, 0)]
    assert await blocks(federation, GHANA, 201, 260) == [
        ("GHA01-GHA-HLD", "itmo 211-225", False),
        ("GHA01-GHA-HLD", "itmo 241-260", False),
        ("GHA01-GHA-RET", "unde 201-210", True),
        ("GHA01-GHA-LCK", "unde 211-225", False),
        ("GHA01-GHA-LCK", "unde 226-240", True),
        ("GHA01-GHA-LCK", "unde 241-260", False),
    ]
    assert await blocks(federation, SWISS, 201, 260) == [
        ("CHE01-CHE-USE", "itmo 201-210", True),
        ("CHE01-CHE-HLD", "itmo 226-240", True),
    ]
    assert await blocks(federation, SECTIONS, 201, 260) == []
    assert await federation.rows("REC", "select * from cases") == []
    verdict = await evidence(federation, half)
    assert verdict.valid, f"step {verdict.failed}: {verdict.reason}"
    assert verdict.state == "completed"


@ACCEPTING
async def test_with_one_signature_nothing_is_done(federation: Federation) -> None:
    await revoked(federation)
    before = await blocks(federation, HUB, 211, 240)
    await federation.stop(GHANA)
    asked = await federation.propose(CHE, counter_entry(211, 225, CHE, TWO), lifetime_seconds=300)
    await federation.reached(asked, "cleared")
    await asyncio.sleep(60)
    assert await federation.state(asked) == "cleared"
    assert await blocks(federation, HUB, 211, 240) == before
    members = {"actor": CHE, **asked_of(counter_entry(220, 230, CHE, TWO))}
    done, why = await federation.command(SWISS, "propose", **members)
    assert not done
    assert "units-reserved" in why
    assert await federation.ended(asked, 900) == "expired"
    assert await blocks(federation, HUB, 211, 240) == before
    await federation.start(GHANA)
    await federation.greeted()
    await federation.settled()


@BY_HAND
async def test_the_party_may_say_no_and_cannot_take_back_by_itself(federation: Federation) -> None:
    await revoked(federation)
    asked = await federation.propose(CHE, counter_entry(211, 225, CHE, TWO))
    await federation.reached(asked, "cleared", GHANA)
    await federation.order(GHANA, "reject", transaction=asked, comment="Not agreed.")
    assert await federation.ended(asked) == "rejected"
    alone = asked_of(counter_entry(211, 225, CHE, TWO))
    del alone["acquirer"]
    done, why = await federation.command(GHANA, "propose", actor=GHA, **alone)
    assert not done
    assert "author-not-acting" in why
    assert await units(federation, GHANA, "GHA", 2023) == [(TONS, 160, 0, 80)]


@ACCEPTING
async def test_a_closed_year_stays_as_it_is_and_so_do_the_units(federation: Federation) -> None:
    await revoked(federation)
    for year in (2022, 2023):
        assert (await close(federation, year))[0]
    asked = await federation.propose(CHE, counter_entry(211, 225, CHE, TWO))
    assert await federation.ended(asked) == "rejected"
    (row,) = await federation.rows(
        SWISS, "select findings from transactions where id = :id", id=asked
    )
    assert "year-closed" in row.findings
    assert "GHA 2023 is closed since" in row.findings
    assert await units(federation, GHANA, "GHA", 2023) == [(TONS, 160, 0, 80)]
    assert federation.logged(events.CLOSED_YEAR_CONTRADICTED) == []


@ACCEPTING
async def test_what_is_stopped_and_what_went_back_is_shown(federation: Federation) -> None:
    await revoked(federation)
    assert await federation.transact(CHE, counter_entry(211, 225, CHE, TWO)) == "completed"
    async with federation.store(HUB).snapshot() as session:
        found = await load_stopped(session, "log", hub_tables.authorizations)
    assert [(b.position.account[:13], b.key.layer, b.first, b.last) for b, _ in found] == [
        ("CHE01-CHE-HLD", "itmo", 226, 240),
        ("GHA01-GHA-LCK", "underlying", 226, 260),
        ("UN02-KOR-HLD-", "itmo", 241, 260),
    ]
    assert {(terms.id, terms.version) for _, terms in found} == {("GH-9", 2)}
    async with federation.store(GHANA).snapshot() as session:
        own = await load_stopped(session, GHANA, tables.authorizations)
        traced = await trace_unit(session, GHANA, ItmoIdentifier.parse("CA0007-GHA01-GHA-215-2023"))
    assert [(b.first, b.last) for b, _ in own] == [(226, 260)]
    assert [step.action for step in traced.steps][-2:] == ["counter-entry"] * 2
    assert "underlying:CA0007-GHA01-GHA-2023 215" in str(traced.represents)
    head, *rows = shown(federation, "stopped")
    assert " ".join(head) == "account key first last quantity authorization revoked_by_version"
    assert [row[1:] for row in rows] == [
        [b.key.text, str(b.first), str(b.last), str(b.quantity), "GH-9", "2"] for b, _ in found
    ]
    head, newest, *_ = shown(federation, "transactions")
    assert " ".join(head) == "changed_at transaction state action proposer acquirer"
    assert newest[2:] == ["completed", "counter-entry", "CHE01/CHE", "GHA01/GHA"]
    head, *rows = shown(federation, "directory")
    assert " ".join(head) == "participant status actor key key_state"
    assert {(row[0], row[1], row[4]) for row in rows if row[2] == CHE} == {
        ("CHE01", "active", "current")
    }
    head, *rows = shown(federation, "directory", "--of", "bindings")
    assert " ".join(head) == "party section since until"
    assert ["CHE", CHE, "-"] in [[row[0], row[1], row[3]] for row in rows]


def shown(federation: Federation, *words: str) -> list[list[str]]:
    """What a list of the hub's says, cell by cell; a verb runs its own loop, in a thread."""
    file = written_settings(federation, federation.folder, HUB)
    given, found = [*words, "--settings", str(file)], list[Result]()
    other = Thread(target=lambda: found.append(CliRunner().invoke(app, given)))
    other.start()
    other.join()
    (done,) = found
    assert done.exit_code == 0, done.output
    return [line.split() for line in done.stdout.splitlines()]


@ACCEPTING
async def test_reports_of_the_year_agree_with_one_another(federation: Federation) -> None:
    await revoked(federation)
    for actor, first, last in ((CHE, 211, 240), (KOR, 241, 260)):
        back = counter_entry(first, last, actor, TWO)
        assert await federation.transact(actor, back) == "completed"
    books = [
        await aef(federation, place, party)
        for place, party in ((GHANA, "GHA"), (SWISS, "CHE"), (SECTIONS, "KOR"))
    ]
    ghana, swiss, korea = books
    assert [
        (row.quantity, row.transferring) for row in ghana.actions if row.type == "Acquisition"
    ] == [
        (30, "CHE"),
        (20, "KOR"),
    ]
    assert [row.quantity for row in swiss.actions if row.type == "Transfer"] == [20, 30]
    assert korea.actions[-1].acquiring == "GHA"
    assert [(row.first, row.last) for row in swiss.holdings] == [
        ("CA0007-GHA01-GHA-1-2023", "CA0007-GHA01-GHA-100-2023")
    ]
    assert "first transfer of 50 units was taken back" in str(ghana.authorizations[-1].more)
    report = check([(str(n), io.BytesIO(packed(book))) for n, book in enumerate(books)], load())
    told = [str(one) for one in report.findings if "ector" not in str(one)]
    assert told == [], "but for the sectors that GH-1 does not say"
