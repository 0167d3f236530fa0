# SPDX-License-Identifier: Apache-2.0
"""`a6hub bench-proofs`: what proofs about the log cost, as it grows.

The exit status is 1 when a proof does not hold, or takes more reading than it needs; 2 for
arguments that cannot be used or a server that is not there.

Elsewhere: what is measured (`proofs`), what growth costs otherwise (`growth_cli`).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from harness.bench.command import in_words, machine, must_be_writable, refuse, write_figures
from harness.bench.proofs import SIZES, Proofs, measure
from harness.bench.verify import RoundFailed
from harness.console import open_console
from harness.services import ServiceError, service_folder, start_postgres

__all__ = ["app"]

app = typer.Typer()


@app.command()
def bench_proofs(
    most: Annotated[int, typer.Option(help="Leaves of the longest log.")] = SIZES[-1],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure to this file.")
    ] = None,
) -> None:
    """Measure what inclusion and consistency proofs cost in logs of a thousand leaves and more."""
    if most not in SIZES:
        refuse(f"--most is {most}; give one of {', '.join(map(str, SIZES))}")
    must_be_writable(json_file)
    console = open_console()
    try:
        found = asyncio.run(_run(console, [size for size in SIZES if size <= most]))
    except ServiceError as error:
        refuse(str(error))
    except RoundFailed as error:
        typer.echo(f"a6hub: the run does not count: {error}", err=True)
        raise typer.Exit(1) from None
    _show(console, found)
    proofs = [one.asdict() for one in found]
    write_figures(json_file, {"machine": machine(), "proofs": proofs})


async def _run(console: Console, sizes: Sequence[int]) -> list[Proofs]:
    with service_folder() as folder:
        console.print("starting a server")
        postgres = start_postgres(folder / "postgres")
        try:
            return await measure(postgres, sizes, console.print)
        finally:
            postgres.stop(kill=True)


def _show(console: Console, found: Sequence[Proofs]) -> None:
    table = Table(title="Proofs: medians, with the least and the most", box=box.SIMPLE)
    table.add_column("leaves", justify="right")
    table.add_column("proof")
    for head in ("rows read", "two a level", "hashes", "made, µs", "verified, µs"):
        table.add_column(head, justify="right")
    for one in found:
        table.add_row(
            f"{one.leaves:,}",
            one.kind,
            in_words(one.rows, 0),
            str(one.bound),
            in_words(one.hashes, 0),
            in_words(one.made_us, 0),
            in_words(one.verified_us, 0),
        )
    console.print(table)
