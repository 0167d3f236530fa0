# SPDX-License-Identifier: Apache-2.0
"""The generated blocks of `docs/aef.md`: the columns of each table, and every finding.

Elsewhere: who writes them into the page (`catalogue`), what they are made of (`aef.tables`,
`aef.findings`).
"""

from aef.columns import columns_of
from aef.findings import RULES, Code
from aef.tables import SHEETS
from harness.manual import table

__all__ = ["aef_blocks"]


def aef_blocks() -> dict[str, str]:
    """The generated blocks of the page, by name."""
    return {"aef-tables": _tables(), "aef-findings": _findings()}


def _tables() -> str:
    parts = []
    for row, sheet in SHEETS.items():
        columns = (
            (
                column.label,
                f"`{column.technical}`",
                f"{column.listed.replace('_', ' ')}" if column.listed else str(column.holds),
                str(column.need) + (", confidential" if column.confidential else ""),
            )
            for column in columns_of(row)
        )
        head = ("Label", "Technical name", "Holds", "Filled")
        parts.append(f"### {sheet}\n\n{len(columns_of(row))} columns.\n\n{table(head, columns)}")
    return "\n\n".join(parts)


def _findings() -> str:
    rows = (
        (f"`{code}`", code.name.lower().replace("_", "-"), str(RULES[code].level), RULES[code].text)
        for code in Code
    )
    return table(("Code", "Name", "Level", "What it means"), rows)
