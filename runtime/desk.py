# SPDX-License-Identifier: Apache-2.0
"""The desk: operators' commands that wait in the database, taken as items of a batch.

Each is checked for its signature and its operator's role. What every node can do is carried out
here: replaying and discarding dead letters, changing a key. The rest is the program's.

Elsewhere: the form of a command and its signature (`orders`), the tool that writes one (`verbs`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Integer, bindparam, literal_column, select, update

from runtime import events
from runtime.intake import Unit
from runtime.many import change
from runtime.orders import Operator, check_order
from runtime.program import Batch, Order, Program
from runtime.sealing import Sealer
from runtime.store import Session
from runtime.tables import dead_letters, desk
from runtime.work import Done
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, Actor

__all__ = ["COMMANDS_MAX", "OWN_COMMANDS", "Desk", "close_commands", "open_commands", "roles_of"]

OWN_COMMANDS = ("replay", "discard", "rotate-key")
"""Commands that every node has."""

COMMANDS_MAX = 50
"""Commands in one batch, since each may have many effects; others have their turn after it."""


def roles_of(program: Program | type[Program]) -> dict[str, str]:
    """Every command that a program takes, and the role that each needs."""
    return {**program.roles, **dict.fromkeys(OWN_COMMANDS, "administrator")}


class Desk:
    """The commands of one program's operators."""

    def __init__(self, program: Program, sealer: Sealer, operators: Mapping[str, Operator]) -> None:
        self._program = program
        self._sealer = sealer
        self._operators = dict(operators)

    async def take(self, session: Session, culprits: frozenset[str], done: Done) -> list[Order]:
        """The open commands that the program is to decide about; the others have their end."""
        orders: list[Order] = []
        roles = roles_of(self._program)
        waiting = await open_commands(session, COMMANDS_MAX)
        done.more_commands = len(waiting) == COMMANDS_MAX
        for row in waiting:
            order = check_order(row, self._program.participant, self._operators, roles)
            if isinstance(order, Order) and order.name in culprits:
                order = finding(Reason.INTERNAL)
            if isinstance(order, Finding):
                done.batch.log(events.COMMAND_REFUSED, command=row.id, finding=str(order))
                await close_commands(session, [(row.id, "refused", str(order))])
            elif order.command == "rotate-key":
                await self._rotate(session, order, done)
            elif order.command in OWN_COMMANDS:
                await _settle_letter(session, order, done)
            else:
                orders.append(order)
        return orders

    async def close(self, session: Session, done: Done) -> None:
        """Record what became of the commands in a batch."""
        ends = [(number, "done", result) for number, result in done.batch.results.items()]
        for number, found in done.batch.refusals.items():
            text = "; ".join(str(one) for one in found)
            ends.append((number, "refused", text))
            done.batch.log(events.COMMAND_REFUSED, command=number, finding=text)
        await close_commands(session, ends)

    async def _rotate(self, session: Session, order: Order, done: Done) -> None:
        batch = done.batch
        named = order.arguments.get("actor", self._program.actors[0])
        problem = self._objection(named, batch)
        if problem is None:
            actor = Actor(named)
            batch.rotations.append(actor)
            batch.results[order.id] = f"the key of {actor} changes with the next envelope"
        else:
            await close_commands(session, [(order.id, "refused", problem)])

    def _objection(self, named: object, batch: Batch) -> str | None:
        """Why an actor's key must not be changed now. A change that the hub refuses would leave the
        actor with a key that nobody knows.
        """
        actor = next((a for a in self._program.actors if a == named and a.participant != HUB), None)
        if actor is None:
            return f"{named!r:.60} is not a registry actor of this program"
        directory, new = self._program.directory, self._sealer.following(actor)
        if actor in directory.keys and directory.current_key(actor) is None:
            return (
                f"the key of {actor} is withdrawn; the administrators of the hub name its next one"
            )
        if actor in batch.rotations or self._sealer.changing(actor):
            return (
                f"the key that {actor} uses is not the one in the directory yet; try again when "
                "the hub has told of that change"
            )
        if new is None:
            return f"the next key of {actor} is not in the key folder; make it with keygen --next"
        if self._sealer.is_taken(new):
            return (
                f"the next key of {actor} was used before, or stands for something else in the key "
                "folder as well; take its file away, make another with keygen --next and restart"
            )
        if batch.waiting:
            return (
                f"sequences are not exchanged yet with {', '.join(sorted(batch.waiting))}, who may "
                f"have more of {actor} than is known here; try again then"
            )
        if self._sealer.has_ahead(actor):
            return (
                f"envelopes of {actor} from before a restore wait for others to go before them; "
                "the next statement does that: try again then"
            )
        return None


async def _settle_letter(session: Session, order: Order, done: Done) -> None:
    number = order.arguments.get("letter")
    state = "replayed" if order.command == "replay" else "discarded"
    body = await _settled(session, number, state)
    if body is None:
        result = f"no open dead letter {number}"
        await close_commands(session, [(order.id, "refused", result)])
        return
    if order.command == "replay":
        done.again.append(Unit(body, None))
    done.batch.results[order.id] = f"dead letter {number} {state}"


async def _settled(session: Session, number: object, state: str) -> bytes | None:
    """Mark an open dead letter as replayed or discarded; gives its body, or None."""
    if not isinstance(number, int) or not 0 < number < 2**31:  # more than the column takes
        return None
    rows = await session.execute(
        update(dead_letters)
        .where(dead_letters.c.id == number, dead_letters.c.state == "open")
        .values(state=state)
        .returning(dead_letters.c.body)
    )
    body = rows.scalar_one_or_none()
    return None if body is None else bytes(body)


async def open_commands(session: Session, most: int) -> list[Any]:
    """Commands that wait at the desk, oldest first."""
    return list(await session.execute(_OPEN, {"most": most}))


# The state is a literal, so that a plan made once still uses the index over open commands alone.
_OPEN = (
    select(desk)
    .where(desk.c.state == literal_column("'open'"))
    .order_by(desk.c.id)
    .limit(bindparam("most", type_=Integer))
)


async def close_commands(session: Session, ends: Iterable[tuple[int, str, str]]) -> None:
    """Record what became of commands: number, state and result."""
    rows = [{"id": number, "state": state, "result": result} for number, state, result in ends]
    await change(session, desk, ["id"], rows)
