# SPDX-License-Identifier: Apache-2.0
"""Faults against an authorization: that it is there, who, for what, when and how much; and units
that are issued, used or cancelled as nobody authorized.
"""

from schemas.directory import Profile
from schemas.identifiers import PartyCode
from schemas.units import Attributes, AuthorizationRef, Position, Purpose, UseMark
from tests.unit.ledger.spoiling import (
    HLD,
    NDC_OF_NOBODY,
    NEXT_YEAR,
    Case,
    R,
    amended,
    at,
    authorized,
    changed,
    connected,
    forget,
    good,
    line,
    then,
)
from tests.unit.ledger.world import (
    ADM,
    AUTHORIZED,
    AUTHORIZED64,
    CHE,
    FLIGHT,
    GHA,
    KOR,
    MMR,
    NDC,
    NDC_KOREA,
    VOLUNTARY,
    A,
    B,
    C,
    I,
    U,
    account,
    move,
    terms,
)

OF_AUTHORIZATIONS: dict[str, Case] = {
    "the version of an authorization exists": Case(
        *good("authorization", terms=terms(GHA, version=1)),
        [at(R.AUTHORIZATION_EXISTS, "body/terms/version")],
    ),
    "a version of an authorization is skipped": Case(
        *good("authorization", terms=terms(GHA, version=3)),
        [at(R.AUTHORIZATION_EXISTS, "body/terms/version")],
    ),
    "a new authorization begins with version 2": Case(
        *good("authorization", terms=terms(GHA, id="GHA-9", version=2)),
        [at(R.AUTHORIZATION_EXISTS, "body/terms/version")],
    ),
    "no such authorization": Case(
        *good("first transfer", authorization=AUTHORIZED64),
        [at(R.AUTHORIZATION_MISSING, "body/authorization")],
    ),
    "no such version of the authorization": Case(
        *good("first transfer", authorization=AuthorizationRef(id=AUTHORIZED.id, version=2)),
        [at(R.AUTHORIZATION_MISSING, "body/authorization")],
    ),
    "used units name an authorization that nobody knows": Case(
        *good("use"),
        [at(R.AUTHORIZATION_MISSING, "body/lines/0", I, 11, 20)],
        forget,
    ),
    "the authorization is revoked": Case(
        *good("first transfer", authorization=AuthorizationRef(id=AUTHORIZED.id, version=2)),
        [at(R.AUTHORIZATION_REVOKED, "body/authorization")],
        authorized(GHA, revoked=True),
    ),
    "the authorization is superseded": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_REVOKED, "body/authorization")],
        authorized(GHA),
    ),
    "the vintage is too early for the authorization": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/authorization")],
        amended(GHA, vintage_from=2024),
    ),
    "the vintage is too late for the authorization": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/authorization")],
        amended(GHA, vintage_to=2022),
    ),
    "the use is too early for the authorization": Case(
        *good("use", use=NDC.model_copy(update={"year": 2023})),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/use/year", I, 11, 20)],
    ),
    "the use is too late for the authorization": Case(
        *good("use", use=NDC.model_copy(update={"year": 2031})),
        [at(R.AUTHORIZATION_OUT_OF_TIME, "body/use/year", I, 11, 20)],
    ),
    "one unit more than is authorized": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_EXCEEDED, "body/quantity")],
        amended(GHA, quantity=149),
    ),
    "the purpose is not authorized": Case(
        *good("use", use=UseMark(purpose=Purpose.OP, user=FLIGHT.user)),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose", I, 11, 20)],
    ),
    "the purpose of a cancellation is not authorized": Case(
        *good("cancellation", use=UseMark(purpose=Purpose.OP, user=FLIGHT.user)),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose", I, 31, 40)],
    ),
    "the acquiring Party is not authorized": Case(
        *good("first transfer"),
        [at(R.AUTHORIZATION_PARTY, "body/acquirer")],
        amended(GHA, parties=(PartyCode("KOR"),)),
    ),
    "the using entity is not authorized": Case(
        *good("use by an entity", use=UseMark(purpose=Purpose.IMP, user="Other Airline")),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 21, 30)],
    ),
    "the using Party is not authorized": Case(
        KOR,
        move("use", I, 11, 12, HLD[KOR], account(KOR, "USE"), use=NDC_KOREA),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 11, 12)],
        changed(I, 11, 12, position=Position.of(HLD[KOR])),
    ),
    "an entity uses in the section of a Party that is not authorized": Case(
        KOR,
        move("use", I, 11, 12, HLD[KOR], account(KOR, "USE"), use=FLIGHT),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 11, 12)],
        changed(I, 11, 12, position=Position.of(HLD[KOR])),
    ),
    "an entity has units cancelled in the section of a Party that is not authorized": Case(
        KOR,
        move("cancellation", I, 11, 12, HLD[KOR], account(KOR, "CAN"), use=VOLUNTARY),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 11, 12)],
        changed(I, 11, 12, position=Position.of(HLD[KOR])),
    ),
    "a Party uses for a flight in the name of another, though any entity may": Case(
        *good("use by an entity", use=UseMark(purpose=Purpose.IMP, user="KOR")),
        [at(R.AUTHORIZATION_PARTY, "body/use/user", I, 21, 30)],
        amended(GHA, parties=(), entities=()),
    ),
    "an administrator uses units towards an NDC": Case(
        ADM,
        move("use", A, 11, 12, HLD[ADM], account(ADM, "RET"), use=NDC_OF_NOBODY),
        [at(R.AUTHOR_NOT_ACTING, "body/action")],
        then(
            amended(MMR, parties=()),
            changed(A, 11, 12, position=Position.of(HLD[ADM])),
        ),
    ),
    "an administrator uses CERs": Case(
        ADM,
        move("cer-use", C, 51, 60, account(ADM, "CER"), account(ADM, "RET"), use=NDC_OF_NOBODY),
        [at(R.AUTHOR_NOT_ACTING, "body/use/user")],
    ),
    "units that nobody authorized are cancelled for a flight": Case(
        *good("cancellation of underlying units", use=VOLUNTARY),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", U, 1301, 1310)],
    ),
    "contributions are cancelled for a flight": Case(
        *good("cancellation of a contribution", use=FLIGHT),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", B, 101, 110)],
    ),
    "MWh under an authorization of a quantity in no metric": Case(
        *good("first transfer", unit="MWh"),
        [at(R.METRIC_DIFFERS, "body/authorization")],
        then(changed(U, 1101, 1150, metric="non-GHG", unit="MWh"), amended(GHA, quantity=10**6)),
    ),
    "units are issued of a year that has not begun": Case(
        *line("issuance", key=NEXT_YEAR),
        [at(R.KEY_WRONG, "body/lines/0/key", NEXT_YEAR, 2001, 2100)],
    ),
    "a mitigation contribution leaves": Case(
        *line("first transfer of A6.4ERs", key=B, first=101, last=110),
        [at(R.CONTRIBUTION_STAYS, "body/lines/0", B, 101, 110)],
    ),
    "a mitigation contribution leaves from the share of proceeds": Case(
        ADM,
        move("transfer", B, 194, 198, account(ADM, "SOP"), HLD[KOR]),
        [at(R.CONTRIBUTION_STAYS, "body/lines/0", B, 194, 198)],
        then(
            changed(B, 194, 198, first_transferred=True),
            connected(ADM, KOR, Profile.UNIT),
        ),
    ),
    "A6.4ERs leave that nobody authorized": Case(
        *line("first transfer of A6.4ERs", key=B, first=201, last=210),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", B, 201, 210)],
        changed(B, 201, 210, designation=None),
    ),
    "units are used that nobody authorized": Case(
        KOR,
        move("use", A, 50, 51, HLD[KOR], account(KOR, "USE"), use=NDC_KOREA),
        [at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", A, 50, 51)],
        changed(A, 50, 51, first_transferred=True, position=Position.of(HLD[KOR])),
    ),
    "pending units are issued as first-transferred": Case(
        *line(
            "issuance of A6.4ERs", attributes=Attributes(designation="N", first_transferred=True)
        ),
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0/attributes/first_transferred")],
    ),
    "a levy is issued and not first-transferred": Case(
        *line("issuance of A6.4ERs", 1, attributes=Attributes(designation="N")),
        [at(R.NOT_FIRST_TRANSFERRED, "body/lines/1/attributes/first_transferred")],
    ),
    "units are issued as used": Case(
        *line(
            "issuance of A6.4ERs",
            2,
            attributes=Attributes(designation="N", use=FLIGHT, first_transferred=True),
        ),
        [at(R.MEMBER_SUPERFLUOUS, "body/lines/2/attributes/use")],
    ),
    "A6.4ERs are issued as if they represented others": Case(
        *line(
            "issuance of A6.4ERs",
            attributes=Attributes(
                designation="N", underlying_registry="GHA01", underlying_offset=0
            ),
        ),
        [
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes/underlying_registry"),
        ],
    ),
    "a Party's units are issued as if they represented another registry's": Case(
        *line(
            "issuance",
            attributes=Attributes(underlying_registry="CHE01", underlying_offset=0),
        ),
        [at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes/underlying_registry")],
    ),
    "A6.4ERs name an authorization that nobody knows": Case(
        *line(
            "issuance of A6.4ERs", attributes=Attributes(designation="N", authorization=AUTHORIZED)
        ),
        [at(R.AUTHORIZATION_MISSING, "body/lines/0/attributes/authorization")],
    ),
    "A6.4ERs name a version of an authorization that nobody knows": Case(
        *line(
            "issuance of A6.4ERs",
            attributes=Attributes(
                designation="N", authorization=AUTHORIZED64.model_copy(update={"version": 2})
            ),
        ),
        [at(R.AUTHORIZATION_MISSING, "body/lines/0/attributes/authorization")],
    ),
    "A6.4ERs name an authorization that is superseded": Case(
        *line(
            "issuance of A6.4ERs",
            attributes=Attributes(designation="N", authorization=AUTHORIZED64),
        ),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0/attributes/authorization")],
        authorized(MMR),
    ),
    "A6.4ERs name an authorization that is revoked": Case(
        *line(
            "issuance of A6.4ERs",
            attributes=Attributes(designation="N", authorization=AUTHORIZED64),
        ),
        [at(R.AUTHORIZATION_REVOKED, "body/lines/0/attributes/authorization")],
        amended(MMR, revoked=True),
    ),
    "a Party's units are issued as designated and authorized": Case(
        *line("issuance", attributes=Attributes(designation="N", authorization=AUTHORIZED)),
        [
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes/designation"),
            at(R.MEMBER_SUPERFLUOUS, "body/lines/0/attributes/authorization"),
        ],
    ),
    "a Party's units are issued as first-transferred": Case(
        *line("issuance", attributes=Attributes(first_transferred=True)),
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0/attributes/first_transferred")],
    ),
    "a Party has a levy": Case(
        *line(
            "issuance",
            target=account(GHA, "SOP"),
            attributes=Attributes(first_transferred=True),
        ),
        [at(R.ACCOUNT_WRONG, "body/lines/0/target")],
    ),
    "A6.4ERs are used for what they are not designated for": Case(
        *good("use of A6.4ERs"),
        [at(R.AUTHORIZATION_PURPOSE, "body/lines/0", A, 1, 5)],
        changed(A, 1, 5, designation="IO"),
    ),
    "a contribution is used": Case(
        *good("use of A6.4ERs"),
        [at(R.AUTHORIZATION_PURPOSE, "body/lines/0", A, 1, 5)],
        changed(A, 1, 5, designation="MCU"),
    ),
    "A6.4ERs are cancelled for what they are not designated for": Case(
        MMR,
        move("cancellation", A, 41, 42, HLD[MMR], account(MMR, "CAN"), use=FLIGHT),
        [at(R.AUTHORIZATION_PURPOSE, "body/lines/0", A, 41, 42)],
        changed(A, 41, 42, designation="NO"),
    ),
    "nothing that A6.4ERs are designated for is authorized": Case(
        *good("first transfer of A6.4ERs"),
        [at(R.AUTHORIZATION_PURPOSE, "body/lines/0", A, 21, 30)],
        changed(A, 21, 30, designation="O"),
    ),
    "a cancellation for an NDC": Case(
        *good("cancellation", use=NDC),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose")],
    ),
    "ITMOs are first-transferred again": Case(
        CHE,
        move("first-transfer", I, 1, 2, HLD[CHE], account(CHE, "HLD", 2), authorization=AUTHORIZED),
        [
            at(R.KEY_WRONG, "body/lines/0/key", I, 1, 2),
        ],
    ),
    "A6.4ERs are first-transferred again": Case(
        *line("first transfer of A6.4ERs", first=41, last=42),
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0", A, 41, 42)],
        changed(A, 41, 42, first_transferred=True),
    ),
    "units are transferred that were not first-transferred": Case(
        MMR,
        move("transfer", A, 41, 42, HLD[MMR], HLD[KOR]),
        [at(R.NOT_FIRST_TRANSFERRED, "body/lines/0", A, 41, 42)],
    ),
    "units are used that were not first-transferred": Case(
        MMR,
        move("use", A, 41, 42, HLD[MMR], account(MMR, "RET"), use=FLIGHT),
        [
            at(R.NOT_FIRST_TRANSFERRED, "body/lines/0", A, 41, 42),
            at(R.NOT_AUTHORIZED_UNITS, "body/lines/0", A, 41, 42),
        ],
    ),
}
