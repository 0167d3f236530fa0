# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench-growth`: what growing ledgers cost, and what programs need to start and to run.

The exit status is 1 when a fleet did not come out right, 2 for arguments that cannot be used or
servers that are not there.

Elsewhere: what is measured (`growth`), speed against a floor (`cli`).
"""

import asyncio
import json
import logging
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from harness.bench.figures import Spread
from harness.bench.growth import Growth, Plan, growing, help_seconds
from harness.bench.rounds import WINDOW
from harness.console import logging_from, open_console
from harness.services import RabbitMQ, ServiceError, service_folder, start_postgres, start_rabbitmq

__all__ = ["app"]

app = typer.Typer()


@app.command()
def bench_growth(
    blocks: Annotated[int, typer.Option(help="Blocks of the large ledger.")] = 1_000_000,
    small: Annotated[int, typer.Option(help="Blocks of the small ledger.")] = 30_000,
    transfers: Annotated[int, typer.Option(help="Transfers of a turn on one ledger.")] = 1000,
    memory: Annotated[int, typer.Option(help="Transfers while memory is looked at.")] = 20_000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure to this file.")
    ] = None,
) -> None:
    """Measure the programs on a small and on a large ledger."""
    plan = Plan(small, blocks, transfers, memory_transfers=memory)
    needed = WINDOW + plan.turns * transfers + memory
    if transfers < 1 or memory < 1:
        _refuse("--transfers and --memory are at least 1")
    if not needed <= small <= blocks:
        _refuse(f"--small is {small}; give at least {needed}, and no more than --blocks {blocks}")
    if json_file is not None:
        try:  # before the work, not after it
            json_file.open("a", encoding="utf-8").close()
        except OSError as error:
            _refuse(f"--json: {json_file} cannot be written: {error.strerror}")
    console = open_console()
    try:
        with logging_from(logging.CRITICAL):
            found = asyncio.run(_run(console, plan))
    except ServiceError as error:
        _refuse(str(error))
    except RuntimeError as error:
        typer.echo(f"a6hub: the run does not count: {error}", err=True)
        raise typer.Exit(1) from None
    _show(console, found)
    if json_file is not None:
        text = json.dumps(found.document(), indent=2)
        json_file.write_text(text + "\n", encoding="utf-8")


def _refuse(problem: str) -> NoReturn:
    typer.echo(f"a6hub: {problem}", err=True)
    raise typer.Exit(2)


async def _run(console: Console, plan: Plan) -> Growth:
    found = Growth(plan, help_seconds=help_seconds(5))
    with service_folder() as folder:
        console.print("starting servers")
        postgres = start_postgres(folder / "postgres")
        rabbitmq = start_rabbitmq(folder / "rabbitmq")
        brokers = {}
        for name in ("small", "large"):
            url = make_url(rabbitmq.amqp_url).set(database=name)
            amqp = url.render_as_string(hide_password=False)
            brokers[name] = RabbitMQ(amqp, rabbitmq.admin_url, vhost=name)
        try:
            console.print(f"making ledgers of {plan.small_blocks:,} and {plan.large_blocks:,}")
            async with growing(plan, folder, postgres, brokers) as running:
                console.print("transfers on both in turn")
                found.ledger_ratios = await running.ledgers()
                console.print("starts on the large one")
                found.start_seconds = await running.starts()
                console.print(f"{plan.memory_transfers:,} transfers on the small one")
                found.memory_bytes = await running.memory()
        finally:
            rabbitmq.stop(kill=True)
            postgres.stop(kill=True)
    return found


def _show(console: Console, found: Growth) -> None:
    table = Table(title="As ledgers grow: medians, with the least and the most", box=box.SIMPLE)
    table.add_column("what")
    table.add_column("found", justify="right")
    plan = found.plan
    ledgers = (
        f"transfers a second at {plan.large_blocks:,} blocks to those at {plan.small_blocks:,}"
    )
    table.add_row(ledgers, _spread(found.ledger_ratios))
    start = f"start on {plan.large_blocks:,} blocks until ready, seconds"
    table.add_row(start, _spread(found.start_seconds))
    table.add_row("a6hub --help, seconds", _spread(found.help_seconds))
    for name, sizes in found.memory_bytes.items():
        words = f"memory of {name} over {plan.memory_transfers:,} transfers, MB"
        table.add_row(words, " ".join(f"{size / 1e6:.0f}" for size in sizes))
    console.print(table)


def _spread(values: list[float]) -> str:
    spread = Spread.of(values)
    return f"{spread.median:.2f} [{spread.least:.2f} to {spread.most:.2f}]"
