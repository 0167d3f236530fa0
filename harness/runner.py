# SPDX-License-Identifier: Apache-2.0
"""Running a scenario on a fleet, and holding what came of it to what the scenario expects.

The runner admits everybody, opens accounts, takes the steps one after another, plants the errors,
waits until the reconciliation has named them, takes the steps after that, and compares. Anything
that differs from an expectation is a line in `expectations_failed`; nothing is looked away from.

Elsewhere: the fleet (`fleet`), its databases (`remote`), the figures (`gather`).
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from harness.fleet import Fleet
from harness.prepare import Estate
from harness.remote import Overdue, Remote, wait_for
from harness.scenario import Plant, Planted, Scenario, Step, read_account
from runtime.clock import SystemClock
from schemas.effects import Move
from schemas.identifiers import HUB, REC
from schemas.messages import Entry, parse_message
from schemas.units import parse_itmo_block

__all__ = ["Record", "Run", "Watcher", "admit", "run_scenario", "take"]

COMMAND_SECONDS = 60.0
STEP_SECONDS = 60.0
SETTLE_SECONDS = 60.0
NAMED_SECONDS = 60.0


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
    for step in scenario.steps:
        if disturb is not None:
            await disturb(step.name)
        await take(run, step)
        for plant in scenario.plants:
            if plant.after == step.name:
                await _plant(run, plant)
    run.settled = await run.remote.wait_settled(SETTLE_SECONDS)
    watcher.step("reconciliation", "The reconciliation service compares statements with the log")
    await _named(run)
    for step in scenario.after.steps:
        await take(run, step)
    run.settled = await run.remote.wait_settled(SETTLE_SECONDS)
    return run


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
            {"actor": actor, "kind": kind, "number": int(ordinal), "name": account.name},
            COMMAND_SECONDS,
        )
        if not done:
            run.failed.append(f"account {account.account}: {result}")


async def take(run: Run, step: Step) -> None:
    """Propose, wait for the end, compare with what the step expects."""
    run.watcher.step(step.name, step.story or f"{step.by}: {step.action}")
    command, arguments = "propose", step.arguments()
    if step.issue is not None:
        command, arguments = "issue", step.issue
    transaction: str | None = None
    try:
        done, result = await run.remote.command(
            step.by.participant, command, arguments, COMMAND_SECONDS
        )
        if not done:
            state, detail = "refused-here", result
        else:
            transaction = result
            seconds = STEP_SECONDS + step.lifetime_seconds * (step.expect == "expired")
            state = await run.remote.final_state(transaction, seconds)
            detail = await _findings(run, transaction)
    except Overdue as error:
        state, detail = "overdue", str(error)
    run.records.append(Record(step, transaction, state, detail))
    if state != step.expect:
        run.failed.append(f"step {step.name} ended {state}, expected {step.expect}: {detail}")
    elif step.reason is not None and step.reason not in detail:
        run.failed.append(f"step {step.name}: {step.reason} was expected, found: {detail}")


async def _findings(run: Run, transaction: str) -> str:
    """The findings of the entry that ended a transaction."""
    rows = await run.remote.rows(
        HUB,
        "select line from log_entries where conversation = :id order by position",
        id=transaction,
    )
    found: list[str] = []
    for row in rows:
        body = parse_message(bytes(row.line)).body
        assert isinstance(body, Entry)
        found += [str(one) for one in body.findings]
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


Named = tuple[str, str, str, int, int, str]


def _expected(planted: Planted) -> Named:
    key, first, last = parse_itmo_block(planted.first, planted.last)
    key = key.model_copy(update={"layer": planted.layer, "activity": planted.activity})
    return (
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
        (row.actor.partition("/")[0], row.actor, row.key, row.first, row.last, row.cause)
        for row in rows
    }


async def compare(run: Run) -> None:
    """Hold the end of the run to the scenario's expectations."""
    expect = run.scenario.expect
    wanted = {_expected(planted) for planted in expect.discrepancies}
    found = await named(run.remote)
    for one in sorted(wanted - found):
        run.failed.append(f"discrepancy not named: {one}")
    for one in sorted(found - wanted):
        run.failed.append(f"discrepancy named that nobody planted: {one}")
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
    issued: Counter[str] = Counter()
    for row in await run.remote.rows(HUB, "select line from log_entries"):
        body = parse_message(bytes(row.line)).body
        assert isinstance(body, Entry)
        for effect in body.effects:
            if isinstance(effect, Move) and effect.source is None:
                issued[effect.key.layer] += effect.quantity
    held: Counter[str] = Counter()
    for row in await run.remote.rows(HUB, "select series, first, last from blocks"):
        held[row.series.partition(":")[0]] += row.last - row.first + 1
    expected = run.scenario.expect.units_issued
    if dict(issued) != expected:
        run.failed.append(f"units issued {dict(issued)}, expected {expected}")
    if issued != held:
        run.failed.append(
            f"units held {dict(held)}, issued {dict(issued)}: units were lost or made"
        )
