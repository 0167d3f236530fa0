# SPDX-License-Identifier: Apache-2.0
"""`a6hub demo`: run a scenario on a fleet, show it, and hold it to its expectations.

On the embedded default nothing but Python is needed. With `--processes` every program is a process
of its own on RabbitMQ and PostgreSQL. The output folder gets `report.html`, `summary.json`, every
Party's reporting workbook and every envelope as it was sent, but for control envelopes, which
nobody keeps. The exit status is 0 only if every expectation of the scenario held.
"""

import asyncio
import logging
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from harness import console
from harness.cli import command_line
from harness.examples import judge
from harness.fleet import Fleet, ProcessFleet, embedded_fleet
from harness.gather import gather, write_messages
from harness.loading import load_scenario
from harness.outcome import Outcome
from harness.output import check_output, clear_output
from harness.prepare import Estate, prepare
from harness.proofs import verified_elsewhere, write_evidence
from harness.report import write_report
from harness.runner import compare, run_scenario
from harness.scenario import Scenario
from harness.workbooks import write_workbooks
from runtime.clock import SystemClock
from runtime.database import database_url, translated
from runtime.errors import LocalProtocolError, Unavailable, in_one_line
from runtime.verbs import guarded
from schemas.identifiers import Participant

__all__ = ["app", "run_demo"]

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"

app = typer.Typer()


@app.command()
def demo(
    scenario: Annotated[Path, typer.Option(help="The scenario to run.")] = SCENARIOS
    / "article6.toml",
    output: Annotated[
        Path, typer.Option(help="The output folder: a new or an empty one, or an earlier run's.")
    ] = Path("demo-output"),
    processes: Annotated[
        bool, typer.Option("--processes", help="Every program as a process, on real services.")
    ] = False,
    broker: Annotated[str, typer.Option(help="AMQP URL, for --processes.")] = "",
    broker_admin: Annotated[str, typer.Option(help="Management URL, for --processes.")] = "",
    database: Annotated[
        str,
        typer.Option(
            help="PostgreSQL URL, postgresql+asyncpg://user:password@host/postgres, of a role that "
            "may create databases; for --processes."
        ),
    ] = "",
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the programs' logs.")] = False,
) -> None:
    """Run a fleet of registries and show what it does."""
    loaded = guarded(lambda: load_scenario(scenario))
    if processes and not (broker and broker_admin and database):
        typer.echo("a6hub: --processes needs --broker, --broker-admin and --database", err=True)
        raise typer.Exit(2)

    guarded(lambda: check_output(output))
    make = process_fleets(broker, broker_admin, database) if processes else embedded_fleet
    with console.logging_from(logging.INFO if verbose else logging.CRITICAL):
        outcome = guarded(lambda: asyncio.run(run_demo(loaded, output, make)))
    console.show(outcome)
    typer.echo(f"\nReport: {output / 'report.html'}, messages: {output / 'messages'}")
    evidence, trust = str(output / "evidence"), str(output / "trust.json")
    typer.echo(f"Evidence: {command_line('verify', evidence, '--trust', trust)}")
    typer.echo(f"Workbooks: {command_line('aef', 'check', str(output / 'aef'))}")
    if outcome.summary.expectations_failed:
        raise typer.Exit(1)


async def run_demo(
    scenario: Scenario,
    output: Path,
    make: Callable[[Estate], AbstractAsyncContextManager[Fleet]],
    disturb: Callable[[str], Awaitable[None]] | None = None,
) -> Outcome:
    """Run a scenario on a fleet and write the output folder; gives the outcome."""
    check_output(output)
    clock = SystemClock()
    started = clock.now()
    with tempfile.TemporaryDirectory(prefix="a6hub-") as folder:
        estate = prepare(scenario, Path(folder), clock)
        async with make(estate) as fleet:
            stages = 3  # admission, accounts, reconciliation
            total = len([*scenario.steps, *scenario.after.steps, *scenario.plants]) + stages
            with console.Progress(total) as progress:
                run = await run_scenario(scenario, estate, fleet, progress, disturb)
            await compare(run)
            examples = await judge(run)
            proofs = Path(folder) / "proofs"
            run.failed += await write_evidence(run.remote, proofs)
            year = clock.now().moment().year
            run.failed += await write_workbooks(run.remote, estate, year, proofs)
            verdicts = verified_elsewhere(proofs)
            run.failed += [f"{v['file']}: {v['reason']}" for v in verdicts if not v["valid"]]
            outcome = await gather(run, str(started), str(clock.now()), examples, verdicts)
            clear_output(output)
            summary = outcome.summary.model_dump_json(indent=2)
            # It comes first: by it the next run knows the folder, even if this one ends here.
            (output / "summary.json").write_text(summary + "\n", encoding="utf-8")
            shutil.copytree(proofs, output, dirs_exist_ok=True)
            await write_messages(run.remote, output / "messages")
            await run.remote.close()
    write_report(outcome, output / "report.html")
    return outcome


def process_fleets(
    broker: str, admin: str, database: str
) -> Callable[[Estate], AbstractAsyncContextManager[Fleet]]:
    """Fleets of processes, each with databases of its own that are dropped at the end."""

    @asynccontextmanager
    async def make(estate: Estate) -> AsyncIterator[Fleet]:
        database_url(database)
        names = {p: f"a6hub_{secrets.token_hex(4)}_{p.lower()}" for p in estate.members}
        await _each_database(database, 'create database "{}"', names)
        urls = {p: _with_database(database, name) for p, name in names.items()}
        fleet = ProcessFleet(estate, urls, broker, admin)
        try:
            yield fleet
        finally:
            await fleet.stop()
            await _each_database(database, 'drop database "{}" with (force)', names)

    return make


async def _each_database(url: str, statement: str, names: dict[Participant, str]) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with translated():
            async with engine.connect() as connection:
                for name in names.values():
                    await connection.execute(text(statement.format(name)))
    except (Unavailable, DBAPIError) as error:
        raise LocalProtocolError(f"--database: {in_one_line(error)}") from None
    finally:
        await engine.dispose()


def _with_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
