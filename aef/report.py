# SPDX-License-Identifier: Apache-2.0
"""Files in, a report out: every workbook read and checked, alone and together.

The same before a submission and after it: the pre-check of 6/CMA.4 para 29 is this check.

Elsewhere: showing it (`harness.aef`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from aef.checking import check_workbook
from aef.consistency import check_together
from aef.findings import Findings, Level, Unchecked
from aef.nomenclature import Nomenclature
from aef.places import Reading
from aef.reading import read_workbook
from aef.versions import in_force

__all__ = ["Report", "check"]


@dataclass(slots=True)
class Report:
    """What came of checking some files."""

    readings: list[Reading] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    @property
    def unchecked(self) -> list[Unchecked]:
        """The checks that could not be made."""
        return self.findings.unchecked

    def count(self, level: Level) -> int:
        """How many cells have a finding of a level."""
        return sum(one.cells for one in self.findings if one.level is level)

    @property
    def status(self) -> int:
        """0 when nothing has to be mended, 1 when something has, 2 when a file was not read."""
        if not all(reading.whole for reading in self.readings):
            return 2
        return 1 if self.count(Level.ERROR) else 0

    def members(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "files": [_file(reading) for reading in self.readings],
            "errors": self.count(Level.ERROR),
            "warnings": self.count(Level.WARNING),
            "tolerated": self.count(Level.TOLERATED),
            "findings": [one.members() for one in self.findings],
            "unchecked": [
                {"code": str(one.code), "file": one.file, "reason": one.reason}
                for one in self.unchecked
            ],
            "status": self.status,
        }


def _file(reading: Reading) -> dict[str, Any]:
    said = reading.aef.submission
    return {
        "file": reading.file,
        "read": reading.whole,
        "party": said.party,
        "year": said.year,
        "version": said.version,
        "authorizations": len(reading.aef.authorizations),
        "actions": len(reading.aef.actions),
        "holdings": len(reading.aef.holdings),
        "entities": len(reading.aef.entities),
    }


def check(files: Iterable[tuple[str, BinaryIO]], nomenclature: Nomenclature) -> Report:
    """Read and check workbooks; the files are open, and have names."""
    report = Report()
    for name, file in files:
        reading = read_workbook(file, name, nomenclature)
        report.readings.append(reading)
        for found in reading.findings:
            report.findings.add(found)
        if reading.whole:
            for found in check_workbook(reading, nomenclature):
                report.findings.add(found)
    counting, said = in_force([one for one in report.readings if one.whole])
    for one in said:
        report.findings.add(one)
    for either in check_together(counting, nomenclature):
        if isinstance(either, Unchecked):
            report.findings.leave(either)
        else:
            report.findings.add(either)
    return report
