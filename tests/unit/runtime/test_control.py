# SPDX-License-Identifier: Apache-2.0
"""Greetings, requests and what is given back: who asks, who answers, who waits."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.directory import Directory, sign_act
from runtime.control import Control, Here, Replies
from runtime.journal import Journal, Sealed
from runtime.outbox import keep_sealed
from runtime.program import Others
from runtime.store import Store, open_store
from schemas import limits
from schemas.directory import LastSequence, Revocation
from schemas.envelope import EnvelopeError, open_envelope
from schemas.identifiers import Actor
from schemas.messages import Hello, Lacking, Message, ResendRequest, Returned, parse_message
from schemas.units import Frozen
from tests.cast import CHE, GHA, HUB, KOR, REC, VUT, signer
from tests.peer import NOON, Peer
from tests.toy import founded, make_database

HUB_ACTOR = Actor("HUB")
GREETING = (GHA, HUB)


class Bench:
    """The control of a registry GHA01 that greets HUB, at a database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.journal = Journal(GHA.participant)
        self.control = Control(GHA.participant, (GHA,), (HUB,), self.journal)

    async def hears(
        self,
        author: Actor,
        body: Frozen,
        type_: str,
        nonce: str | None = None,
        here: Here | None = Here(0, frozenset()),  # noqa: B008 - a value that nobody changes
        directory: Directory | None = None,
    ) -> Replies:
        peer = Peer(author, GHA.participant)
        line = peer.line(type_, "control", body)
        members = {"control": True, "nonce": "0" * 32, "answers_nonce": nonce}
        envelope = peer.seal([line], **members)
        message: Message = parse_message(line)
        opened, replies, known = open_envelope(envelope), Replies(), directory or founded()
        async with self.store.transaction() as session:
            await self.control.handle(
                session, opened, message, known, lambda *_: None, here, replies
            )
        return replies

    async def answered(
        self,
        nonce: str | None,
        *,
        sent: int = 0,
        received: int = 0,
        lacking: tuple[Lacking, ...] = (),
    ) -> Replies:
        """The hub answers a greeting; `sent` is what it has of ours, `received` what it sealed."""
        body = Hello(actor=GHA, sent=sent, received=received, answer=True, lacking=lacking)
        replies = await self.hears(HUB_ACTOR, body, "hello", nonce)
        self.control.committed(replies)
        return replies

    async def keep(self, *sizes: int) -> None:
        """Envelopes of ours, so large, sealed to the hub."""
        sealed = [Sealed(GHA, HUB, n, b"x" * size) for n, size in enumerate(sizes, start=1)]
        async with self.store.transaction() as session:
            await keep_sealed(session, sealed, NOON)
        self.journal.last[GHA, HUB] = len(sizes)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    url = f"sqlite:///{tmp_path / 'gha.db'}"
    await make_database(url)
    store = open_store(url)
    yield Bench(store)
    await store.close()


async def test_the_first_greeting_makes_a_program_wait_until_it_is_answered(bench: Bench) -> None:
    assert bench.control.waiting == {HUB}
    assert bench.control.open_greetings() == [GREETING]
    bench.control.greet("1" * 32, GREETING)
    await bench.answered("1" * 32)
    assert bench.control.waiting == frozenset()
    assert bench.control.open_greetings() == []


async def test_after_a_lost_link_everybody_is_greeted_and_nobody_waits(bench: Bench) -> None:
    bench.control.greet("1" * 32, GREETING)
    await bench.answered("1" * 32)
    bench.control.greet_anew()
    assert bench.control.waiting == frozenset()
    assert bench.control.open_greetings() == [GREETING]
    bench.control.greet("2" * 32, GREETING)
    replies = await bench.answered("2" * 32, received=4)
    assert replies.told == {HUB_ACTOR: 4}
    assert bench.control.open_greetings() == []


@pytest.mark.parametrize("nonce", ["2" * 32, None])
async def test_an_answer_to_no_greeting_of_ours_changes_nothing(
    bench: Bench, nonce: str | None
) -> None:
    bench.control.greet("1" * 32, GREETING)
    replies = await bench.answered(nonce, received=4)
    assert replies == Replies()
    assert bench.control.waiting == {HUB}


async def test_a_hello_is_answered_with_what_is_known_of_either_side(bench: Bench) -> None:
    bench.journal.last.update({(CHE, GHA.participant): 3, (GHA, CHE.participant): 5})
    hello = Hello(actor=CHE, sent=7, received=2, answer=False)
    replies = await bench.hears(CHE, hello, "hello", here=Here(3, frozenset()))
    answer = Hello(actor=CHE, sent=3, received=5, answer=True)
    assert replies.say == [(GHA, CHE.participant, "hello", answer, "0" * 32)]
    assert replies.told == {CHE: 7}
    assert replies.behind is None


async def test_whoever_lacks_its_own_envelopes_asks_for_them_and_keeps_waiting(
    bench: Bench,
) -> None:
    bench.control.greet("1" * 32, GREETING)
    replies = await bench.answered("1" * 32, sent=500)
    ask = ResendRequest(sender=GHA, first=1, last=limits.RESEND_ENVELOPES_MAX)
    assert replies.say == [(GHA, HUB, "resend", ask, None)]
    assert bench.control.waiting == {HUB}


async def test_a_hello_is_answered_with_what_is_stored_behind_a_gap_as_well(bench: Bench) -> None:
    hello = Hello(actor=CHE, sent=3, received=0, answer=False)
    replies = await bench.hears(CHE, hello, "hello", here=Here(3, frozenset({5, 6, 9})))
    (_, _, _, answer, _) = replies.say[0]
    lacking = (Lacking(first=4, last=4), Lacking(first=7, last=8))
    assert answer == Hello(actor=CHE, sent=9, received=0, answer=True, lacking=lacking)


async def test_a_hello_is_not_answered_while_something_waits_for_its_time(bench: Bench) -> None:
    hello = Hello(actor=CHE, sent=3, received=0, answer=False)
    assert (await bench.hears(CHE, hello, "hello", here=None)).say == []


def test_a_hello_names_so_many_gaps_and_goes_no_further() -> None:
    early = frozenset(range(2, 2 * limits.LACKING_MAX + 10, 2))
    last, lacking = Here(0, early).lacking()
    assert len(lacking) == limits.LACKING_MAX
    assert last == 2 * limits.LACKING_MAX
    assert lacking[-1] == Lacking(first=last - 1, last=last - 1)


async def test_what_the_other_end_lacks_itself_is_not_waited_for(bench: Bench) -> None:
    """Sequence 1 is nowhere, 2 is at the hub: once 2 is back the program may go on with 1."""
    bench.control.greet("1" * 32, GREETING)
    gap = (Lacking(first=1, last=1),)
    replies = await bench.answered("1" * 32, sent=2, lacking=gap)
    ask = ResendRequest(sender=GHA, first=2, last=2)
    assert replies.say == [(GHA, HUB, "resend", ask, None)]
    bench.journal.ahead[GHA, HUB] = {2}
    bench.control.greet("2" * 32, GREETING)
    await bench.answered("2" * 32, sent=2, lacking=gap)
    assert bench.control.waiting == frozenset()
    assert bench.journal.following((GHA, HUB), 0) == 1
    assert bench.journal.following((GHA, HUB), 1) == 3
    bench.journal.moved({(GHA, HUB): bench.journal.joined((GHA, HUB), 1)})
    assert bench.journal.sent(GHA, HUB) == 2
    assert bench.journal.ahead == {}


async def test_whoever_is_told_of_envelopes_that_it_lost_greets_and_waits(bench: Bench) -> None:
    bench.control.greet("1" * 32, GREETING)
    await bench.answered("1" * 32)
    hello = Hello(actor=CHE, sent=0, received=2, answer=False)
    replies = await bench.hears(CHE, hello, "hello")
    assert replies.doubted is not None
    assert replies.behind is None
    bench.control.committed(replies)
    assert bench.control.waiting == {CHE.participant}


async def test_a_hub_asks_for_what_it_is_said_to_have_lost_and_waits_for_nobody(
    bench: Bench,
) -> None:
    """Anybody can say so; nothing but its own signature on such an envelope alarms it."""
    control = Control(HUB, (HUB_ACTOR,), (), Journal(HUB))
    bench.control, bench.journal.participant = control, HUB
    hello = Hello(actor=CHE, sent=0, received=2**53 - 1, answer=False)
    replies = await bench.hears(CHE, hello, "hello")
    ask = ResendRequest(sender=HUB_ACTOR, first=1, last=1)
    assert (HUB_ACTOR, CHE.participant, "resend", ask, None) in replies.say
    assert replies.behind is None
    control.committed(replies)
    assert control.waiting == frozenset()
    sealed = Peer(HUB_ACTOR, CHE.participant).seal([b"{}"], sequence=1)
    replies = await bench.hears(CHE, Returned(envelope=sealed.decode()), "returned")
    assert replies.behind is not None
    assert replies.returned == []


async def test_newcomers_are_greeted_and_waited_for_once(bench: Bench) -> None:
    bench.control.greet("1" * 32, GREETING)
    await bench.answered("1" * 32)
    bench.control.meet([HUB, REC], [GHA])
    assert bench.control.waiting == {REC}
    bench.control.meet([HUB, REC], [GHA])
    assert bench.control.open_greetings() == [(GHA, REC)]


MEGABYTE = 1024 * 1024
PARTS: dict[str, tuple[list[int], int]] = {
    "a few": ([10] * 3, 3),
    "too many": ([10] * (limits.RESEND_ENVELOPES_MAX + 5), limits.RESEND_ENVELOPES_MAX),
    "too many bytes": ([MEGABYTE] * 12, limits.RESEND_BYTES_MAX // MEGABYTE),
    "one too large by itself": ([limits.RESEND_BYTES_MAX + 1, 10], 1),
}


@pytest.mark.parametrize("name", PARTS, ids=lambda name: name.replace(" ", "-"))
async def test_what_is_sent_again_at_a_time_is_bounded_by_number_and_bytes(
    bench: Bench, name: str
) -> None:
    sizes, expected = PARTS[name]
    await bench.keep(*sizes)
    asked = ResendRequest(sender=GHA, first=1, last=len(sizes))
    replies = await bench.hears(HUB_ACTOR, asked, "resend")
    assert [e.sequence for e in replies.resend] == list(range(1, expected + 1))
    bench.control.greet("1" * 32, GREETING)
    replies = await bench.answered("1" * 32)
    assert [e.sequence for e in replies.resend] == list(range(1, expected + 1))


async def test_envelopes_of_a_third_are_not_handed_out(bench: Bench) -> None:
    await bench.keep(10, 10)
    asked = ResendRequest(sender=CHE, first=1, last=9)
    assert (await bench.hears(Actor("REC"), asked, "resend")).say == []
    asked = ResendRequest(sender=GHA, first=1, last=9)
    assert (await bench.hears(Actor("REC"), asked, "resend")).resend == []
    assert REC not in bench.control.waiting


async def test_nobody_is_heard_before_the_hub_has_answered(bench: Bench) -> None:
    """What another says may give rise to something new for the hub, under a used sequence."""
    bench.control.meet([REC], [GHA])
    assert REC in bench.control.unheard
    assert CHE.participant in bench.control.unheard
    bench.control.greet("1" * 32, GREETING)
    await bench.answered("1" * 32)
    assert REC in bench.control.unheard
    assert CHE.participant not in bench.control.unheard


async def test_a_section_that_is_not_admitted_greets_nobody_and_is_waited_for_once_it_is(
    bench: Bench,
) -> None:
    control = Control(KOR.participant, (KOR, VUT), (HUB,), bench.journal)
    control.meet((HUB,), [KOR])
    assert control.open_greetings() == [(KOR, HUB)]
    bench.control = control
    hello = Hello(actor=HUB_ACTOR, sent=0, received=0, answer=False)
    control.committed(await bench.hears(HUB_ACTOR, hello, "hello"))
    assert control.open_greetings() == [(KOR, HUB)], "not even a hub that recovers"
    control.greet("1" * 32, (KOR, HUB))
    body = Hello(actor=KOR, sent=0, received=0, answer=True)
    control.committed(await bench.hears(HUB_ACTOR, body, "hello", "1" * 32))
    assert control.waiting == frozenset()
    control.greet_anew()
    assert control.open_greetings() == [(KOR, HUB)]
    control.meet((HUB,), [KOR, VUT])
    assert control.waiting == {HUB}
    assert CHE.participant in control.unheard
    assert (VUT, HUB) in control.open_greetings()


# --- a hub that recovers ------------------------------------------------------------------------


@pytest.fixture
def hub(bench: Bench) -> Control:
    """The control of a hub that recovers and greets CHE01, at the same database."""
    bench.journal = Journal(HUB)
    bench.control = Control(HUB, (HUB_ACTOR,), (CHE.participant,), bench.journal)
    bench.control.recover(recovering=True, anew=True)
    return bench.control


async def swiss_answer(bench: Bench, nonce: str, has: int) -> Replies:
    bench.control.greet(nonce, (HUB_ACTOR, CHE.participant))
    answer = Hello(actor=HUB_ACTOR, sent=has, received=0, answer=True)
    replies = await bench.hears(CHE, answer, "hello", nonce)
    bench.control.committed(replies)
    return replies


@pytest.mark.parametrize("who", ["a hub that recovers", "a registry that was set back"])
async def test_what_a_withdrawn_key_signs_beyond_its_end_is_not_taken_back(
    bench: Bench, hub: Control, who: str
) -> None:
    """Whoever stole the key could make up what its owner had said."""
    owner, keeper = (HUB_ACTOR, CHE) if who == "a hub that recovers" else (GHA, HUB_ACTOR)
    if owner == GHA:
        bench.control = Control(GHA.participant, (GHA,), (HUB,), bench.journal)
    act = Revocation(
        actor=owner,
        old=signer(str(owner)).public.key_id,
        new=signer("another").public.to_text(),
        closes=(LastSequence(to=keeper.participant, last=5),),
        reason="stolen",
        at=NOON,
    )
    revoked = sign_act(act.model_dump_json(), [signer("ada"), signer("ben")])
    bench.journal.last[owner, keeper.participant] = 4
    bench.control.greet("1" * 32, (owner, keeper.participant))
    told = Hello(actor=owner, sent=6, received=0, answer=True)
    bench.control.committed(await bench.hears(keeper, told, "hello", "1" * 32))
    directory = founded().apply(revoked)
    for number in (5, 6):
        sealed = Peer(owner, keeper.participant).seal([b"{}"], sequence=number)
        body = Returned(envelope=sealed.decode())
        if number == 5:
            replies = await bench.hears(keeper, body, "returned", directory=directory)
            assert [opened.body for opened in replies.returned] == [sealed]
        else:
            with pytest.raises(EnvelopeError, match="key-unknown"):
                await bench.hears(keeper, body, "returned", directory=directory)


async def test_a_hub_that_recovers_takes_back_its_own_and_hears_nobody(
    bench: Bench, hub: Control
) -> None:
    replies = await swiss_answer(bench, "1" * 32, 1)
    ask = ResendRequest(sender=HUB_ACTOR, first=1, last=1)
    assert replies.say == [(HUB_ACTOR, CHE.participant, "resend", ask, None)]
    sealed = Peer(HUB_ACTOR, CHE.participant).seal([b"{}"], sequence=1)
    replies = await bench.hears(CHE, Returned(envelope=sealed.decode()), "returned")
    assert [opened.body for opened in replies.returned] == [sealed]
    assert replies.behind is None
    bench.journal.last[HUB_ACTOR, CHE.participant] = 1
    await swiss_answer(bench, "2" * 32, 1)
    assert hub.waiting == frozenset()
    assert CHE.participant in hub.unheard
    assert GHA.participant in hub.unheard


async def test_a_hub_that_recovers_greets_whoever_says_that_it_has_more(
    bench: Bench, hub: Control
) -> None:
    await swiss_answer(bench, "1" * 32, 0)
    assert hub.waiting == frozenset()
    hello = Hello(actor=CHE, sent=0, received=3, answer=False)
    hub.committed(await bench.hears(CHE, hello, "hello"))
    assert hub.waiting == {CHE.participant}


async def test_after_its_database_was_read_anew_everybody_is_greeted_once_more(
    bench: Bench, hub: Control
) -> None:
    await swiss_answer(bench, "1" * 32, 0)
    hub.recover(recovering=True, anew=False)
    assert hub.waiting == frozenset()
    hub.recover(recovering=True, anew=True)
    assert hub.waiting == {CHE.participant}


async def test_a_hub_that_recovers_answers_no_greeting(bench: Bench, hub: Control) -> None:
    """Of somebody who was set back as well more may come back than is here."""
    hello = Hello(actor=CHE, sent=3, received=0, answer=False)
    replies = await bench.hears(CHE, hello, "hello")
    assert (replies.say, replies.told) == ([], {CHE: 3})
    hub.recover(recovering=False, anew=False)
    assert [said[2] for said in (await bench.hears(CHE, hello, "hello")).say] == ["hello"]


async def test_a_hub_that_recovers_knows_of_whom_all_is_here(bench: Bench, hub: Control) -> None:
    hello = Hello(actor=CHE, sent=3, received=0, answer=False)
    hub.committed(await bench.hears(CHE, hello, "hello"))
    assert hub.others == Others(frozenset({CHE.participant}), frozenset())
    bench.journal.last[CHE, HUB] = 1
    bench.journal.early[CHE] = {3}
    assert hub.others.whole == frozenset()
    bench.journal.early[CHE] = {2, 3}
    assert hub.others.whole == {CHE}
    hub.recover(recovering=True, anew=True)
    assert hub.others.whole == frozenset(), "they are asked again"


async def test_whom_the_hub_greets_greets_it_with_its_other_actors_and_waits_for_nobody(
    bench: Bench,
) -> None:
    """The hub does so to recover, and learns how much each of them has sent."""
    bench.control = Control(KOR.participant, (KOR, VUT), (REC,), bench.journal)
    hello = Hello(actor=HUB_ACTOR, sent=0, received=0, answer=False)
    bench.control.committed(await bench.hears(HUB_ACTOR, hello, "hello"))
    assert (VUT, HUB) in bench.control.open_greetings()
    assert (KOR, HUB) not in bench.control.open_greetings(), "its answer says the same"
    assert bench.control.waiting == {REC}


async def test_a_hub_that_has_recovered_hears_everybody_and_greets_nobody(
    bench: Bench, hub: Control
) -> None:
    await swiss_answer(bench, "1" * 32, 0)
    hub.recover(recovering=False, anew=False)
    assert CHE.participant not in hub.unheard
    hub.greet_anew()
    assert hub.open_greetings() == []
    sealed = Peer(HUB_ACTOR, CHE.participant).seal([b"{}"], sequence=1)
    replies = await bench.hears(CHE, Returned(envelope=sealed.decode()), "returned")
    assert (replies.returned, replies.behind is None) == ([], False)
