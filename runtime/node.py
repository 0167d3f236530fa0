# SPDX-License-Identifier: Apache-2.0
"""A node: one program, one store, one broker link, one writer, one loop.

Each turn takes what has arrived, authenticates it, hands it to the handler as one batch, and after
the commit acknowledges, dead-letters and sends. Start-up after a crash is this same loop: sequences
are exchanged, the outbox is swept, and what comes again is recognised.

What goes wrong: a store or broker that is unavailable is waited for, with everything kept; a batch
that fails is run again one by one, so that only the culprit is set aside with an internal finding
and an alarm; a program that must stop (its hub misbehaved) halts the node and says why, and what
follows stays with the broker.

Elsewhere: a batch (`handler`), sending (`relay`), control envelopes (`control`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from ledger.directory import Directory
from runtime import events
from runtime import journal as journals
from runtime.broker import Broker, LinkState
from runtime.clock import Clock, Ids
from runtime.errors import LocalProtocolError, Unavailable
from runtime.gaps import Gaps
from runtime.handler import Culprit, Done, Halting, Handler, Work
from runtime.holding import Holding, Waiting
from runtime.intake import Authentic, Held, Refused, Unit, authenticate
from runtime.keys import Keyring
from runtime.orders import Operator
from runtime.program import Program
from runtime.relay import Relay
from runtime.schema import check_schema
from runtime.store import Store
from schemas.envelope import Manifest, digest, seal
from schemas.findings import Reason, finding
from schemas.identifiers import Actor, Instant, Participant
from schemas.messages import new_message
from schemas.units import Frozen

__all__ = ["Node", "NodeSettings"]

HUB = Participant("HUB")
"""Nothing of one's own is begun before sequences are exchanged with the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How a node runs; durations in seconds."""

    batch_max: int = 200
    """Envelopes in one batch: beyond some 250 nothing is gained."""
    tick_seconds: float = 0.25
    """How often deadlines, checkpoints and the desk are looked at."""
    greet_seconds: float = 2.0
    """How often an unanswered hello is repeated."""
    sweep_seconds: float = 5.0
    """How often the outbox is swept, and from what age on an envelope is sent again."""
    hold_seconds: float = 10.0
    """How long an envelope of an unknown sender or key waits for the directory."""
    held_max: int = 100
    """How many such envelopes wait at a time."""
    held_of_one_max: int = 25
    """How many of them one participant is said to have sent."""
    gap_seconds: float = 1.0
    """How soon a missing envelope is asked for again; ever more rarely while nothing comes."""
    drain_seconds: float = 10.0
    """How long a stopping node tries to send what it has sealed."""
    retry_seconds: float = 1.0
    """How long to wait for a store that is unavailable."""


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
        settings: NodeSettings | None = None,
    ) -> None:
        self.program = program
        self.store = store
        self.broker = broker
        self.settings = settings or NodeSettings()
        self.ready = asyncio.Event()
        self.halted: str | None = None
        self.relay = Relay(broker)
        self._clock = clock
        self._keyring = keyring
        self._ids = ids or Ids()
        self._handler = Handler(program, store, keyring, self._ids, {o.name: o for o in operators})
        self._log = structlog.get_logger().bind(participant=str(program.participant))
        self._stopping = asyncio.Event()
        self._again: list[Unit] = []
        self._holding = Holding(self.settings.held_max, self.settings.held_of_one_max)
        self._gaps = Gaps(self._handler.journal, self.settings.gap_seconds)
        self._resume: set[Actor] = set()
        self._asked: dict[str, float] = {}
        self._loaded = False
        self._drained = False
        self._directory: Directory | None = None
        self._link: LinkState | None = None

    async def run(self) -> None:
        """Start, work until `stop`, drain. Raises only what makes starting impossible."""
        await check_schema(self.store.url, self.program.packages)
        await self.store.lock_writer()
        await self.broker.open()
        relay = asyncio.create_task(self.relay.run())
        self._log.info(events.NODE_STARTED)
        try:
            while not self._stopping.is_set():
                await self._turn()
            await self._drain()
        finally:
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
            await self.broker.close()
            await self.store.close()
            self._log.info(events.NODE_STOPPED, halted=self.halted)

    def stop(self) -> None:
        """Finish the batch under way, send what is sealed, and end `run`."""
        self._stopping.set()

    async def _drain(self) -> None:
        await self.broker.drain()
        if self.halted is None:
            await self.relay.drained(self.settings.drain_seconds)
            if self._loaded:
                async with self.store.transaction() as session:
                    await journals.mark_confirmed(session, self.relay.confirmed())

    async def _turn(self) -> None:
        """One turn: load if need be, take what arrived, work, look after the periodic things."""
        try:
            if not self._loaded:
                await self._handler.load()
                self._loaded = True
            await self._reseal()
            if HUB not in self._handler.control.waiting:  # exchanged, or it is the hub
                self.ready.set()
            self._watch_link()
            self._greet()
            await self._sweep()
            wait = 0.0 if self._again else self.settings.tick_seconds
            arrivals = await self.broker.receive(self.settings.batch_max, wait)
            self._drained = len(arrivals) < self.settings.batch_max
            units = self._again + [Unit(a.body, a.sender, a) for a in arrivals]
            self._again = []
            await self._work(units)
            self._ask_for_missing()
            await self.broker.acknowledge(self._holding.copies())
        except Unavailable as error:
            self._loaded = False
            self._log.warning(events.STORE_UNAVAILABLE, error=str(error))
            await self._pause(self.settings.retry_seconds)

    async def _reseal(self) -> None:
        """After the directory changed: what a withdrawn key had sealed is sealed anew."""
        if self.program.directory is self._directory:
            return
        self.relay.replace(await self._handler.sealer.seal_anew(self.store))
        self._directory = self.program.directory

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _watch_link(self) -> None:
        state = self.broker.state
        if state is not self._link:
            self._log.info(events.LINK_CHANGED, state=str(state), error=self.broker.last_error)
            if self._link is not None and state is LinkState.UP:
                self._asked.clear()
                self._gaps.forget_requests()
                self._handler.control.greet_anew()
            self._link = state

    # --- work -----------------------------------------------------------------------------------

    async def _work(self, units: Sequence[Unit]) -> None:
        now = self._clock.now()
        work = self._sorted(units, now)
        commands = HUB not in self._handler.control.waiting and self._every(
            "desk", self.settings.tick_seconds
        )
        tick = self.program.due(now) and self._every("tick", self.settings.tick_seconds)
        idle = not (work.sequenced or work.control or work.refused or work.resume or tick)
        if idle and not self.relay.confirmed() and not (commands and await self._desk_has_work()):
            return
        whole = replace(
            work,
            commands=commands,
            tick=tick,
            consuming=self._drained and self.broker.state is LinkState.UP,
        )
        try:
            await self._run(whole, frozenset())
        except Unavailable:
            self._again = [*_units(whole), *self._again]
            raise
        except Exception as error:  # noqa: BLE001 - a bug of ours: find the item, keep the rest
            self._log.error(events.BATCH_FAILED, error=repr(error), cause=repr(error.__cause__))
            self._loaded = False
            await self._one_by_one(whole)

    async def _desk_has_work(self) -> bool:
        async with self.store.snapshot() as session:
            return bool(await journals.open_commands(session, 1))

    async def _one_by_one(self, work: Work) -> None:
        """Run a failed batch in its smallest parts; what still fails is set aside."""
        parts = [Work(sequenced=[a]) for a in work.sequenced]
        parts += [Work(control=[a]) for a in work.control]
        parts.append(Work(refused=work.refused, resume=work.resume))
        if work.commands:
            parts.append(Work(commands=True))
        if work.tick:
            parts.append(Work(tick=True, consuming=work.consuming))
        for index, part in enumerate(parts):
            if self.halted is not None:  # what follows stays with the broker
                return
            try:
                await self._persist(part)
            except Unavailable:
                self._again = [u for p in parts[index:] for u in _units(p)]
                raise

    async def _persist(self, part: Work) -> None:
        """Run one part, each time without the culprits found so far."""
        culprits: frozenset[str] = frozenset()
        failures = 0
        while True:
            await self._handler.load()
            self._loaded = True
            try:
                await self._run(part, culprits)
                return
            except Unavailable:
                raise
            except Culprit as error:
                self._log.error(
                    events.CULPRIT_SET_ASIDE, item=error.name, error=repr(error.__cause__)
                )
                if self._vital(part):
                    return
                culprits |= {error.name}
            except Exception as error:  # noqa: BLE001 - not in a decision: all items are suspect
                names = _names(part) | await self._commands(part)
                failures += 1
                if failures == 1 and names:
                    continue  # once more: what may pass is not held against an item
                if self._vital(part):
                    return
                self._log.error(events.CULPRIT_SET_ASIDE, item=sorted(names), error=repr(error))
                if names <= culprits:
                    break
                culprits |= names
        self._loaded = False
        await self._set_aside(part)

    def _vital(self, part: Work) -> bool:
        """An entry or a checkpoint that cannot be handled for a fault of ours is never skipped: the
        node halts and leaves it with the broker, for a version that can.
        """
        for authentic in part.sequenced:
            if str(authentic.opened.manifest.sender) != str(HUB):
                continue
            if any(
                b'"type":"entry"' in x or b'"type":"checkpoint"' in x
                for x in authentic.opened.lines
            ):
                self._halt("internal fault here: an entry or checkpoint could not be handled")
                return True
        return False

    async def _commands(self, part: Work) -> frozenset[str]:
        """The names of the commands in a part that fails before one of them can be blamed."""
        if not part.commands:
            return frozenset()
        async with self.store.snapshot() as session:
            return frozenset(f"command#{r.id}" for r in await journals.open_commands(session, 50))

    async def _set_aside(self, part: Work) -> None:
        """A part that fails whatever is left out of it.

        Control envelopes and what was refused are put aside as dead letters; one in a sequence is
        tried again with what arrives next, because leaving it out would leave a gap for ever.
        """
        self._again += [a.unit for a in part.sequenced]
        await self._pause(self.settings.retry_seconds if part.sequenced else 0)
        units = [a.unit for a in part.control] + [r.unit for r in part.refused]
        dead = [Refused(unit, finding(Reason.INTERNAL)) for unit in units]
        if dead:
            await self._handler.load()
            await self._run(Work(refused=dead), frozenset())

    async def _run(self, work: Work, culprits: frozenset[str]) -> None:
        confirmed = self.relay.confirmed()
        self._resume -= set(work.resume)
        try:
            try:
                done = await self._handler.run(work, self._clock.now(), confirmed, culprits)
            except Halting as stop:
                await self._handler.load()
                work = work.cut(stop.last)
                done = await self._handler.run(work, self._clock.now(), confirmed, culprits)
        except BaseException:
            self._resume |= set(work.resume)
            raise
        self.relay.settled(confirmed)
        await self._after(work, done)

    async def _after(self, work: Work, done: Done) -> None:
        """The batch is durable: send, acknowledge, tell."""
        self.relay.send(done.sealed)
        resent = self.relay.send(done.replies.resend)
        for author, to, type_, body, nonce in done.replies.say:
            self._say_control(author, to, type_, body, nonce)
        for event, values in done.batch.events:
            self._log.info(event, **{k: str(v) for k, v in values.items()})
        for author, peer in done.replies.greeted:
            self._log.info(events.NODE_GREETED, actor=str(author), peer=str(peer))
            self._resume |= {s for s in self._handler.journal.early if s.participant == peer}
        if resent:
            self._log.info(events.ENVELOPES_RESENT, number=resent)
        for sender, last in done.replies.told.items():
            self._gaps.told(sender, last)
        self._again += done.again
        if done.replies.behind:
            self._log.error(events.NODE_BEHIND, detail=done.replies.behind)
        await self._acknowledge(work, done)
        if done.batch.halt:
            self._halt(done.batch.halt)

    async def _acknowledge(self, work: Work, done: Done) -> None:
        taken = [a.unit.arrival for a in (*work.sequenced, *work.control)]
        dead = {id(refused.unit.arrival) for refused in done.refused}
        try:
            await self.broker.acknowledge([a for a in taken if a and id(a) not in dead])
            for refused in done.refused:
                self._log.warning(
                    events.ENVELOPE_DEAD, claimed=refused.claimed, finding=str(refused.finding)
                )
                if refused.unit.arrival is not None:
                    await self.broker.dead_letter(
                        refused.unit.arrival, str(refused.finding.reason), refused.finding.detail
                    )
        except Unavailable:  # the broker hands it out again, and it is recognised
            return

    def _halt(self, why: str) -> None:
        self.halted = why
        self._log.critical(events.NODE_HALTED, why=why)
        self._stopping.set()

    # --- intake ---------------------------------------------------------------------------------

    def _sorted(self, units: Sequence[Unit], now: Instant) -> Work:
        """What arrived, and what was held and may be fine or overdue now, by what it is."""
        sequenced: list[Authentic] = []
        control: list[Authentic] = []
        refused: list[Refused] = []
        deadline = asyncio.get_running_loop().time() + self.settings.hold_seconds
        for waiting in [*self._due(), *(Waiting(unit, deadline) for unit in units)]:
            found = self._authenticated(waiting.unit, now)
            taken = self._held(waiting, found) if isinstance(found, Held) else found
            if isinstance(taken, Authentic):
                (control if taken.opened.manifest.control else sequenced).append(taken)
            elif isinstance(taken, Refused):
                refused.append(taken)
        return Work(sequenced, control, refused, tuple(self._resume))

    def _held(self, waiting: Waiting, held: Held) -> Authentic | Refused | None:
        """Have it wait, if it may and there is room. One that lacks but time is taken otherwise:
        its place in the sequence is sure, and its time is looked at again when its turn comes.
        """
        overdue = asyncio.get_running_loop().time() >= waiting.deadline
        if (held.authentic or not overdue) and self._holding.hold(waiting, held):
            if not waiting.again:
                self._log.info(events.ENVELOPE_HELD, finding=str(held.finding))
            return None
        return held.authentic or Refused(held.unit, held.finding)

    def _authenticated(self, unit: Unit, now: Instant) -> Authentic | Refused | Held:
        try:
            return authenticate(unit, self.program.participant, self.program.directory, now)
        except Exception as error:  # noqa: BLE001 - whatever a stranger sent must not stop us
            self._log.error(events.CULPRIT_SET_ASIDE, item="envelope", error=repr(error))
            return Refused(unit, finding(Reason.INTERNAL))

    def _due(self) -> list[Waiting]:
        """Held envelopes, to be looked at again every tick; each keeps its first deadline."""
        if not self._every("held", self.settings.tick_seconds):
            return []
        return self._holding.take()

    # --- periodic -------------------------------------------------------------------------------

    def _every(self, name: str, seconds: float) -> bool:
        """Whether `seconds` have passed since this was last true for the name."""
        clock = asyncio.get_running_loop().time()
        if clock < self._asked.get(name, float("-inf")) + seconds:
            return False
        self._asked[name] = clock
        return True

    def _greet(self) -> None:
        if self.broker.state is not LinkState.UP:
            return
        for greeting in self._handler.control.open_greetings():
            if not self._every(f"greet {greeting}", self.settings.greet_seconds):
                continue
            nonce = self._ids.nonce()
            hello = self._handler.control.greet(nonce, greeting)
            self._say_control(*greeting, "hello", hello, None, nonce)

    def _ask_for_missing(self) -> None:
        if self.broker.state is not LinkState.UP:
            return
        clock = asyncio.get_running_loop().time()
        for sender, first, last in self._gaps.due(clock, self._handler.control.waiting):
            self._log.info(events.GAP_ASKED, sender=str(sender), first=first, last=last)
            ask = self._handler.control.ask(sender, first, last)
            self._say_control(self.program.actors[0], sender.participant, "resend", ask, None)

    def _say_control(
        self,
        author: Actor,
        to: Participant,
        type_: str,
        body: Frozen,
        answers: str | None,
        nonce: str | None = None,
    ) -> None:
        now = self._clock.now()
        message = new_message(type_, self._ids.message(now), "control", body)
        line = message.model_dump_json().encode()
        nonce = nonce or self._ids.nonce()
        manifest = Manifest.model_validate(
            {
                "from": author,
                "to": to,
                "control": True,
                "nonce": nonce,
                "answers_nonce": answers,
                "sent_at": now,
                "seen": self.program.seen,
                "messages": (digest(line),),
            }
        )
        signer = self._keyring.signer(author, self.program.directory.current_key(author))
        self.relay.pass_on(to, seal(manifest, (line,), signer), nonce)

    async def _sweep(self) -> None:
        """Send again what was sealed a while ago and never confirmed."""
        if not self._every("sweep", self.settings.sweep_seconds):
            return
        before = Instant.of(
            self._clock.now().moment() - timedelta(seconds=self.settings.sweep_seconds)
        )
        async with self.store.snapshot() as session:
            old = await journals.unconfirmed(session, before, 500)
        sent = self.relay.send([e for e in old if not self.relay.knows(e)])
        if sent:
            self._log.info(events.OUTBOX_SWEPT, number=sent)


def _units(work: Work) -> list[Unit]:
    return [a.unit for a in (*work.sequenced, *work.control)] + [r.unit for r in work.refused]


def _names(work: Work) -> frozenset[str]:
    names = {
        f"{a.opened.manifest.sender}#{a.opened.manifest.sequence}/{i}"
        for a in work.sequenced
        for i in range(len(a.opened.lines))
    }
    return frozenset(names | ({"tick"} if work.tick else set()))


def refuse_optimized() -> None:
    """Daemons rely on `assert`; refuse to run under `python -O`."""
    if not __debug__:
        raise LocalProtocolError("a6hub does not run with assertions turned off (-O)")
