# SPDX-License-Identifier: Apache-2.0
"""The five tables of the agreed electronic format as frozen rows (4/CMA.6 annex II).

Submission 9, authorizations 19, actions 27, holdings 16, authorized entities 8 columns. A row holds
what its cells mean, in one spelling: `None` for `NA` and for nothing, dates as `yyyy-mm-dd`,
moments as `yyyy-mm-ddThh:mm:ss.sssZ` or, where no time is known, as dates, whole numbers as
integers, values of a list as the list spells them, several of them joined by a comma and a space.

Elsewhere: cells into values and back (`values`), workbooks (`reading`, `writing`).
"""

from dataclasses import dataclass, field
from typing import Any

from aef.columns import Holds, Need, as_in, column

__all__ = [
    "PUBLIC",
    "SHEETS",
    "SUMMARY",
    "TITLES",
    "ActionRow",
    "Aef",
    "AuthorizationRow",
    "EntityRow",
    "HoldingRow",
    "SubmissionRow",
]

_ALWAYS, _CARP, _DEPENDS = Need.ALWAYS, Need.CARP, Need.DEPENDS
_MORE = ("Additional explanatory information", "AdditionalExplanatoryInformation")


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """Table 1: who reports on which year, in which version."""

    party: str | None = column("Party", "ParticipatingParty", Holds.PARTY, _ALWAYS)
    version: str | None = column("Version", "SubmissionVersion", Holds.VERSION, _ALWAYS)
    year: int | None = column("Reported year", "ReportedYear", Holds.YEAR, _ALWAYS)
    submitted: str | None = column("Date of submission", "DateOfSubmission", Holds.DATE, _ALWAYS)
    review_status: str | None = column(
        "Review status of the initial report", "ReviewStatusOfInitialReport", need=_CARP
    )
    consistency: str | None = column(
        "Result of the consistency check of this AEF submission",
        "ResultOfConsistencyCheck",
        need=_CARP,
    )
    ndc_first_year: int | None = column(
        "First year of the NDC implementation period", "FirstYearOfNDCPeriod", Holds.YEAR, _ALWAYS
    )
    ndc_last_year: int | None = column(
        "Last year of the NDC implementation period", "LastYearOfNDCPeriod", Holds.YEAR, _ALWAYS
    )
    review_report: str | None = column(
        "Reference to the Article 6 technical expert review report of the initial report",
        "ReferenceToTerReport",
        need=_CARP,
    )


@dataclass(frozen=True, slots=True)
class AuthorizationRow:
    """Table 2: one version of one authorization."""

    id: str | None = column("Authorization ID", "AuthorizationID", Holds.AUTHORIZATION, _ALWAYS)
    date: str | None = column("Date of authorization", "DateOfAuthorization", Holds.DATE, _ALWAYS)
    approach: str | None = column(
        "Cooperative approach ID", "CooperativeApproachID", Holds.APPROACH, _ALWAYS
    )
    version: int | None = column(
        "Version of the authorization", "AuthorizationVersion", Holds.INTEGER, _ALWAYS
    )
    quantity: int | None = column("Authorized quantity", "AuthorizedQuantity", Holds.INTEGER)
    metric: str | None = column("Metric", "Metric", Holds.LISTED, _ALWAYS, listed="metrics")
    gwp: str | None = column("Applicable GWP value(s)", "GWPValues")
    non_ghg_metric: str | None = column("Applicable non-GHG metric", "Non-GHGMetric", need=_DEPENDS)
    sectors: str | None = column(
        "Sector(s)", "Sectors", Holds.LISTED_MANY, _ALWAYS, listed="sectors"
    )
    activity_types: str | None = column(
        "Activity type(s)", "ActivityType", Holds.LISTED_MANY, listed="activity_types"
    )
    purposes: str | None = column(
        "Purposes for authorization",
        "PurposeForAuthorization",
        Holds.LISTED,
        _ALWAYS,
        listed="purposes",
    )
    parties: str | None = column("Authorized Party(ies) ID", "AuthorizedPartyIDs", Holds.PARTIES)
    entities: str | None = column(
        "Authorized entity(ies) ID", "AuthorizedEntityIDs", confidential=True
    )
    oimp: str | None = column("OIMP authorized by the Party", "OIMPAuthorized", need=_DEPENDS)
    timeframe: str | None = column("Authorized timeframe", "AuthorizedTimeframe", Holds.TIMEFRAME)
    terms: str | None = column(
        "Authorization terms and conditions", "AuthorizationT&Cs", confidential=True
    )
    documentation: str | None = column(
        "Authorization documentation", "AuthorizationDocumentation", need=_CARP
    )
    first_transfer: str | None = column(
        "First transfer definition for OIMP",
        "FirstTransferDefnForOIMP",
        Holds.LISTED,
        _DEPENDS,
        listed="first_transfer_definitions",
    )
    more: str | None = column(*_MORE, confidential=True)


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """Table 4: one block held at the end of 31 December of the reported year."""

    approach: str | None = column(
        "Cooperative approach ID", "CooperativeApproachID", Holds.APPROACH, _ALWAYS
    )
    authorization: str | None = column(
        "Authorization ID", "AuthorizationID", Holds.AUTHORIZATION, _ALWAYS
    )
    first_party: str | None = column(
        "First transferring participating Party ID",
        "FirstTransferringPartyID",
        Holds.PARTY,
        _ALWAYS,
    )
    registry: str | None = column(
        "Party ITMO registry ID", "PartyITMORegistryID", Holds.REGISTRY, _ALWAYS
    )
    first: str | None = column("First ID", "FirstID", Holds.ITMO, _ALWAYS)
    last: str | None = column("Last ID", "LastID", Holds.ITMO, _ALWAYS)
    unit_registry: str | None = column(
        "Underlying unit registry ID",
        "UnderlyingUnitRegistryID",
        Holds.LISTED,
        listed="unit_registries",
    )
    unit_first: str | None = column("First unit ID", "UnderlyingUnitFirstUnitID", Holds.UNDERLYING)
    unit_last: str | None = column("Last unit ID", "UnderlyingUnitLastUnitID", Holds.UNDERLYING)
    metric: str | None = column("Metric", "Metric", Holds.LISTED, _ALWAYS, listed="metrics")
    gwp: str | None = column("Applicable GWP value(s)", "GWPValues")
    non_ghg_metric: str | None = column("Applicable non-GHG metric", "Non-GHGMetric", need=_DEPENDS)
    quantity: int | None = column("Quantity (t CO2 eq)", "QuantityCO2", Holds.INTEGER, _DEPENDS)
    non_ghg_quantity: int | None = column(
        "Quantity (in non-GHG metric)", "QuantityNon-GHG", Holds.INTEGER, _DEPENDS
    )
    mitigation: str | None = column(
        "Mitigation type", "MitigationType", Holds.LISTED, _ALWAYS, listed="mitigation_types"
    )
    vintage: int | None = column("Vintage", "Vintage", Holds.YEAR, _ALWAYS)


@dataclass(frozen=True, slots=True)
class ActionRow:
    """Table 3: one action on one homogeneous block; what is said of that is as in table 4."""

    at: str | None = column("Action date", "ActionDateTime", Holds.MOMENT, _ALWAYS)
    type: str | None = column(
        "Action type", "ActionType", Holds.LISTED, _ALWAYS, listed="action_types"
    )
    subtype: str | None = column(
        "Action subtype", "ActionSubtype", Holds.LISTED, listed="action_subtypes"
    )
    approach: str | None = as_in(HoldingRow, "approach")
    authorization: str | None = as_in(HoldingRow, "authorization")
    first_party: str | None = as_in(HoldingRow, "first_party")
    registry: str | None = as_in(HoldingRow, "registry")
    first: str | None = as_in(HoldingRow, "first")
    last: str | None = as_in(HoldingRow, "last")
    unit_registry: str | None = as_in(HoldingRow, "unit_registry")
    unit_first: str | None = as_in(HoldingRow, "unit_first")
    unit_last: str | None = as_in(HoldingRow, "unit_last")
    metric: str | None = as_in(HoldingRow, "metric")
    gwp: str | None = as_in(HoldingRow, "gwp")
    non_ghg_metric: str | None = as_in(HoldingRow, "non_ghg_metric")
    quantity: int | None = as_in(HoldingRow, "quantity")
    non_ghg_quantity: int | None = as_in(HoldingRow, "non_ghg_quantity")
    mitigation: str | None = as_in(HoldingRow, "mitigation")
    vintage: int | None = as_in(HoldingRow, "vintage")
    transferring: str | None = column(
        "Transferring participating Party ID", "TransferringPartyID", Holds.PARTY, _DEPENDS
    )
    acquiring: str | None = column(
        "Acquiring participating Party ID", "AcquiringPartyID", Holds.PARTY, _DEPENDS
    )
    purpose: str | None = column(
        "Purpose for which the ITMO has been used towards or cancelled for OIMP",
        "PurposeITMOUsedForOIMP",
        need=_DEPENDS,
    )
    user_party: str | None = column(
        "Using/cancelling participating Party ID", "Using/cancellingPartyID", Holds.PARTY, _DEPENDS
    )
    user_entity: str | None = column(
        "Using/cancelling authorized entity ID",
        "Using/cancellingEntityID",
        need=_DEPENDS,
        confidential=True,
    )
    ndc_year: int | None = column(
        "Calendar year for which the ITMOs are used towards the Party's NDC",
        "YearITMOUsedTowardsNDC",
        Holds.YEAR,
        _DEPENDS,
    )
    consistency: str | None = column(
        "Result of the consistency checks", "ResultOfConsistencyChecks", need=_CARP
    )
    more: str | None = column(*_MORE, confidential=True)


@dataclass(frozen=True, slots=True)
class EntityRow:
    """Table 5: one entity that the Party has authorized."""

    date: str | None = column(
        "Date of the authorization", "DateOfAuthorization", Holds.DATE, _ALWAYS
    )
    name: str | None = column("Name", "AuthorizedEntityName", need=_ALWAYS)
    country: str | None = column(
        "Country of incorporation",
        "AuthorizedEntityCountryOfIncorporation",
        Holds.PARTY,
        _ALWAYS,
    )
    id: str | None = column(
        "Identification number", "AuthorizedEntityID", need=_ALWAYS, confidential=True
    )
    approach: str | None = column(
        "Cooperative approach ID", "CooperativeApproachID", Holds.APPROACH, _ALWAYS
    )
    conditions: str | None = column("Conditions", "AuthorizedEntityConditions", confidential=True)
    changes: str | None = column(
        "Change and revocation conditions", "AuthorizedEntityChangeConditions", confidential=True
    )
    more: str | None = column(*_MORE, confidential=True)


SUMMARY = "Summary information"
PUBLIC = "public"
"""The edition that the summary names, of a workbook without what is confidential."""

SHEETS: dict[type[Any], str] = {
    SubmissionRow: "Table 1 Submission",
    AuthorizationRow: "Table 2 Authorizations",
    ActionRow: "Table 3 Actions",
    HoldingRow: "Table 4 Holdings",
    EntityRow: "Table 5 Auth. entities",
}
"""The sheet of each table."""

TITLES: dict[type[Any], str] = {
    SubmissionRow: "Table 1: Submission",
    AuthorizationRow: "Table 2: Authorizations",
    ActionRow: "Table 3: Actions",
    HoldingRow: "Table 4: Holdings",
    EntityRow: "Table 5: Authorized Entities",
}
"""What stands over each table."""


@dataclass(frozen=True, slots=True)
class Aef:
    """What one workbook says. `public`: without the columns that are confidential. `unreported`:
    how many units were first-transferred of which no table can have a row, since every row names an
    authorization; the summary says it, and it is not read back.
    """

    submission: SubmissionRow = field(default_factory=SubmissionRow)
    authorizations: tuple[AuthorizationRow, ...] = ()
    actions: tuple[ActionRow, ...] = ()
    holdings: tuple[HoldingRow, ...] = ()
    entities: tuple[EntityRow, ...] = ()
    public: bool = False
    unreported: int = field(default=0, compare=False)

    def rows(self, table: type[Any]) -> tuple[Any, ...]:
        """The rows of a table; table 1 has one."""
        found: dict[type[Any], tuple[Any, ...]] = {
            SubmissionRow: (self.submission,),
            AuthorizationRow: self.authorizations,
            ActionRow: self.actions,
            HoldingRow: self.holdings,
            EntityRow: self.entities,
        }
        return found[table]
