# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench`: how fast the programs are, as ratios to a floor taken in the same run.

It starts a RabbitMQ and a PostgreSQL of its own, runs every variant in each round, checks every
round of ours for correctness and shows medians with the least and the most. The exit status is 1
when a round did not come out right, 2 for arguments that cannot be used, or for servers or a
library that are not there.

Elsewhere: what is measured (`rounds`), the ratios (`figures`).
"""

import asyncio
import importlib.util
import logging
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from harness.bench.command import in_words, machine, must_be_writable, refuse, write_figures
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
        str, typer.Option(help=f"Which of {', '.join(VARIANTS)}, with commas; all if not given.")
    ] = "",
    embedded: Annotated[
        bool, typer.Option("--embedded", help="In one process, on SQLite, without a floor.")
    ] = False,
    kill: Annotated[
        bool, typer.Option(help="At the end, one more round in which each program is killed once.")
    ] = True,
    layers: Annotated[
        bool, typer.Option(help="At the end, one more round that tells where the time goes.")
    ] = True,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure to this file.")
    ] = None,
) -> None:
    """Measure the programs against a floor that only carries and stores the same bytes."""
    chosen = _chosen(variants, EMBEDDED_VARIANTS if embedded else VARIANTS)
    if not 100 <= transfers <= TRANSFERS_MAX:
        refuse(f"--transfers is {transfers}; give 100 to {TRANSFERS_MAX}")
    if not 1 <= rounds <= ROUNDS_MAX:
        refuse(f"--rounds is {rounds}; give 1 to {ROUNDS_MAX}")
    must_be_writable(json_file)
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
            found = asyncio.run(
                _run_embedded(console, sizes, rounds, chosen)
                if embedded
                else _run(console, sizes, rounds, chosen, kill=kill)
            )
            if layers:
                found.layers = asyncio.run(_run_layers(console, sizes))
    except ServiceError as error:
        refuse(str(error))
    except RuntimeError as error:  # what failed says so: a round, the load, a program that ended
        typer.echo(f"a6hub: a round does not count: {error}", err=True)
        raise typer.Exit(1) from None
    _show(console, found.rounds)
    _show_layers(console, found.layers)
    killed = found.killed
    if killed is not None:
        typer.echo(
            f"{', '.join(killed.killed)} were killed once each among {killed.transfers} transfers: "
            f"all of these are finished, in {killed.seconds:.1f} seconds"
        )
    whole = document(found.rounds, machine(), killed=killed, layers=found.layers)
    write_figures(json_file, whole)


def _chosen(variants: str, there: Iterable[str]) -> list[str]:
    """The variants that were asked for, if they can be run here."""
    chosen = variants.split(",") if variants else list(there)
    unknown = sorted(set(chosen) - set(there))
    if unknown:
        refuse(f"--variants: {', '.join(unknown)}; there are {', '.join(there)}")
    if "faststream" in chosen and importlib.util.find_spec("faststream") is None:
        refuse(
            "the variant faststream needs the package faststream, which is not installed: run "
            "`make venv` in a checkout, or leave it out with --variants"
        )
    return chosen


@dataclass
class _Found:
    """What a run has found."""

    rounds: list[Round] = field(default_factory=list)
    killed: Killed | None = None
    layers: dict[str, float] = field(default_factory=dict)


async def _run(
    console: Console, sizes: Sizes, rounds: int, chosen: list[str], *, kill: bool
) -> _Found:
    found = _Found()
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
                found.rounds.append(one)
            if kill:
                progress.update(task, description="every program is killed once")
                found.killed = await running.killed()
                progress.advance(task)
        finally:
            rabbitmq.stop(kill=True)
            postgres.stop(kill=True)
    return found


async def _run_embedded(console: Console, sizes: Sizes, rounds: int, chosen: list[str]) -> _Found:
    found = _Found()
    with tempfile.TemporaryDirectory(prefix="a6hub-") as folder, _progress(console) as progress:
        task = progress.add_task("", total=rounds * len(chosen))
        running = EmbeddedBench(Path(folder), sizes)
        for number in range(rounds):
            one: dict[str, dict[str, Measured]] = {}
            for name in _turned(chosen, number):
                progress.update(task, description=f"round {number + 1}: {name}")
                one[name] = await EMBEDDED_VARIANTS[name](running)
                progress.advance(task)
            found.rounds.append(one)
    return found


async def _run_layers(console: Console, sizes: Sizes) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="a6hub-") as folder, _progress(console) as progress:
        task = progress.add_task("where the time goes", total=1)
        found = await EmbeddedBench(Path(folder), sizes).layers()
        progress.advance(task)
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
            in_words(Spread.of(m.per_second for m in saturation), 0),
            in_words(Spread.of(m.cpu_us for m in saturation), 0),
            in_words(Spread.of(m.p50_ms for m in single), 1),
            in_words(Spread.of(m.p99_ms for m in single), 1),
        )
    console.print(table)
    table = Table(title="Ratios, each of two figures of one round", box=box.SIMPLE)
    table.add_column("ratio")
    table.add_column("median", justify="right")
    for name, spread in ratios(rounds).items():
        table.add_row(name, in_words(spread, 2))
    console.print(table)


def _show_layers(console: Console, layers: Mapping[str, float]) -> None:
    if not layers:
        return
    table = Table(title="Where the time of a transfer goes, in one process", box=box.SIMPLE)
    for column in ("layer", "CPU µs", "share"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    total = sum(layers.values())
    for layer, used in layers.items():
        table.add_row(layer, f"{used:,.0f}", f"{used / total:.1%}")
    console.print(table)
