# SPDX-License-Identifier: Apache-2.0
"""What a column of the agreed electronic format is: label, technical name, what stands in it.

Labels are those of the workbook (4/CMA.6 annex II), technical names those of the common
nomenclatures. A table's columns are the fields of its row (`tables`), in order.

Elsewhere: the tables (`tables`), when a column applies (`needs`), value lists (`nomenclature`).
"""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

__all__ = ["Column", "Holds", "Need", "as_in", "column", "columns_of"]


class Holds(StrEnum):
    """What stands in the cells of a column, and so how they are read and written."""

    TEXT = "text"
    INTEGER = "integer"
    YEAR = "year"
    DATE = "dd/mm/yyyy"
    MOMENT = "yyyy-mm-ddThh:mm:ss.sssZ"
    VERSION = "X.Y"
    PARTY = "alpha-3 code"
    PARTIES = "alpha-3 codes"
    APPROACH = "CANNNN"
    REGISTRY = "alpha-3 code and two digits"
    AUTHORIZATION = "authorization id"
    ITMO = "ITMO identifier"
    UNDERLYING = "identifier of an underlying unit"
    LISTED = "value of a list"
    LISTED_MANY = "values of a list"
    TIMEFRAME = "years"


class Need(StrEnum):
    """Whether a cell must be filled. `DEPENDS`: other cells of the row decide (`needs`)."""

    ALWAYS = "required"
    MAY = "optional"
    DEPENDS = "conditional"
    CARP = "left to the CARP"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `name` is the field of the row, `listed` the value list that it is held to."""

    name: str
    label: str
    technical: str
    holds: Holds
    need: Need
    listed: str = ""
    confidential: bool = False


def column(
    label: str,
    technical: str,
    holds: Holds = Holds.TEXT,
    need: Need = Need.MAY,
    *,
    listed: str = "",
    confidential: bool = False,
) -> Any:
    """The field of a row that a column is; absent cells are `None`."""
    about = (label, technical, holds, need, listed, confidential)
    return field(default=None, metadata={"column": about})


def as_in(row: type[Any], name: str) -> Any:
    """The same column as a field of another row is."""
    return field(default=None, metadata=next(f.metadata for f in fields(row) if f.name == name))


_KNOWN: dict[type[Any], tuple[Column, ...]] = {}


def columns_of(row: type[Any]) -> tuple[Column, ...]:
    """The columns of a row's table, in the order of the workbook."""
    if row not in _KNOWN:
        _KNOWN[row] = tuple(Column(one.name, *one.metadata["column"]) for one in fields(row))
    return _KNOWN[row]
