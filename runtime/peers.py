# SPDX-License-Identifier: Apache-2.0
"""Peers: what a node says beside its program, to keep in step with the others.

It greets when it starts and when its link comes up again, asks for what is missing, and answers the
greetings and requests of others. All of it goes in control envelopes, which are sent once: what is
lost is asked for again.

Elsewhere: what a greeting means (`control`), what is missing (`gaps`), sending (`relay`).
"""

import asyncio
from collections.abc import Iterable

import structlog

from runtime import events
from runtime.broker import Broker, LinkState
from runtime.clock import Clock, Ids
from runtime.control import Control, Replies
from runtime.gaps import Gaps
from runtime.intake import Refused
from runtime.pace import Pace
from runtime.relay import Relay
from runtime.sealing import Sealer
from schemas.identifiers import HUB, Actor, Participant
from schemas.messages import new_message
from schemas.units import Frozen

__all__ = ["Peers"]

GREETING_SECONDS_MAX = 30.0
"""Nobody who is back waits longer than this to be greeted."""


class Peers:
    """A node's conversation with its peers, over one link."""

    def __init__(
        self,
        voice: Actor,
        control: Control,
        gaps: Gaps,
        sealer: Sealer,
        broker: Broker,
        relay: Relay,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._voice = voice
        self._control = control
        self._gaps = gaps
        self._sealer = sealer
        self._broker = broker
        self._relay = relay
        self._clock = clock
        self._ids = ids
        self._unanswered: dict[tuple[Actor, Participant], int] = {}
        self._log = structlog.get_logger().bind(participant=str(voice.participant))

    def start_over(self) -> None:
        """The link was lost and is up again: find out at once what was missed meanwhile."""
        self._gaps.forget_requests()
        self._control.greet_anew()
        self._unanswered.clear()

    def greet(self, pace: Pace, seconds: float) -> None:
        """Say hello to whoever has not answered yet: after so many seconds, and then more and more
        seldom, so that a peer that is away finds few of them in its inbox.
        """
        if self._broker.state is not LinkState.UP:
            return
        for greeting in self._control.open_greetings():
            said = self._unanswered.get(greeting, 0)
            wait = min(seconds * 2 ** min(said - 1, 10), GREETING_SECONDS_MAX) if said else 0.0
            if pace.every(f"greet {greeting}", wait):
                self._unanswered[greeting] = said + 1
                nonce = self._ids.nonce()
                self._say(*greeting, "hello", self._control.greet(nonce, greeting), None, nonce)

    def ask_for_missing(self) -> None:
        """Ask for what is missing, where it is time to."""
        if self._broker.state is not LinkState.UP:
            return
        clock = asyncio.get_running_loop().time()
        # Who changed its key answers a hub that recovers in a way that it cannot read: the change
        # must be asked for first.
        waiting = frozenset() if self._control.recovering else self._control.waiting
        for sender, first, last in self._gaps.due(clock, waiting):
            self._log.info(events.GAP_ASKED, sender=str(sender), first=first, last=last)
            ask = self._control.ask(sender, first, last)
            self._say(self._voice, sender.participant, "resend", ask, None)

    def suspect_lost_rotations(self, refused: Iterable[Refused]) -> None:
        """Rule 3.12; the hub alone is told of changes of keys by their owners."""
        if self._voice.participant == HUB:
            for one in refused:
                if one.newer_key and one.claimed is not None:
                    self._gaps.suspect(one.claimed, one.sequence)

    def suspect(self, senders: Iterable[Actor]) -> None:
        """Others may have said more than is here: ask them for what would come next."""
        for sender in senders:
            self._gaps.suspect(sender, None)

    def answer(self, replies: Replies) -> None:
        """A batch is durable: say and send what control messages in it gave rise to."""
        resent = self._relay.send(replies.resend)
        if resent:
            self._log.info(events.ENVELOPES_RESENT, number=resent)
        for author, to, type_, body, answers in replies.say:
            self._say(author, to, type_, body, answers)
        for sender, last in replies.told.items():
            self._gaps.told(sender, last)
        if self._control.recovering:  # so much at a time is given back, and it may be a lot
            self._unanswered.update(dict.fromkeys(replies.missing, 1))
        for actor, peer in replies.greeted:
            self._unanswered.pop((actor, peer), None)
            self._log.info(events.NODE_GREETED, actor=str(actor), peer=str(peer))
        if replies.doubted:
            self._log.info(events.ENVELOPES_CLAIMED, detail=replies.doubted)
        if replies.behind:
            self._log.error(events.NODE_BEHIND, detail=replies.behind)

    def _say(
        self,
        author: Actor,
        to: Participant,
        type_: str,
        body: Frozen,
        answers: str | None,
        nonce: str | None = None,
    ) -> None:
        now, nonce = self._clock.now(), nonce or self._ids.nonce()
        message = new_message(type_, self._ids.message(now), "control", body)
        line = message.model_dump_json().encode()
        sealed = self._sealer.seal_control((author, to), line, now, nonce, answers)
        self._relay.pass_on(to, sealed, nonce)
