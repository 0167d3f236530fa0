# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench-growth`: what growth costs: of ledgers, the log, participants and running time.

The exit status is 1 when a fleet or a descent did not come out right, 2 for arguments that cannot
be used or servers that are not there.

Elsewhere: what is measured (`growth`), speed against a floor (`cli`).
"""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from harness.bench.command import in_words, machine, must_be_writable, refuse, write_figures
from harness.bench.course import MORE_MAX
from harness.bench.figures import Spread
from harness.bench.growth import LOOKS, PARTICIPANTS_MIN, Growth, Plan, measure
from harness.bench.sides import Servers
from harness.console import logging_from, open_console
from harness.services import ServiceError, service_folder, start_postgres, start_rabbitmq

__all__ = ["app"]

LEAVES_MIN = 1000
"""The log has some dozen entries before it is lengthened."""

app = typer.Typer()


@app.command()
def bench_growth(
    blocks: Annotated[int, typer.Option(help="Blocks of the large ledger.")] = 1_000_000,
    small: Annotated[int, typer.Option(help="Blocks of the small ledger.")] = 10_000,
    leaves: Annotated[int, typer.Option(help="Leaves of the long log.")] = 10_000_000,
    participants: Annotated[int, typer.Option(help="Participants of the large fleet.")] = 100,
    transfers: Annotated[int, typer.Option(help="Transfers of a turn on one side.")] = 1000,
    memory: Annotated[int, typer.Option(help="Transfers while memory is looked at.")] = 100_000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure to this file.")
    ] = None,
) -> None:
    """Measure what growth costs: of ledgers, the log, participants and running time."""
    plan = Plan(
        small_blocks=small,
        large_blocks=blocks,
        short_log=min(leaves, Plan.short_log),
        long_log=leaves,
        participants=participants,
        transfers=transfers,
        memory_transfers=memory,
    )
    if transfers < 1 or memory < LOOKS:
        refuse(f"--transfers is at least 1, --memory at least {LOOKS}")
    if not plan.most <= small <= blocks:
        refuse(f"--small is {small}; give at least {plan.most}, and no more than --blocks {blocks}")
    if plan.most + memory > blocks:
        refuse(f"--blocks is {blocks}; give at least {plan.most + memory}")
    if leaves < LEAVES_MIN:
        refuse(f"--leaves is {leaves}; give at least {LEAVES_MIN}")
    if not PARTICIPANTS_MIN < participants <= MORE_MAX:
        most = f"and at most {MORE_MAX}"
        refuse(f"--participants is {participants}; give more than {PARTICIPANTS_MIN}, {most}")
    must_be_writable(json_file)
    console = open_console()
    try:
        with logging_from(logging.CRITICAL):
            found = asyncio.run(_run(console, plan))
    except ServiceError as error:
        refuse(str(error))
    except RuntimeError as error:
        typer.echo(f"a6hub: the run does not count: {error}", err=True)
        raise typer.Exit(1) from None
    _show(console, found)
    write_figures(json_file, {"machine": machine(), **found.document()})


async def _run(console: Console, plan: Plan) -> Growth:
    with service_folder() as folder:
        console.print("starting servers")
        postgres = start_postgres(folder / "postgres")
        rabbitmq = start_rabbitmq(folder / "rabbitmq")
        try:
            return await measure(plan, Servers(folder, postgres, rabbitmq), console.print)
        finally:
            rabbitmq.stop(kill=True)
            postgres.stop(kill=True)


def _show(console: Console, found: Growth) -> None:
    table = Table(title="As things grow: medians, with the least and the most", box=box.SIMPLE)
    table.add_column("what")
    table.add_column("found", justify="right")
    plan = found.plan
    for words, ratios in (
        (f"{plan.large_blocks:,} blocks to {plan.small_blocks:,}", found.ledger_ratios),
        (f"{plan.long_log:,} leaves to {plan.short_log:,}", found.log_ratios),
        (f"{plan.participants} participants to {PARTICIPANTS_MIN}", found.participant_ratios),
    ):
        table.add_row(f"transfers a second, {words}", in_words(Spread.of(ratios), 2))
    start = f"start on {plan.large_blocks:,} blocks until ready, seconds"
    table.add_row(start, in_words(Spread.of(found.start_seconds), 2))
    table.add_row("a6hub --help, seconds", in_words(Spread.of(found.help_seconds), 2))
    for name, sizes in found.memory_bytes.items():
        words = f"memory of {name} over {plan.memory_transfers:,} transfers, MB"
        table.add_row(words, " ".join(f"{size / 1e6:.0f}" for size in sizes))
    for one in found.descents:
        words = f"{one['differences']} differences in {one['blocks']:,} blocks"
        for what, taken in (("descent", one), ("sending all", one.get("everything"))):
            if taken is not None:
                figures = f"{1000 * taken['seconds']['median']:,.1f} ms, {taken['bytes']:,} bytes"
                table.add_row(f"{what}: {words}", figures)
    console.print(table)
