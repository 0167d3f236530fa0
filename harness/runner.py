# SPDX-License-Identifier: Apache-2.0
"""Running a scenario on a fleet, and holding the whole of it to what the scenario expects.

The runner admits everybody, opens accounts, takes the steps one after another, plants the errors,
waits until the reconciliation has named them, takes the steps after that, and compares. Anything
that differs from an expectation is a line in `expectations_failed`; nothing is looked away from.

Elsewhere: the fleet (`fleet`), its databases (`remote`), each example by itself (`examples`), the
figures (`gather`).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple, Protocol

from harness.expected import Planted, read_account
from harness.fleet import Fleet
from harness.prepare import Estate
from harness.remote import Overdue, Remote, wait_for
from harness.scenario import Plant, Scenario, Step
from harness.sums import held_by, issued_in
from runtime.clock import SystemClock
from schemas.identifiers import HUB, REC
from schemas.messages import Entry, parse_message

__all__ = [
    "Named",
    "Record",
    "Run",
    "Watcher",
    "admit",
    "compare",
    "expected_case",
    "named",
    "run_scenario",
    "take",
]

COMMAND_SECONDS = 60.0
STEP_SECONDS = 60.0
SETTLE_SECONDS = 60.0
NAMED_SECONDS = 60.0
REFUSED = "refused-at-home"


class Watcher(Protocol):
    """Who is told how far the run is."""

    def step(self, name: str, story: str) -> None:
        """The next thing begins."""
        ...


@dataclass
class Record:
    """What became of one step."""

    step: Step
    transaction: str | None
    state: str
    detail: str

    @property
    def as_expected(self) -> bool:
        """Whether it ended as its step says, and for that reason."""
        reason = self.step.reason
        return self.state == self.step.expect and (reason is None or reason in self.detail)


@dataclass
class Run:
    """A run in the making."""

    scenario: Scenario
    estate: Estate
    remote: Remote
    watcher: Watcher
    records: list[Record] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    settled: bool = False


async def run_scenario(
    scenario: Scenario,
    estate: Estate,
    fleet: Fleet,
    watcher: Watcher,
    disturb: Callable[[str], Awaitable[None]] | None = None,
) -> Run:
    """Run it all. `disturb` is called with each step's name before the step, for crash tests."""
    await fleet.start()
    run = Run(scenario, estate, Remote(estate, fleet.databases), watcher)
    await admit(run)
    for steps in _at_once(scenario.steps):
        await _take(run, steps, disturb)
        for plant in scenario.plants:
            if plant.after in {step.name for step in steps}:
                await _plant(run, plant)
    run.settled = await run.remote.wait_settled(SETTLE_SECONDS)
    watcher.step("reconciliation", "The reconciliation service compares statements with the log")
    await _named(run)
    for steps in _at_once(scenario.after.steps):
        await _take(run, steps)
    run.settled = await run.remote.wait_settled(SETTLE_SECONDS)
    return run


def _at_once(steps: Sequence[Step]) -> list[list[Step]]:
    """Neighbours that are under way together, and all others by themselves."""
    return [list(held) for _, held in groupby(steps, key=lambda s: (s.case, s.together or s.name))]


async def admit(run: Run) -> None:
    """The acts of the directory, then the accounts of every registry."""
    run.watcher.step("admission", "Participants are admitted by signed acts, entry by entry")
    for act in run.estate.acts:
        done, result = await run.remote.command(
            HUB, "act", {"act": act.model_dump_json()}, COMMAND_SECONDS
        )
        if not done:
            run.failed.append(f"act refused: {result}")
    run.watcher.step("accounts", "Registries open their accounts")
    for account in run.scenario.accounts:
        number = read_account(account.account)
        actor, kind, ordinal = account.account.split(":")
        done, result = await run.remote.command(
            number.actor.participant,
            "open-account",
            {
                "actor": actor,
                "kind": kind,
                "number": int(ordinal),
                "name": account.name,
                "unit": account.unit,
            },
            COMMAND_SECONDS,
        )
        if not done:
            run.failed.append(f"account {account.account}: {result}")


async def take(run: Run, step: Step) -> None:
    """Propose, wait for the end, compare with what the step expects."""
    await _take(run, [step])


async def _take(
    run: Run, steps: Sequence[Step], disturb: Callable[[str], Awaitable[None]] | None = None
) -> None:
    """Propose them all, then see each to its end."""
    proposed = []
    for step in steps:
        if disturb is not None:
            await disturb(step.name)
        run.watcher.step(step.name, step.story or f"{step.by}: {step.action}")
        proposed.append(await _propose(run, step))
    for record in proposed:
        await _conclude(run, record)
        run.records.append(record)
        step = record.step
        if record.state != step.expect:
            told = f"ended {record.state}, expected {step.expect}: {record.detail}"
            run.failed.append(f"step {step.name} {told}")
        elif not record.as_expected:
            told = f"{step.reason} was expected, found: {record.detail}"
            run.failed.append(f"step {step.name}: {told}")


async def _propose(run: Run, step: Step) -> Record:
    command, arguments = "propose", step.arguments()
    if step.issue is not None:
        command, arguments = "issue", step.issue
    try:
        done, result = await run.remote.command(
            step.by.participant, command, arguments, COMMAND_SECONDS
        )
    except Overdue as error:
        return Record(step, None, "overdue", str(error))
    return Record(step, result, "proposed", "") if done else Record(step, None, REFUSED, result)


async def _conclude(run: Run, record: Record) -> None:
    """See what was proposed to its end."""
    step, transaction = record.step, record.transaction
    if transaction is None:
        return
    try:
        if step.answer is not None:
            assert step.acquirer is not None
            acquirer = step.acquirer.participant
            done, result = await run.remote.answer(acquirer, transaction, step.answer, STEP_SECONDS)
            if not done:
                run.failed.append(f"step {step.name}: {step.answer}: {result}")
        seconds = STEP_SECONDS + step.lifetime_seconds * (step.expect == "expired")
        record.state = await run.remote.final_state(transaction, seconds)
        record.detail = await _findings(run, transaction)
    except Overdue as error:
        record.state, record.detail = "overdue", str(error)


def entry_of(line: bytes) -> Entry:
    """The entry in a line of the log."""
    body = parse_message(line).body
    assert isinstance(body, Entry)
    return body


async def _findings(run: Run, transaction: str) -> str:
    """The findings of the entry that ended a transaction."""
    rows = await run.remote.rows(
        HUB,
        "select line from log_entries where conversation = :id order by position",
        id=transaction,
    )
    found: list[str] = []
    for row in rows:
        found += [str(one) for one in entry_of(bytes(row.line)).findings]
    return "; ".join(found)


async def _plant(run: Run, plant: Plant) -> None:
    """Wait until everything is settled, then edit the rows."""
    run.watcher.step("plant", plant.story or f"a row of {plant.actor} is edited behind its back")
    if not await run.remote.wait_settled(SETTLE_SECONDS):
        run.failed.append(f"not settled before the plant after {plant.after}")
    await run.remote.plant(plant)


async def _named(run: Run) -> None:
    """Wait until the reconciliation has named all that there is to name."""
    since = SystemClock().now()

    async def all_named() -> bool | None:
        """Everybody has stated since the plants, every difference is accounted for by cases, and
        what these freeze is frozen.
        """
        standings = await run.remote.rows(REC, "select * from standings")
        settled = [
            row.said_at is not None
            and row.said_at >= since
            and (row.equal == 1 or row.explained == f"{row.holdings} {row.expected}")
            for row in standings
        ]
        asking = await run.remote.rows(REC, "select 1 from drills")
        sql = "select 1 from cases where state = 'open' and frozen = 1"
        freezing = await run.remote.rows(REC, sql)
        frozen = await run.remote.rows(HUB, "select 1 from overlays where kind = 'frozen'")
        everybody = len(settled) >= len(run.scenario.actors()) and all(settled)
        return True if everybody and not asking and len(frozen) >= len(freezing) else None

    try:
        await wait_for(all_named, NAMED_SECONDS, "the naming of the planted errors")
    except Overdue as error:
        run.failed.append(str(error))
    await run.remote.wait_settled(SETTLE_SECONDS)  # the freezes have reached their registries


class Named(NamedTuple):
    """A discrepancy that the reconciliation named."""

    participant: str
    actor: str
    key: str
    first: int
    last: int
    cause: str


def expected_case(planted: Planted) -> Named:
    """What the reconciliation must name for a planted error."""
    key, first, last = planted.span()
    return Named(
        str(planted.participant),
        str(planted.actor),
        key.text,
        first,
        last,
        str(planted.cause),
    )


async def named(remote: Remote) -> set[Named]:
    """The discrepancies that the reconciliation has found so far."""
    rows = await remote.rows(REC, "select actor, key, first, last, cause from cases")
    return {
        Named(row.actor.partition("/")[0], row.actor, row.key, row.first, row.last, row.cause)
        for row in rows
    }


async def compare(run: Run) -> None:
    """Hold the end of the run to the scenario's expectations."""
    expect = run.scenario.expect
    wanted = {expected_case(planted) for planted in expect.discrepancies}
    found = await named(run.remote)
    for one in sorted(wanted - found):
        run.failed.append(f"discrepancy not named: {tuple(one)}")
    for one in sorted(found - wanted):
        run.failed.append(f"discrepancy named that nobody planted: {tuple(one)}")
    if run.settled != expect.settled:
        run.failed.append(f"settled is {run.settled}, expected {expect.settled}")
    states = await run.remote.rows(
        HUB, "select state, count(*) as n from transactions group by state"
    )
    counts = {row.state: row.n for row in states}
    if counts != expect.transactions:
        run.failed.append(f"transactions {counts}, expected {expect.transactions}")
    await _conserved(run)


async def _conserved(run: Run) -> None:
    """Units issued are what is expected, and the log's rows hold exactly these."""
    rows = await run.remote.rows(HUB, "select line from log_entries")
    issued = issued_in(entry_of(bytes(row.line)) for row in rows)
    held: Counter[str] = Counter()
    for pile, units in (await held_by(run.remote, HUB)).items():
        held[pile.name] += units
    expected = run.scenario.expect.units_issued
    if dict(issued) != expected:
        run.failed.append(f"units issued {dict(issued)}, expected {expected}")
    if issued != held:
        run.failed.append(
            f"units held {dict(held)}, issued {dict(issued)}: units were lost or made"
        )
