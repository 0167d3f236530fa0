# SPDX-License-Identifier: Apache-2.0
"""Faults that are events: what befalls programs, links, clocks, keys and databases from outside.

At each step each kind that is switched on may come, by a stream of its own. What has come is undone
by itself after a while, or at the latest when the federation is brought to rest.

Elsewhere: chances that a parcel or a commit meets (`faulty`, `runtime.memory_faults`).
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from harness.simulation.cast import HUB, KEYS_MAX, KOR, REC, ROG, VUT
from harness.simulation.chances import EVENTS, Chances, stream
from harness.simulation.edits import edit
from harness.simulation.setback import can_be_set_back, set_back
from harness.simulation.voice import Voice
from harness.simulation.workload import Operation
from harness.simulation.world import World, copy_database
from schemas.directory import Profile, Status
from schemas.identifiers import Actor, Participant

__all__ = ["Disturber"]

SKEW_SECONDS = 4.0
"""Well-kept clocks differ by less than what an envelope's time may be ahead."""

JUMP_SECONDS = 3600.0

PROFILES = (Profile.VIEW, Profile.INFORMATION, Profile.UNIT)

HUB_BACKUP = 0.08
"""How likely a step has a backup of the hub's database."""


class Disturber:
    """Brings events upon a world, and undoes them."""

    def __init__(
        self, world: World, voice: Voice, chances: Chances, happened: Callable[[str], None]
    ) -> None:
        self.world = world
        self.diverged: set[Actor] = set()
        """Actors whose rows were edited."""
        self.restored: set[Participant] = set()
        self.given: list[Operation] = []
        """What operators have asked for, to be asked for again."""
        self.forgotten: set[bytes] = set()
        """What the hub had put aside or taken before it was set back."""
        self._voice = voice
        self._set_back_due = False
        self._hub_backed_up = False
        self._chances = chances
        self._happened = happened
        self._dice = {kind: stream(world.seed, f"event {kind}") for kind in EVENTS}
        self._backups: dict[Participant, Path] = {}
        self.rotated: dict[Actor, int] = {}
        """How often each actor was told to change its key."""
        self._agreed: list[tuple[Actor, Actor, Profile]] = []
        """What a pair had agreed on that has another profile now."""
        self._nowhere: Actor | None = None
        """The section of a Party that is bound to none."""
        self._undoing: list[tuple[asyncio.TimerHandle, Callable[[], None]]] = []

    async def step(self) -> None:
        """Whatever comes at this step."""
        for kind in EVENTS:
            permille, dice = self._chances.of(kind), self._dice[kind]
            if permille and dice.randrange(1000) < permille:
                work: Callable[[random.Random], Coroutine[Any, Any, bool]] = getattr(
                    self, f"_{kind.replace('-', '_')}"
                )
                if await work(dice):
                    self.world.trace.note("event", kind, b"")
                    self._happened(kind)
        if self._chances.of("restore"):
            await self._back_up(self._dice["restore"])
        if self._chances.of("hub-restore"):
            await self._of_the_hub(self._dice["hub-restore"])

    def undo(self) -> None:
        """Everything that goes by itself goes now."""
        for handle, action in self._undoing:
            if not handle.cancelled() and handle.when() > asyncio.get_running_loop().time():
                handle.cancel()
                action()
        self._undoing.clear()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        handle = asyncio.get_running_loop().call_later(seconds, action)
        self._undoing.append((handle, action))

    def _somebody(self, dice: random.Random, *, but: tuple[Participant, ...] = ()) -> Participant:
        return dice.choice([p for p in self.world.cast.programs if p not in but])

    # --- programs and links ---------------------------------------------------------------------

    async def _crash(self, dice: random.Random) -> bool:
        participant = self._somebody(dice)
        self.world.kill(participant)
        return True

    async def _partition(self, dice: random.Random) -> bool:
        participant, exchange = str(self._somebody(dice)), self.world.exchange
        exchange.partition(participant)
        self._after(dice.uniform(0.5, 25.0), lambda: exchange.heal(participant))
        return True

    async def _broker_restart(self, dice: random.Random) -> bool:
        exchange = self.world.exchange
        if not exchange.running:
            return False
        exchange.stop()
        self._after(dice.uniform(0.1, 10.0), exchange.start)
        return True

    async def _broker_blocked(self, dice: random.Random) -> bool:
        self.world.exchange.block()
        self._after(dice.uniform(0.1, 15.0), self.world.exchange.unblock)
        return True

    # --- clocks ---------------------------------------------------------------------------------

    async def _clock_skew(self, dice: random.Random) -> bool:
        participant = self._somebody(dice)
        self.world.clocks[participant].wrong_by_seconds = dice.uniform(-SKEW_SECONDS, SKEW_SECONDS)
        return True

    async def _clock_jump(self, dice: random.Random) -> bool:
        participant = self._somebody(dice)
        clock = self.world.clocks[participant]
        most = dice.choice((15.0, 15.0, 15.0, 40.0, 40.0, JUMP_SECONDS))
        clock.wrong_by_seconds = dice.uniform(-most, most)
        self._after(dice.uniform(1.0, 30.0), lambda: setattr(clock, "wrong_by_seconds", 0.0))
        return True

    # --- keys -----------------------------------------------------------------------------------

    async def _key_rotation(self, dice: random.Random) -> bool:
        participant = self._somebody(dice, but=(HUB, REC))
        actor = dice.choice(self.world.cast.actors[participant])
        done = self.rotated.get(actor, 0)
        if done == KEYS_MAX - 1:
            return False
        self.rotated[actor] = done + 1
        # A node does not know its own later signatures after a restore, so a backup is good only
        # if it is newer than the last rotation (docs/operating.md).
        self._forget_backup(participant)
        await self.world.command(participant, "rotate-key", actor=actor)
        return True

    # --- databases ------------------------------------------------------------------------------

    async def _back_up(self, dice: random.Random) -> None:
        """Operators make backups at odd times, of programs whose keys stay as they are."""
        if dice.random() > 0.08:
            return
        participant = self._somebody(dice, but=(HUB,))
        actors = self.world.cast.actors[participant]
        if any(actor in self.rotated or actor in self.diverged for actor in actors):
            return
        path = self.world.places.folder / f"{participant}.backup"
        self._forget_backup(participant)
        self.world.back_up(participant, path)
        self._backups[participant] = path

    def _forget_backup(self, participant: Participant) -> None:
        path = self._backups.pop(participant, None)
        if path is not None:
            path.unlink()

    async def _restore(self, dice: random.Random) -> bool:
        if not self._backups or await self.world.recovers():
            return False
        participant = dice.choice(sorted(self._backups))
        if any(actor in self.diverged for actor in self.world.cast.actors[participant]):
            return False
        world = self.world
        await world.gone(participant)
        await world.places.let_go(participant)
        copy_database(self._backups[participant], world.places.paths[participant])
        self.restored.add(participant)
        return True

    async def _hub_restore(self, dice: random.Random) -> bool:
        """The hub will be set back as soon as what it has sent is with others."""
        self._set_back_due = True
        return False

    async def _of_the_hub(self, dice: random.Random) -> None:
        """Make a backup of the hub's database at odd times; set it back when that is due."""
        world, path = self.world, self.world.places.folder / f"{HUB}.backup"
        if await world.recovers():
            return
        if self._set_back_due and self._hub_backed_up and await self._can_be_set_back():
            await world.gone(HUB)
            if await self._can_be_set_back():  # it had until now
                await self._set_back(path)
        elif dice.random() < HUB_BACKUP:
            path.unlink(missing_ok=True)
            world.back_up(HUB, path)
            self._hub_backed_up = True

    async def _can_be_set_back(self) -> bool:
        return await can_be_set_back(self.world, self._voice)

    async def _set_back(self, path: Path) -> None:
        for table in ("dead_letters", "inbox"):
            rows = await self.world.rows(HUB, f"select body from {table}")
            self.forgotten |= {bytes(row.body) for row in rows}
        await set_back(self.world, path)
        self._set_back_due = False
        self.restored.add(HUB)
        self.world.trace.note("event", "hub-restore", b"")
        self._happened("hub-restore")

    async def _edited_rows(self, dice: random.Random) -> bool:
        """Somebody edits an actor's rows behind its program's back."""
        actor = dice.choice(self.world.cast.holders)
        done = await edit(self.world, actor, dice)
        if done:  # sections share a book: where one's rows are wrong, another's may not fit in
            self.diverged.update(self.world.cast.actors[actor.participant])
        return done

    # --- operators ------------------------------------------------------------------------------

    async def _operator(self, dice: random.Random) -> bool:
        """Commands that come twice, too late, or that nobody should give just now."""
        what = dice.choice(
            ("again", "again", "withdraw", "suspend", "resume", "profile", "binding")
        )
        if what in {"profile", "binding"}:
            await (self._change_profile if what == "profile" else self._change_binding)(dice)
            return True
        if what in {"suspend", "resume"}:
            participant = self._somebody(dice, but=(HUB, REC))
            status = Status.SUSPENDED if what == "suspend" else Status.ACTIVE
            await self.set_status(participant, status)
            return True
        if not self.given:
            return False
        operation = dice.choice(self.given[-8:])
        if operation.actor == ROG:
            return False
        participant = operation.actor.participant
        if what == "again":
            await self.world.command(participant, operation.command, **operation.arguments)
            return True
        rows = await self.world.rows(
            participant,
            "select id from transactions where proposer = :a order by id",
            a=str(operation.actor),
        )
        if not rows:
            return False
        await self.world.command(participant, "withdraw", transaction=dice.choice(rows).id)
        return True

    async def _change_profile(self, dice: random.Random) -> None:
        """Two actors agree on another profile, or after a while on what they had. They sign with
        the keys that they were told to take; if one has not got there, the act comes to nothing.
        """
        cast = self.world.cast
        a, b, name = dice.choice(cast.profiles)
        if self._agreed:
            a, b, name = self._agreed.pop()
        else:
            self._agreed.append((a, b, name))
            name = dice.choice([one for one in PROFILES if one != name])
        keys = self.rotated.get(a, 0), self.rotated.get(b, 0)
        act = cast.profile((a, b), name, keys, self.world.right.now())
        await self.world.command(HUB, "act", act=act.model_dump_json())

    async def _change_binding(self, dice: random.Random) -> None:
        """A Party's ITMOs are tracked nowhere for a while, and then where they were."""
        leaves = self._nowhere is None
        actor = self._nowhere or dice.choice((*self.world.cast.parties, KOR, VUT))
        self._nowhere = actor if leaves else None
        key, now = self.rotated.get(actor, 0), self.world.right.now()
        act = self.world.cast.binding(actor, key, now, leaves=leaves)
        await self.world.command(HUB, "act", act=act.model_dump_json())

    async def set_status(self, participant: Participant, status: Status) -> None:
        """Administrators suspend a participant, or let it act again."""
        act = self.world.cast.status(participant, status, self.world.right.now())
        await self.world.command(HUB, "act", act=act.model_dump_json())
