# SPDX-License-Identifier: Apache-2.0
"""Faults of first transfers and of what rests on them: which event is the first, what a revocation
binds, counter-entries, and what is said of whoever acquires.
"""

from ledger.holdings import OverlayKind
from schemas.directory import Profile
from schemas.units import Attributes, Position, Purpose
from tests.unit.ledger.spoiling import (
    HLD,
    NDC_GHANA,
    Case,
    R,
    acted,
    amended,
    amended_2,
    asking_for_transfer_data,
    at,
    authorized,
    changed,
    connected,
    forget,
    good,
    line,
    overlaid,
    then,
    with_target,
    without_binding_terms,
)
from tests.unit.ledger.world import (
    AT_ISSUANCE,
    AUTHORIZED,
    AUTHORIZED64,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    MMR,
    NDC,
    OMGE,
    REVOKED,
    VOLUNTARY,
    A,
    B,
    I,
    U,
    account,
    authorization,
    move,
)

OF_FIRST_TRANSFERS: dict[str, Case] = {
    # --- first transfers and what is authorized
    "at home, of what is first-transferred by its use": Case(
        *good("first transfer at home", authorization=AUTHORIZED),
        [at(R.FIRST_TRANSFER_WRONG, "body/action")],
    ),
    "abroad, of what is first-transferred by its use": Case(
        *good("first transfer"),
        [at(R.FIRST_TRANSFER_WRONG, "body/action")],
        amended(GHA, purposes=(Purpose.IMP,)),
    ),
    "an issuance that is a first transfer and does not say so": Case(
        *line("issuance of ITMOs", attributes=Attributes(authorization=AT_ISSUANCE)),
        [at(R.FIRST_TRANSFER_WRONG, "body/lines/0/attributes/first_transferred")],
    ),
    "an issuance that says it is a first transfer and is none": Case(
        *line(
            "issuance of ITMOs",
            attributes=Attributes(authorization=AUTHORIZED, first_transferred=True),
        ),
        [at(R.FIRST_TRANSFER_WRONG, "body/lines/0/attributes/first_transferred")],
    ),
    "ITMOs are issued that nobody authorized": Case(
        *line("issuance of ITMOs", attributes=Attributes()),
        [at(R.KEY_WRONG, "body/lines/0/key", I, 5001, 5100)],
    ),
    "ITMOs are issued of another approach than is authorized": Case(
        *line("issuance of ITMOs", key=I.model_copy(update={"approach": "CA0008"})),
        [at(R.KEY_WRONG, "body/lines/0/attributes/authorization")],
    ),
    "ITMOs are issued of an earlier vintage than is authorized": Case(
        *line("issuance of ITMOs", key=I.model_copy(update={"vintage": 2021})),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/lines/0/attributes/authorization")],
    ),
    "one unit more is issued as first-transferred than is authorized": Case(
        *good("issuance of ITMOs"),
        [at(R.AUTHORIZATION_EXCEEDED, "body/quantity")],
        amended_2(quantity=99),
    ),
    "one unit more is first-transferred by its use than is authorized": Case(
        *good("first transfer by use"),
        [at(R.AUTHORIZATION_EXCEEDED, "body/quantity")],
        amended(GHA, quantity=109),
    ),
    "a cancellation that is the first transfer and names no authorization": Case(
        *good("first transfer by cancellation", authorization=None),
        [at(R.FIRST_TRANSFER_WRONG, "body/authorization", I, 4011, 4020)],
    ),
    "a cancellation for overall mitigation of authorized units names no authorization": Case(
        GHA,
        move("cancellation", I, 4011, 4020, HLD[GHA], account(GHA, "OMG"), use=OMGE),
        [at(R.FIRST_TRANSFER_WRONG, "body/authorization", I, 4011, 4020)],
    ),
    "designated units are cancelled for what they are designated for, unnamed": Case(
        MMR,
        move("cancellation", A, 41, 42, HLD[MMR], account(MMR, "CAN"), use=FLIGHT),
        [at(R.FIRST_TRANSFER_WRONG, "body/authorization", A, 41, 42)],
    ),
    "a use towards an NDC is no first transfer": Case(
        GHA,
        move(
            "use",
            I,
            4011,
            4020,
            HLD[GHA],
            account(GHA, "USE"),
            authorization=AUTHORIZED,
            use=NDC_GHANA,
        ),
        [at(R.FIRST_TRANSFER_WRONG, "body/authorization")],
    ),
    "underlying units are used without becoming ITMOs": Case(
        *line("first transfer by use", itmo_first=None),
        [at(R.MEMBER_MISSING, "body/lines/0/itmo_first")],
    ),
    "what was first-transferred is so again by its cancellation": Case(
        *good("cancellation", authorization=AUTHORIZED),
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0", I, 31, 40)],
    ),
    "a contribution is first-transferred by its cancellation": Case(
        *good("cancellation of a contribution", authorization=AUTHORIZED64, use=FLIGHT),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", B, 101, 110)],
    ),
    "a use says that it is a cancellation": Case(
        *good("use by an entity", use=VOLUNTARY),
        [at(R.MEMBER_SUPERFLUOUS, "body/use/cancellation")],
    ),
    "what delivers overall mitigation goes elsewhere": Case(
        *line("cancellation for overall mitigation", target=account(CHE, "CAN")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "what delivers no overall mitigation goes where that is": Case(
        *line("cancellation", target=account(CHE, "OMG")),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "another international mitigation purpose than is authorized": Case(
        *good("cancellation", use=VOLUNTARY.model_copy(update={"oimp": "a shop"})),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/oimp", I, 31, 40)],
    ),
    "an airline uses what is authorized for NDCs alone": Case(
        *good("use by an entity"),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose", I, 21, 30)],
        amended(GHA, purposes=(Purpose.NDC,), first_transfer=None, oimp=None),
    ),
    "an airline uses after the time": Case(
        *good("use by an entity"),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/use", I, 21, 30)],
        amended(GHA, use_to=2026),
    ),
    "a use under an authorization whose revocation binds": Case(
        *good("use"),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0", I, 11, 20)],
        then(amended(GHA, binds_first_transferred=True), authorized(GHA, revoked=True)),
    ),
    "a transfer under an authorization whose revocation binds": Case(
        *good("transfer"),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0", I, 1, 10)],
        then(amended(GHA, binds_first_transferred=True), authorized(GHA, revoked=True)),
    ),
    "a cancellation of units that a revocation binds, for overall mitigation": Case(
        *good("cancellation for overall mitigation"),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0", I, 41, 42)],
        then(amended(GHA, binds_first_transferred=True), authorized(GHA, revoked=True)),
    ),
    "a counter-entry under an authorization that nobody knows": Case(
        *good("counter-entry"), [at(R.AUTHORIZATION_MISSING, "body/authorization")], forget
    ),
    "a counter-entry by the version that was revoked": Case(
        *good("counter-entry", authorization=REVOKED.model_copy(update={"version": 1})),
        [at(R.FIRST_TRANSFER_STANDS, "body/authorization")],
    ),
    "a counter-entry under an authorization that is valid again": Case(
        *good("counter-entry"),
        [at(R.FIRST_TRANSFER_STANDS, "body/authorization")],
        acted(GHA, authorization(GHA, id=REVOKED.id, version=3)),
    ),
    "a counter-entry of units whose terms let no revocation bind them": Case(
        *good("counter-entry"),
        [at(R.FIRST_TRANSFER_STANDS, "body/lines/0", I, 901, 930)],
        without_binding_terms,
    ),
    "a counter-entry of units that are under another authorization": Case(
        *line("counter-entry", first=1, last=10),
        [at(R.FIRST_TRANSFER_STANDS, "body/lines/0", I, 1, 10)],
    ),
    "a counter-entry of units that were not first-transferred": Case(
        *good("counter-entry"),
        [at(R.NOT_FIRST_TRANSFERRED, "body/lines/0", I, 901, 930)],
        changed(I, 901, 950, first_transferred=False),
    ),
    "a counter-entry of units that are used": Case(
        *good("counter-entry"),
        [at(R.UNITS_FINAL, "body/lines/0", I, 901, 930)],
        changed(I, 901, 950, position=Position.of(account(CHE, "USE")), use=NDC),
    ),
    "a counter-entry to somebody else than the first transferring Party": Case(
        *with_target("counter-entry", account(KOR, "HLD")),
        [at(R.ACQUIRER_WRONG, "body/acquirer", I, 901, 930)],
        connected(CHE, KOR, Profile.INFORMATION),
    ),
    "a counter-entry that stays where the units are": Case(
        *with_target("counter-entry", account(CHE, "HLD", 2)),
        [at(R.ACQUIRER_WRONG, "body/acquirer", I, 901, 930)],
    ),
    "a counter-entry of underlying units": Case(
        *line("counter-entry", key=U), [at(R.KEY_WRONG, "body/lines/0/key", U, 901, 930)]
    ),
    "a counter-entry of A6.4ERs": Case(
        KOR,
        move("counter-entry", A, 1, 5, HLD[KOR], HLD[MMR], authorization=AUTHORIZED64),
        [at(R.KEY_WRONG, "body/lines/0/key", A, 1, 5)],
    ),
    "a counter-entry by somebody else than the holder": Case(
        GHA,
        GOOD["counter-entry"][1].model_copy(update={"acquirer": None}),
        [at(R.AUTHOR_NOT_ACTING, "body/lines/0/source")],
    ),
    "a counter-entry of units under a case of whoever holds what they represent": Case(
        *good("counter-entry"),
        [at(R.UNITS_FROZEN, "body/lines/0", U, 1905, 1906)],
        overlaid(OverlayKind.FROZEN, GHA, U, 1905, 1906, "REC-1"),
    ),
    "a use that a later version which binds does not allow": Case(
        *good("use by an entity"),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 21, 30)],
        then(
            amended(GHA, binds_first_transferred=True),
            authorized(GHA, entities=("Other Airline",)),
        ),
    ),
    "it is not said to whom units go, nor how they are adjusted for": Case(
        *good("first transfer"),
        [at(R.MEMBER_MISSING, "body/entity"), at(R.MEMBER_MISSING, "body/adjustment")],
        asking_for_transfer_data,
    ),
    "an entity acquires that is not authorized": Case(
        *good("first transfer", entity="Other Airline"),
        [at(R.AUTHORIZATION_PARTY, "body/entity")],
    ),
    "a use names an acquiring entity": Case(
        *good("use", entity="Airline of the Alps", adjustment="averaging"),
        [at(R.MEMBER_SUPERFLUOUS, "body/entity"), at(R.MEMBER_SUPERFLUOUS, "body/adjustment")],
    ),
}
