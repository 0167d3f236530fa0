# SPDX-License-Identifier: Apache-2.0
"""Lists as operators and their scripts read them: every verb that lists something ends here, and
what is shown whole, such as a letter.

- Columns have the same names in all forms. A list has them where it is empty, too, except as text,
  which then says `none` on standard error.
- As text they stand under a head, aligned, one row on one line, cut nowhere: how long a line may be
  is the terminal's business, and a file has no width. A list may have columns that its text leaves
  out; every other form has them all.
- What does not print is escaped: others' words may stand in a cell.

Rows may be very many, so that they are aligned here, by the widths that rich knows of characters:
its tables take twenty times as long.
"""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from html import escape
from typing import Annotated, Any

import typer
from rich.cells import cell_len

from schemas.plain import printable

__all__ = ["Form", "FormOption", "write_lines", "write_list"]

Row = Sequence[Any]
"""Cells in the order of the columns: None, numbers, truth values, tuples of words, or what `str`
makes words of."""

NOTHING = "-"
"""Stands in a cell of text that has nothing in it, so that columns can be counted."""


class Form(StrEnum):
    """How a list is written."""

    TEXT = "text"
    RECORD = "record"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


FormOption = Annotated[
    Form,
    typer.Option(
        "--format",
        help="For people, a line each or a line for each column; for programs; for a browser.",
    ),
]


def write_list(
    title: str, columns: Sequence[str], rows: Sequence[Row], form: Form, short: Sequence[str] = ()
) -> None:
    """Write rows with these `columns` to standard output; `short` are those of the text and their
    order there, if they are not all. The `title` is that of a page.
    """
    match form:
        case Form.JSON:
            named = [dict(zip(columns, map(_value, row), strict=True)) for row in rows]
            typer.echo(json.dumps(named, indent=2))
        case Form.CSV:
            writer = csv.writer(sys.stdout)
            writer.writerow(columns)
            writer.writerows([_lines(cell) for cell in row] for row in rows)
        case Form.HTML:
            typer.echo(_page(title, columns, rows))
        case Form.RECORD if rows:
            typer.echo("\n\n".join("\n".join(_record(columns, row)) for row in rows))
        case Form.TEXT if rows:
            wanted = [columns.index(name) for name in short or columns]
            shown = [[row[i] for i in wanted] for row in rows]
            typer.echo("\n".join(_aligned([columns[i] for i in wanted], shown)))
        case Form.RECORD | Form.TEXT:
            typer.echo("none", err=True)  # what reads the list reads nothing


def write_lines(text: str, *, err: bool = False) -> None:
    """Write a text in which others' words may stand: whole, line by line, and nothing in it that a
    terminal obeys.
    """
    typer.echo(_by_line(text), err=err)


def _aligned(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """The head and the rows; a column of numbers is aligned at its right."""
    cells = [list(columns), *([_words(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    numbers = [_are_numbers(column) for column in zip(*rows, strict=True)]
    for line in cells:
        padded = []
        for text, width, number in zip(line, widths, numbers, strict=True):
            blank = " " * (width - cell_len(text))
            padded.append(blank + text if number else text + blank)
        yield "  ".join(padded).rstrip()


def _are_numbers(cells: Iterable[Any]) -> bool:
    """Whether there is something in a column, and all of it is numbers."""
    kinds = {type(cell) for cell in cells if cell is not None}
    return kinds == {int}


def _record(columns: Sequence[str], row: Row) -> Iterator[str]:
    """One row, each column on a line of its own, and each further line of its text under it."""
    width = max(map(len, columns))
    for name, cell in zip(columns, row, strict=True):
        parts = cell if isinstance(cell, tuple) else _text(cell).splitlines()
        for number, part in enumerate(parts or (NOTHING,)):
            yield f"{'' if number else name:{width}}  {printable(str(part))}"


def _words(cell: Any) -> str:
    """A cell of text, on one line."""
    return printable(" ".join(_text(cell).split("\n"))) or NOTHING


def _text(cell: Any) -> str:
    """A cell as people read it."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, tuple):
        return "; ".join(map(str, cell))
    return "" if cell is None else str(cell)


def _lines(cell: Any) -> str:
    """A cell for a sheet or a page: its line breaks are kept."""
    return _by_line(str(cell) if isinstance(cell, bool) else _text(cell))


def _by_line(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _value(cell: Any) -> Any:
    """A cell as JSON; its writer escapes what has to be."""
    if cell is None or isinstance(cell, int):
        return cell
    return [str(one) for one in cell] if isinstance(cell, tuple) else str(cell)


def _page(title: str, columns: Sequence[str], rows: Iterable[Row]) -> str:
    """One self-contained page with a table."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(_lines(cell))}</td>" for cell in row) + "</tr>\n"
        for row in rows
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        "<style>body{font-family:sans-serif}table{border-collapse:collapse}"
        "td,th{border:1px solid #999;padding:.2em .5em;text-align:left;vertical-align:top}"
        "</style>\n"
        f"<h1>{escape(title)}</h1>\n<table>\n<tr>{heads}</tr>\n{lines}</table>\n</html>"
    )
