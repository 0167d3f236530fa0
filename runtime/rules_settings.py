# SPDX-License-Identifier: Apache-2.0
"""Settings of the rules about units, which the hub and every registry have, and have alike.

A registry asks the hub's own checks before it proposes. Where the two are set otherwise it proposes
what the hub refuses; units are not touched by that.

Elsewhere: what the rules make of them (`ledger.asking.Policy`), the other settings of a program
(`settings`, and each `cli`).
"""

from typing import Annotated

from pydantic import Field

from ledger.asking import Policy, Rounding
from runtime.settings import DaemonSettings

__all__ = ["RulesSettings"]


class RulesSettings(DaemonSettings):
    """What the hub's settings and a registry's have in common; to be the same at all of them."""

    mechanism: str = "UN01"
    """The mechanism registry's participant."""
    international: tuple[str, ...] = ("UN02",)
    """Participants that are international registries: their sections do not issue."""
    share_of_proceeds_permille: Annotated[int, Field(ge=0, le=1000)] = 50
    """Share of proceeds of an issuance, in permille."""
    share_of_proceeds_rounding: Rounding = "up"
    """How the share of proceeds becomes whole units: up, down or nearest."""
    omge_permille: Annotated[int, Field(ge=0, le=1000)] = 20
    """Cancellation for overall mitigation, in permille."""
    omge_rounding: Rounding = "up"
    """How it becomes whole units: up, down or nearest. Down may be less than the share."""
    first_ndc_last_year: Annotated[int, Field(ge=2021, le=2200)] = 2030
    """The last calendar year towards which CERs are used: when first NDCs end."""
    mechanism_passes_all: bool = False
    """Whether ITMOs that are no A6.4ERs may pass between the mechanism registry and others."""
    mechanism_to_parties: bool = False
    """Whether A6.4ERs may go from the mechanism registry straight to a Party's own registry."""
    transfer_data: bool = False
    """Whether a first transfer or transfer to another Party must name the acquiring entity and the
    method of corresponding adjustment (as the agreements of some Parties ask)."""

    def policy(self) -> Policy:
        """The settings of the rules."""
        return Policy(
            mechanism=self.mechanism,
            international=frozenset(self.international),
            share_of_proceeds_permille=self.share_of_proceeds_permille,
            share_of_proceeds_rounding=self.share_of_proceeds_rounding,
            omge_permille=self.omge_permille,
            omge_rounding=self.omge_rounding,
            first_ndc_last_year=self.first_ndc_last_year,
            mechanism_passes_all=self.mechanism_passes_all,
            mechanism_to_parties=self.mechanism_to_parties,
            transfer_data=self.transfer_data,
        )
