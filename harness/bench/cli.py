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
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from harness.bench.embedded import EMBEDDED_VARIANTS, EmbeddedBench
from harness.bench.figures import Killed, Measured, Round, Spread, document, ratios
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
        str, typer.Option(help="Which ones, with commas; all of them if not given.")
    ] = "",
    embedded: Annotated[
        bool, typer.Option("--embedded", help="In one process, on SQLite, without a floor.")
    ] = False,
    kill: Annotated[
        bool, typer.Option(help="At the end, one more round in which each program is killed once.")
    ] = True,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure to this file.")
    ] = None,
) -> None:
    """Measure the programs against a floor that only carries and stores the same bytes."""
    there: Iterable[str] = EMBEDDED_VARIANTS if embedded else VARIANTS
    chosen = variants.split(",") if variants else list(there)
    unknown = sorted(set(chosen) - set(there))
    if unknown:
        _refuse(f"--variants: {', '.join(unknown)}; there are {', '.join(there)}")
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
        killed=max(100, transfers // 4),
    )
    console = open_console()
    try:
        with logging_from(logging.CRITICAL):
            if embedded:
                found, killed = asyncio.run(_run_embedded(console, sizes, rounds, chosen)), None
            else:
                found, killed = asyncio.run(_run(console, sizes, rounds, chosen, kill=kill))
    except ServiceError as error:
        _refuse(str(error))
    except RuntimeError as error:  # what failed says so: a round, the load, a program that ended
        typer.echo(f"a6hub: a round does not count: {error}", err=True)
        raise typer.Exit(1) from None
    _show(console, found)
    if killed is not None:
        typer.echo(
            f"{', '.join(killed.killed)} were killed once each among {killed.transfers} transfers: "
            f"all of these are finished, in {killed.seconds:.1f} seconds"
        )
    if json_file is not None:
        text = json.dumps(document(found, _machine(), killed), indent=2)
        json_file.write_text(text + "\n", encoding="utf-8")


def _refuse(problem: str) -> NoReturn:
    typer.echo(f"a6hub: {problem}", err=True)
    raise typer.Exit(2)


async def _run(
    console: Console, sizes: Sizes, rounds: int, chosen: list[str], *, kill: bool
) -> tuple[list[Round], Killed | None]:
    found: list[Round] = []
    killed = None
    with service_folder() as folder, _progress(console) as progress:
        total = 1 + rounds * len(chosen) + kill
        task = progress.add_task("starting servers", total=total)
        postgres = start_postgres(folder / "postgres")
        rabbitmq = start_rabbitmq(folder / "rabbitmq")
        try:
            running = Bench(folder, postgres, rabbitmq, sizes)
            progress.update(task, description="weighing a transfer")
            await running.weigh()
            progress.advance(task)
            for number in range(rounds):
                one: dict[str, dict[str, Measured]] = {}
                for name in _turned(chosen, number):
                    progress.update(task, description=f"round {number + 1}: {name}")
                    one[name] = await VARIANTS[name](running)
                    progress.advance(task)
                found.append(one)
            if kill:
                progress.update(task, description="every program is killed once")
                killed = await running.killed()
                progress.advance(task)
        finally:
            rabbitmq.stop(kill=True)
            postgres.stop(kill=True)
    return found, killed


async def _run_embedded(
    console: Console, sizes: Sizes, rounds: int, chosen: list[str]
) -> list[Round]:
    found: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="a6hub-") as folder, _progress(console) as progress:
        task = progress.add_task("", total=rounds * len(chosen))
        running = EmbeddedBench(Path(folder), sizes)
        for number in range(rounds):
            one: dict[str, dict[str, Measured]] = {}
            for name in _turned(chosen, number):
                progress.update(task, description=f"round {number + 1}: {name}")
                one[name] = await EMBEDDED_VARIANTS[name](running)
                progress.advance(task)
            found.append(one)
    return found


def _turned(chosen: list[str], number: int) -> list[str]:
    """The variants in the order of a round: each is once the first."""
    return chosen[number % len(chosen) :] + chosen[: number % len(chosen)]


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


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
