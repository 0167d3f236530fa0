# SPDX-License-Identifier: Apache-2.0
"""The verb `adjustments`: a Party's corresponding adjustments of a year, read beside the daemon.

Elsewhere: the figures (`ledger.adjustments`), their forms (`adjustment_report`), closing a year,
which is a command at the desk (`adjustments`).
"""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.adjustments import annual_figures, late_entries, levies_left_out, period_of
from registry import tallying
from registry.adjustment_report import AdjustmentReport, as_csv, as_json, as_table
from registry.sections import check_section
from runtime.errors import LocalProtocolError
from runtime.listing import write_lines
from runtime.schema import open_database
from runtime.settings import load_settings
from runtime.verbs import Settings, guarded
from schemas.identifiers import PartyCode

if TYPE_CHECKING:
    from registry.cli import RegistryDaemonSettings

__all__ = ["add_adjustment_verbs"]


class Form(StrEnum):
    """How the figures are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


WRITERS = {Form.JSON: as_json, Form.CSV: as_csv}


def add_adjustment_verbs(app: typer.Typer, model: "type[RegistryDaemonSettings]") -> None:
    """Add `adjustments` to a registry's command."""

    @app.command("adjustments")
    def adjustments(
        settings: Settings,
        year: Annotated[int, typer.Option(min=2021, max=2200, help="The calendar year.")],
        party: Annotated[
            str | None, typer.Option(help="Whose; not needed where the registry is one Party's.")
        ] = None,
        emissions: Annotated[
            int | None,
            typer.Option(help="The Party's emissions of the year, in t CO2 eq, to be adjusted."),
        ] = None,
        indicator: Annotated[
            list[str] | None,
            typer.Option(help="An indicator in a non-GHG metric to be adjusted, as MWh=5000."),
        ] = None,
        form: Annotated[Form, typer.Option("--format", help="How to write them.")] = Form.TABLE,
    ) -> None:
        """Show a Party's corresponding adjustments of a year, as the entries here tell them."""

        async def work() -> AdjustmentReport:
            loaded = load_settings(model, settings)
            levels: dict[str | None, int] = _indicators(indicator or ())
            if emissions is not None:
                levels[None] = emissions
            return await read_report(loaded, _party(loaded, party), year, levels)

        report: AdjustmentReport = guarded(lambda: asyncio.run(work()))
        if form is Form.TABLE:
            write_lines(as_table(report))
        else:
            typer.echo(WRITERS[form](report))


async def read_report(
    settings: "RegistryDaemonSettings", party: PartyCode, year: int, levels: dict[str | None, int]
) -> AdjustmentReport:
    """Count what came here, in one snapshot. `LocalProtocolError` and `ValueError` say what is
    wrong with the settings or the command line.
    """
    async with open_database(settings) as store, store.snapshot() as session:
        closed = (await tallying.load_closed(session)).get(party, {})
        period = period_of(settings.ndc_periods, party, year, closed)
        left_out = levies_left_out(settings.ndc_periods, party)
        tally = await tallying.load_tally(session, settings.participant, party, left_out)
    sums = tally.sums()
    figures = annual_figures(settings.participant, year, period, sums, closed)
    if strange := [u for u in levels if u not in {one.account for one in figures.accounts}]:
        raise LocalProtocolError(
            f"--indicator: {party} has no account in {strange[0]} up to {year}; its accounts are "
            f"in {', '.join(one.unit for one in figures.accounts)}"
        )
    return AdjustmentReport(
        figures, closed.get(year), late_entries(sums, closed), tally, dict(levels)
    )


def _party(settings: "RegistryDaemonSettings", given: str | None) -> PartyCode:
    """The Party that is named, or the only one of which there are periods.

    A registry of several Parties may have periods of one that has no section in it.
    """
    known = sorted({period.party for period in settings.ndc_periods})
    if given is not None:
        party = PartyCode(given)
        if party not in known:
            check_section(settings.participant, settings.actors, party)
        return party
    if len(known) != 1:
        named = ", ".join(known) or "none; add ndc_periods to the settings"
        raise LocalProtocolError(f"--party: whose adjustments? There are periods of {named}")
    return known[0]


def _indicators(given: Sequence[str]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for one in given:
        unit, sign, number = one.rpartition("=")
        if not sign or not unit or not number.removeprefix("-").isdecimal():
            raise LocalProtocolError(f"--indicator {one:.60}: give unit and number, as MWh=5000")
        found[unit] = int(number)
    return found
