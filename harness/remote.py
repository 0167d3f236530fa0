# SPDX-License-Identifier: Apache-2.0
"""Speaking to running programs through their databases: commands in, facts out.

A command is signed by the fleet's operator and put into the program's desk inbox, as any operator's
tool does; everything else is read. Rows are edited here only when a scenario plants an error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import select, text

from harness.prepare import Estate
from harness.scenario import Plant
from ledger.transactions import FINAL
from runtime.clock import Ids, SystemClock
from runtime.orders import Operator, submit, write_order
from runtime.store import Store, open_store
from runtime.tables import desk
from schemas import jws
from schemas.envelope import digest
from schemas.identifiers import HUB, Actor, Instant, Participant

__all__ = ["Overdue", "Remote"]

POLL_SECONDS = 0.03
T = TypeVar("T")


class Overdue(RuntimeError):
    """What was waited for did not come in time."""


class Remote:
    """The databases of a fleet's programs."""

    def __init__(self, estate: Estate, databases: Mapping[Participant, str]) -> None:
        self._estate = estate
        self._clock = SystemClock()
        self._ids = Ids()
        self.stores: dict[Participant, Store] = {p: open_store(u) for p, u in databases.items()}

    async def close(self) -> None:
        """Give back the connections."""
        for store in self.stores.values():
            await store.close()

    async def command(
        self, participant: Participant, command: str, arguments: dict[str, Any], seconds: float
    ) -> tuple[bool, str]:
        """Give a command and wait until it is handled: whether it was done, and the result. The
        second operator confirms it where it needs a second person.
        """
        number, line = await self._submit(participant, command, arguments, self._estate.order)
        state, result = await self._handled(participant, number, seconds)
        if state == "awaiting":
            named = {"command": number, "digest": digest(line.encode())}
            by, _ = await self._submit(participant, "confirm", named, self._estate.second)
            state, result = await self._handled(participant, by, seconds)
        return state == "done", result

    async def _submit(
        self,
        participant: Participant,
        command: str,
        arguments: dict[str, Any],
        person: tuple[Operator, jws.SoftwareSigner],
    ) -> tuple[int, str]:
        """Put a person's command on a desk; gives its number there, and its line."""
        (operator, signer), now = person, self._clock.now()
        line, signature = write_order(
            participant, command, arguments, operator.name, signer, now, self._ids
        )
        async with self.stores[participant].transaction() as session:
            return await submit(session, line, signature, now), line

    async def _handled(
        self, participant: Participant, number: int, seconds: float
    ) -> tuple[str, str]:
        """Wait until a command was looked at: its state and result."""
        store = self.stores[participant]
        statement = select(desk.c.state, desk.c.result).where(desk.c.id == number)

        async def handled() -> tuple[str, str] | None:
            async with store.snapshot() as session:
                row = (await session.execute(statement)).one()
            return None if row.state == "open" else (row.state, row.result or "")

        return await wait_for(handled, seconds, f"command {number} at {participant}")

    async def rows(self, participant: Participant, sql: str, **parameters: Any) -> list[Any]:
        """Read rows."""
        async with self.stores[participant].snapshot() as session:
            return list(await session.execute(text(sql), parameters))

    async def final_state(self, transaction: str, seconds: float) -> str:
        """Wait until the hub has ended a transaction and everybody concerned has applied that.

        Gives the state.
        """

        async def ended() -> str | None:
            rows = await self.rows(
                HUB, "select state from transactions where id = :id", id=transaction
            )
            return rows[0].state if rows and rows[0].state in FINAL else None

        state = await wait_for(ended, seconds, f"the end of {transaction}")
        addressed = await self.rows(
            HUB,
            "select d.actor, d.number from deliveries d join transactions t "
            "on t.position = d.position where t.id = :id",
            id=transaction,
        )

        async def applied() -> bool | None:
            for row in addressed:
                found = await self.rows(
                    Actor(row.actor).participant,
                    "select 1 from deliveries where actor = :actor and number = :number",
                    actor=row.actor,
                    number=row.number,
                )
                if not found:
                    return None
            return True

        await wait_for(applied, seconds, f"the application of {transaction}")
        return state

    async def settled(self) -> bool:
        """Whether every actor has stated that it applied all its deliveries."""
        delivered = await self.rows(
            HUB, "select actor, count(*) as n from deliveries group by actor"
        )
        stated = await self.rows(HUB, "select actor, delivered from statements")
        known = {row.actor: row.delivered for row in stated}
        return all(known.get(row.actor, 0) >= row.n for row in delivered)

    async def wait_settled(self, seconds: float) -> bool:
        """Wait for `settled`; False when it does not come in time."""

        async def now() -> bool | None:
            return True if await self.settled() else None

        try:
            return await wait_for(now, seconds, "settlement")
        except Overdue:
            return False

    async def answer(
        self, participant: Participant, transaction: str, command: str, seconds: float
    ) -> tuple[bool, str]:
        """Have an officer of the acquirer accept or reject, once its registry asks for that."""
        sql = "select 1 from transactions where id = :id and waiting = 1"

        async def asked() -> bool | None:
            return True if await self.rows(participant, sql, id=transaction) else None

        await wait_for(asked, seconds, f"the clearance of {transaction}")
        return await self.command(participant, command, {"transaction": transaction}, seconds)

    async def plant(self, plant: Plant) -> None:
        """Edit rows behind a program's back."""
        key, first, last = plant.span()
        where = "where actor = :actor and series = :series and first = :first and last = :last"
        dated = "select at from movements "
        those: dict[str, Any] = {
            "actor": plant.actor,
            "series": key.series,
            "first": first,
            "last": last,
        }
        async with self.stores[plant.actor.participant].transaction() as session:
            if plant.days_later is not None:
                said = Instant((await session.execute(text(dated + where), those)).scalar_one())
                later = said.moment() + timedelta(days=plant.days_later)
                what, those["new"] = "update movements set at = :new ", str(Instant.of(later))
            elif plant.set_last is not None:
                what, those["new"] = "update blocks set last = :new ", plant.set_last
            else:
                what = "delete from blocks "
            done = await session.execute(text(what + where), those)
            if done.rowcount != 1:
                said_of = f"{key.series} {first}-{last}"
                raise RuntimeError(f"{plant.actor} has {done.rowcount} rows {said_of} to edit")


async def wait_for(check: Callable[[], Awaitable[T | None]], seconds: float, what: str) -> T:
    """Poll until `check` gives something else than None; `Overdue` after so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = await check()
        if found is not None:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise Overdue(f"{what} did not come within {seconds:g} seconds")
        await asyncio.sleep(POLL_SECONDS)
