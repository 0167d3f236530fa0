# SPDX-License-Identifier: Apache-2.0
"""The requirements of the decisions, each with its state and the tests that show it.

`docs/requirements.toml` has the rows, written by hand: where each one comes from, what must hold,
its state and where in the code it is carried out. Which tests show it stands on these tests, as the
mark `requirement`, and nowhere else:

    @pytest.mark.requirement(15, case="one unit more than was approved")
    @pytest.mark.requirement(43)
    @pytest.mark.parametrize("name", CASES)
    def test_a_fault_is_found_and_nothing_else(name): …

A `case` is the one set of parameters that shows these rows; without it all of the test do. Marks
are read from the source as decorators of functions, so that nothing is imported here.

* *done*: it holds, and a test shows it.
* *setting*: as done, and an operator can choose otherwise; the row names the setting.
* *later*: it does not hold in this version; the row says why. No test may claim it.

Elsewhere: that the tests with marks were really run and passed (`tests/claims.py`), writing the
page (`catalogue`).
"""

import ast
import tomllib
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.manual import table

__all__ = [
    "ROWS",
    "Claim",
    "Row",
    "contradictions",
    "load_rows",
    "read_claims",
    "requirements_page",
]

ROWS = 124
"""How many requirements there are, by number from 1."""

MARK = "requirement"
PAGE_HEAD = """\
# Requirements

What the decisions ask of registries that work together, and how far this version has come. The page
is written by `python -m harness.catalogue` from `docs/requirements.toml` and from the marks on the
tests; change it there.

Paragraphs without another word are those of the annex of the decision. *[M]* is said from memory of
a decision that was not read again, high, medium or low; *[W]* from a public web page; *[G]* marks a
gap: the text was not to be had. Rows so marked are no quotations, and what follows from them in the
code can be chosen otherwise where the row names a setting.

| State | What it means |
| --- | --- |
| done | it holds, and the tests that are named show it: they ran, and would fail if it did not |
| setting | the same, and an operator can choose otherwise |
| later | it does not hold, or is not shown, in this version, for the reason given |
"""
SECTIONS: dict[int, str] = {
    1: "Decision 2/CMA.3: Article 6, paragraph 2",
    14: "Decision 3/CMA.3: the Article 6.4 mechanism",
    28: "Decision 6/CMA.4, annex I: registries and what joins them",
    62: "Pulling, viewing and transferring: 7/CMA.4 and the options",
    80: "First transfer, authorization, accounting",
    97: "Reporting and consistency",
    114: "Protocol and operation",
}
"""The head of each section, by its first row."""


class Row(BaseModel):
    """One requirement."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    number: Annotated[int, Field(ge=1, le=ROWS)]
    source: Annotated[str, Field(min_length=1)]
    tag: Literal["M-high", "M-med", "M-low", "W", "G"] | None = None
    must: Annotated[str, Field(min_length=1)]
    state: Literal["done", "setting", "later"]
    where: str | None = None
    setting: str | None = None
    why: str | None = None

    @model_validator(mode="after")
    def _says_what_its_state_needs(self) -> Self:
        if (self.state == "later") != (self.why is not None):
            raise ValueError(f"row {self.number}: a reason goes with later, and only with it")
        if (self.state == "later") != (self.where is None):
            raise ValueError(f"row {self.number}: where it is goes with what is there")
        if (self.state == "setting") != (self.setting is not None):
            raise ValueError(
                f"row {self.number}: a setting is named where it is one, and only there"
            )
        return self


class Claim(NamedTuple):
    """A test says that it shows a row: the whole of it, or one case."""

    number: int
    path: str
    test: str
    case: str | None = None


def load_rows(path: Path) -> list[Row]:
    """The rows of the file, as they stand there; `ValueError` if one has not what it needs."""
    return [Row.model_validate(row) for row in tomllib.loads(path.read_text("utf-8"))["row"]]


def read_claims(root: Path) -> list[Claim]:
    """What the marks of the tests in the folder `tests` say, sorted by row; the paths are from
    `root`. `ValueError` for a mark that is not numbers and a case.
    """
    found: list[Claim] = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if MARK in text:
            found += _claims_of(path.relative_to(root).as_posix(), ast.parse(text))
    return sorted(found, key=lambda claim: claim.number)


def _claims_of(path: str, tree: ast.Module) -> Iterator[Claim]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == f"pytest.mark.{MARK}":
                numbers, case = _said_by(mark, f"{path}:{mark.lineno}")
                yield from (Claim(number, path, node.name, case) for number in numbers)


def _said_by(mark: ast.Call, place: str) -> tuple[list[int], str | None]:
    try:
        numbers = [ast.literal_eval(node) for node in mark.args]
        named = {one.arg: ast.literal_eval(one.value) for one in mark.keywords}
    except ValueError:  # a name, a call
        numbers, named = [], {}
    case = named.pop("case", None)
    readable = numbers and all(type(number) is int for number in numbers) and not named
    if not readable or not isinstance(case, str | None):
        raise ValueError(f"{place}: {ast.unparse(mark)} has not numbers of rows and perhaps a case")
    return numbers, case


def contradictions(rows: Sequence[Row], claims: Sequence[Claim]) -> list[str]:
    """What rows and marks say against one another, in words."""
    found = []
    numbers = [row.number for row in rows]
    if numbers != list(range(1, ROWS + 1)):
        found.append(f"the rows are not 1 to {ROWS}, each once and in order")
    states = {row.number: row.state for row in rows}
    claimed = {claim.number for claim in claims}
    found += [
        f"row {number} is {state}, and no test shows it"
        for number, state in states.items()
        if state != "later" and number not in claimed
    ]
    for claim in claims:
        state = states.get(claim.number)
        if state in {None, "later"}:
            said = f"is {state}" if state else "does not exist"
            found.append(f"{claim.path}: {claim.test} shows row {claim.number}, which {said}")
    return found


def requirements_page(rows: Sequence[Row], claims: Sequence[Claim]) -> str:
    """The page with all rows."""
    by_number = {n: list(found) for n, found in groupby(claims, lambda claim: claim.number)}
    starts = [*SECTIONS, ROWS + 1]
    parts = [PAGE_HEAD]
    for start, end in pairwise(starts):
        cells = (
            (str(row.number), _source(row), row.state, _where(row), _tests(by_number, row.number))
            for row in rows
            if start <= row.number < end
        )
        shown = table(("Number", "Source", "State", "Where", "Test"), cells)
        parts.append(f"## {SECTIONS[start]}\n\n{shown}\n")
    count = {s: sum(row.state == s for row in rows) for s in ("done", "setting", "later")}
    sums = ", ".join(f"{number} {state}" for state, number in count.items())
    return "\n".join([*parts, f"{len(rows)} rows: {sums}.\n"])


def _source(row: Row) -> str:
    tag = f" [{row.tag.replace('-', ' ')}]" if row.tag else ""
    return f"*{row.source}{tag}*: {row.must}"


def _where(row: Row) -> str:
    if row.why is not None:
        return row.why
    setting = f"; setting `{row.setting}`" if row.setting else ""
    return f"{row.where}{setting}"


def _tests(claims: dict[int, list[Claim]], number: int) -> str:
    tests: dict[str, list[str]] = {}
    for claim in claims.get(number, []):
        cases = tests.setdefault(f"[`{claim.test}`](../{claim.path})", [])
        cases += [claim.case] if claim.case else []
    return "<br>".join(": ".join(filter(None, (t, "; ".join(c)))) for t, c in tests.items())
