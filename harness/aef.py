# SPDX-License-Identifier: Apache-2.0
"""`a6hub aef`: write a Party's workbook of the agreed electronic format, and check workbooks.

Writing reads a registry's database, by its settings. Checking needs the files and nothing else. The
exit status of a check is 0 when nothing has to be mended, 1 when something has, 2 when a file
cannot be read.

Elsewhere: the tables of a year (`registry.aef`), what is found (`aef.report`).
"""

import asyncio
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Annotated, BinaryIO
from zipfile import ZipFile, is_zipfile

import typer
from pydantic_settings import SettingsConfigDict

from aef.cells import ROWS_MAX
from aef.columns import columns_of
from aef.findings import AefFinding, Code, Level
from aef.nomenclature import NEWEST, Nomenclature, NomenclatureError, load, parse
from aef.report import Report, check
from aef.tables import SHEETS, Aef, SubmissionRow
from aef.versions import Version
from aef.writing import (
    CONFIDENTIAL,
    Style,
    in_style,
    joined,
    public,
    too_long,
    write_workbook,
)
from ledger.adjustments import NdcPeriod
from registry.aef import load_aef
from registry.cli import RegistryDaemonSettings
from registry.sections import check_section
from runtime.clock import SystemClock
from runtime.errors import LocalProtocolError
from runtime.exporting import FileKind, export_file
from runtime.schema import open_database
from runtime.settings import load_settings
from runtime.verbs import guarded
from schemas.plain import printable

__all__ = ["app"]

app = typer.Typer(
    help="Workbooks of the agreed electronic format: what Parties report every year.",
    no_args_is_help=True,
)

Lists = Annotated[
    str,
    typer.Option(
        "--nomenclature", help="The date of the common nomenclatures, or a file with others."
    ),
]


def _is_workbook(path: Path) -> bool:
    if not is_zipfile(path):
        return False
    with ZipFile(path) as archive:
        return "xl/workbook.xml" in archive.namelist()


WORKBOOK = FileKind("workbook", _is_workbook)


class AnyRegistry(RegistryDaemonSettings):
    """Any registry's settings, whatever its kind has besides."""

    model_config = SettingsConfigDict(extra="ignore")


@app.command("export")
def export(
    settings: Annotated[
        list[Path],
        typer.Option(
            help="The registry's settings; of several, if the Party has sections in them."
        ),
    ],
    party: Annotated[str, typer.Option(help="Whose, such as GHA.")],
    year: Annotated[int, typer.Option(min=2021, max=2200, help="The reported year.")],
    output: Annotated[Path, typer.Option(help="The workbook to write.")],
    version: Annotated[str, typer.Option(help="The version of the submission.")] = "1.0",
    submitted: Annotated[
        str, typer.Option(help="The date of submission, yyyy-mm-dd; today if not given.")
    ] = "",
    ndc_period: Annotated[
        str, typer.Option(help="The NDC's years, as 2021-2030; else by the settings.")
    ] = "",
    identifiers: Annotated[
        Style, typer.Option(help="ITMO identifiers whole, or their serials alone.")
    ] = Style.WHOLE,
    for_public: Annotated[
        bool, typer.Option("--public", help="Without confidential columns.")
    ] = False,
    confidential: Annotated[
        list[str] | None,
        typer.Option(
            help="With --public: a column to leave empty, by technical name, in place of the "
            "default ones."
        ),
    ] = None,
    nomenclature: Lists = NEWEST,
) -> None:
    """Write a Party's workbook of a year, as the entries that came to its registry tell it."""

    def work() -> bytes:
        lists = read_nomenclature(nomenclature)
        loaded = [load_settings(AnyRegistry, one) for one in settings]
        for one in loaded:
            check_section(one.participant, one.actors, party)
        periods = [period for one in loaded for period in one.ndc_periods]
        first, last = _period(ndc_period, periods, party, year)
        columns = _columns(confidential, for_public=for_public)
        day = _day(submitted)
        row = SubmissionRow(
            party=party,
            version=_version(version),
            year=year,
            submitted=day,
            ndc_first_year=first,
            ndc_last_year=last,
        )
        aef = in_style(asyncio.run(_read(loaded, row)), identifiers)
        if for_public:
            aef = public(aef, columns)
        file = BytesIO()
        write_workbook(aef, file, lists)
        _warn_of_open_year(year, day)
        _warn_of_rows(aef)
        if aef.unreported:
            typer.echo(f"a6hub: warning: {_without_rows(aef.unreported)}", err=True)
        return file.getvalue()

    guarded(lambda: export_file(output, WORKBOOK, work))


async def _read(registries: Sequence[RegistryDaemonSettings], row: SubmissionRow) -> Aef:
    parts = []
    for one in registries:
        async with open_database(one) as store, store.snapshot() as session:
            parts.append(await load_aef(session, one.participant, one.actors, row))
    return joined(parts)


def _period(given: str, known: Sequence[NdcPeriod], party: str, year: int) -> tuple[int, int]:
    """The NDC period in which a year lies: as told, or by the settings."""
    if given:
        years = re.fullmatch(r"([0-9]{4})-([0-9]{4})", given)
        if years is None:
            raise LocalProtocolError(f"--ndc-period {given:.20}: give years as 2021-2030")
        if not int(years[1]) <= year <= int(years[2]):
            raise LocalProtocolError(
                f"--ndc-period {given} does not contain {year}; give the period of that year"
            )
        return int(years[1]), int(years[2])
    for one in known:
        if one.party == party and one.first_year <= year <= one.last_year:
            return one.first_year, one.last_year
    raise LocalProtocolError(
        f"no NDC period of {party} has {year}; give --ndc-period, or ndc_periods in the settings"
    )


def _version(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}\.(?:0|[1-9][0-9]{0,3})", text):
        raise LocalProtocolError(f"--version {text:.20}: give it as 1.0")
    return str(Version.parse(text))


def _day(text: str) -> str:
    if not text:
        return str(SystemClock().now())[:10]
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise LocalProtocolError(f"--submitted {text:.20}: give it as yyyy-mm-dd") from None


def _warn_of_open_year(year: int, submitted: str) -> None:
    """Who tries a report out before the year's end has a file; it is not one to submit."""
    day = min(submitted, _day(""))
    if int(day[:4]) <= year:
        typer.echo(
            f"a6hub: warning: {year} was not over on {day}: what comes later in it is not in this "
            "workbook; export it again once the year is over",
            err=True,
        )


def _warn_of_rows(aef: Aef) -> None:
    for sheet, rows in too_long(aef):
        typer.echo(
            f"a6hub: warning: {sheet} has {rows:,} rows, and a check reads no more than "
            f"{ROWS_MAX:,} of a sheet",
            err=True,
        )


def _without_rows(units: int) -> str:
    return (
        f"{units:,} units were levied without an authorization: they are first-transferred, and "
        "annual adjustments count them unless ndc_periods leaves them out; every row of the tables "
        "names an authorization, so the summary alone says how many they are"
    )


def _columns(named: Sequence[str] | None, *, for_public: bool) -> frozenset[str]:
    if not named:
        return CONFIDENTIAL
    if not for_public:
        raise LocalProtocolError(
            "--confidential: names the columns that --public leaves empty; give --public as well"
        )
    known = {column.technical for table in SHEETS for column in columns_of(table)}
    for one in named:
        if one not in known:
            raise LocalProtocolError(f"--confidential {one:.60}: there is no such column")
    return frozenset(named)


@app.command("check")
def check_files(
    files: Annotated[list[Path], typer.Argument(help="Workbooks, or folders of them.")],
    nomenclature: Lists = NEWEST,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check workbooks, each alone and all against one another."""
    lists = guarded(lambda: read_nomenclature(nomenclature))
    missing: list[AefFinding] = []
    report = check(_opened(_each(files), missing), lists)
    for found in missing:
        report.findings.add(found)
    status = max(report.status, 2 if missing else 0)
    if as_json:  # in ASCII, so that nothing in a file's or a sheet's name steers a terminal
        typer.echo(json.dumps(report.members() | {"status": status}, indent=2))
    else:
        typer.echo("\n".join(_words(report)))
    raise typer.Exit(status)


def read_nomenclature(named: str) -> Nomenclature:
    """Nomenclatures of a date, or out of a file."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", named):
        return load(named)
    try:
        return parse(Path(named).read_text(encoding="utf-8"))
    except (NomenclatureError, UnicodeDecodeError) as error:
        raise LocalProtocolError(f"--nomenclature {named}: {error}") from None


def _each(named: Sequence[Path]) -> Iterator[Path]:
    """Files, and of folders the workbooks in them, by name; a folder without any is itself. What is
    named twice is one file.
    """
    known: set[Path] = set()
    for path in named:
        for one in sorted(path.glob("[!~.]*.xlsx")) or [path] if path.is_dir() else [path]:
            if (real := Path(os.path.realpath(one))) not in known:
                known.add(real)
                yield one


def _opened(paths: Iterable[Path], missing: list[AefFinding]) -> Iterator[tuple[str, BinaryIO]]:
    """The files, each open while it is read; what cannot be opened goes to `missing`."""
    for path in paths:
        said = "no workbooks (*.xlsx) in it" if path.is_dir() else ""
        try:
            if not said and not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
                said = "not a file"
            if not said:
                with path.open("rb") as file:
                    yield str(path), file
        except OSError as error:
            said = error.strerror or str(error)
        if said:
            missing.append(AefFinding(Code.FILE_UNREADABLE, str(path), detail=said))


def _words(report: Report) -> Iterator[str]:
    """A report for people, line by line."""
    for reading in report.readings:
        said, aef = reading.aef.submission, reading.aef
        if reading.whole:
            yield printable(
                f"{reading.file}: {said.party or '?'} {said.year or '?'}, version "
                f"{said.version or '?'}: {len(aef.authorizations)} authorizations, "
                f"{len(aef.actions)} actions, {len(aef.holdings)} holdings, "
                f"{len(aef.entities)} entities"
            )
    for found in report.findings:
        yield printable(str(found))
    for unchecked in report.unchecked:
        yield printable(f"{unchecked.file}: not checked: {unchecked.code}: {unchecked.reason}")
    counts = ", ".join(f"{report.count(level)} {level}" for level in Level)
    yield f"{counts}, {len(report.unchecked)} not checked"
