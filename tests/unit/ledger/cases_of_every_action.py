# SPDX-License-Identifier: Apache-2.0
"""Faults of any proposal: who takes part, its form, its sequence, units, accounts and metrics.

Found by `ledger.checks`, `binding_checks` and `moves`.
"""

from ledger.holdings import OverlayKind
from schemas.directory import Profile, Status
from schemas.identifiers import ApproachId, Instant, PartyCode, TransactionId
from schemas.limits import SERIAL_MAX
from schemas.units import Attributes, Layer, Purpose
from tests.unit.ledger.spoiling import (
    FRANCE,
    HLD,
    JAPAN,
    ODD_MECHANISM,
    OTHER_KEY,
    SAME_ITMOS,
    TO_MECHANISM,
    TO_SWITZERLAND,
    TWO_LINES,
    Case,
    R,
    acted,
    amended,
    at,
    changed,
    connected,
    good,
    line,
    lines_of,
    overlaid,
    owes_an_answer,
    status,
    unbound,
)
from tests.unit.ledger.world import (
    ADM,
    AUTHORIZED,
    AUTHORIZED64,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    MMR,
    NDC,
    NOON,
    A,
    B,
    I,
    U,
    account,
    move,
    terms,
)

OF_EVERY_ACTION: dict[str, Case] = {
    # --- participant
    "the transaction's id is another actor's": Case(
        *good("use"),
        [at(R.AUTHOR_NOT_ACTING, "conversation")],
        ask={"transaction": TransactionId("GHA01-GHA-1")},
    ),
    "the source is another actor's account": Case(
        *line("use", source=HLD[GHA]),
        [at(R.AUTHOR_NOT_ACTING, "body/lines/0/source")],
    ),
    "the use is for another Party": Case(
        *good("use", use=JAPAN),
        [at(R.AUTHOR_NOT_ACTING, "body/use/user")],
    ),
    "the acquirer is not admitted": Case(
        *good("first transfer", acquirer=FRANCE),
        [at(R.PARTICIPANT_UNKNOWN, "body/acquirer"), at(R.PROFILE_FORBIDS, "body/acquirer")],
    ),
    "the author is in testing": Case(
        *good("use"),
        [at(R.PARTICIPANT_TESTING)],
        status("CHE01", Status.TESTING),
    ),
    "the acquirer is in testing": Case(
        *good("first transfer"),
        [at(R.PARTICIPANT_TESTING, "body/acquirer")],
        status("CHE01", Status.TESTING),
    ),
    "the author is suspended": Case(
        *good("transfer"),
        [at(R.PARTICIPANT_SUSPENDED)],
        status("CHE01", Status.SUSPENDED),
    ),
    "the author has not answered": Case(
        *good("transfer"), [at(R.ACTOR_SUSPENDED)], owes_an_answer("REC-3")
    ),
    "the author uses and has not answered": Case(
        *good("use"), [at(R.ACTOR_SUSPENDED)], owes_an_answer("REC-10", "REC-9")
    ),
    "the Party is bound to no section": Case(
        *good("use"), [at(R.NOT_BOUND)], unbound(PartyCode("CHE"), CHE)
    ),
    "the acquiring Party is bound to no section": Case(
        *good("first transfer"),
        [at(R.NOT_BOUND, "body/acquirer")],
        unbound(PartyCode("CHE"), CHE),
    ),
    "the profile is view, which lets nothing move": Case(
        *good("first transfer"),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(GHA, CHE, Profile.VIEW),
    ),
    "underlying units are not represented under the profile unit": Case(
        *good("first transfer"),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(GHA, CHE, Profile.UNIT),
    ),
    "A6.4ERs do not leave under the profile information": Case(
        *good("first transfer of A6.4ERs"),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(MMR, KOR, Profile.INFORMATION),
    ),
    "A6.4ERs do not leave under the profile extension": Case(
        *good("first transfer of A6.4ERs"),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(MMR, KOR, Profile.EXTENSION),
    ),
    "ITMOs of another registry go to the mechanism registry": Case(
        *good("transfer", acquirer=MMR, lines=(TO_MECHANISM,)),
        [at(R.PROFILE_FORBIDS, "body/lines/0/key")],
        connected(CHE, MMR, Profile.UNIT),
    ),
    "A6.4ERs go to a Party's own registry": Case(
        *good("first transfer of A6.4ERs", acquirer=CHE, lines=(TO_SWITZERLAND,)),
        [at(R.PROFILE_FORBIDS, "body/acquirer")],
        connected(CHE, MMR, Profile.UNIT),
    ),
    # --- data integrity
    "a range is reversed": Case(
        *line("use", first=20, last=11),
        [
            at(R.RANGE_REVERSED, "body/lines/0", I, 20, 11),
            at(R.QUANTITY_DIFFERS, "body/quantity"),
        ],
    ),
    "two lines share a unit": Case(
        *lines_of("first transfer", *TWO_LINES),
        [at(R.RANGES_OVERLAP, "body/lines")],
    ),
    "two lines make the same ITMO": Case(
        *lines_of("first transfer", *SAME_ITMOS),
        [at(R.RANGES_OVERLAP, "body/lines")],
    ),
    "two lines issue the same serial to two activities": Case(
        *line("issuance of A6.4ERs", 1, key=B, first=393, last=397),
        [at(R.RANGES_OVERLAP, "body/lines")],
    ),
    "the quantity is not the sum": Case(
        *good("use", quantity=11),
        [at(R.QUANTITY_DIFFERS, "body/quantity")],
    ),
    "an authorization has a quantity of units": Case(
        *good("authorization", quantity=1),
        [at(R.QUANTITY_DIFFERS, "body/quantity")],
    ),
    "a use goes to a holding account": Case(
        *line("use", target=account(CHE, "HLD", 2)),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "a use leaves the account of used units": Case(
        *line("use", source=account(CHE, "USE")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/source")],
    ),
    "locked units are cancelled": Case(
        *line("cancellation of underlying units", source=account(GHA, "LCK")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/source")],
    ),
    "units cancelled for overall mitigation are transferred": Case(
        ADM,
        move("forwarding", A, 99, 100, account(ADM, "OMG"), HLD[MMR]),
        [at(R.ACCOUNT_WRONG, "body/lines/0/source")],
    ),
    "the target is not the acquirer's": Case(
        *line("transfer", target=HLD[KOR]),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "the target is of an unknown kind": Case(
        *line("use", target=account(CHE, "ZZZ")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "A6.4ERs are issued into a holding account": Case(
        *line("issuance of A6.4ERs", 0, target=HLD[ADM]),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "the acquirer is the proposer": Case(
        *good("first transfer at home", acquirer=GHA),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
    ),
    "a first transfer for NDCs goes to the same Party": Case(
        ADM,
        move(
            "first-transfer",
            A,
            61,
            70,
            account(ADM, "PEN"),
            HLD[MMR],
            authorization=AUTHORIZED64,
        ),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
        amended(MMR, purposes=(Purpose.NDC,), first_transfer=None, oimp=None),
    ),
    "a first transfer for NDCs stays at home": Case(
        *good("first transfer at home", authorization=AUTHORIZED),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
        amended(GHA, purposes=(Purpose.NDC,), first_transfer=None, oimp=None),
    ),
    "a transfer to nobody": Case(
        *good("transfer", acquirer=None),
        [at(R.MEMBER_MISSING, "body/acquirer")],
    ),
    "a use with no mark": Case(*good("use", use=None), [at(R.MEMBER_MISSING, "body/use")]),
    "a transfer of nothing": Case(
        *good("transfer", lines=(), quantity=0), [at(R.MEMBER_MISSING, "body/lines")]
    ),
    "an issuance that rests on nothing": Case(
        *good("issuance", references=None), [at(R.MEMBER_MISSING, "body/references")]
    ),
    "a first transfer that nobody authorized": Case(
        *good("first transfer", authorization=None), [at(R.MEMBER_MISSING, "body/authorization")]
    ),
    "an authorization without terms": Case(
        *good("authorization", terms=None), [at(R.MEMBER_MISSING, "body/terms")]
    ),
    "underlying units with no ITMOs to be": Case(
        *line("first transfer", itmo_first=None), [at(R.MEMBER_MISSING, "body/lines/0/itmo_first")]
    ),
    "issued units with no attributes": Case(
        *line("issuance", attributes=None), [at(R.MEMBER_MISSING, "body/lines/0/attributes")]
    ),
    "issued units that go nowhere": Case(
        *line("issuance", target=None), [at(R.MEMBER_MISSING, "body/lines/0/target")]
    ),
    "used units that come from nowhere": Case(
        *line("use", source=None), [at(R.MEMBER_MISSING, "body/lines/0/source")]
    ),
    "a cancellation with an acquirer": Case(
        *good("cancellation of a contribution", acquirer=ADM),
        [at(R.MEMBER_SUPERFLUOUS, "body/acquirer")],
    ),
    "a transfer with a use mark": Case(
        *good("transfer", use=NDC), [at(R.MEMBER_SUPERFLUOUS, "body/use")]
    ),
    "a transfer with an authorization": Case(
        *good("transfer", authorization=AUTHORIZED),
        [at(R.MEMBER_SUPERFLUOUS, "body/authorization")],
    ),
    "an authorization with units": Case(
        *good(
            "authorization", lines=GOOD["cancellation of underlying units"][1].lines, quantity=10
        ),
        [
            at(R.MEMBER_SUPERFLUOUS, "body/lines"),
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/source"),
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/target"),
        ],
    ),
    "A6.4ERs that become other ITMOs": Case(
        *line("first transfer of A6.4ERs", itmo_first=1),
        [at(R.MEMBER_SUPERFLUOUS, "body/lines/0/itmo_first")],
    ),
    "transferred units that are given attributes": Case(
        *line("transfer", attributes=Attributes()),
        [at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes")],
    ),
    "a registry issues in another registry's key": Case(
        *line("issuance", key=OTHER_KEY),
        [at(R.KEY_WRONG, "body/lines/0/key", OTHER_KEY, 2001, 2100)],
    ),
    "a Party registry issues ITMOs": Case(
        *line("issuance", key=I),
        [at(R.KEY_WRONG, "body/lines/0/key", I, 2001, 2100)],
    ),
    "a Party issues in another Party's key": Case(
        *line("issuance", key=U.model_copy(update={"party": "CHE"})),
        [at(R.KEY_WRONG, "body/lines/0/key", U.model_copy(update={"party": "CHE"}), 2001, 2100)],
    ),
    "underlying units are used": Case(
        GHA,
        move("use", U, 1101, 1110, HLD[GHA], account(GHA, "USE"), use=FLIGHT),
        [at(R.KEY_WRONG, "body/lines/0/key", U, 1101, 1110)],
    ),
    "A6.4ERs name no activity": Case(
        *line("first transfer of A6.4ERs", key=ODD_MECHANISM),
        [at(R.KEY_WRONG, "body/lines/0/key", ODD_MECHANISM, 21, 30)],
    ),
    "other units name an activity": Case(
        *line("use", key=I.model_copy(update={"activity": "A0042"})),
        [
            at(
                R.KEY_WRONG,
                "body/lines/0/key",
                I.model_copy(update={"activity": "A0042"}),
                11,
                20,
            )
        ],
    ),
    "other units say that they are of the mechanism": Case(
        *line("use", key=I.model_copy(update={"approach": "CA0001"})),
        [
            at(
                R.KEY_WRONG,
                "body/lines/0/key",
                I.model_copy(update={"approach": "CA0001"}),
                11,
                20,
            )
        ],
    ),
    "A6.4ERs are on the layer of underlying units": Case(
        *line("use of A6.4ERs", key=A.on(Layer.UNDERLYING)),
        [at(R.KEY_WRONG, "body/lines/0/key", A.on(Layer.UNDERLYING), 1, 5)],
    ),
    "a Party authorizes for another": Case(
        *good("authorization", terms=terms(GHA, party=PartyCode("CHE"))),
        [at(R.KEY_WRONG, "body/terms/party")],
    ),
    "the authorization is for another cooperative approach": Case(
        *good("first transfer"),
        [at(R.KEY_WRONG, "body/authorization")],
        amended(GHA, approach=ApproachId("CA0008")),
    ),
    # --- sequence
    "the transaction exists": Case(
        *good("use"), [at(R.TRANSACTION_EXISTS, "conversation")], ask={"known": True}
    ),
    "the proposal expires at this moment": Case(
        *good("use", expires_at=NOON), [at(R.PROPOSAL_LATE, "body/expires_at")]
    ),
    "the proposal binds units for too long": Case(
        *good("use", expires_at=Instant("2027-03-31T12:00:00.000001Z")),
        [at(R.LIFETIME_TOO_LONG, "body/expires_at")],
    ),
    # --- general
    "issued serials exist": Case(
        *line("issuance", first=1999, last=2010),
        [at(R.SERIALS_TAKEN, "body/lines/0", U, 1999, 2000)],
    ),
    "issued serials exist for another activity": Case(
        *line("issuance of A6.4ERs", 0, key=B, first=59, last=61),
        [
            at(R.SERIALS_TAKEN, "body/lines/0", A, 59, 60),
            at(R.SERIALS_TAKEN, "body/lines/0", A, 61, 61),
        ],
    ),
    "ITMOs to be have serials that exist": Case(
        *line("first transfer", itmo_first=100),
        [at(R.SERIALS_TAKEN, "body/lines/0", I, 100, 100)],
    ),
    "ITMOs to be have serials that cannot exist": Case(
        *line("first transfer", itmo_first=SERIAL_MAX),
        [at(R.SERIALS_TAKEN, "body/lines/0/itmo_first")],
    ),
    "units are used already": Case(
        *line("use", first=89, last=92),
        [at(R.UNITS_FINAL, "body/lines/0", I, 91, 92)],
    ),
    "units are under a case": Case(
        *good("use"),
        [at(R.UNITS_FROZEN, "body/lines/0", I, 15, 20)],
        overlaid(OverlayKind.FROZEN, CHE, I, 15, 25, "REC-3"),
    ),
    "units are reserved by another transaction": Case(
        *good("use"),
        [at(R.UNITS_RESERVED, "body/lines/0", I, 11, 12)],
        overlaid(OverlayKind.RESERVED, CHE, I, 5, 12, "CHE01-CHE-999"),
    ),
    "units are in another account": Case(
        *line("use", source=account(CHE, "HLD", 2)),
        [at(R.UNITS_NOT_HELD, "body/lines/0", I, 11, 20)],
    ),
    "units do not exist": Case(
        *line("first transfer", first=1996, last=2005),
        [at(R.UNITS_NOT_HELD, "body/lines/0", U, 2001, 2005)],
    ),
    "units are another actor's": Case(
        *line("use", first=8, last=11),
        [at(R.UNITS_NOT_HELD, "body/lines/0", I, 8, 10)],
        acted(*GOOD["transfer"]),
    ),
    "units are of another activity": Case(
        *line("first transfer of A6.4ERs", key=B),
        [at(R.UNITS_NOT_HELD, "body/lines/0", B, 21, 30)],
    ),
    "units were first-transferred, and so are locked": Case(
        *line("first transfer", first=1081, last=1090),
        [at(R.UNITS_NOT_HELD, "body/lines/0", U, 1081, 1090)],
    ),
    "units of one line differ": Case(
        *line("use", first=85, last=90),
        [at(R.UNITS_DIFFER, "body/lines/0", I, 85, 90)],
        changed(I, 88, 90, mitigation="Removals"),
    ),
    # --- metrics
    "the quantity is in another metric than the units": Case(
        *good("use", unit="MWh"),
        [at(R.METRIC_DIFFERS, "body/unit", I, 11, 20)],
    ),
    "units of another metric are issued in tonnes": Case(
        *line("issuance", attributes=Attributes(metric="non-GHG", unit="MWh")),
        [at(R.METRIC_DIFFERS, "body/unit", U, 2001, 2100)],
    ),
    "another metric is authorized": Case(
        *good("first transfer"),
        [at(R.METRIC_DIFFERS, "body/authorization")],
        amended(GHA, metric="non-GHG", unit="MWh"),
    ),
    "an authorization has no quantity in any metric": Case(
        *good("authorization", unit="MWh"),
        [at(R.MEMBER_SUPERFLUOUS, "body/unit")],
    ),
}
