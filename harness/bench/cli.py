# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench`: how fast the programs are, as ratios to a floor taken in the same run.

It starts a RabbitMQ and a PostgreSQL of its own, runs every variant in each round, checks every
round of ours for correctness and shows medians with the least and the most. The exit status is 1
when a round did not come out right, 2 for arguments that cannot be used or servers that are not
there.

Elsewhere: what is measured (`rounds`), the ratios (`figures`).
"""

import asyncio
import json
import logging
import os
import platform
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from harness.bench.figures import Measured, Round, Spread, document, ratios
from harness.bench.rounds import VARIANTS, Bench, Sizes
from harness.console import logging_from, open_console
from harness.services import ServiceError, service_folder, start_postgres, start_rabbitmq

__all__ = ["app"]

app = typer.Typer()

TRANSFERS_MAX = 1_000_000
"""Their commands are signed beforehand and wait in memory."""
ROUNDS_MAX = 100


@app.command()
def bench(
    transfers: Annotated[int, typer.Option(help="Transfers of a round at saturation.")] = 4000,
    rounds: Annotated[int, typer.Option(help="Rounds; each runs every variant once.")] = 3,
    variants: Annotated[
        str, typer.Option(help="Which ones, with commas; without ours there are no ratios.")
    ] = ",".join(VARIANTS),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure to this file.")
    ] = None,
) -> None:
    """Measure the programs against a floor that only carries and stores the same bytes."""
    chosen = variants.split(",")
    unknown = sorted(set(chosen) - set(VARIANTS))
    if unknown:
        _refuse(f"--variants: {', '.join(unknown)}; there are {', '.join(VARIANTS)}")
    if not 100 <= transfers <= TRANSFERS_MAX:
        _refuse(f"--transfers is {transfers}; give 100 to {TRANSFERS_MAX}")
    if not 1 <= rounds <= ROUNDS_MAX:
        _refuse(f"--rounds is {rounds}; give 1 to {ROUNDS_MAX}")
    if json_file is not None:
        try:  # before the work, not after it
            json_file.open("a", encoding="utf-8").close()
        except OSError as error:
            _refuse(f"--json: {json_file} cannot be written: {error.strerror}")
    sizes = Sizes(
        saturation=transfers,
        naive=max(50, transfers // 20),
        single=max(50, transfers // 20),
        warm=max(50, transfers // 8),
    )
    console = open_console()
    try:
        with logging_from(logging.CRITICAL):
            found = asyncio.run(_run(console, sizes, rounds, chosen))
    except ServiceError as error:
        _refuse(str(error))
    except RuntimeError as error:  # what failed says so: a round, the load, a program that ended
        typer.echo(f"a6hub: a round does not count: {error}", err=True)
        raise typer.Exit(1) from None
    _show(console, found)
    if json_file is not None:
        text = json.dumps(document(found, _machine()), indent=2)
        json_file.write_text(text + "\n", encoding="utf-8")


def _refuse(problem: str) -> NoReturn:
    typer.echo(f"a6hub: {problem}", err=True)
    raise typer.Exit(2)


async def _run(console: Console, sizes: Sizes, rounds: int, chosen: list[str]) -> list[Round]:
    found: list[Round] = []
    with (
        service_folder() as folder,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        ) as progress,
    ):
        task = progress.add_task("starting servers", total=1 + rounds * len(chosen))
        postgres = start_postgres(folder / "postgres")
        rabbitmq = start_rabbitmq(folder / "rabbitmq")
        try:
            running = Bench(folder, postgres, rabbitmq, sizes)
            progress.update(task, description="weighing a transfer")
            await running.weigh()
            progress.advance(task)
            for number in range(rounds):
                one: dict[str, dict[str, Measured]] = {}
                turned = chosen[number % len(chosen) :] + chosen[: number % len(chosen)]
                for name in turned:
                    progress.update(task, description=f"round {number + 1}: {name}")
                    one[name] = await VARIANTS[name](running)
                    progress.advance(task)
                found.append(one)
        finally:
            rabbitmq.stop(kill=True)
            postgres.stop(kill=True)
    return found


def _show(console: Console, rounds: list[Round]) -> None:
    table = Table(title="Medians of all rounds, with the least and the most", box=box.SIMPLE)
    for column in ("variant", "transfers/s", "CPU µs", "one in flight: p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for name in rounds[0]:
        saturation = [one[name]["saturation"] for one in rounds]
        single = [one[name]["single"] for one in rounds]
        table.add_row(
            name,
            _spread(Spread.of(m.per_second for m in saturation), 0),
            _spread(Spread.of(m.cpu_us for m in saturation), 0),
            _spread(Spread.of(m.p50_ms for m in single), 1),
            _spread(Spread.of(m.p99_ms for m in single), 1),
        )
    console.print(table)
    table = Table(title="Ratios, each of two figures of one round", box=box.SIMPLE)
    table.add_column("ratio")
    table.add_column("median", justify="right")
    for name, spread in ratios(rounds).items():
        table.add_row(name, _spread(spread, 2))
    console.print(table)


def _spread(spread: Spread, digits: int) -> str:
    median, least, most = (f"{x:,.{digits}f}" for x in (spread.median, spread.least, spread.most))
    return f"{median} [{least} to {most}]"


def _machine() -> dict[str, Any]:
    """The machine in words."""
    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }
