# SPDX-License-Identifier: Apache-2.0
"""`a6hub simulate`: one run from its seed, a file of kept runs, or a campaign over many seeds.

The last line of a single run is its trace. The exit status is 0 when everything held, 1 when an
invariant did not, 2 for arguments that cannot be used.
"""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from harness.simulation.campaign import Campaign, run_campaign, simulating
from harness.simulation.cast import REGISTRIES_MAX
from harness.simulation.chances import FaultListError, parse_kinds
from harness.simulation.run import STEPS_MAX, Plan, Result
from harness.simulation.seeds import read_seeds
from harness.simulation.shrink import shrunk

__all__ = ["app"]

app = typer.Typer()

RUNS_MAX = 100_000
JOBS_MAX = 256

OF_PLANS = ("seed", "steps", "faults", "registries", "runs")
"""Options that say what is to be run, as a seed file does."""

SHRUNK_MAX = 5
"""Failures of a campaign that are made shorter: each may take a minute."""

LINE_EVERY = 100
"""Where there is no terminal for a progress bar, a line tells after so many runs."""


@app.command()
def simulate(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="The seed of the run, or of a campaign's first.")] = 1,
    steps: Annotated[int, typer.Option(help="Steps of each run.")] = 100,
    faults: Annotated[str, typer.Option(help="'all', 'none', or kinds with commas.")] = "all",
    registries: Annotated[int, typer.Option(help="Party registries.")] = 2,
    runs: Annotated[int, typer.Option(help="So many seeds, one after another: a campaign.")] = 1,
    jobs: Annotated[int, typer.Option(help="Processes of a campaign; 0: one a core.")] = 0,
    seed_file: Annotated[Path | None, typer.Option(help="Run what stands in this file.")] = None,
    trace: Annotated[Path | None, typer.Option(help="Write what happens to this file.")] = None,
) -> None:
    """Run the whole federation in one process, from one seed, under faults."""
    try:
        _within("jobs", jobs, 0, JOBS_MAX, " (0: one a core)")
        if seed_file is not None:
            _refuse_others(context)
            plans = [one.plan for one in read_seeds(seed_file)]
        else:
            plans = _plans(seed, steps, faults, registries, runs)
        if trace is not None:
            _refuse_trace(trace, len(plans))
    except ValueError as error:  # a seed file's as well
        typer.echo(f"a6hub: {error}", err=True)
        raise typer.Exit(2) from None
    failed = _one(plans[0], trace) if len(plans) == 1 else _many(plans, jobs)
    if failed:
        raise typer.Exit(1)


def _plans(seed: int, steps: int, faults: str, registries: int, runs: int) -> list[Plan]:
    """What is asked for; `ValueError` names the option that cannot be used."""
    if seed < 0:
        raise ValueError(f"--seed is {seed}; give 0 or more")
    _within("steps", steps, 1, STEPS_MAX)
    _within("runs", runs, 1, RUNS_MAX)
    _within("registries", registries, 1, REGISTRIES_MAX)
    try:
        kinds = parse_kinds(faults)
    except FaultListError as error:
        raise ValueError(f"--faults: {error}") from None
    return [Plan(number, steps, kinds, registries) for number in range(seed, seed + runs)]


def _within(name: str, number: int, least: int, most: int, why: str = "") -> None:
    if not least <= number <= most:
        raise ValueError(f"--{name} is {number}; give {least} to {most}{why}")


def _refuse_others(context: typer.Context) -> None:
    """A seed file says all that the other options say."""
    for name in OF_PLANS:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise ValueError(f"--{name} does not go with --seed-file, which says what is run")


def _refuse_trace(path: Path, runs: int) -> None:
    """One run is followed, into a file that can be written."""
    if runs > 1:
        raise ValueError("--trace follows a single run")
    try:
        path.open("w").close()
    except OSError as error:
        raise ValueError(f"--trace: {path} cannot be written: {error.strerror}") from None


def _one(plan: Plan, trace: Path | None) -> bool:
    """A single run; one that fails is made shorter."""
    console = Console()
    with simulating() as simulator:
        result = simulator.run(plan, trace)
        if result.failure is not None:
            _explain(console, result)
            with console.status("making it shorter") as status:
                small = shrunk(
                    result, simulator.run, lambda text: status.update(f"making it shorter: {text}")
                )
            _explain_small(console, small)
            result = small if small.plan == plan else result
    _show_coverage(console, _alone(result))
    held = "every invariant held" if result.failure is None else "FAILED"
    console.print(
        f"{held}: {plan.steps} steps, {result.entries} entries, "
        f"{result.virtual_seconds:.0f} simulated seconds"
    )
    console.print(f"trace {result.trace}", highlight=False)
    return result.failure is not None


def _many(plans: list[Plan], jobs: int) -> bool:
    """A campaign; the first few runs that failed are made shorter."""
    console = Console()
    columns = (
        TextColumn("simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("simulating", total=len(plans), failed=0)

        def show(campaign: Campaign, result: Result) -> None:
            if result.failure is not None:
                _explain(console, result)
                console.print(f"  {result.plan.command}", markup=False, soft_wrap=True)
            bar.update(task, completed=campaign.runs, failed=len(campaign.failed))
            if not console.is_terminal and campaign.runs % LINE_EVERY == 0:
                console.print(
                    f"{campaign.runs} of {len(plans)} runs, {len(campaign.failed)} failed"
                )

        campaign = run_campaign(plans, jobs or os.cpu_count() or 1, show)
    _show_coverage(console, campaign)
    with simulating() as simulator, console.status("making what failed shorter"):
        for result in campaign.failed[:SHRUNK_MAX]:
            _explain_small(console, shrunk(result, simulator.run, lambda _text: None))
    console.print(
        f"{campaign.runs} runs, {campaign.steps} steps, {campaign.entries} entries, "
        f"{campaign.virtual_seconds / 3600:.1f} simulated hours: "
        f"{len(campaign.failed)} failed"
    )
    return bool(campaign.failed)


def _explain(console: Console, result: Result) -> None:
    assert result.failure is not None
    console.print(f"[bold red]seed {result.plan.seed}, step {result.failure.step}[/]", end=" ")
    console.print(f"{result.failure.invariant}: {result.failure.detail}", markup=False)


def _explain_small(console: Console, result: Result) -> None:
    assert result.failure is not None
    console.print(f"The invariant: {result.failure.invariant}", markup=False)
    console.print(
        f"Shortest run found of seed {result.plan.seed}: {result.plan.steps} steps. "
        "Run it again with:"
    )
    console.print(f"  {result.plan.command}", markup=False, soft_wrap=True)


def _alone(result: Result) -> Campaign:
    campaign = Campaign()
    campaign.add(result)
    return campaign


def _show_coverage(console: Console, campaign: Campaign) -> None:
    """What was reached how often, and what never."""
    reached = campaign.coverage
    for title, counts in (
        ("Operations", reached.operations),
        ("Acts", reached.acts),
        ("Faults", reached.faults),
        ("Transitions", reached.transitions),
        ("Actions", reached.actions),
        ("Moves", reached.moves),
        ("Findings", reached.findings),
    ):
        table = Table(title=title, title_justify="left", box=None, show_header=False)
        for name, number in sorted(counts.items(), key=lambda pair: -pair[1]):
            table.add_row(name, f"{number:,}")
        console.print(table)
    for what, names in reached.missing().items():
        if names:
            console.print(f"Never reached, {what}: {', '.join(names)}", markup=False)
