# SPDX-License-Identifier: Apache-2.0
"""When a column applies to a row: it must be filled, may be, or gets `NA`.

For columns that depend on others of the row (4/CMA.6 annex II, notes of the tables). A value where
none applies is as wrong as none where one must be.

Elsewhere: columns that always or never are filled (`columns`), saying what is wrong (`checking`).
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from aef.columns import Column, Need
from aef.tables import ActionRow, AuthorizationRow, HoldingRow

__all__ = ["Applies", "applies"]


class Applies(StrEnum):
    """What a row asks of a column."""

    MUST = "must"
    MAY = "may"
    NOT = "not"


_MUST, _MAY, _NOT = Applies.MUST, Applies.MAY, Applies.NOT
ANOTHER_PARTY = "First transfer to another Party"
CANCELLATIONS = frozenset({"Cancellation", "Voluntary Cancellation"})
USING = frozenset({"Use", "First transfer"}) | CANCELLATIONS


def applies(row: Any, column: Column) -> Applies:
    """What a row asks of one of its columns; columns of the CARP are none of its business."""
    if column.need is Need.ALWAYS:
        return _MUST
    if column.need is Need.DEPENDS:
        return _RULES[type(row), column.name](row)
    if column.name == "unit_registry":
        return _MUST if row.unit_first is not None or row.unit_last is not None else _MAY
    if column.name in _NAMED:
        return _NAMED[column.name](row)
    return _MAY


def _non_ghg(row: AuthorizationRow | ActionRow | HoldingRow) -> Applies:
    return _MUST if row.metric == "non-GHG" else _NOT


def _tonnes(row: ActionRow | HoldingRow) -> Applies:
    return _MAY if row.metric == "non-GHG" else _MUST


def _oimp(row: AuthorizationRow) -> Applies:
    """Of an authorization for other international mitigation purposes, whatever else it is for."""
    return _NOT if row.purposes in {None, "NDC"} else _MUST


def _transferring(row: ActionRow) -> Applies:
    return _MUST if row.type == "Acquisition" else _NOT


def _acquiring(row: ActionRow) -> Applies:
    if row.type == "Transfer":
        return _MAY if row.subtype and "Adaptation Fund" in row.subtype else _MUST
    if row.type != "First transfer":
        return _NOT
    return _MUST if row.subtype in {None, ANOTHER_PARTY} else _MAY


def _purpose(row: ActionRow) -> Applies:
    if row.type == "Use":
        return _NOT if row.ndc_year is not None else _MUST
    if row.type == "Cancellation":
        return _MUST if row.subtype is None else _MAY
    return _MAY if row.type in USING else _NOT


def _user_party(row: ActionRow) -> Applies:
    if row.type == "Use":
        return _MUST
    return _MAY if row.type in USING else _NOT


def _user_entity(row: ActionRow) -> Applies:
    return _MAY if row.type in USING else _NOT


def _ndc_year(row: ActionRow) -> Applies:
    """A use is towards an NDC, with its year, or for another purpose, with that."""
    if row.type != "Use":
        return _NOT
    return _MAY if row.purpose is not None else _MUST


_Rules = dict[tuple[type[Any], str], Callable[[Any], Applies]]
_RULES: _Rules = {
    (AuthorizationRow, "non_ghg_metric"): _non_ghg,
    (AuthorizationRow, "oimp"): _oimp,
    (AuthorizationRow, "first_transfer"): _oimp,
    (ActionRow, "non_ghg_metric"): _non_ghg,
    (ActionRow, "quantity"): _tonnes,
    (ActionRow, "non_ghg_quantity"): _non_ghg,
    (ActionRow, "transferring"): _transferring,
    (ActionRow, "acquiring"): _acquiring,
    (ActionRow, "purpose"): _purpose,
    (ActionRow, "user_party"): _user_party,
    (ActionRow, "user_entity"): _user_entity,
    (ActionRow, "ndc_year"): _ndc_year,
    (HoldingRow, "non_ghg_metric"): _non_ghg,
    (HoldingRow, "quantity"): _tonnes,
    (HoldingRow, "non_ghg_quantity"): _non_ghg,
}


def _subtype(row: Any) -> Applies:
    return _NOT if row.type in {"Use", "Acquisition", "Authorization"} else _MAY


_NAMED: dict[str, Callable[[Any], Applies]] = {"subtype": _subtype}
