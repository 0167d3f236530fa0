# SPDX-License-Identifier: Apache-2.0
"""Faults of issuances, and of what the mechanism registry alone has: levies, approvals, pending
units, the buffer, CERs.
"""

from schemas.directory import Profile
from schemas.messages import IssuanceReferences, Line
from schemas.units import Attributes, Cancellation, Layer, Purpose, UseMark
from tests.unit.ledger.spoiling import (
    HLD,
    PENDING_CANCELLED,
    Case,
    R,
    acted,
    admitted_too,
    at,
    buffered,
    by,
    changed,
    connected,
    every_line,
    good,
    issued,
    levied,
    line,
    needs_buffer,
    rests_on,
)
from tests.unit.ledger.world import (
    ADM,
    CHE,
    FLIGHT,
    GHA,
    GOOD,
    KOR,
    KOREA64,
    MMR,
    NDC_KOREA,
    NDC_MYANMAR,
    REVERSED,
    A,
    B,
    C,
    I,
    U,
    account,
    approval,
    authorization,
    cer_entry,
    designation,
    instruction,
    issuance,
    move,
)

OF_THE_MECHANISM: dict[str, Case] = {
    # --- type-specific
    "the international registry issues": Case(
        KOR,
        issuance(KOR, U.model_copy(update={"registry": "UN02", "party": "KOR"}), 1, 10),
        [at(R.ISSUANCE_NOT_HERE)],
    ),
    "a Party issues in the mechanism registry": Case(
        *by(MMR, "issuance of A6.4ERs"),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "a Party forwards in the mechanism registry": Case(
        MMR,
        move("forwarding", A, 61, 62, account(MMR, "PEN"), HLD[ADM]),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "another registry forwards": Case(
        GHA,
        move("forwarding", I, 1, 2, account(GHA, "PEN"), HLD[CHE]),
        [at(R.ADMINISTRATOR_ONLY), at(R.ACQUIRER_WRONG, "body/acquirer")],
        connected(GHA, CHE, Profile.UNIT),
    ),
    "A6.4ERs are forwarded to another registry": Case(
        ADM,
        move("forwarding", A, 61, 70, account(ADM, "PEN"), HLD[KOR]),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
        connected(ADM, KOR, Profile.UNIT),
    ),
    "the vintage is before 2021": Case(
        *line("issuance", key=U.model_copy(update={"vintage": 2020})),
        [at(R.VINTAGE_TOO_EARLY, "body/lines/0/key/vintage")],
    ),
    "the share of proceeds is one unit short": Case(
        *levied(94, 4, 2), [at(R.SHARE_OF_PROCEEDS_WRONG, "body/lines")]
    ),
    "the share of proceeds is one unit over": Case(
        *levied(92, 6, 2), [at(R.SHARE_OF_PROCEEDS_WRONG, "body/lines")]
    ),
    "the share of proceeds is rounded down": Case(
        *levied(93, 5, 3), [at(R.SHARE_OF_PROCEEDS_WRONG, "body/lines")]
    ),
    "the cancellation for overall mitigation is rounded down": Case(
        *levied(93, 6, 2), [at(R.OMGE_TOO_SMALL, "body/lines")]
    ),
    "the cancellation for overall mitigation is one unit short": Case(
        *levied(94, 5, 1), [at(R.OMGE_TOO_SMALL, "body/lines")]
    ),
    "no levies at all": Case(
        *levied(100, 0, 0),
        [at(R.SHARE_OF_PROCEEDS_WRONG, "body/lines"), at(R.OMGE_TOO_SMALL, "body/lines")],
    ),
    "one unit more than was approved": Case(
        *good(
            "issuance",
            references=IssuanceReferences(request="R", approval="S", approved_quantity=99),
        ),
        [at(R.APPROVAL_EXCEEDED, "body/quantity")],
    ),
    "one unit more than is left of what was approved": Case(
        *good("issuance"),
        [at(R.APPROVAL_EXCEEDED, "body/quantity")],
        issued("SB-2001", 100, 1),
    ),
    "the same approval of another quantity": Case(
        *good("issuance"),
        [at(R.APPROVAL_DIFFERS, "body/references/approved_quantity")],
        issued("SB-2001", 99, 0),
    ),
    "the same approval of another quantity, which is used up": Case(
        *good("issuance"),
        [
            at(R.APPROVAL_EXCEEDED, "body/quantity"),
            at(R.APPROVAL_DIFFERS, "body/references/approved_quantity"),
        ],
        issued("SB-2001", 200, 200),
    ),
    "an issuance of A6.4ERs that nobody has approved": Case(
        *good("issuance of A6.4ERs", references=rests_on("SB-999", 100)),
        [at(R.APPROVAL_MISSING, "body/references/approval")],
    ),
    "one A6.4ER more than was approved": Case(
        *good("issuance of A6.4ERs"),
        [at(R.APPROVAL_EXCEEDED, "body/quantity")],
        issued("SB-301", 100, 1, ADM),
    ),
    "an issuance of A6.4ERs says that more was approved": Case(
        *good("issuance of A6.4ERs", references=rests_on("SB-301", 101)),
        [at(R.APPROVAL_DIFFERS, "body/references/approved_quantity")],
    ),
    "an issuance on another request than was approved": Case(
        *good("issuance of A6.4ERs", references=rests_on("SB-301", 100, "R-2")),
        [at(R.APPROVAL_DIFFERS, "body/references/request")],
    ),
    "units of another activity than was approved": Case(
        *every_line("issuance of A6.4ERs", key=B),
        [at(R.APPROVAL_DIFFERS, f"body/lines/{i}/key") for i in range(3)],
    ),
    "units of another vintage than was approved": Case(
        *line("issuance of A6.4ERs", 0, key=A.model_copy(update={"vintage": 2023})),
        [at(R.APPROVAL_DIFFERS, "body/lines/0/key")],
    ),
    "an approval is recorded twice": Case(
        ADM, approval("SB-301", 100), [at(R.APPROVAL_EXISTS, "body/approval/id")]
    ),
    "an approval is of another quantity than was issued under": Case(
        *GOOD["approval"],
        [at(R.APPROVAL_DIFFERS, "body/approval/quantity")],
        issued("SB-401", 99, 7, ADM),
    ),
    "a Party records an approval in the mechanism registry": Case(
        MMR, approval("SB-401", 100), [at(R.ADMINISTRATOR_ONLY)]
    ),
    "another registry records an approval": Case(
        GHA, approval("SB-401", 100), [at(R.ADMINISTRATOR_ONLY)]
    ),
    "an approval with nothing approved": Case(
        *good("approval", approval=None), [at(R.MEMBER_MISSING, "body/approval")]
    ),
    "A6.4ERs are issued and not designated": Case(
        *line("issuance of A6.4ERs", 0, attributes=Attributes()),
        [at(R.DESIGNATION_WRONG, "body/lines/0/attributes/designation")],
    ),
    "pending units leave uninstructed": Case(
        *good("forwarding", instruction=None), [at(R.MEMBER_MISSING, "body/instruction")]
    ),
    "pending units are cancelled uninstructed": Case(
        ADM,
        PENDING_CANCELLED.model_copy(update={"instruction": None}),
        [at(R.MEMBER_MISSING, "body/instruction")],
    ),
    "units that are not pending leave on an instruction": Case(
        *good("cancellation of a contribution", instruction=instruction()),
        [at(R.MEMBER_SUPERFLUOUS, "body/instruction")],
    ),
    "an instruction under an approval that is not recorded": Case(
        *good("forwarding", instruction=instruction(approval="SB-9")),
        [at(R.APPROVAL_MISSING, "body/instruction/approval")],
    ),
    "an instruction by nobody of the activity": Case(
        *good("forwarding", instruction=instruction(participant="Somebody")),
        [at(R.INSTRUCTION_WRONG, "body/instruction/participant")],
    ),
    "an instruction by a participant of another activity": Case(
        *good("forwarding", instruction=instruction(B)),
        [at(R.INSTRUCTION_WRONG, "body/lines/0/key")],
    ),
    "authorized units are forwarded to another Party": Case(
        ADM,
        move("forwarding", A, 61, 70, account(ADM, "PEN"), account(KOREA64, "HLD")),
        [at(R.FIRST_TRANSFER_WRONG, "body/lines/0", A, 61, 70)],
        admitted_too(KOREA64),
    ),
    "units are designated that are no contributions": Case(
        MMR,
        designation(201, 210),
        [at(R.DESIGNATION_WRONG, "body/lines/0", B, 201, 210)],
    ),
    "contributions are designated for what is not authorized": Case(
        MMR, designation(111, 120, "NO"), [at(R.DESIGNATION_WRONG, "body/designation")]
    ),
    "contributions are authorized after their first transfer": Case(
        *GOOD["designation"],
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0", B, 111, 120)],
        changed(B, 111, 120, first_transferred=True),
    ),
    "contributions are authorized after their cancellation": Case(
        MMR,
        designation(101, 110),
        [at(R.UNITS_FINAL, "body/lines/0", B, 101, 110)],
        acted(*GOOD["cancellation of a contribution"]),
    ),
    "contributions are authorized by a superseded version": Case(
        *GOOD["designation"],
        [at(R.AUTHORIZATION_REVOKED, "body/authorization")],
        acted(MMR, authorization(MMR, version=2)),
    ),
    "another Party authorizes contributions": Case(
        KOREA64,
        designation(111, 120).model_copy(
            update={"lines": (Line(key=B, first=111, last=120, source=account(KOREA64, "HLD")),)}
        ),
        [at(R.KEY_WRONG, "body/lines/0/key", B, 111, 120)],
        admitted_too(KOREA64),
    ),
    "contributions are authorized outside the mechanism registry": Case(
        KOR,
        designation(111, 120).model_copy(
            update={"lines": (Line(key=B, first=111, last=120, source=HLD[KOR]),)}
        ),
        [at(R.KEY_WRONG, "body/lines/0/key", B, 111, 120)],
    ),
    "an authorization of contributions for nothing": Case(
        *good("designation", designation=None), [at(R.MEMBER_MISSING, "body/designation")]
    ),
    "an issuance deposits too little in the buffer": Case(
        *buffered(92, 1), [at(R.BUFFER_WRONG, "body/lines")], needs_buffer(11)
    ),
    "an issuance deposits in the buffer what nobody asked for": Case(
        *buffered(92, 1), [at(R.BUFFER_WRONG, "body/lines")]
    ),
    "the buffer of another actor is replenished": Case(
        MMR,
        move("replenishment", B, 141, 150, HLD[MMR], account(MMR, "BUF"), reversal="RV-1"),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
    ),
    "the buffer is replenished with what was first-transferred": Case(
        *GOOD["replenishment"],
        [at(R.ALREADY_FIRST_TRANSFERRED, "body/lines/0", B, 141, 150)],
        changed(B, 141, 150, first_transferred=True),
    ),
    "the buffer is replenished for nothing": Case(
        *good("replenishment", reversal=None), [at(R.MEMBER_MISSING, "body/reversal")]
    ),
    "the buffer is cancelled for nothing": Case(
        *good("administrative cancellation", reversal=None),
        [at(R.MEMBER_MISSING, "body/reversal")],
    ),
    "the buffer is cancelled for somebody's purpose": Case(
        *good("administrative cancellation", use=FLIGHT),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/cancellation")],
    ),
    "the buffer is cancelled otherwise, and for a purpose": Case(
        *good(
            "administrative cancellation",
            use=UseMark(purpose=Purpose.OP, user="Nobody", cancellation=Cancellation.OTHER),
        ),
        [at(R.AUTHORIZATION_PURPOSE, "body/use/purpose")],
    ),
    "a Party cancels administratively": Case(
        MMR,
        move(
            "administrative-cancellation",
            B,
            161,
            170,
            account(MMR, "PEN"),
            account(MMR, "ADC"),
            use=REVERSED,
        ),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "another registry has a buffer": Case(
        KOR,
        move("replenishment", A, 1, 5, HLD[KOR], account(KOR, "BUF"), reversal="RV-1"),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "CERs are used for a flight": Case(
        *good("use of CERs", use=FLIGHT), [at(R.FIRST_NDC_ONLY, "body/use/purpose")]
    ),
    "CERs are used towards a later NDC": Case(
        *good("use of CERs", use=NDC_MYANMAR.model_copy(update={"year": 2031})),
        [at(R.FIRST_NDC_ONLY, "body/use/year")],
    ),
    "CERs are used for another Party": Case(
        *good("use of CERs", use=NDC_KOREA), [at(R.AUTHOR_NOT_ACTING, "body/use/user")]
    ),
    "CERs are cancelled for a flight": Case(
        MMR,
        move("cancellation", C, 1, 10, account(MMR, "CER"), account(MMR, "CAN"), use=FLIGHT),
        [
            at(R.ACCOUNT_WRONG, "body/lines/0/source"),
            at(R.KEY_WRONG, "body/lines/0/key", C, 1, 10),
        ],
    ),
    "CERs leave the mechanism registry": Case(
        MMR,
        move("cer-transfer", C, 1, 10, account(MMR, "CER"), account(KOR, "CER")),
        [at(R.ACQUIRER_WRONG, "body/acquirer")],
        connected(MMR, KOR, Profile.INFORMATION),
    ),
    "CERs are of 2021": Case(
        *line("entry of CERs", key=C.model_copy(update={"vintage": 2021})),
        [at(R.KEY_WRONG, "body/lines/0/key", C.model_copy(update={"vintage": 2021}), 101, 200)],
    ),
    "CERs are ITMOs": Case(
        *line("entry of CERs", key=C.on(Layer.ITMO)),
        [at(R.KEY_WRONG, "body/lines/0/key", C.on(Layer.ITMO), 101, 200)],
    ),
    "CERs are taken in without their label": Case(
        *line("entry of CERs", attributes=Attributes()),
        [at(R.DESIGNATION_WRONG, "body/lines/0/attributes/designation")],
    ),
    "CERs are taken in as first-transferred": Case(
        *line("entry of CERs", attributes=Attributes(designation="CER", first_transferred=True)),
        [at(R.DESIGNATION_WRONG, "body/lines/0/attributes/first_transferred")],
    ),
    "CERs are taken in that nobody has approved": Case(
        *good("entry of CERs", references=rests_on("CDM-9", 200)),
        [at(R.APPROVAL_MISSING, "body/references/approval")],
    ),
    "a Party takes CERs in": Case(
        MMR,
        cer_entry(101, 200).model_copy(
            update={
                "lines": (
                    cer_entry(101, 200).lines[0].model_copy(update={"target": account(MMR, "CER")}),
                )
            }
        ),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
    "CERs are used outside the mechanism registry": Case(
        KOR,
        move("cer-use", C, 1, 10, account(KOR, "CER"), account(KOR, "RET"), use=NDC_KOREA),
        [at(R.ADMINISTRATOR_ONLY)],
    ),
}
