# SPDX-License-Identifier: Apache-2.0
"""Giving a command: it is checked as far as it can be here, signed, queued, and waited for.

What the settings and the program's roles tell is looked at before anything is queued, so that a
slip of the hand is known at once. The desk decides all the same: it may have other settings.

A command that is not answered in time is neither done nor refused. It stays in the desk's inbox and
will be carried out; given again, it would be carried out twice. One that needs a second person is
answered as soon as it waits for one.

Elsewhere: the form of a command (`orders`), what becomes of one (`desk`), the verbs (`verbs`).
"""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select

from runtime.clock import Ids, SystemClock
from runtime.desk import roles_of
from runtime.errors import LocalProtocolError, Unavailable
from runtime.keys import load_private
from runtime.orders import ENTITY_COMMANDS, RANKS, submit, write_order
from runtime.program import Order
from runtime.schema import open_database
from runtime.second_person import may_confirm
from runtime.settings import DaemonSettings, load_settings
from runtime.store import Store
from runtime.tables import desk
from schemas import jws

__all__ = ["Ending", "Given", "give_order"]

LOOK_SECONDS = 0.1


class Ending(StrEnum):
    """What became of a command as long as it was waited for."""

    DONE = "done"
    REFUSED = "refused"
    WAITING = "open"
    AWAITING = "awaiting"


class Given(NamedTuple):
    """How a command ended, and what is said of it."""

    ending: Ending
    text: str


async def give_order(
    model: type[DaemonSettings],
    path: Path,
    command: str,
    arguments: dict[str, Any],
    operator: str,
    key: Path,
    wait: float,
) -> Given:
    """Sign a command, put it into the desk inbox and wait for what becomes of it."""
    settings = load_settings(model, path)
    signer = jws.SoftwareSigner(load_private(key))
    order = Order(0, command, operator, arguments)
    _check(settings, path, order, key, signer.public)
    now = SystemClock().now()
    line, signature = write_order(
        settings.participant, command, arguments, operator, signer, now, Ids()
    )
    async with open_database(settings) as store:
        async with store.transaction() as session:
            number = await submit(session, line, signature, now)
        try:
            return await _wait(store, number, wait)
        except Unavailable as error:
            return _queued(number, str(error))
        except asyncio.CancelledError:  # Ctrl-C ends the waiting, not the command
            return _queued(number, "the waiting was interrupted")


def _check(
    settings: DaemonSettings,
    path: Path,
    order: Order,
    key: Path,
    public: jws.PublicKey,
) -> None:
    """`LocalProtocolError` for what the desk would refuse by the same settings, and for what nobody
    else could confirm.
    """
    command, operator = order.command, order.operator
    known = {each.name: each for each in settings.operators}
    if operator not in known:
        there = f"there: {', '.join(sorted(known))}" if known else "nobody is"
        raise LocalProtocolError(f"--operator {operator}: not an operator in {path}; {there}")
    giver = known[operator]
    if jws.PublicKey.from_text(giver.key) != public:
        raise LocalProtocolError(
            f"--key {key}: its public key is not the one that {path} has of {operator}"
        )
    roles = roles_of(settings.program)
    if command not in roles:
        raise LocalProtocolError(
            f"no command {command} at {settings.participant}; one of {', '.join(sorted(roles))}"
        )
    if giver.entity is not None:
        if command not in ENTITY_COMMANDS:
            raise LocalProtocolError(f"{command} is not for entities; {operator} acts for one")
    elif RANKS[giver.role] < RANKS[roles[command]]:
        raise LocalProtocolError(
            f"{command} needs the role {roles[command]}; {operator} is {giver.role} in {path}"
        )
    if settings.dual_control().wanted(order, settings.actors) and not any(
        may_confirm(giver, other, roles[command]) for other in settings.operators
    ):
        raise LocalProtocolError(
            f"{command} needs a second person, and nobody else in {path} may confirm what "
            f"{operator} gives; add an operator with a key of their own and restart the program"
        )


async def _wait(store: Store, number: int, seconds: float) -> Given:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        async with store.snapshot() as session:
            row = (await session.execute(select(desk).where(desk.c.id == number))).one()
        if row.state != Ending.WAITING:
            return Given(Ending(row.state), row.result or "")
        if loop.time() > end:
            return _queued(number, f"no result in {seconds:g} seconds; is the program running?")
        await asyncio.sleep(LOOK_SECONDS)


def _queued(number: int, why: str) -> Given:
    return Given(
        Ending.WAITING,
        f"command {number} stays queued and will be carried out: do not give it again, `commands` "
        f"shows what becomes of it ({why})",
    )
