# SPDX-License-Identifier: Apache-2.0
"""A proposal at its place in the log, as the rules look at it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.simulation.model import Model, Place, Transaction, Unit, serials, series_of

__all__ = ["Question", "Rule"]


@dataclass(frozen=True)
class Question:
    """Asked for the first time, or `again` after an acceptance; at the time of the entry."""

    model: Model
    transaction: Transaction
    at: str
    again: bool

    @property
    def proposal(self) -> dict[str, Any]:
        return self.transaction.proposal

    @property
    def action(self) -> str:
        return str(self.proposal["action"])

    @property
    def proposer(self) -> str:
        return self.transaction.proposer

    @property
    def participant(self) -> str:
        """The proposer's."""
        return self.proposer.partition("/")[0]

    @property
    def section(self) -> str:
        """The proposer's."""
        return self.proposer.partition("/")[2]

    @property
    def acquirer(self) -> str | None:
        return self.proposal.get("acquirer")

    @property
    def leaves(self) -> bool:
        """Whether the units would go to another participant."""
        return self.acquirer is not None and self.acquirer.partition("/")[0] != self.participant

    @property
    def lines(self) -> list[dict[str, Any]]:
        return list(self.proposal.get("lines") or ())

    def units(self) -> Iterator[tuple[dict[str, Any], Place, Unit]]:
        """Every unit there is that the lines name."""
        for line in self.lines:
            series = series_of(line["key"])
            for serial in serials(line):
                unit = self.model.unit((series, serial))
                if unit is not None:
                    yield line, (series, serial), unit


Rule = Callable[[Question], Iterator[str]]
"""Gives the reasons for which it would refuse."""
