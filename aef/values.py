# SPDX-License-Identifier: Apache-2.0
"""Cells into values and back: exact on writing, tolerant on reading, and telling what it tolerated.

People and programs write dates as text, put commas into serials, leave spaces, and spell the values
of lists as they like. What can mean one thing only is read as that, and a note says so; what could
mean two things, or nothing, is an error. Days come before months: 07/08/2025 is in August.

Elsewhere: what a column asks for (`columns`), lists (`nomenclature`), cells (`cells`, `packing`).
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Final

from aef.cells import Cell
from aef.columns import Column, Holds, Need
from aef.findings import Code
from aef.markup import TEXT_MAX
from aef.nomenclature import Nomenclature
from schemas.identifiers import ApproachId, AuthorizationId, PartyCode, RegistryId
from schemas.limits import INTEGER_MAX, SERIAL_MAX
from schemas.units import ItmoIdentifier

__all__ = ["ABSENT", "Noted", "Value", "exact_digits", "read_cell", "written"]

Value = str | int | None

Noted = tuple[Code, str]
"""What is to be said of a cell, with a detail."""

ABSENT: Final = frozenset({"na", "n/a", "n.a.", "not applicable"})
"""Texts that mean that there is no value."""

ABSENT_MAX = max(map(len, ABSENT))

IDENTIFIER_MAX = 200
FORM_MAX = 2000
"""Characters of a cell that is no text: all codes and values of a list that there are need less."""

_BLANK = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""White space, and what takes no space at all."""

_SPACES = re.compile(r"[\s\u00a0\u200b\u2007\u202f\ufeff]+")
_GROUPED = re.compile(r"[0-9]{1,3}(?:[,\u202f\u00a0 '\u2019][0-9]{3})+")
_DATES = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_MIDNIGHT = re.compile(r"T00:00(?::00(?:\.0{1,9})?)?Z?\Z")
"""What a program may add to a day that it keeps as text."""

_VERSION = re.compile(r"([1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
_PERIOD = r"from (?:[0-9]{2}/){0,2}[0-9]{4} to (?:[0-9]{2}/){0,2}[0-9]{4}"
_TIMEFRAME = re.compile(
    rf"(?:Occurred: {_PERIOD}\.?)(?: Use: {_PERIOD}\.?)?|Use: {_PERIOD}\.?", re.IGNORECASE
)


class _WrongError(ValueError):
    """A value cannot be read; internal to this module."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def read_cell(cell: Cell, column: Column, nomenclature: Nomenclature) -> tuple[Value, list[Noted]]:
    """The value of a cell, and what is to be said of it; `None` with an error when it has none."""
    if cell.kind == "formula":
        return None, [(Code.FORMULA, "")]
    if cell.kind == "error":
        return None, [(Code.ERROR_VALUE, cell.text[:40])]
    if cell.kind == "boolean":
        return None, [(Code.WRONG_FORM, "found TRUE or FALSE; no column holds these")]
    if cell.kind == "long" or len(cell.text) > TEXT_MAX:
        return None, [(Code.TEXT_TOO_LONG, f"over {TEXT_MAX:,} characters")]
    if column.holds is not Holds.TEXT and len(cell.text) > FORM_MAX:
        return None, [(_WRONG.get(column.holds, Code.WRONG_FORM), f"over {FORM_MAX:,} characters")]
    notes: list[Noted] = []
    text = _trimmed(cell, column, notes)
    if not text or _says_nothing(text):
        return None, []
    if text.startswith("{") and text.endswith("}"):
        said = f"{text!r:.40} is what a template says; write a value, or NA"
        return None, [] if column.need is Need.CARP else [(Code.WRONG_FORM, said)]
    try:
        return _READ[column.holds](cell._replace(text=text), column, nomenclature, notes), notes
    except _WrongError as error:
        return None, [(error.code, str(error))]


def _says_nothing(text: str) -> bool:
    return len(text) <= ABSENT_MAX and text.casefold() in ABSENT


def _trimmed(cell: Cell, column: Column, notes: list[Noted]) -> str:
    text = cell.text.strip(_BLANK)
    if column.holds is not Holds.TEXT:
        text = _SPACES.sub(" ", text)
    if text and text != cell.text:
        notes.append((Code.SPACES, ""))
    return text


# --- one kind of column after the other -----------------------------------------------------------


def _text(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> Value:
    """Text, or the digits of a number if it has them all."""
    if cell.kind != "number":
        return cell.text
    text = _plain_number(cell.text)
    if text.isascii() and text.isdigit() and exact_digits(int(text[:20])):
        return text
    if "." in text and sum(c.isdigit() for c in text) <= 15:
        return text
    raise _WrongError(
        Code.WRONG_FORM, f"{text:.30} is a number, which keeps fifteen digits; write it as text"
    )


def _plain_number(text: str) -> str:
    """The digits of a number that a program may have stored as 1.1733E4 or 8.0."""
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else text


def _whole(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> int:
    text = _plain_number(cell.text) if cell.kind == "number" else cell.text
    if cell.kind == "text" and _GROUPED.fullmatch(text):
        text = re.sub(r"[^0-9]", "", text)
        notes.append((Code.COMMAS, ""))
    elif cell.kind == "text" and len(text) <= 15:  # longer ones cannot be numbers in a spreadsheet
        notes.append((Code.NUMBER_AS_TEXT, ""))
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > INTEGER_MAX:
        raise _WrongError(Code.NOT_A_WHOLE_NUMBER, f"found {cell.text!r:.60}")
    return int(text)


def _year(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> int:
    year = _whole(cell, column, lists, notes)
    if not 1990 <= year <= 2200:
        raise _WrongError(Code.WRONG_FORM, f"{year} is no year between 1990 and 2200")
    return year


def _version(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    text = cell.text
    if cell.kind == "number":
        text = text if "." in text else f"{text}.0"
        notes.append((Code.VERSION_AS_NUMBER, f"read as {text:.20}"))
    if _VERSION.fullmatch(text) is None:
        raise _WrongError(Code.WRONG_FORM, f"{text!r:.40} is no version such as 1.0")
    return text


def _date(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    found = _moment_of(cell, notes, expected="dd/mm/yyyy")
    return found[:10]


def _moment(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    return _moment_of(cell, notes, expected="")


def _moment_of(cell: Cell, notes: list[Noted], *, expected: str) -> str:
    """A date, with its time where there is one; `expected` is the one form that needs no note."""
    text = cell.text
    if cell.kind == "date":
        text = _MIDNIGHT.sub("", text)
    day = _DATES.fullmatch(text)
    if day is not None and cell.kind == "text":
        if not re.fullmatch(r"[0-9]{2}/[0-9]{2}/[0-9]{4}", text):
            notes.append((Code.DATE_FORM, f"{text} is day, month, year"))
        return _day(int(day[3]), int(day[2]), int(day[1]), text)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        notes.append((Code.DATE_FORM, f"{text} is year, month, day"))
        return _day(int(text[:4]), int(text[5:7]), int(text[8:]), text)
    if _MOMENT.fullmatch(text):
        exact = cell.kind == "text" and re.fullmatch(r".{10}T.{8}\.[0-9]{3}Z", text)
        if expected or not exact:
            notes.append((Code.DATE_FORM, f"{text:.40}"))
        return _utc(text)
    raise _WrongError(Code.NOT_A_DATE, f"found {cell.text!r:.60}")


def _day(year: int, month: int, day: int, text: str) -> str:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        raise _WrongError(Code.NOT_A_DATE, f"no calendar has {text}") from None


def _utc(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        raise _WrongError(Code.NOT_A_DATE, f"no calendar has {text:.40}") from None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    try:
        return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        raise _WrongError(Code.NOT_A_DATE, f"no calendar has {text:.40}") from None


def _listed(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    return _of_list(cell.text, column, lists, notes)


def _of_list(text: str, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    if lists.exact(column.listed, text):
        return text
    if column.listed == "unit_registries" and _is(RegistryId, text):
        return text  # a Party's registry that issues underlying units itself
    value = lists.read(column.listed, text)
    if value is None:
        raise _WrongError(
            Code.NOT_IN_LIST, f"{text!r:.60} is none of: {lists.values(column.listed)}"
        )
    notes.append((Code.SPELLING, f"{text!r:.60} read as {value!r}"))
    return value


def _listed_many(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    found = [_of_list(one, column, lists, notes) for one in _parts(cell.text)]
    return ", ".join(dict.fromkeys(found))


def _parts(text: str) -> list[str]:
    found = [part.strip() for part in re.split(r"[,;\n]", text) if part.strip()]
    if not found:
        raise _WrongError(Code.WRONG_FORM, f"{text!r:.20} names nothing")
    return found


def _party(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    return _code(cell.text, notes)


def _parties(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    return ", ".join(dict.fromkeys(_code(one, notes) for one in _parts(cell.text)))


def _code(text: str, notes: list[Noted]) -> str:
    if not _is(PartyCode, text) and _is(PartyCode, text.upper()):
        notes.append((Code.SPELLING, f"{text!r:.10} read as {text.upper()!r}"))
        text = text.upper()
    return _formed(PartyCode, text)


def _is(form: type[str], text: str) -> bool:
    try:
        form(text)
    except ValueError:
        return False
    return True


def _formed(form: Callable[[str], str], text: str) -> str:
    try:
        return str(form(text))
    except ValueError as error:
        raise _WrongError(Code.WRONG_FORM, str(error)) from None


def _approach(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    approach = _formed(ApproachId, cell.text)
    if lists.lists["approaches"] and not lists.exact("approaches", approach):
        raise _WrongError(Code.NOT_IN_LIST, f"{approach} is not published")
    return approach


def _registry(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    return _formed(RegistryId, cell.text)


def _authorization(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    return _formed(AuthorizationId, str(_text(cell, column, lists, notes)))


def _itmo(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    """A whole identifier, or the serial alone."""
    text = str(_text(cell, column, lists, notes))
    if _GROUPED.fullmatch(text):
        text = re.sub(r"[^0-9]", "", text)
        notes.append((Code.COMMAS, ""))
    if text.isascii() and text.isdigit():
        if len(text) > 16 or text.startswith("0") or int(text) > SERIAL_MAX:
            raise _WrongError(Code.WRONG_FORM, f"{text:.40} is no serial up to {SERIAL_MAX}")
        return text
    if len(text) > IDENTIFIER_MAX:
        raise _WrongError(Code.WRONG_FORM, "the identifier is too long")
    found = _formed(lambda one: str(ItmoIdentifier.parse(one)), text.replace(" ", ""))
    if found != text:
        notes.append((Code.COMMAS, f"{text} read as {found}"))
    return found


def _underlying(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    text = str(_text(cell, column, lists, notes))
    if len(text) > IDENTIFIER_MAX:
        raise _WrongError(Code.WRONG_FORM, "the identifier is too long")
    plain = re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", text)
    if plain != text:
        notes.append((Code.COMMAS, f"{text} read as {plain}"))
    return plain


def _timeframe(cell: Cell, column: Column, lists: Nomenclature, notes: list[Noted]) -> str:
    text = cell.text
    if _TIMEFRAME.fullmatch(text):
        return text
    years = re.fullmatch(r"([0-9]{4}) ?[-\u2013\u2014] ?([0-9]{4})", text)
    if years is None:
        raise _WrongError(
            Code.WRONG_FORM,
            f"{text!r:.60} is neither `2021 - 2030` nor "
            "`Occurred: from 2021 to 2030. Use: from 2021 to 2030`",
        )
    if years[1] > years[2]:
        raise _WrongError(Code.WRONG_FORM, f"{text:.20} ends before it begins")
    said = f"{years[1]} - {years[2]}"
    if said != text:
        notes.append((Code.SPELLING, f"{text!r:.20} read as years"))
    return said


_WRONG = {
    Holds.INTEGER: Code.NOT_A_WHOLE_NUMBER,
    Holds.YEAR: Code.NOT_A_WHOLE_NUMBER,
    Holds.DATE: Code.NOT_A_DATE,
    Holds.MOMENT: Code.NOT_A_DATE,
    Holds.LISTED: Code.NOT_IN_LIST,
}
"""What a cell is not that is too long for what it should be; of all others the form is wrong."""

_Reads = Callable[[Cell, Column, Nomenclature, list[Noted]], Value]
_READ: dict[Holds, _Reads] = {
    Holds.TEXT: _text,
    Holds.INTEGER: _whole,
    Holds.YEAR: _year,
    Holds.DATE: _date,
    Holds.MOMENT: _moment,
    Holds.VERSION: _version,
    Holds.PARTY: _party,
    Holds.PARTIES: _parties,
    Holds.APPROACH: _approach,
    Holds.REGISTRY: _registry,
    Holds.AUTHORIZATION: _authorization,
    Holds.ITMO: _itmo,
    Holds.UNDERLYING: _underlying,
    Holds.LISTED: _listed,
    Holds.LISTED_MANY: _listed_many,
    Holds.TIMEFRAME: _timeframe,
}


# --- writing --------------------------------------------------------------------------------------


def written(value: Value, column: Column) -> str | int:
    """What stands in the cell of a value: a number as number, everything else as text."""
    if isinstance(value, int):
        return value if exact_digits(value) else str(value)
    if value is None:
        return ""
    if column.holds in {Holds.DATE, Holds.MOMENT} and len(value) == 10:
        year, month, day = value.split("-")
        return f"{day}/{month}/{year}"
    if column.holds is Holds.ITMO and value.isdigit() and exact_digits(int(value)):
        return int(value)
    return value


def exact_digits(number: int) -> bool:
    """Whether spreadsheet programs show all digits of a number; they keep fifteen."""
    return number < 10**15
