# SPDX-License-Identifier: Apache-2.0
"""From the ledger to a workbook and back: what entries did is what a Party reports."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from aef.nomenclature import load
from aef.reading import read_workbook
from aef.report import Report, check
from aef.tables import SUMMARY, Aef, SubmissionRow
from aef.writing import joined, write_workbook
from ledger.actions import completion
from ledger.effects import Everybody, apply
from ledger.first_transfer import Recorded
from ledger.holdings import Holdings
from ledger.tally import Tally
from registry.aef_rows import Year
from registry.aef_terms import authorization_row, entity_rows
from schemas.effects import AuthorizationTerms
from schemas.identifiers import Actor, Instant, Participant, PartyCode
from schemas.messages import Entry, Proposal
from schemas.units import Attributes, UseMark
from tests.cast import (
    ADM,
    CHE,
    GH1,
    GHA,
    KOR,
    MMR,
    A,
    I,
    U,
    account,
    counter_entry,
    first_transfer,
    issuance,
    line,
    terms,
    transfer,
    use,
)
from tests.unit.aef.books import cells_elsewhere

LISTS = load()
FULL: dict[str, Any] = {"sectors": ("Energy generation",), "parties": ("CHE", "KOR")}
MIDSUMMER = "2025-07-01T12:00:00.000000Z"
LAST_SECOND = "2025-12-31T23:59:59.999999Z"
FIRST_SECOND = "2026-01-01T00:00:00.000000Z"
NEXT_YEAR = "2026-05-01T00:00:00.000000Z"
ENTITY = {
    "id": "COOK",
    "name": "Cookstoves Limited",
    "country": "GHA",
    "number": "GH-17",
    "conditions": "None",
}


@dataclass
class Ledger:
    """What the log makes of proposals, without anybody who checks them."""

    holdings: Holdings = field(default_factory=Holdings)
    entries: list[tuple[Entry, str]] = field(default_factory=list)

    def take(self, proposer: Actor, proposal: Mapping[str, Any], at: str = MIDSUMMER) -> None:
        quantity = sum(one.last - one.first + 1 for one in proposal.get("lines", ()))
        asked = {"quantity": quantity, "expires_at": "2030-01-01T00:00:00.000000Z", **proposal}
        for name, model in (("terms", AuthorizationTerms), ("use", UseMark)):
            if isinstance(asked.get(name), dict):
                asked[name] = model.model_validate_json(_json(asked[name]))
        one = Proposal.model_validate(asked | {"references": None})
        effects = completion(one, proposer, self.holdings, "0" * 64)  # type: ignore[arg-type]
        for effect in effects:
            assert apply(self.holdings, effect, Everybody()) == []
        number = len(self.entries)
        entry = Entry(
            log="test",
            position=number,
            acts=0,
            at=Instant(at),
            manifest=None,
            state="completed",
            action=one.action,
            rules="1",
            effects=tuple(effects),
        )
        conversation = f"{proposer.replace('/', '-')}-{number + 1}"
        self.entries.append((entry, conversation))

    def report(self, actor: Actor, year: int = 2025) -> Aef:
        """A Party's tables, out of all entries: others' effects do nothing to it."""
        made = Year(actor.participant, PartyCode(actor.section), year)
        for entry, conversation in self.entries:
            made.take(entry, conversation)
        return made.report(
            SubmissionRow(
                party=actor.section,
                version="1.0",
                year=year,
                submitted=f"{year + 1}-04-15",
                ndc_first_year=2021,
                ndc_last_year=2030,
            )
        )


def _json(value: Any) -> str:
    import json

    return json.dumps(value, default=list)


def packed(aef: Aef) -> io.BytesIO:
    file = io.BytesIO()
    write_workbook(aef, file, LISTS)
    return file


def checked(*books: Aef) -> Report:
    return check([(f"{n}", packed(book)) for n, book in enumerate(books)], LISTS)


@pytest.fixture
def ledger() -> Ledger:
    """Ghana has authorized and first-transferred 100 of 1,000 to Switzerland."""
    made = Ledger()
    made.take(GHA, issuance(GHA, U, 1, 1000))
    made.take(GHA, {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007", **FULL)})
    made.take(GHA, first_transfer(1, 100, 1))
    return made


def kinds(aef: Aef) -> list[tuple[Any, ...]]:
    return [(row.type, row.subtype, row.quantity) for row in aef.actions]


def held(aef: Aef) -> list[tuple[Any, ...]]:
    return [(row.first, row.last) for row in aef.holdings]


@pytest.mark.requirement(5, 6, 32)
def test_what_the_ledger_did_is_reported_checks_clean_and_is_read_back(ledger: Ledger) -> None:
    ledger.take(CHE, transfer(I, 1, 50, CHE, KOR))
    ledger.take(CHE, use(I, 51, 60, CHE))
    ledger.take(KOR, use(I, 1, 5, KOR))
    books = [ledger.report(actor) for actor in (GHA, CHE, KOR)]
    report = checked(*books)
    assert [str(one) for one in report.findings] == []
    assert report.unchecked == []
    for book in books:
        assert read_workbook(packed(book), "A", LISTS).aef == book
    ghana, swiss, korea = books
    assert kinds(ghana) == [("First transfer", "First transfer to another Party", 100)]
    assert kinds(swiss) == [("Acquisition", None, 100), ("Transfer", None, 50), ("Use", None, 10)]
    assert kinds(korea) == [("Acquisition", None, 50), ("Use", None, 5)]
    assert held(ghana) == []
    assert held(swiss) == [("CA0007-GHA01-GHA-61-2023", "CA0007-GHA01-GHA-100-2023")]
    assert held(korea) == [("CA0007-GHA01-GHA-6-2023", "CA0007-GHA01-GHA-50-2023")]
    acquired, transferred = swiss.actions[:2]
    assert (acquired.transferring, acquired.acquiring) == ("GHA", None)
    assert (transferred.transferring, transferred.acquiring) == (None, "KOR")
    assert (swiss.actions[2].user_party, swiss.actions[2].ndc_year) == ("CHE", 2025)
    assert swiss.holdings[0].unit_first == "CA0007-GHA01-GHA-61-2023"


@pytest.mark.requirement(97)
@pytest.mark.parametrize(
    ("at", "year"), [(LAST_SECOND, 2025), (FIRST_SECOND, 2026)], ids=["last", "first"]
)
def test_the_last_moment_of_a_year_and_the_first_of_the_next(
    ledger: Ledger, at: str, year: int
) -> None:
    ledger.take(CHE, use(I, 1, 10, CHE), at)
    reports = {which: ledger.report(CHE, which) for which in (2025, 2026)}
    used = [which for which, aef in reports.items() for row in aef.actions if row.type == "Use"]
    assert used == [year]
    rest = ("CA0007-GHA01-GHA-11-2023", "CA0007-GHA01-GHA-100-2023")
    all_ = ("CA0007-GHA01-GHA-1-2023", "CA0007-GHA01-GHA-100-2023")
    assert held(reports[2025]) == [rest if year == 2025 else all_]
    assert held(reports[2026]) == [rest]
    assert [str(one) for one in checked(ledger.report(GHA), *reports.values()).findings] == []


@pytest.mark.requirement(102)
def test_what_is_held_at_the_end_of_a_year_is_not_changed_by_later_moves(ledger: Ledger) -> None:
    before = ledger.report(CHE)
    ledger.take(CHE, transfer(I, 1, 50, CHE, KOR), NEXT_YEAR)
    ledger.take(CHE, use(I, 51, 60, CHE), NEXT_YEAR)
    assert ledger.report(CHE) == before
    assert ledger.report(CHE, 2026) != before


def test_what_others_did_and_own_accounts_are_no_actions(ledger: Ledger) -> None:
    own = line(I, 1, 10, account(CHE), account(CHE, number=2))
    ledger.take(CHE, {"action": "transfer", "lines": (own,), "acquirer": CHE})
    assert kinds(ledger.report(CHE)) == [("Acquisition", None, 100)]
    assert held(ledger.report(CHE)) == [("CA0007-GHA01-GHA-1-2023", "CA0007-GHA01-GHA-100-2023")]
    assert kinds(ledger.report(KOR)) == []


def test_an_authorized_a64er_is_held_before_its_first_transfer_and_a_contribution_is_not() -> None:
    ledger = Ledger()
    full = terms("MM-1", MMR, "CA0001", **FULL)
    ledger.take(MMR, {"action": "authorization", "terms": full})
    ref = {"id": "MM-1", "version": 1}
    authorized = Attributes.model_validate_json(_json({"designation": "N", "authorization": ref}))
    for first, attributes in ((1, authorized), (101, Attributes(designation="MCU"))):
        one = line(A, first, first + 99, target=account(MMR), attributes=attributes)
        ledger.take(ADM, {"action": "issuance", "lines": (one,)})
    assert held(ledger.report(MMR)) == [("CA0001-UN01-MMR-1-2024", "CA0001-UN01-MMR-100-2024")]
    bring = line(A, 1, 40, account(MMR), account(KOR))
    members = {"acquirer": KOR, "authorization": authorized.authorization}
    ledger.take(MMR, {"action": "first-transfer", "lines": (bring,), **members})
    cancelled = line(A, 101, 110, account(MMR), account(MMR, "CAN"))
    mark = {"purpose": "OP", "user": "Somebody"}
    ledger.take(MMR, {"action": "cancellation", "lines": (cancelled,), "use": mark})
    myanmar, korea = ledger.report(MMR), ledger.report(KOR)
    assert kinds(myanmar) == [("First transfer", "First transfer to another Party", 40)]
    assert kinds(korea) == [("Acquisition", None, 40)]
    assert (myanmar.actions[0].registry, korea.actions[0].registry) == ("UN01", "UN02")
    assert [str(one) for one in checked(myanmar, korea).findings] == []


def test_levies_without_an_authorization_have_no_row_and_are_counted_beside_the_tables() -> None:
    """3/CMA.3 annex paras 58 and 59 levy mitigation contributions too, and adjustments count them;
    a row of table 3 names an authorization, and there is none.
    """
    ledger = Ledger()
    ledger.take(MMR, {"action": "authorization", "terms": terms("MM-1", MMR, "CA0001", **FULL)})
    ref = {"id": "MM-1", "version": 1}
    for first, said in (
        (1, {"designation": "MCU"}),
        (1001, {"designation": "N", "authorization": ref}),
    ):
        kept = Attributes.model_validate_json(_json(said))
        levied = kept.but(first_transferred=True)
        lines = (
            line(A, first, first + 49, target=account(ADM, "SOP"), attributes=levied),
            line(A, first + 50, first + 69, target=account(ADM, "OMG"), attributes=levied),
            line(A, first + 70, first + 999, target=account(MMR), attributes=kept),
        )
        ledger.take(ADM, {"action": "issuance", "lines": lines})
    report = ledger.report(MMR)
    assert kinds(report) == [
        ("First transfer", "Mandatory transfer to the Adaptation Fund (A6.4 ERs)", 50),
        ("First transfer", "Mandatory cancellation to deliver OMGE", 20),
    ]
    assert report.unreported == 70
    assert ledger.report(MMR, 2026).unreported == 0
    assert joined([report, ledger.report(MMR, 2026)]).unreported == 70
    tally = Tally(PartyCode("MMR"), Participant("UN01"))
    for entry, _ in ledger.entries:
        tally.take(entry.effects)
    counted = sum(one.first_transferred for one in tally.sums().values())
    assert counted == sum(row.quantity or 0 for row in report.actions) + report.unreported
    shown = cells_elsewhere(packed(report).getvalue())[SUMMARY]
    assert shown["B11"] == 70
    assert [str(one) for one in checked(report).findings] == []
    assert read_workbook(packed(report), "A", LISTS).aef == report


CANCELLED = [
    ({"purpose": "OP", "user": "COOK", "oimp": "Voluntary"}, "Cancellation", None),
    (
        {"purpose": "OP", "user": "COOK", "cancellation": "voluntary"},
        "Voluntary Cancellation",
        "Other cancellations",
    ),
    (
        {"user": "CHE", "cancellation": "omge-voluntary"},
        "Voluntary Cancellation",
        "Voluntary cancellation to deliver OMGE",
    ),
    ({"user": "CHE", "cancellation": "other"}, "Cancellation", "Other cancellations"),
]


@pytest.mark.parametrize(("mark", "type_", "subtype"), CANCELLED)
def test_a_cancellation_is_reported_by_its_kind(
    mark: dict[str, Any], type_: str, subtype: str | None
) -> None:
    ledger = Ledger()
    ledger.take(GHA, issuance(GHA, U, 1, 1000))
    for who, approach in ((GHA, "CA0007"), (CHE, "CA0007")):
        full = terms(
            "GH-1",
            who,
            approach,
            **FULL,
            purposes=("NDC", "OP"),
            first_transfer="use-or-cancellation",
            oimp="Voluntary",
            entities=("COOK",),
            entity_records=(ENTITY,),
        )
        ledger.take(who, {"action": "authorization", "terms": full})
    ledger.take(GHA, first_transfer(1, 100, 1))
    one = line(I, 1, 10, account(CHE), account(CHE, "CAN"))
    ledger.take(CHE, {"action": "cancellation", "lines": (one,), "use": mark})
    swiss = ledger.report(CHE)
    row = swiss.actions[-1]
    assert (row.type, row.subtype, row.user_party) == (type_, subtype, "CHE")
    assert row.user_entity == ("GH-17" if mark["user"] == "COOK" else None)
    assert [str(one) for one in checked(ledger.report(GHA), swiss).findings] == []


@pytest.mark.requirement(10, case="overall mitigation")
@pytest.mark.parametrize(
    ("mark", "subtype", "type_"),
    [
        (
            {"user": "GHA", "cancellation": "omge-voluntary"},
            "Voluntary cancellation to deliver OMGE",
            "Voluntary Cancellation",
        ),
        ({"purpose": "OP", "user": "GHA"}, "Use or cancellation", "Cancellation"),
    ],
    ids=["overall mitigation", "another purpose"],
)
def test_a_cancellation_that_is_the_first_transfer_is_reported_as_both(
    mark: dict[str, Any], subtype: str, type_: str
) -> None:
    ledger = Ledger()
    ledger.take(GHA, issuance(GHA, U, 1, 1000))
    definition = {"purposes": ("NDC", "OP"), "first_transfer": "use-or-cancellation"}
    full = terms("GH-1", GHA, "CA0007", **FULL, **definition)
    ledger.take(GHA, {"action": "authorization", "terms": full})
    one = line(U, 1, 10, account(GHA), account(GHA, "CAN"), itmo_first=1)
    members = {"use": mark, "authorization": GH1}
    ledger.take(GHA, {"action": "cancellation", "lines": (one,), **members})
    ghana = ledger.report(GHA)
    kinds_ = [(row.type, row.subtype) for row in ghana.actions]
    other = subtype if "OMGE" in subtype else None
    assert kinds_ == [("First transfer", subtype), (type_, other)]
    assert [str(one) for one in checked(ghana).findings] == []


def test_units_of_another_metric_are_reported_in_it() -> None:
    ledger = Ledger()
    megawatts = Attributes(metric="non-GHG", unit="MWh")
    ledger.take(GHA, issuance(GHA, U, 1, 100, attributes=megawatts))
    full = terms("GH-1", GHA, "CA0007", **FULL, metric="non-GHG", unit="MWh")
    ledger.take(GHA, {"action": "authorization", "terms": full})
    ledger.take(GHA, first_transfer(1, 100, 1))
    books = ledger.report(GHA), ledger.report(CHE)
    (row,) = books[1].holdings
    assert (row.metric, row.non_ghg_metric, row.quantity, row.non_ghg_quantity) == (
        "non-GHG",
        "MWh",
        None,
        100,
    )
    assert [str(one) for one in checked(*books).findings] == []


def recorded(**members: Any) -> Recorded:
    given = terms("GH-1", GHA, "CA0007", **members)
    return Recorded(AuthorizationTerms.model_validate_json(_json(given)), Instant(MIDSUMMER))


@pytest.mark.parametrize(
    ("purposes", "said"),
    [
        (["NDC"], "NDC"),
        (["IMP"], "IMP"),
        (["OP"], "OP"),
        (["IMP", "OP"], "OIMP"),
        (["NDC", "IMP"], "NDC and IMP"),
        (["NDC", "OP"], "NDC and OP"),
        (["NDC", "IMP", "OP"], "NDC and OIMP"),
    ],
)
def test_purposes_are_in_the_words_of_the_nomenclatures(purposes: list[str], said: str) -> None:
    other = {} if purposes == ["NDC"] else {"first_transfer": "issuance"}
    row = authorization_row(recorded(purposes=purposes, **other))
    assert row.purposes == said
    assert row.oimp == (" and ".join(p for p in purposes if p != "NDC") or None)
    assert LISTS.exact("purposes", said)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, None),
        ({"vintage_from": 2022, "vintage_to": 2025}, "2022 - 2025"),
        ({"use_to": 2030}, "Use: from 2021 to 2030"),
        (
            {"vintage_to": 2025, "use_to": 2030},
            "Occurred: from 2021 to 2025. Use: from 2021 to 2030",
        ),
    ],
)
def test_a_timeframe_has_the_form_that_says_it(members: dict[str, Any], said: str | None) -> None:
    assert authorization_row(recorded(**members)).timeframe == said


def test_all_that_terms_say_stands_in_tables_2_and_5() -> None:
    one = recorded(
        purposes=["NDC", "OP"],
        first_transfer="authorization",
        oimp="Voluntary",
        entities=["COOK"],
        entity_records=[ENTITY],
        quantity=500,
        gwp="AR5",
        sectors=["Agriculture", "Waste management"],
        activity_types=["Biogas"],
        date="2024-02-29",
        explanation="See the agreement.",
        revoked=True,
        terms="Subject to change.",
    )
    row = authorization_row(one)
    assert (row.date, row.sectors, row.entities) == (
        "2024-02-29",
        "Agriculture, Waste management",
        "GH-17",
    )
    assert row.first_transfer == "Authorisation"
    assert row.more == "This version revokes the authorization. See the agreement."
    (entity,) = entity_rows(one)
    assert (entity.id, entity.name, entity.country, entity.date) == (
        "GH-17",
        "Cookstoves Limited",
        "GHA",
        "2024-02-29",
    )


# --- a first transfer that is taken back --------------------------------------------------------


BINDING: dict[str, Any] = {**FULL, "binds_first_transferred": True, "explanation": "Bilateral."}
REVOKED = {"id": "GH-2", "version": 2}


@pytest.fixture
def taken_back() -> Ledger:
    """Of 100 units first-transferred in 2025, Korea acquires 30; revoked in 2026, when 20 go back
    from Switzerland and all of Korea's. The rest of Switzerland's stays there.
    """
    made = Ledger()
    made.take(GHA, issuance(GHA, U, 1, 1000))
    first = terms("GH-2", GHA, "CA0007", **BINDING)
    made.take(GHA, {"action": "authorization", "terms": first})
    ref = {"id": "GH-2", "version": 1}
    made.take(GHA, first_transfer(1, 100, 1, authorization=ref))
    made.take(CHE, transfer(I, 1, 30, CHE, KOR))
    second = {**first, "version": 2, "revoked": True}
    made.take(GHA, {"action": "authorization", "terms": second}, FIRST_SECOND)
    made.take(CHE, counter_entry(31, 50, CHE, REVOKED), NEXT_YEAR)
    made.take(KOR, counter_entry(1, 30, KOR, REVOKED), NEXT_YEAR)
    return made


@pytest.mark.requirement(88)
def test_what_goes_back_is_a_transfer_and_an_acquisition_and_is_held_by_nobody(
    taken_back: Ledger,
) -> None:
    books = [taken_back.report(actor, year) for year in (2025, 2026) for actor in (GHA, CHE, KOR)]
    report = checked(*books)
    assert [str(one) for one in report.findings] == []
    assert report.unchecked == []
    then, now = books[:3], books[3:]
    first = ("First transfer", "First transfer to another Party", 100)
    assert [kinds(aef) for aef in then] == [
        [first],
        [("Acquisition", None, 100), ("Transfer", None, 30)],
        [("Acquisition", None, 30)],
    ]
    assert [kinds(aef) for aef in now] == [
        [("Acquisition", None, 20), ("Acquisition", None, 30)],
        [("Transfer", None, 20)],
        [("Transfer", None, 30)],
    ]
    assert [row.transferring for row in now[0].actions] == ["CHE", "KOR"]
    assert [aef.actions[0].acquiring for aef in now[1:]] == ["GHA", "GHA"]
    said = "Counter-entry CHE01-CHE-6: the first transfer is taken back."
    assert now[0].actions[0].more == now[1].actions[0].more == said
    assert [held(aef) for aef in then] == [
        [],
        [("CA0007-GHA01-GHA-31-2023", "CA0007-GHA01-GHA-100-2023")],
        [("CA0007-GHA01-GHA-1-2023", "CA0007-GHA01-GHA-30-2023")],
    ]
    assert [held(aef) for aef in now] == [
        [],
        [("CA0007-GHA01-GHA-51-2023", "CA0007-GHA01-GHA-100-2023")],
        [],
    ]


@pytest.mark.requirement(88)
def test_the_version_that_revokes_explains_what_is_first_transferred_no_longer(
    taken_back: Ledger,
) -> None:
    said = (
        "The first transfer of 50 units was taken back by counter-entry: "
        "CA0007-GHA01-GHA-1-2023 to CA0007-GHA01-GHA-50-2023."
    )
    rows = taken_back.report(GHA, 2026).authorizations
    assert [(row.id, row.version, row.more) for row in rows] == [
        ("GH-2", 1, "Bilateral."),
        (
            "GH-2",
            2,
            f"This version revokes the authorization. Bilateral. {said}",
        ),
    ]
    assert [row.version for row in taken_back.report(GHA, 2025).authorizations] == [1]


@pytest.mark.requirement(88)
def test_what_a_party_takes_back_of_its_own_is_no_action_and_is_explained() -> None:
    made = Ledger()
    made.take(GHA, issuance(GHA, U, 1, 10))
    first = terms("GH-2", GHA, "CA0007", **BINDING)
    made.take(GHA, {"action": "authorization", "terms": first})
    gone = first_transfer(1, 10, 1, authorization={"id": "GH-2", "version": 1})
    made.take(GHA, gone)
    made.take(CHE, transfer(I, 1, 10, CHE, GHA))
    made.take(GHA, {"action": "authorization", "terms": {**first, "version": 2, "revoked": True}})
    own = counter_entry(1, 10, GHA, REVOKED, acquirer=None)
    made.take(GHA, own, NEXT_YEAR)
    aef = made.report(GHA, 2026)
    assert (aef.actions, aef.holdings) == ((), ())
    assert "The first transfer of 10 units was taken back" in str(aef.authorizations[1].more)
    assert [str(one) for one in checked(aef).findings] == []
