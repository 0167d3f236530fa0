# SPDX-License-Identifier: Apache-2.0
"""Versions of a submission: 1.0 is the first, 1.9 comes before 1.10, and the latest one counts.

A Party submits a year again with a higher version; the earlier ones are kept, and said to be
superseded. Another content under the same version is an error, the same content twice is one
submission.

Elsewhere: what the submissions say (`consistency`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aef.findings import AefFinding, Code
from aef.places import Reading
from aef.tables import SubmissionRow

__all__ = ["Version", "in_force"]


class Version(NamedTuple):
    """A version `X.Y`; both parts are whole numbers, so 1.10 comes after 1.9."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read what the form of the column allows."""
        major, _, minor = text.partition(".")
        return cls(int(major), int(minor))

    def next_minor(self) -> "Version":
        """The version of a resubmission that changes something."""
        return Version(self.major, self.minor + 1)

    def next_major(self) -> "Version":
        """The version of a resubmission that changes much."""
        return Version(self.major + 1, 0)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def in_force(readings: Sequence[Reading]) -> tuple[list[Reading], list[AefFinding]]:
    """The submissions that count, and what is to be said of the others.

    A workbook that does not say whose it is, of which year or version, stands alone, and counts.
    """
    counting: list[Reading] = []
    found: list[AefFinding] = []
    for group in _groups(readings):
        latest = max(group, key=_version)
        counting.append(latest)
        for other in group:
            if other is latest:
                continue
            said = f"{_version(latest)} is in {latest.file}"
            if _version(other) < _version(latest):
                found.append(other.at(Code.SUPERSEDED, SubmissionRow, 0, "version", said))
            elif other.aef != latest.aef:
                found.append(other.at(Code.SUBMITTED_TWICE, SubmissionRow, 0, "version", said))
                counting.append(other)
    return counting, found


def _groups(readings: Sequence[Reading]) -> Iterator[list[Reading]]:
    groups: dict[tuple[str, int], list[Reading]] = {}
    for one in readings:
        row = one.aef.submission
        if row.party is None or row.year is None or row.version is None:
            yield [one]
        else:
            groups.setdefault((row.party, row.year), []).append(one)
    yield from groups.values()


def _version(reading: Reading) -> Version:
    return Version.parse(reading.aef.submission.version or "1.0")
