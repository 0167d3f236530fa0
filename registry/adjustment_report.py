# SPDX-License-Identifier: Apache-2.0
"""A Party's corresponding adjustments of a year as people, programs and spreadsheets read them.

All three forms say the same: the figures and their digest, whether the year is closed, what later
entries would change of closed years, and what has no corresponding adjustment. JSON has the units
behind the sums as well.

Elsewhere: the figures (`ledger.adjustments`), the verb (`adjustment_verbs`).
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.adjustments import AccountFigures, ClosedYear, Figures, Late, report_due
from ledger.tally import Account, Counted, Tally

__all__ = ["AdjustmentReport", "as_csv", "as_json", "as_table"]

APART: tuple[Counted, ...] = ("contribution", "cer")


@dataclass(frozen=True, slots=True)
class AdjustmentReport:
    """What is shown. `levels` are the Party's emissions (None), and its indicators by unit."""

    figures: Figures
    closed: ClosedYear | None
    late: list[Late]
    tally: Tally
    levels: Mapping[str | None, int]

    def balance(self, one: AccountFigures) -> int | None:
        """Emissions or indicator after the adjustment of the year, if the level was told."""
        level = self.levels.get(one.account)
        return None if level is None else level + one.applied

    def apart(self, what: Counted) -> int:
        """Units of the year without corresponding adjustment."""
        return self.tally.apart(what, self.figures.year)


def as_json(report: AdjustmentReport) -> str:
    """Everything, the units behind the sums included."""
    figures = report.figures
    accounts: list[dict[str, Any]] = []
    for one in figures.accounts:
        account = Account(one.account, figures.year)
        units = {
            what.replace("-", "_"): [list(u) for u in report.tally.units(what, account)]
            for what in _COUNTED
        }
        level = report.levels.get(one.account)
        accounts.append(
            {
                **one.model_dump(mode="json"),
                "level": level,
                "balance": report.balance(one),
                "units": units,
            }
        )
    closed = report.closed
    members = {
        **figures.model_dump(mode="json", exclude={"accounts"}),
        "accounts": accounts,
        "digest": figures.digest,
        "closed_at": closed.closed_at if closed else None,
        "closed_by": closed.operator if closed else None,
        "report_due": report_due(figures.year),
        "late": [one.model_dump(mode="json") for one in report.late],
        "without_adjustment": {what: report.apart(what) for what in APART},
    }
    return json.dumps(members, indent=2)


_COUNTED: tuple[Counted, ...] = ("first-transferred", "used")

COLUMNS = (
    "party",
    "year",
    "metric",
    "unit",
    "first_transferred",
    "used",
    "adjustment",
    "cumulative_first_transferred",
    "cumulative_used",
    "cumulative_adjustment",
    "method",
    "average_numerator",
    "average_denominator",
    "applied",
    "level",
    "balance",
    "closed_at",
    "late_first_transferred",
    "late_used",
)


def as_csv(report: AdjustmentReport) -> str:
    """One row for each metric; what is not known is empty. Late entries are those of this year."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    figures = report.figures
    for one in figures.accounts:
        row = one.model_dump(mode="json", exclude={"average"})
        late = [x for x in report.late if (x.year, x.account) == (figures.year, one.account)]
        row |= {
            "party": figures.party,
            "year": figures.year,
            "method": figures.period.method,
            "level": report.levels.get(one.account, ""),
            "balance": _or_nothing(report.balance(one)),
            "closed_at": report.closed.closed_at if report.closed else "",
        }
        if one.average is not None:
            row["average_numerator"] = one.average.numerator
            row["average_denominator"] = one.average.denominator
        if report.closed is not None:
            row["late_first_transferred"] = sum(x.first_transferred for x in late)
            row["late_used"] = sum(x.used for x in late)
        writer.writerow(row)
    return out.getvalue().rstrip("\n")


def _or_nothing(value: int | None) -> int | str:
    return "" if value is None else value


def as_table(report: AdjustmentReport) -> str:
    """For people: a block for each metric, then what is to be known besides."""
    figures, period = report.figures, report.figures.period
    years = f"{period.first_year}-{period.last_year}"
    lines = [f"{figures.party} {figures.year}, by the entries that came to {figures.registry}"]
    lines.append(f"NDC period {years}, {period.target}, {period.method}")
    for one in figures.accounts:
        lines += ["", one.unit, *_account_lines(report, one)]
    lines.append("")
    if report.closed is None:
        lines.append(f"open; to be reported by {report_due(figures.year)}")
    else:
        lines.append(f"closed at {report.closed.closed_at} by {report.closed.operator}")
    lines.append(f"digest of these figures: {figures.digest}")
    contributions, cers = map(report.apart, APART)
    if contributions:
        lines.append(f"without adjustment: {contributions} levied mitigation contributions")
    if cers:
        lines.append(f"without adjustment: {cers} units from before 2021 used")
    lines += [f"closed, and entries since would change it: {_late_line(x)}" for x in report.late]
    return "\n".join(lines)


def _account_lines(report: AdjustmentReport, one: AccountFigures) -> list[str]:
    first = report.figures.period.first_year
    rows = [
        ("first-transferred, of this vintage", f"{one.first_transferred}"),
        ("used, for this year", f"{one.used}"),
        ("adjustment of this year", f"{one.adjustment:+}"),
        (f"adjustments since {first}", f"{one.cumulative_adjustment:+}"),
    ]
    if one.average is not None:
        average = one.average
        exact = f"({average.numerator:+} / {average.denominator})"
        rows.append(("average a year", f"{average.rounded:+}  {exact}"))
    level, balance = report.levels.get(one.account), report.balance(one)
    if level is not None and balance is not None:
        what = "emissions" if one.account is None else "indicator"
        rows += [(what, f"{level}"), (f"{what} with {one.applied:+}", f"{balance}")]
    return [f"  {name:<36}{value}" for name, value in rows]


def _late_line(late: Late) -> str:
    return (
        f"{late.year}, {late.unit}: first-transferred {late.first_transferred:+}, "
        f"used {late.used:+}, adjustment {late.adjustment:+}"
    )
