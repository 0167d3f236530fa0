# SPDX-License-Identifier: Apache-2.0
"""Two Parties, the hub and the reconciliation service to try things on, each a process of its own
on real RabbitMQ and PostgreSQL: started, stopped, killed, and set back to a copy of its database.

`Processes.agree` holds rows, statements and envelopes of all of them to one another, and what they
logged to what nobody may have to log. Elsewhere: all programs in one process (`federation`).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from harness.fleet import ProcessFleet
from harness.prepare import Estate
from harness.remote import Remote, wait_for
from harness.runner import Run, admit, take
from harness.scenario import Scenario, Step
from harness.services import Postgres
from runtime import events
from runtime.clock import SystemClock
from runtime.store import open_store
from schemas.identifiers import HUB, REC, Actor, Participant

__all__ = ["SCENARIO", "SECONDS", "SWISS", "THAILAND", "Processes", "first_transfer", "use"]

THA, CHE = Actor("THA01/THA"), Actor("CHE01/CHE")
THAILAND, SWISS = THA.participant, CHE.participant
SECONDS = 60.0
HOLDING = {THA: f"{THA}:holding:1", CHE: f"{CHE}:holding:1"}

SCENARIO = Scenario.model_validate(
    {
        "title": "Thailand and Switzerland",
        "log": "a6hub.processes",
        "registries": [
            {"id": THAILAND, "program": "party", "name": "Thailand", "actors": [THA]},
            {"id": SWISS, "program": "party", "name": "Switzerland", "actors": [CHE]},
        ],
        "profiles": [{"actors": [THA, CHE], "profile": "information"}],
        "accounts": [{"account": number} for number in (*HOLDING.values(), f"{CHE}:use:1")],
        "steps": [
            {
                "name": "issuance",
                "by": THA,
                "action": "issuance",
                "units": [
                    {
                        "first": "CA0005-THA01-THA-1-2022",
                        "last": "CA0005-THA01-THA-1000-2022",
                        "layer": "underlying",
                        "target": HOLDING[THA],
                        "attributes": {},
                    }
                ],
                "references": {"request": "r", "approval": "a", "approved_quantity": 1000},
            },
            {
                "name": "authorization",
                "by": THA,
                "action": "authorization",
                "terms": {
                    "id": "TH-CH-1",
                    "version": 1,
                    "approach": "CA0005",
                    "party": "THA",
                    "purposes": ["NDC"],
                    "parties": ["CHE"],
                    "quantity": 1000,
                },
            },
        ],
        "expect": {"transactions": {}, "units_issued": {}, "settled": True},
    }
)

MINDED = (
    events.NODE_HALTED,
    events.NODE_BEHIND,
    events.ENVELOPE_DEAD,
    events.MESSAGE_REFUSED,
    events.CHECKPOINT_REFUSED,
    events.ENTRY_DISPUTED,
    events.CONSENT_MISSING,
    events.DELIVERIES_DIFFER,
    events.INQUIRY_SENT,
    events.DISCREPANCY_FOUND,
    events.ALARM_RAISED,
)
"""What somebody logs who holds something against somebody."""

Sent = dict[tuple[str, str, int], bytes]


def first_transfer(first: int, last: int) -> Step:
    """Switzerland receives."""
    units = _units(first, last, HOLDING[THA], HOLDING[CHE])
    members = {"layer": "underlying", "itmo_first": first}
    return _step(
        THA,
        "first-transfer",
        units | members,
        acquirer=CHE,
        authorization={"id": "TH-CH-1", "version": 1},
    )


def use(first: int, last: int) -> Step:
    """Switzerland proposes, and nobody else is asked."""
    units = _units(first, last, HOLDING[CHE], f"{CHE}:use:1")
    return _step(CHE, "use", units, use={"purpose": "NDC", "user": "CHE", "year": 2025})


def _units(first: int, last: int, source: str, target: str) -> dict[str, Any]:
    number = "CA0005-THA01-THA-{}-2022"
    ends = {"first": number.format(first), "last": number.format(last)}
    return {**ends, "source": source, "target": target}


def _step(by: Actor, action: str, units: dict[str, Any], **members: Any) -> Step:
    name = f"{action}-{units['first'].split('-')[3]}"
    return Step.model_validate(
        {"name": name, "by": by, "action": action, "units": [units], **members}
    )


class Silent:
    """Nobody watches."""

    def step(self, name: str, story: str) -> None:
        """Nothing to show."""


class Processes:
    """The programs, their databases and what they logged."""

    def __init__(self, estate: Estate, fleet: ProcessFleet, postgres: Postgres) -> None:
        self.estate, self.fleet, self.postgres = estate, fleet, postgres
        self.remote = Remote(estate, fleet.databases)
        self.run = Run(SCENARIO, estate, self.remote, Silent())
        self.copies: dict[Participant, str] = {}

    # --- doing ----------------------------------------------------------------------------------

    async def establish(self) -> None:
        """Start everything; everybody is admitted, and there are units to move."""
        await self.fleet.start()
        await admit(self.run)
        await self.take(*SCENARIO.steps)

    async def take(self, *steps: Step) -> None:
        """Steps that complete, one after another."""
        for step in steps:
            await take(self.run, step)
        assert self.run.failed == []

    async def propose(self, step: Step) -> str:
        """A step's proposal, of which nothing is awaited; gives the transaction."""
        done, result = await self.remote.command(
            step.by.participant, "propose", step.arguments(), SECONDS
        )
        assert done, result
        return result

    async def cleared(self, transaction: str, at: Participant) -> None:
        """Wait until a transaction is cleared at a program."""

        async def there() -> bool | None:
            sql = "select state from transactions where id = :id"
            found = await self.remote.rows(at, sql, id=transaction)
            return True if found and found[0].state == "cleared" else None

        await wait_for(there, SECONDS, f"{transaction} at {at}")

    def verb(self, participant: Participant, program: str, *words: str) -> str:
        """Run an operator's command about a program to its end; gives what it printed."""
        command = [str(Path(sys.executable).with_name("a6hub")), program, *words]
        command += ["--settings", str(self.fleet.settings(participant))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # --- databases ------------------------------------------------------------------------------

    async def back_up(self, participant: Participant) -> None:
        """Stop a program, copy its database, and start it again."""
        assert await self.fleet.end(participant) == 0
        name = await self._let_go(participant)
        self.copies[participant] = f"{name}_copy"
        self.postgres.copy_database(name, self.copies[participant])
        self.fleet.launch(participant)
        await self.fleet.ready(participant)

    async def put_back(self, participant: Participant) -> None:
        """The copy in the place of the database of a program that was killed."""
        name = await self._let_go(participant)
        self.postgres.drop_database(name)
        self.postgres.copy_database(self.copies[participant], name)

    async def _let_go(self, participant: Participant) -> str:
        """Give back our own connections to a database; gives its name."""
        url = self.fleet.databases[participant]
        await self.remote.stores[participant].close()
        self.remote.stores[participant] = open_store(url)
        name = make_url(url).database
        assert name is not None
        return name

    # --- looking --------------------------------------------------------------------------------

    async def sent(self, participant: Participant, *, confirmed: bool = False) -> Sent:
        """A program's envelopes, those alone that the broker has confirmed if so wished."""
        sql = "select sender, recipient, sequence, body from outbox where confirmed >= :least"
        rows = await self.remote.rows(participant, sql, least=int(confirmed))
        return {(r.sender, r.recipient, r.sequence): bytes(r.body) for r in rows}

    async def received(self, participant: Participant) -> Sent:
        """The envelopes that came to a program."""
        rows = await self.remote.rows(participant, "select sender, sequence, body from inbox")
        return {(r.sender, str(participant), r.sequence): bytes(r.body) for r in rows}

    async def log(self) -> list[bytes]:
        """The entries of the hub's log."""
        rows = await self.remote.rows(HUB, "select line from log_entries order by position")
        return [bytes(row.line) for row in rows]

    async def units(self, actor: Actor, at: Participant) -> dict[tuple[str, int], tuple[str, str]]:
        """An actor's units one by one, with account and attributes, however rows split them."""
        sql = "select key, first, last, account, attributes from blocks where actor = :actor"
        return {
            (row.key, serial): (row.account, row.attributes)
            for row in await self.remote.rows(at, sql, actor=str(actor))
            for serial in range(row.first, row.last + 1)
        }

    def logged(self, participant: Participant, event: str) -> list[dict[str, Any]]:
        """What a program has logged under a name."""
        lines = self.fleet.log(participant).read_text().splitlines()
        return [said for line in lines if (said := json.loads(line))["event"] == event]

    # --- holding to account ---------------------------------------------------------------------

    async def agree(self) -> None:
        """Rows, statements and envelopes agree wherever they are kept, and nobody minds."""
        assert await self.remote.wait_settled(SECONDS)
        await self._stated()
        for actor in (THA, CHE):
            units = await self.units(actor, HUB)
            assert units, actor
            assert await self.units(actor, actor.participant) == units
        for sql in ("select * from cases", "select * from alarms", "select * from drills"):
            assert await self.remote.rows(REC, sql) == [], sql
        came = {place: await self.received(place) for place in self.estate.members}
        sent = {place: await self.sent(place) for place in self.estate.members}
        for place, envelopes in came.items():
            for way, body in envelopes.items():
                assert sent[Actor(way[0]).participant][way] == body, way
            assert await self.remote.rows(place, "select * from dead_letters") == [], place
            for event in MINDED:
                assert self.logged(place, event) == [], event
        await self.fleet.check()

    async def _stated(self) -> None:
        """Wait until everybody has stated from now on, as the log has it."""
        since = SystemClock().now()

        async def agreed() -> bool | None:
            rows = await self.remote.rows(REC, "select * from standings")
            fresh = [row for row in rows if row.said_at is not None and row.said_at >= since]
            equal = {r.actor for r in fresh if r.equal == 1 and r.holdings == r.expected}
            return True if equal == {THA, CHE} else None

        await wait_for(agreed, SECONDS, "everybody's statement")
        compared = self.logged(REC, events.STATEMENT_COMPARED)
        assert compared
        assert all(said["equal"] for said in compared), compared
