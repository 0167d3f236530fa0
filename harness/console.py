# SPDX-License-Identifier: Apache-2.0
"""What `a6hub demo` shows on a terminal: how far the run is, then what came of it.

With a terminal there is a progress bar, colour and tables; without one the same words come as plain
text, a line for each step, wide enough that no cell is broken. Names are shown as they are: nothing
in them is taken for markup, an emoji or a control sequence.

Elsewhere: the same figures as a page (`report`) and for programs (`summary.json`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from harness.outcome import TONNES, DiscrepancyLine, ExampleLine, Outcome, TransactionLine
from harness.pictures import printable, units_words
from harness.report import STATES, duration

__all__ = ["Progress", "logging_from", "open_console", "show"]

PLAIN_COLUMNS = 160
"""Where there is no terminal, lines are this long at most."""

STYLES = {
    "completed": "green",
    "refused": "yellow",
    "refused-at-home": "yellow",
    "rejected": "yellow",
    "expired": "cyan",
    "withdrawn": "cyan",
}


def open_console() -> Console:
    """The terminal, or plain text of a fixed width."""
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, width=PLAIN_COLUMNS)
    return console


@contextmanager
def logging_from(level: int) -> Iterator[None]:
    """Show what programs of this process log from a level of `logging` on, as long as it lasts."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
    try:
        yield
    finally:
        structlog.configure(**before)


class Progress:
    """How far a run is: `with Progress(40) as progress: progress.step("a1", "Thailand …")`.

    `total` is how many steps are foreseen; more may come, the bar grows with them. Without a
    terminal each step is a line.
    """

    def __init__(self, total: int = 0, console: Console | None = None) -> None:
        self._console = console or open_console()
        self._total = total
        self._begun = 0
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Bar(
                SpinnerColumn(),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                # The story is cut at the terminal's edge, not broken.
                TextColumn("{task.fields[story]}", markup=False, table_column=_one_line()),
                console=self._console,
                transient=True,
            )
            self._bar.add_task("", total=self._total or None, story="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def step(self, name: str, story: str) -> None:
        """The next thing begins."""
        self._begun += 1
        self._total = max(self._total, self._begun)
        words = printable(f"{name}: {story}")
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self._begun - 1, total=self._total, story=words)
        else:
            width = len(str(self._total))
            line = Text(f"[{self._begun:>{width}}/{self._total}] {words}")
            self._console.print(line, soft_wrap=True)

    def done(self) -> None:
        """Everything has been done."""
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self._begun, total=self._begun, story="done")


def _one_line() -> Column:
    return Column(no_wrap=True, overflow="ellipsis", ratio=1)


def show(outcome: Outcome, console: Console | None = None) -> None:
    """Show what came of a run; the last line says whether it passed."""
    console = console or open_console()
    console.print()
    console.print(Text(printable(outcome.title), style="bold"))
    console.print()
    console.print(_transactions(outcome.transactions))
    console.print()
    if outcome.examples:
        console.print(_examples(outcome.examples))
        console.print()
    if outcome.discrepancies:
        console.print(_discrepancies(outcome.discrepancies))
    else:
        console.print("No discrepancies.")
    console.print()
    for line in _totals(outcome):
        console.print(Text(line), soft_wrap=True)
    console.print()
    failed = outcome.summary.expectations_failed
    for words in failed:
        console.print(Text(f"  - {printable(words)}"), soft_wrap=True)
    if failed:
        things = "expectation" if len(failed) == 1 else "expectations"
        console.print(Text(f"FAIL: {len(failed)} {things} did not hold, listed above", "bold red"))
    else:
        console.print(Text("PASS: every expectation of the scenario held", "bold green"))


def _transactions(lines: Sequence[TransactionLine]) -> Table:
    table = _table("Transactions", "Transaction", "Example", "Action", "From", "To")
    for name in ("Quantity", "State", "Seconds"):
        table.add_column(name, justify="left" if name == "State" else "right", overflow="fold")
    for line in lines:
        took = duration(line.opened_at, line.changed_at)
        word = STATES.get(line.state)
        state = Text(printable(word.name if word else line.state), STYLES.get(line.state, "red"))
        if line.state != line.expected:
            state.append(printable(f" (expected {line.expected})"), "bold red")
        _add(
            table,
            line.id,
            line.case,
            line.action,
            line.proposer,
            line.acquirer or "-",
            _quantity(line),
            state,
            "-" if took is None else f"{took:.2f}",
        )
    return table


def _quantity(line: TransactionLine) -> str:
    if not line.quantity:
        return "-"
    return f"{line.quantity:,}" if line.unit == TONNES else f"{line.quantity:,} {line.unit}"


def _examples(lines: Sequence[ExampleLine]) -> Table:
    table = _table("Examples", "Example", "What it is")
    table.add_column("Steps", justify="right", overflow="fold")
    table.add_column("Outcome", overflow="fold")
    for line in lines:
        met = (
            Text("as expected", "green") if line.agrees else Text("differs, see below", "bold red")
        )
        _add(table, line.id, line.title, f"{line.steps:,}", met)
    return table


def _discrepancies(lines: Sequence[DiscrepancyLine]) -> Table:
    table = _table("Discrepancies", "Case", "Registry", "Key", "First-last")
    table.add_column("Quantity", justify="right", overflow="fold")
    table.add_column("Cause", overflow="fold")
    for line in lines:
        _add(
            table,
            line.case,
            line.actor,
            line.key,
            f"{line.first}-{line.last}",
            f"{line.quantity:,}",
            Text(printable(line.cause), "yellow"),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for name in columns:
        # Ids and keys are there to be copied: they are folded where they must be, never cut.
        table.add_column(name, overflow="fold")
    return table


def _add(table: Table, *cells: str | Text) -> None:
    table.add_row(*(Text(printable(cell)) if isinstance(cell, str) else cell for cell in cells))


def _totals(outcome: Outcome) -> list[str]:
    summary = outcome.summary
    took = duration(outcome.started_at, outcome.finished_at)
    states = ", ".join(f"{count:,} {name}" for name, count in summary.transactions.items())
    issued = ", ".join(
        f"{units:,} {units_words(layer)}" for layer, units in summary.units_issued.items()
    )
    log = f"{summary.log_size:,} entries, root {printable(summary.log_root[:16])}…"
    seconds = "" if took is None else f", in {took:.1f} seconds"
    said = f"{summary.messages:,} under {summary.signatures:,} signatures"
    return [
        f"In the log:           {states or 'no transactions'}; {log}",
        f"Brought into being:   {issued or 'nothing'}",
        f"Settled:              {'yes' if summary.settled else 'no'}",
        f"Messages:             {said}{seconds}",
        f"Evidence:             {summary.evidence:,} transactions proven offline",
    ]
