# SPDX-License-Identifier: Apache-2.0
"""A node: one program, one store, one broker link, one writer, one loop.

Each turn takes what has arrived, authenticates it, hands it to the handler as one batch, and after
the commit acknowledges, dead-letters and sends. Start-up after a crash is this same loop: sequences
are exchanged, the outbox is swept, and what comes again is recognised.

What goes wrong: a store or broker that is unavailable is waited for, with everything kept; a batch
that fails is run again one by one (`salvage`); a program that must stop (its hub misbehaved) halts
the node and says why, and what follows stays with the broker.

Elsewhere: what arrived (`reception`), a batch (`handler`), sending (`relay`), greetings and what is
missing (`peers`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from ledger.directory import Directory
from runtime import desk, events, outbox
from runtime.broker import Broker, LinkState
from runtime.clock import Clock, Ids
from runtime.errors import LocalProtocolError, Unavailable
from runtime.gaps import Gaps
from runtime.halts import HALTED_BEFORE
from runtime.handler import Handler
from runtime.holding import Holding
from runtime.intake import Refused, Unit
from runtime.keys import Keyring
from runtime.node_settings import NodeSettings
from runtime.orders import Operator
from runtime.pace import Pace
from runtime.peers import Peers
from runtime.program import Program
from runtime.reception import Reception
from runtime.relay import Relay
from runtime.salvage import Salvage, Unskippable
from runtime.schema import check_schema
from runtime.second_person import SecondPerson
from runtime.store import Store
from runtime.work import Done, Halting, Work
from schemas.identifiers import HUB, Actor, Instant

__all__ = ["Node", "NodeSettings"]

SWEPT_MAX = 500
"""Envelopes that one sweep sends again; the next one comes soon."""

CONFIRMED_SECONDS = 1.0
"""So long it may take, on a node that has nothing else to write, until the outbox has it that the
broker has an envelope. A node that ends before sends it once more, and it is recognised.
"""


class Node:
    """Runs a program until it is stopped."""

    def __init__(
        self,
        program: Program,
        store: Store,
        broker: Broker,
        clock: Clock,
        keyring: Keyring,
        *,
        ids: Ids | None = None,
        operators: Sequence[Operator] = (),
        second: SecondPerson | None = None,
        settings: NodeSettings | None = None,
    ) -> None:
        self.program = program
        self.store = store
        self.broker = broker
        self.settings = chosen = settings or NodeSettings()
        self.ready = asyncio.Event()
        self.halted: str | None = None
        self.relay = Relay(broker)
        self._clock = clock
        self._ids = ids or Ids()
        self._handler = Handler(
            program,
            store,
            keyring,
            self._ids,
            {operator.name: operator for operator in operators},
            second or SecondPerson(program.second_person),
            chosen.bundle_max,
        )
        self._control = self._handler.control
        self._holding = Holding(chosen.held_max, chosen.held_of_one_max)
        self._reception = Reception(program, self._holding, chosen.hold_seconds)
        self._peers = Peers(
            program.actors[0],
            self._control,
            Gaps(self._handler.journal, chosen.gap_seconds),
            self._handler.sealer,
            broker,
            self.relay,
            clock,
            self._ids,
        )
        self._salvage = Salvage(self._handler, store, self._run, program.participant)
        self._pace = Pace()
        self._log = structlog.get_logger().bind(participant=str(program.participant))
        self._stopping = asyncio.Event()
        self._again: list[Unit] = []
        self._dead: list[Refused] = []
        self._resume: set[Actor] = set()
        self._loaded = False
        self._emptied = False
        self._rung = False
        self._directory: Directory | None = None
        self._link: LinkState | None = None
        self._link_error: str | None = None

    async def run(self) -> None:
        """Start, work until `stop`, drain. Raises only what makes starting impossible."""
        await check_schema(self.store.url, self.program.packages)
        await self.store.lock_writer()
        await self.broker.open()
        sending = asyncio.create_task(self.relay.run())
        self._log.info(events.NODE_STARTED)
        try:
            while not self._stopping.is_set():
                if sending.done():  # a bug of ours: better to end than to go on and send nothing
                    sending.result()
                await self._turn()
            await self._drain()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await self.broker.close()
            await self.store.close()
            self._log.info(events.NODE_STOPPED, halted=self.halted)

    def ring(self) -> None:
        """A command may wait at the desk: look at once, and not with the next tick."""
        self._rung = True
        self.broker.wake()

    def stop(self) -> None:
        """Finish the batch under way, send what is sealed, and end `run`."""
        self._stopping.set()
        self.broker.wake()

    async def _drain(self) -> None:
        await self.broker.drain()
        if self.halted is not None:
            return
        await self.relay.drained(self.settings.drain_seconds)
        if self._loaded:
            try:
                async with self.store.transaction() as session:
                    await outbox.mark_confirmed(session, self.relay.confirmed())
            except Unavailable as error:  # they are sent once more after the next start
                self._log.warning(events.STORE_UNAVAILABLE, error=str(error))

    async def _turn(self) -> None:
        """One turn: load if need be, take what arrived, work, look after the periodic things."""
        try:
            if not self._loaded:
                await self._handler.load()
                self._loaded = True
                if self._handler.halted:
                    self._halt(HALTED_BEFORE)
                    return
                self._resume |= self._handler.journal.next_stored()
            await self._reseal()
            if self._may_begin:
                self.ready.set()
            self._watch_link()
            self._peers.greet(self._pace, self.settings.greet_seconds)
            await self._sweep()
            wait = 0.0 if self._again else self.settings.tick_seconds
            arrivals = await self.broker.receive(self.settings.batch_max, wait)
            if arrivals or not self._rung:  # a bell ends the waiting, whatever may be on its way
                self._emptied = len(arrivals) < self.settings.batch_max
            units = self._again + [Unit(a.body, a.sender, a) for a in arrivals]
            self._again = []
            await self._work(units)
            await self._recover()
            await self.broker.acknowledge(self._holding.copies())
            await self._put_aside()
            self._peers.ask_for_missing()
        except Unavailable as error:
            self._loaded = False
            self._log.warning(events.STORE_UNAVAILABLE, error=str(error))
            await self._pause(self.settings.retry_seconds)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    # --- work -----------------------------------------------------------------------------------

    async def _work(self, units: list[Unit]) -> None:
        """Run what arrived, what waits at the desk and what is due as one batch."""
        now, clock = self._clock.now(), asyncio.get_running_loop().time()
        begin = self._may_begin
        held_too = self._pace.every("held", self.settings.tick_seconds)
        work = self._reception.sort(units, now, clock, held_too=held_too)
        whole = replace(
            work,
            resume=tuple(sorted(self._resume)),
            commands=begin and (self._rung or self._is_time("desk")),
            tick=begin and self.program.due(now) and self._is_time("tick"),
            consuming=self._emptied and self.broker.state is LinkState.UP,
        )
        if await self._is_idle(whole):
            return
        self._rung = self._rung and not whole.commands
        try:
            await self._run(whole, frozenset())
        except Unavailable:
            self._again = [*whole.units(), *self._again]
            raise
        except Exception as error:  # noqa: BLE001 - a bug of ours: find the item, keep the rest
            self._log.error(events.BATCH_FAILED, error=repr(error), cause=repr(error.__cause__))
            self._loaded = False
            await self._save(whole)

    @property
    def _may_begin(self) -> bool:
        """Whether sequences are exchanged with the hub, or it is the hub and has lost nothing."""
        return HUB not in self._control.waiting and self.program.recovery is None

    async def _recover(self) -> None:
        """Bring back what the program's database has lost, step by step (rule 3.13). Then what
        others had said meanwhile is heard, and what may be missing of it asked for.
        """
        recovery = self.program.recovery
        if recovery is None or not self._is_time("recover"):
            return
        self._after(await self._handler.recover(recovery, self._clock.now()))
        if self.program.recovery is not None:
            self._peers.suspect(recovery.lacking)
            return
        self._resume |= self._handler.journal.next_stored()
        self._peers.suspect(a for a in self.program.directory.keys if a.participant != HUB)

    def _is_time(self, name: str) -> bool:
        return self._pace.every(name, self.settings.tick_seconds)

    async def _is_idle(self, work: Work) -> bool:
        """Whether there is nothing to write; an idle node leaves its database alone."""
        if work.units() or work.resume or work.tick:
            return False
        if self._rung and work.commands:
            return False
        if self.relay.confirmed() and self._pace.every("confirmed", CONFIRMED_SECONDS):
            return False
        if not work.commands:
            return True
        async with self.store.snapshot() as session:
            return not await desk.has_work(session, self._clock.now())

    async def _save(self, work: Work) -> None:
        """Find the culprit of a batch that failed, and have everything else go on."""
        left: list[Unit] = []
        try:
            await self._salvage.save(work)
        except Unskippable as error:
            self._halt(str(error))
        finally:
            left = self._salvage.left()
            self._again = [*left, *self._again]
        if left:
            await self._pause(self.settings.retry_seconds)

    async def _run(self, work: Work, culprits: frozenset[str]) -> bool:
        """Run a batch and do what follows; False when the node has halted."""
        confirmed = self.relay.confirmed()
        self._resume -= set(work.resume)
        try:
            try:
                done = await self._handler.run(work, self._clock.now(), confirmed, culprits)
            except Halting as stop:
                await self._handler.load()
                whole, work = work, work.cut(stop.last)
                done = await self._handler.run(work, self._clock.now(), confirmed, culprits)
                if done.batch.pause:  # what was behind it is next
                    self._again += whole.behind(stop.last)
                    self._resume |= set(whole.resume) | self._handler.journal.next_stored()
                    self._rung = self._rung or whole.commands
        except BaseException:
            self._resume |= set(work.resume)
            raise
        self.relay.settled(confirmed)
        self._after(done)
        await self._acknowledge(work, done)
        if done.batch.halt:
            self._halt(done.batch.halt)
        return self.halted is None

    def _after(self, done: Done) -> None:
        """The batch is durable: send, answer, and tell what it gave rise to."""
        self.relay.send(done.sealed)
        self._peers.answer(done.replies)
        self._peers.suspect_lost_rotations(done.refused)
        greeted = {peer for _, peer in done.replies.greeted}
        self._resume |= {
            sender
            for sender in self._handler.journal.early
            if HUB in greeted or sender.participant in greeted
        }
        self._resume |= done.unfinished
        self._again += done.again
        if done.more_commands:
            self.ring()
        for event, values in done.batch.events:
            self._log.info(event, **{k: str(v) for k, v in values.items()})

    async def _acknowledge(self, work: Work, done: Done) -> None:
        taken = [a.unit.arrival for a in (*work.sequenced, *work.control)]
        dead = {id(refused.unit.arrival) for refused in done.refused}
        for refused in done.refused:
            self._log.warning(
                events.ENVELOPE_DEAD, claimed=refused.claimed, finding=str(refused.finding)
            )
        self._dead += [refused for refused in done.refused if refused.unit.arrival is not None]
        try:
            await self.broker.acknowledge([a for a in taken if a and id(a) not in dead])
        except Unavailable:  # the broker hands it out again, and it is recognised
            return
        await self._put_aside()

    async def _put_aside(self) -> None:
        """Have the broker put the dead letters into their queue. One that it does not confirm is
        handed out again; the others wait for the next turn, since each try may take long.
        """
        while self._dead and self.broker.state is LinkState.UP:
            refused = self._dead.pop(0)
            assert refused.unit.arrival is not None
            reason, detail = str(refused.finding.reason), refused.finding.detail
            try:
                await self.broker.dead_letter(refused.unit.arrival, reason, detail)
            except Unavailable:
                return

    def _halt(self, why: str) -> None:
        self.halted = why
        self._log.critical(events.NODE_HALTED, why=why)
        self._stopping.set()

    # --- periodic -------------------------------------------------------------------------------

    async def _reseal(self) -> None:
        """After the directory changed: what a withdrawn key had sealed is sealed anew, and what is
        stored under a new key may be applied.
        """
        if self.program.directory is self._directory:
            return
        self._resume |= self._handler.journal.next_stored()
        self.relay.replace(await self._handler.sealer.seal_anew(self.store))
        self._directory = self.program.directory

    def _watch_link(self) -> None:
        state, error = self.broker.state, self.broker.last_error
        if state is self._link and (state is LinkState.UP or error in {None, self._link_error}):
            return
        self._log.info(events.LINK_CHANGED, state=str(state), error=error)
        self._link_error = error
        if state is self._link:
            return
        if self._link is not None and state is LinkState.UP:
            self._pace.hurry()
            self._peers.start_over()
        self._link = state

    async def _sweep(self) -> None:
        """Send again what was sealed a while ago and never confirmed."""
        if not self._pace.every("sweep", self.settings.sweep_seconds):
            return
        before = self._clock.now().moment() - timedelta(seconds=self.settings.sweep_seconds)
        async with self.store.snapshot() as session:
            old = await outbox.unconfirmed(session, Instant.of(before), SWEPT_MAX)
        sent = self.relay.send([e for e in old if not self.relay.knows(e)])
        if sent:
            self._log.info(events.OUTBOX_SWEPT, number=sent)


def refuse_optimized() -> None:
    """Daemons rely on `assert`; refuse to run under `python -O`."""
    if not __debug__:
        raise LocalProtocolError("a6hub does not run with assertions turned off (-O)")
