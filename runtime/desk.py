# SPDX-License-Identifier: Apache-2.0
"""The desk: operators' commands that wait in the database, taken as items of a batch.

Each is checked for its signature and its operator's role. What needs a second person then waits for
one, and is carried out in the batch that takes the confirmation, exactly as it was given; what
becomes of it is written to both commands. What every node can do is carried out here: replaying and
discarding dead letters, changing a key. The rest is the program's.

Elsewhere: the form of a command and its signature (`orders`), the tool that writes one (`verbs`),
who may be a second person (`second_person`), what waits for one (`awaiting`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    Integer,
    Text,
    bindparam,
    cast,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from runtime import awaiting, events
from runtime.intake import Unit
from runtime.many import change
from runtime.orders import Operator, check_order
from runtime.program import Batch, Order, Program
from runtime.sealing import Sealer
from runtime.second_person import ANSWERS, SecondPerson, answer_of
from runtime.store import Session
from runtime.tables import NUMBER_MAX, dead_letters, desk
from runtime.work import Done
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, Actor, Instant

__all__ = [
    "COMMANDS_MAX",
    "OWN_COMMANDS",
    "Desk",
    "close_commands",
    "end_waiting",
    "has_work",
    "open_commands",
    "roles_of",
]

OWN_COMMANDS: dict[str, str] = {
    **dict.fromkeys(("replay", "discard", "rotate-key"), "administrator"),
    **ANSWERS,
}
"""Commands that every node has, and the role that each needs."""

COMMANDS_MAX = 50
"""Commands in one batch, since each may have many effects; others have their turn after it."""

WAITING_MAX = 1000
"""Commands that are ended at once after a restore."""


def roles_of(program: Program | type[Program]) -> dict[str, str]:
    """Every command that a program takes, and the role that each needs."""
    return {**program.roles, **OWN_COMMANDS}


class Desk:
    """The commands of one program's operators."""

    def __init__(
        self,
        program: Program,
        sealer: Sealer,
        operators: Mapping[str, Operator],
        second: SecondPerson,
    ) -> None:
        self._program = program
        self._sealer = sealer
        self._operators = dict(operators)
        self._second = second
        self._roles = roles_of(program)

    async def take(self, session: Session, culprits: frozenset[str], done: Done) -> list[Order]:
        """The open commands that the program is to decide about; the others have their end, or wait
        for a second person.
        """
        orders: list[Order] = []
        rows = await _at_the_desk(session, done.batch.now, COMMANDS_MAX)
        late = [row for row in rows if row.until is not None]
        waiting = [row for row in rows if row.until is None]
        await close_commands(session, await awaiting.lapse(session, late, done))
        done.more_commands = COMMANDS_MAX in (len(late), len(waiting))
        for row in waiting:
            order = await self._open(session, row, culprits, done)
            if isinstance(order, Finding):
                await self._refuse(session, row.id, order, done)
            elif order is None:
                continue
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
        await _close(session, ends, done)

    # --- one command ----------------------------------------------------------------------------

    async def _open(
        self, session: Session, row: Any, culprits: frozenset[str], done: Done
    ) -> Order | Finding | None:
        """A command at the desk as what is to be carried out now, if anything is."""
        order = self._check(row)
        if isinstance(order, Finding):
            return order
        if order.command in ANSWERS:
            return await self._answered(session, order, culprits, done)
        if order.name in culprits:
            return finding(Reason.INTERNAL)
        if not self._second.wanted(order, self._program.actors):
            return order
        malformed = self._program.malformed(order, done.batch.now)
        if malformed:
            return malformed[0]
        author, seconds = self._operators[order.operator], self._second.seconds
        await close_commands(session, [await awaiting.keep(session, row, author, seconds, done)])
        return None

    async def _answered(
        self, session: Session, by: Order, culprits: frozenset[str], done: Done
    ) -> Order | Finding | None:
        """The command that somebody confirms, to be carried out; what is declined has its end."""
        answer = answer_of(by)
        if isinstance(answer, Finding):
            return answer
        person, now = self._operators[by.operator], done.batch.now
        found = await awaiting.find(session, answer, now)
        if isinstance(found, Finding):
            return found
        first = self._check(found)
        if isinstance(first, Finding):  # whoever gave it may not any more
            await awaiting.conclude(session, answer.command, "void", now, (by, person))
            done.confirmed[answer.command] = by.id
            await self._refuse(session, answer.command, first, done)
            return None
        refused = awaiting.object_to(first, by, self._operators, self._roles[first.command])
        if refused is not None:
            return refused
        if by.command == "decline":
            await awaiting.conclude(session, first.id, "declined", now, (by, person))
            await self._refuse(session, first.id, awaiting.declined(by), done)
            done.batch.results[by.id] = f"command {first.id} of {first.operator} declined"
            return None
        await awaiting.conclude(session, first.id, "confirmed", now, (by, person))
        done.confirmed[first.id] = by.id
        if {first.name, by.name} & culprits:
            await self._refuse(session, first.id, finding(Reason.INTERNAL), done)
            return None
        done.batch.log(
            events.COMMAND_CONFIRMED,
            command=first.id,
            operator=first.operator,
            by=by.operator,
            confirmed=by.id,
        )
        return first

    def _check(self, row: Any) -> Order | Finding:
        return check_order(row, self._program.participant, self._operators, self._roles)

    async def _refuse(self, session: Session, number: int, why: Finding, done: Done) -> None:
        done.batch.log(events.COMMAND_REFUSED, command=number, finding=str(why))
        await _close(session, [(number, "refused", str(why))], done)

    async def _rotate(self, session: Session, order: Order, done: Done) -> None:
        batch = done.batch
        named = order.arguments.get("actor", self._program.actors[0])
        problem = self._objection(named, batch)
        if problem is None:
            actor = Actor(named)
            batch.rotations.append(actor)
            batch.results[order.id] = f"the key of {actor} changes with the next envelope"
        else:
            await _close(session, [(order.id, "refused", problem)], done)

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
        await _close(session, [(order.id, "refused", result)], done)
        return
    if order.command == "replay":
        done.again.append(Unit(body, None))
    done.batch.results[order.id] = f"dead letter {number} {state}"


async def _settled(session: Session, number: object, state: str) -> bytes | None:
    """Mark an open dead letter as replayed or discarded; gives its body, or None."""
    if not isinstance(number, int) or not 0 < number <= NUMBER_MAX:
        return None
    rows = await session.execute(
        update(dead_letters)
        .where(dead_letters.c.id == number, dead_letters.c.state == "open")
        .values(state=state)
        .returning(dead_letters.c.body)
    )
    body = rows.scalar_one_or_none()
    return None if body is None else bytes(body)


async def has_work(session: Session, now: Instant) -> bool:
    """Whether a command waits at the desk, or one has waited for a second person for too long."""
    return bool(await _at_the_desk(session, now, 1))


async def open_commands(session: Session, most: int) -> list[Any]:
    """Commands that wait at the desk, oldest first."""
    return list(await session.execute(_OPEN, {"most": most}))


async def _at_the_desk(session: Session, now: Instant, most: int) -> list[Any]:
    """Commands that wait for their turn, and those that have waited for a second person for too
    long, so many of each, oldest first. The latter have the time in `until`.
    """
    rows = await session.execute(_AT_THE_DESK, {"most": most, "now": str(now)})
    return sorted(rows, key=lambda row: int(row.id))


_MOST = bindparam("most", type_=Integer)
# The state is a literal, so that a plan made once still uses the index over open commands alone.
_IS_OPEN = desk.c.state == literal_column("'open'")
_OPEN = select(desk).where(_IS_OPEN).order_by(desk.c.id).limit(_MOST)
_AT_THE_DESK = union_all(
    select(_OPEN.add_columns(cast(null(), Text).label("until")).subquery()),
    select(awaiting.late_commands().limit(_MOST).subquery()),
)


async def close_commands(session: Session, ends: Iterable[tuple[int, str, str]]) -> None:
    """Record what became of commands: number, state and result."""
    rows = [{"id": number, "state": state, "result": result} for number, state, result in ends]
    await change(session, desk, ["id"], rows)


async def end_waiting(session: Session, why: str, now: Instant) -> None:
    """Refuse all that waits, be it for its turn or for a second person."""
    waiting = await open_commands(session, WAITING_MAX)
    numbers = [row.id for row in waiting] + await awaiting.end_all(session, now)
    await close_commands(session, [(number, "refused", why) for number in numbers])


async def _close(session: Session, ends: Iterable[tuple[int, str, str]], done: Done) -> None:
    """Record what became of commands, with what was confirmed of those that confirmed it, too."""
    whole = []
    for number, state, result in ends:
        whole.append((number, state, result))
        if number in done.confirmed:
            whole.append((done.confirmed[number], state, result))
    await close_commands(session, whole)
