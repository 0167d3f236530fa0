# SPDX-License-Identifier: Apache-2.0
"""Terms of an authorization as rows of tables 2 and 5 of a reporting workbook.

What the terms do not say stays empty; a check of the workbook names it if it is required. An entity
is named by its identification number where the terms say who it is, and else as the terms name it.

Elsewhere: the terms (`schemas.effects`), actions and holdings (`aef_rows`).
"""

from collections.abc import Iterable, Iterator

from aef.tables import AuthorizationRow, EntityRow
from ledger.first_transfer import Recorded
from schemas.effects import AuthorizationTerms
from schemas.units import FirstTransferDefinition, Purpose

__all__ = ["authorization_row", "entity_name", "entity_rows"]

DEFINITIONS = {
    None: None,
    FirstTransferDefinition.AUTHORIZATION: "Authorisation",
    FirstTransferDefinition.ISSUANCE: "Issuance",
    FirstTransferDefinition.USE_OR_CANCELLATION: "Use or Cancellation",
}
EARLIEST, LATEST = 2021, 2200
"""The years that terms have where they say none."""


def authorization_row(recorded: Recorded, after: str | None = None) -> AuthorizationRow:
    """One version of an authorization; `after` is what came of it, to be explained with it."""
    terms = recorded.terms
    more = [one for one in (terms.explanation, after) if one]
    if terms.revoked:
        more.insert(0, "This version revokes the authorization.")
    return AuthorizationRow(
        id=str(terms.id),
        date=_day(recorded),
        approach=str(terms.approach),
        version=terms.version,
        quantity=terms.quantity,
        metric=terms.metric or "GHG",
        gwp=terms.gwp,
        non_ghg_metric=terms.unit,
        sectors=", ".join(terms.sectors) or None,
        activity_types=", ".join(terms.activity_types) or None,
        purposes=_purposes(terms.purposes),
        parties=", ".join(terms.parties) or None,
        entities=", ".join(entity_name([recorded], one) for one in terms.entities) or None,
        oimp=terms.oimp or _international(terms.purposes),
        timeframe=_timeframe(terms),
        terms=terms.terms,
        first_transfer=DEFINITIONS[terms.first_transfer],
        more=" ".join(more) or None,
    )


def entity_rows(recorded: Recorded) -> Iterator[EntityRow]:
    """The entities of an authorization, as far as the terms say who they are."""
    for one in recorded.terms.entity_records:
        yield EntityRow(
            date=str(one.date) if one.date else _day(recorded),
            name=one.name,
            country=str(one.country),
            id=one.number,
            approach=str(recorded.terms.approach),
            conditions=one.conditions,
            changes=one.change_conditions,
            more=one.explanation,
        )


def entity_name(recorded: Iterable[Recorded], id_: str) -> str:
    """An entity's identification number, if any of these terms has it."""
    for one in recorded:
        for record in one.terms.entity_records:
            if record.id == id_:
                return record.number
    return id_


def _day(recorded: Recorded) -> str:
    return str(recorded.terms.date or recorded.at[:10])


def _purposes(purposes: Iterable[Purpose]) -> str:
    """In the words of the nomenclatures, which have one for both other purposes together."""
    there = set(purposes)
    other = "OIMP" if {Purpose.IMP, Purpose.OP} <= there else None
    for purpose in (Purpose.IMP, Purpose.OP):
        other = other or (str(purpose) if purpose in there else None)
    if Purpose.NDC not in there:
        return other or ""
    return f"NDC and {other}" if other else "NDC"


def _international(purposes: Iterable[Purpose]) -> str | None:
    """For which other purposes units are authorized, where the terms name no single one."""
    there = set(purposes)
    named = [str(purpose) for purpose in (Purpose.IMP, Purpose.OP) if purpose in there]
    return " and ".join(named) or None


def _timeframe(terms: AuthorizationTerms) -> str | None:
    """When outcomes may occur, and be used, in the forms that there are for one and for both."""
    occurs = (terms.vintage_from, terms.vintage_to)
    used = (terms.use_from, terms.use_to)
    unlimited = (EARLIEST, LATEST)
    if used == unlimited:
        return None if occurs == unlimited else f"{occurs[0]} - {occurs[1]}"
    use = f"Use: from {used[0]} to {used[1]}"
    if occurs == unlimited:
        return use
    return f"Occurred: from {occurs[0]} to {occurs[1]}. {use}"
