# SPDX-License-Identifier: Apache-2.0
"""Control envelopes: how two ends find out who is behind, and mend it.

They stand outside the sequence, carry a nonce, are handled at once, change no ledger and are never
evidence. On connecting, each actor greets the participants it depends on (`hello`) with the last
sequences it knows; the answer quotes the nonce. Whoever misses the other's envelopes asks for them
(`resend`); whoever was restored from an older backup, and so misses its *own*, asks for those too,
gets them back (`returned`) and only then writes again. The first greeting after a start makes a
program wait; when its link comes up again it greets anew, and goes on meanwhile. The hub greets
nobody and takes nothing back, unless it recovers; and then it answers no greeting.

Elsewhere: ordinary envelopes (`intake`), when missing ones are asked for (`gaps`), saying any of it
(`peers`), storing what came back (`recalling`).
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.directory import Directory
from ledger.effects import Everybody
from runtime import journal as journals
from runtime import outbox
from runtime.journal import Journal, Sealed
from runtime.program import Others
from runtime.store import Session
from schemas import jws, limits
from schemas.envelope import EnvelopeError, Opened, open_envelope, verify
from schemas.findings import Reason, finding
from schemas.identifiers import HUB, REC, Actor, Participant
from schemas.messages import Hello, Lacking, Message, ResendRequest, Returned
from schemas.units import Frozen

__all__ = ["Control", "Here", "Replies"]

Greeting = tuple[Actor, Participant]
OwnKey = Callable[[Actor, str], jws.PublicKey | None]
"""The public half of a key held here, by actor and key id."""


class Here(NamedTuple):
    """Which envelopes of an actor are here: all up to `last`, and some that were stored early."""

    last: int
    early: AbstractSet[int]

    def lacking(self) -> tuple[int, tuple[Lacking, ...]]:
        """The largest sequence that is here, and the ranges below it that are not. Where there are
        too many of these it goes as far as they can be told.
        """
        found: list[Lacking] = []
        last = self.last
        for sequence in sorted(self.early):
            if sequence > last + 1:
                if len(found) == limits.LACKING_MAX:
                    break
                found.append(Lacking(first=last + 1, last=sequence - 1))
            last = max(last, sequence)
        return last, tuple(found)


@dataclass
class Replies:
    """What control messages give rise to: control messages to say, envelopes to send again, and our
    own envelopes that came back.
    """

    say: list[tuple[Actor, Participant, str, Frozen, str | None]] = field(default_factory=list)
    resend: list[Sealed] = field(default_factory=list)
    returned: list[Opened] = field(default_factory=list)
    told: dict[Actor, int] = field(default_factory=dict)
    """How many envelopes each sender says that it has sealed for us."""
    answered: list[str] = field(default_factory=list)
    missing: set[Greeting] = field(default_factory=set)
    asked: set[Actor] = field(default_factory=set)
    greeted: list[Greeting] = field(default_factory=list)
    doubted: str | None = None
    """A claim that others have envelopes of ours that we do not know of."""
    behind: str | None = None
    """The proof of such a claim, at the hub."""
    behind_at: set[Greeting] = field(default_factory=set)
    """Where others have envelopes of ours that we do not know of."""
    owed: set[Greeting] = field(default_factory=set)
    """Greetings to a hub that recovers, which asks how much each of our actors has sent."""


class Control:
    """The state of greetings of one program: asked, answered, catching up."""

    def __init__(
        self,
        participant: Participant,
        actors: tuple[Actor, ...],
        greets: tuple[Participant, ...],
        journal: Journal,
    ) -> None:
        self._participant = participant
        self._actors = self._able = actors
        self._journal = journal
        self._nonces: dict[str, Greeting] = {}
        self._greetings: set[Greeting] = set()
        self._open: set[Greeting] = set()
        self._anew: set[Greeting] = set()
        self._missing: set[Greeting] = set()
        self._told: dict[Actor, int] = {}
        self.recovering = False
        """Whether nobody is heard, and the hub takes back what it has lost (rule 3.13)."""
        self.meet(greets, actors)

    def meet(self, peers: Iterable[Participant], actors: Sequence[Actor]) -> None:
        """These actors of ours greet these, too; whoever is new is waited for as after a start. An
        actor that is not among them is not admitted: nobody would answer it, and it says nothing.
        """
        self._able, able = tuple(actors), frozenset(actors)
        for greetings in (self._greetings, self._open, self._anew):
            greetings.difference_update([one for one in greetings if one[0] not in able])
        for greeting in ((actor, peer) for peer in peers for actor in actors):
            if greeting not in self._greetings:
                self._greetings.add(greeting)
                self._open.add(greeting)

    @property
    def waiting(self) -> frozenset[Participant]:
        """Participants with whom sequences were not exchanged since the start. Nothing is begun
        with them.
        """
        return frozenset(peer for _, peer in self._open)

    @property
    def unheard(self) -> Container[Participant]:
        """Participants of whom nothing is applied yet: those that are waited for, and everybody
        while that is the hub, to which whatever others say may give rise to something new.
        """
        waiting = self.waiting
        return Everybody() if HUB in waiting or self.recovering else waiting

    @property
    def others(self) -> Others:
        """How far the others have come, for a program that recovers."""
        told = self._told.items()
        whole = frozenset(actor for actor, last in told if self._journal.has_all(actor, last))
        return Others(self.waiting, whole, self._journal.early)

    def greet(self, nonce: str, greeting: Greeting) -> Hello:
        """The hello for an open greeting, remembered by its nonce."""
        self._nonces[nonce] = greeting
        if len(self._nonces) > 10_000:  # peers that never answer must not fill the memory
            self._nonces.pop(next(iter(self._nonces)))
        actor, peer = greeting
        voice = _voice(peer)
        return Hello(
            actor=actor,
            sent=self._journal.sent(actor, peer),
            received=self._journal.received(voice) if voice else 0,
            answer=False,
        )

    def recover(self, *, recovering: bool, anew: bool) -> None:
        """Whether the program recovers. All are greeted once more if its database was read `anew`,
        since nobody knows what of all that was given back is there, and nobody when it is over.
        """
        if recovering and anew:
            self._open = set(self._greetings)
            self._told.clear()
        elif self.recovering and not recovering:
            for greetings in (self._greetings, self._open, self._anew, self._missing):
                greetings.clear()
            self._nonces.clear()
        self.recovering = recovering

    def greet_anew(self) -> None:
        """The link was lost and is up again: greet everybody once more, and wait for nobody."""
        self._anew = set(self._greetings)

    def ask(self, sender: Actor, first: int, last: int) -> ResendRequest:
        """The request for a sender's missing envelopes, as many as one request may name."""
        return _resend(sender, first, last)

    def open_greetings(self) -> list[Greeting]:
        """Greetings that have no answer yet, or whose lost envelopes are still on their way."""
        return sorted(self._open | self._anew)

    async def handle(
        self,
        session: Session,
        opened: Opened,
        message: Message,
        directory: Directory,
        own: OwnKey,
        here: Here | None,
        replies: Replies,
    ) -> None:
        """One authentic control message; only `committed` changes what is remembered here.

        `here` are its author's envelopes after this batch. While some of them wait for their time
        nobody can say which are here (None): a greeting is then not answered, and comes again.

        `EnvelopeError` for a returned envelope that is not one of ours.
        """
        author, body = opened.manifest.sender, message.body
        if isinstance(body, Hello) and not body.answer:
            if here is not None:
                self._answer(author, body, opened.manifest.nonce, here, replies)
        elif isinstance(body, Hello):
            await self._compare(session, author, body, opened.manifest.answers_nonce, replies)
        elif isinstance(body, ResendRequest) and author not in replies.asked:
            replies.asked.add(author)  # one a batch: each may load many envelopes
            await self._resend(session, author, body, replies)
        elif isinstance(body, Returned):
            self._take_back(author, body, directory, own, replies)

    def _answer(
        self, author: Actor, hello: Hello, nonce: str | None, here: Here, replies: Replies
    ) -> None:
        ours = self._actors[0]
        replies.told[author] = hello.sent
        if author.participant == HUB:  # which greets nobody but to recover
            replies.owed |= {(actor, HUB) for actor in self._able if actor != ours}
        has = self._journal.sent(ours, author.participant)
        if hello.received > has:
            self._doubt((ours, author.participant), hello.received, replies)
        if self.recovering:  # what is here of others may not be all that comes back
            return
        sent, lacking = here.lacking()
        answer = Hello(
            actor=author,
            sent=sent,
            received=has,
            answer=True,
            lacking=lacking,
        )
        replies.say.append((ours, author.participant, "hello", answer, nonce))

    def _doubt(self, greeting: Greeting, received: int, replies: Replies) -> None:
        """Somebody says that it has more envelopes of ours than we know of. Anybody can say that:
        the hub asks for one of them, and believes its own signature. Others greet whoever says so,
        and so learn what is true.
        """
        ours, peer = greeting
        replies.doubted = f"{peer} says that it has {received} envelopes of ours"
        if ours.participant == HUB and not self.recovering:
            first = self._journal.sent(*greeting) + 1
            replies.say.append((ours, peer, "resend", _resend(ours, first, first), None))
        else:
            replies.behind_at.add(greeting)

    async def _compare(
        self, session: Session, author: Actor, hello: Hello, nonce: str | None, replies: Replies
    ) -> None:
        greeting = self._nonces.get(nonce or "")
        if greeting is None or greeting[1] != author.participant or greeting[0] != hello.actor:
            return
        replies.answered.append(nonce or "")
        actor, peer = greeting
        sent = self._journal.sent(actor, peer)
        lost = self._lost(greeting, hello)
        if lost is not None:  # the other end has envelopes of ours that are not here any more
            replies.missing.add(greeting)
            replies.say.append((actor, peer, "resend", _resend(actor, *lost), None))
            return
        if hello.sent < sent:
            replies.resend += await outbox.sealed_part(session, actor, peer, hello.sent + 1, sent)
        replies.told[author] = hello.received
        if greeting in self._open | self._anew:
            replies.greeted.append(greeting)

    def _lost(self, greeting: Greeting, hello: Hello) -> tuple[int, int] | None:
        """The first range of our own envelopes that the other end has and we have not."""
        for first, last in _between(self._journal.sent(*greeting), hello):
            lacks = [n for n in range(first, last + 1) if self._journal.lacks(*greeting, n)]
            if lacks:
                return lacks[0], lacks[-1]
        return None

    def _take_back(
        self, author: Actor, body: Returned, directory: Directory, own: OwnKey, replies: Replies
    ) -> None:
        """An envelope of our own that was lost, if we miss any there and it is ours indeed.

        After a restore the directory may be older than our keys, or empty, so a key that is held
        here counts as well, if the directory does not know it. One that was withdrawn counts up to
        where it was: whoever has stolen it must not make up what we said.
        """
        opened = open_envelope(body.envelope.encode())
        sender, kid, number = opened.manifest.sender, opened.token.kid, opened.manifest.sequence
        if sender not in self._actors:
            found = finding(Reason.SENDER_UNKNOWN, f"{sender} is no actor of this program")
            raise EnvelopeError(found)
        if directory.any_key(sender, kid) is None:
            key = own(sender, kid)
        else:
            key = directory.key_for(sender, kid, author.participant, number)
        if key is None:
            detail = f"{sender} with key {kid}, envelope {number} to {author.participant}"
            raise EnvelopeError(finding(Reason.KEY_UNKNOWN, detail))
        verify(opened.token, key)
        if opened.manifest.to != author.participant:
            found = finding(Reason.RECIPIENT_WRONG, f"it was for {opened.manifest.to}")
            raise EnvelopeError(found)
        if sender.participant == HUB and not self.recovering:  # it must be stopped, not helped on
            if number is not None and self._journal.lacks(sender, author.participant, number):
                replies.behind = f"{author} has our envelope {number}, which is not here"
        elif (sender, author.participant) in self._missing:  # nobody asked for it otherwise
            replies.returned.append(opened)

    def committed(self, replies: Replies) -> None:
        """The batch is durable: greetings that were answered are closed."""
        for nonce in replies.answered:
            self._nonces.pop(nonce, None)
        done = set(replies.greeted)
        self._open -= done
        self._anew -= done
        self._missing = (self._missing | replies.missing) - done
        self._anew |= replies.owed
        self._told |= replies.told
        self._greetings |= replies.behind_at
        self._open |= replies.behind_at

    async def _resend(
        self, session: Session, author: Actor, ask: ResendRequest, replies: Replies
    ) -> None:
        if ask.sender in self._actors:
            replies.resend += await outbox.sealed_part(
                session, ask.sender, author.participant, ask.first, ask.last
            )
        elif ask.sender.participant == author.participant:
            bodies = await journals.received_part(session, ask.sender, ask.first, ask.last)
            for body in bodies:
                kept = Returned(envelope=body.decode())
                replies.say.append((self._actors[0], author.participant, "returned", kept, None))


def _between(sent: int, hello: Hello) -> Iterator[tuple[int, int]]:
    """The ranges of sequences above `sent` that a hello says are there, a request's worth each."""
    first = sent + 1
    for gap in (*hello.lacking, Lacking(first=hello.sent + 1, last=hello.sent + 1)):
        while first < gap.first:
            last = min(gap.first - 1, first + limits.RESEND_ENVELOPES_MAX - 1)
            yield first, last
            first = last + 1
        first = max(first, gap.last + 1)


def _resend(sender: Actor, first: int, last: int) -> ResendRequest:
    last = min(last, first + limits.RESEND_ENVELOPES_MAX - 1)
    return ResendRequest(sender=sender, first=first, last=last)


def _voice(peer: Participant) -> Actor | None:
    """The one actor by which a peer speaks. A registry may have several, each of which greets by
    itself and asks for what it misses; hub and reconciliation service have one.
    """
    return Actor(str(peer)) if peer in {HUB, REC} else None
