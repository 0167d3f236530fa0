# SPDX-License-Identifier: Apache-2.0
"""The directory: who must sign what, which key is good for which sequence, what cannot be done."""

import json
from functools import partial
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from ledger.directory import Directory, DirectoryError, act_signature, sign_act
from schemas import jws
from schemas.directory import (
    ActorKey,
    Administrator,
    LastSequence,
    Profile,
    Revocation,
    Rotation,
    SignedAct,
    Status,
    StatusChange,
    parse_act,
)
from schemas.effects import DirectoryEffect
from schemas.envelope import digest
from schemas.export import documents
from schemas.findings import Reason
from schemas.identifiers import Actor, Instant, Participant
from tests.plain import traces_of_pydantic
from tests.unit.ledger.acts import refused
from tests.unit.ledger.world import (
    ACTORS,
    ADM,
    CHE,
    GHA,
    KOR,
    MMR,
    NOON,
    admission,
    directory,
    genesis,
    key_text,
    profile,
    signed,
    signer,
)
from tests.vectors.envelopes import es256

FRANCE = Actor("FRA01/FRA")
HUB, REC = Actor("HUB"), Actor("REC")
FOUNDERS = ("HUB", "ada", "ben", "cleo")
BAD_POINT = "Ed25519:" + "A" * 43  # a point of small order: well spelled, and never to be used


def founded(**changes: Any) -> Directory:
    return Directory.begin(signed(genesis(**changes), *FOUNDERS))


def rotation(actor: Actor = GHA, new: str = "ghana new", **changes: Any) -> Rotation:
    members: dict[str, Any] = {
        "actor": actor,
        "old": signer(actor).public.key_id,
        "new": key_text(new),
        "closes": closes(HUB=10, REC=3),
        "at": NOON,
    }
    return Rotation(**members | changes)


def revocation(actor: Actor = GHA, new: str | None = "ghana new", **changes: Any) -> Revocation:
    members: dict[str, Any] = {
        "actor": actor,
        "old": signer(actor).public.key_id,
        "new": key_text(new) if new else None,
        "closes": closes(HUB=10, REC=3),
        "reason": "lost",
        "at": NOON,
    }
    return Revocation(**members | changes)


def closes(**last: int) -> tuple[LastSequence, ...]:
    return tuple(LastSequence(to=Participant(to), last=n) for to, n in last.items())


def status(participant: str, name: Status) -> StatusChange:
    return StatusChange(participant=Participant(participant), status=name, reason="", at=NOON)


# --- who must sign what -------------------------------------------------------------------------

# Per act: the fewest who can sign it, and others whose signatures do not make up for theirs.
NEEDED: dict[str, tuple[Any, tuple[str, ...], tuple[str, ...]]] = {
    "admission": (admission("FRA01", FRANCE), ("ada", "ben", FRANCE), (GHA, "HUB")),
    "admission of two actors": (
        admission("FRA01", FRANCE, Actor("FRA01/ADM")),
        ("ada", "cleo", FRANCE, "FRA01/ADM"),
        (GHA,),
    ),
    "admission of the reconciliation service": (
        admission("REC", REC),
        ("ben", "cleo", REC),
        ("HUB",),
    ),
    "rotation": (rotation(), (GHA, "ghana new"), ("ada", "ben", "HUB")),
    "rotation of the hub": (rotation(HUB, "hub new"), (HUB, "hub new"), ("ada", "ben")),
    "revocation": (revocation(), ("ada", "ben"), (GHA, "ghana new", "HUB")),
    "revocation for good": (revocation(new=None), ("ada", "ben"), (GHA, "HUB")),
    "status": (status("GHA01", Status.SUSPENDED), ("ada", "ben"), (GHA, "HUB")),
    "profile": (profile(GHA, KOR, Profile.UNIT), (GHA, KOR), ("ada", "ben", "HUB", CHE)),
    "profile inside a registry": (profile(ADM, MMR, Profile.UNIT), (ADM, MMR), (KOR,)),
}


@pytest.mark.parametrize("name", NEEDED)
def test_an_act_counts_when_those_entitled_signed_it(name: str) -> None:
    act, needed, others = NEEDED[name]
    before = directory()
    after = before.apply(signed(act, *needed))
    assert after != before
    assert before == directory(), "a directory is a value"
    assert after == before.apply(signed(act, *others, *reversed(needed))), "more do no harm"


@pytest.mark.parametrize("name", NEEDED)
def test_an_act_does_not_count_when_one_of_them_is_missing(name: str) -> None:
    act, needed, others = NEEDED[name]
    for some in combinations(needed, len(needed) - 1):
        match = "needed signatures"
        refused(
            Reason.SIGNATURE_INVALID,
            match,
            lambda some=some: directory().apply(signed(act, *some, *others)),  # type: ignore[misc]
        )
        twice = (*some, *some)
        refused(
            Reason.SIGNATURE_INVALID,
            match,
            lambda twice=twice: directory().apply(signed(act, *twice)),  # type: ignore[misc]
        )


@pytest.mark.parametrize("name", NEEDED)
def test_a_signature_over_other_bytes_does_not_count(name: str) -> None:
    act, needed, _ = NEEDED[name]
    line = act.model_dump_json()
    other = line.replace('"at":"2027', '"at":"2026')
    assert other != line
    mixed = SignedAct(
        act=line,
        signatures=(
            *(act_signature(line, signer(name)) for name in needed[1:]),
            act_signature(other, signer(needed[0])),
        ),
    )
    refused(Reason.SIGNATURE_INVALID, "needed signatures", lambda: directory().apply(mixed))


@pytest.mark.parametrize("name", NEEDED)
def test_a_forged_signature_refuses_the_act_and_says_so(name: str) -> None:
    act, needed, _ = NEEDED[name]
    line = act.model_dump_json()
    good = [act_signature(line, signer(name)) for name in needed]
    head, _, _ = good[0].rpartition(".")
    forged = f"{head}.{jws.b64url_encode(bytes(64))}"
    for signatures in ((forged, *good[1:]), (*good, forged), (*good, "no token")):
        act_signed = SignedAct(act=line, signatures=tuple(signatures))
        refused(
            Reason.SIGNATURE_INVALID,
            "signature|token|parts",
            lambda act_signed=act_signed: directory().apply(act_signed),  # type: ignore[misc]
        )


@pytest.mark.parametrize("name", NEEDED)
def test_a_line_with_a_byte_changed_is_not_what_was_signed(name: str) -> None:
    act, needed, _ = NEEDED[name]
    whole = signed(act, *needed)
    tampered = SignedAct(act=f"{whole.act} ", signatures=whole.signatures)
    refused(Reason.SIGNATURE_INVALID, "needed signatures", lambda: directory().apply(tampered))


def test_a_genesis_is_signed_by_the_hub_and_all_administrators() -> None:
    assert founded().current_key(HUB) == signer("HUB").public
    for some in combinations(FOUNDERS, 3):
        refused(
            Reason.SIGNATURE_INVALID,
            "3 of 4 needed",
            lambda some=some: Directory.begin(signed(genesis(), *some)),  # type: ignore[misc]
        )


def test_a_log_begins_once_and_with_a_genesis() -> None:
    refused(
        Reason.COMMAND_INVALID,
        "one genesis",
        lambda: directory().apply(signed(genesis(), *FOUNDERS)),
    )
    refused(
        Reason.COMMAND_INVALID,
        "begins with a genesis",
        lambda: Directory.begin(signed(admission("FRA01", FRANCE), "ada", "ben", FRANCE)),
    )


def test_keys_of_hardware_modules_sign_acts_too() -> None:
    module = es256("module")
    act = admission("FRA01", FRANCE).model_copy(
        update={"actors": (ActorKey(actor=FRANCE, key=module.public.to_text()),)}
    )
    whole = sign_act(act.model_dump_json(), [signer("ada"), signer("ben"), module])
    assert directory().apply(whole).current_key(FRANCE) == module.public


# --- what cannot be done ------------------------------------------------------------------------


def changed_line(signed_act: Any, /, **changes: Any) -> str:
    return json.dumps({**json.loads(signed_act.model_dump_json()), **changes})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[]",
        "no JSON",
        changed_line(status("GHA01", Status.ACTIVE), act="expulsion"),
        changed_line(status("GHA01", Status.ACTIVE), priority=1),
        changed_line(status("GHA01", Status.ACTIVE), status="asleep"),
        changed_line(status("GHA01", Status.ACTIVE), at="2027-02-30T00:00:00.000000Z"),
        changed_line(profile(GHA, CHE, Profile.VIEW), actors=["GHA01/GHA"]),
        changed_line(profile(GHA, CHE, Profile.VIEW), actors=["GHA01", "CHE01"]),
        changed_line(rotation(), new=None),
        changed_line(rotation(), old="short"),
        changed_line(admission("FRA01", FRANCE), actors=[]),
        changed_line(admission("FRA01", FRANCE), witness_key=es256("w").public.to_text()),
        status("GHA01", Status.ACTIVE).model_dump_json()[:-1] + ',"status":"suspended"}',
        rotation().model_dump_json().replace('"last":10', '"last":10.0'),
    ],
)
def test_what_is_no_act_is_refused_whoever_signed(line: str) -> None:
    whole = sign_act(line, [signer(name) for name in ("ada", "ben", "cleo", GHA)])
    with pytest.raises(DirectoryError, match="not an act: ") as caught:
        directory().apply(whole)
    assert caught.value.finding.reason is Reason.COMMAND_INVALID
    assert traces_of_pydantic(caught.value.finding.detail) == []


def test_a_name_that_stands_twice_in_an_act_could_be_read_in_two_ways() -> None:
    line = status("GHA01", Status.ACTIVE).model_dump_json()[:-1] + ',"status":"suspended"}'
    with pytest.raises(ValueError, match="'status' is repeated"):
        parse_act(line)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"threshold": 4}, "threshold"),
        ({"threshold": 1}, "threshold"),
        ({"administrators": genesis().administrators[:1]}, "administrators"),
        (
            {"administrators": (*genesis().administrators[:2], genesis().administrators[0])},
            "names and keys",
        ),
        (
            {
                "administrators": (
                    *genesis().administrators[:2],
                    Administrator(name="dora", key=key_text("ada")),
                )
            },
            "names and keys",
        ),
        ({"checkpoint_key": es256("checkpoints").public.to_text()}, "checkpoint_key"),
    ],
)
def test_a_genesis_that_could_decide_nothing_is_none(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        genesis(**changes)


def test_all_administrators_together_may_be_the_threshold() -> None:
    strict = founded(threshold=3)
    act = admission("FRA01", FRANCE)
    refused(
        Reason.SIGNATURE_INVALID,
        "2 of 3 needed",
        lambda: strict.apply(signed(act, "ada", "ben", FRANCE)),
    )
    assert strict.apply(signed(act, "ada", "ben", "cleo", FRANCE)).current_key(FRANCE)


@pytest.mark.parametrize(
    ("act", "signers"),
    [
        (
            admission("FRA01", FRANCE).model_copy(
                update={"actors": (ActorKey(actor=FRANCE, key=BAD_POINT),)}
            ),
            ("ada", "ben"),
        ),
        (admission("FRA01", FRANCE, witness_key=BAD_POINT), ("ada", "ben", FRANCE)),
        (rotation().model_copy(update={"new": BAD_POINT}), (GHA,)),
        (revocation().model_copy(update={"new": BAD_POINT}), ("ada", "ben")),
    ],
)
def test_an_unsafe_key_is_refused_as_a_finding(act: Any, signers: tuple[str, ...]) -> None:
    refused(Reason.COMMAND_INVALID, "unsafe", lambda: directory().apply(signed(act, *signers)))


@pytest.mark.parametrize("name", ["hub_key", "checkpoint_key"])
def test_a_genesis_with_an_unsafe_key_is_refused_as_a_finding(name: str) -> None:
    act = signed(genesis(**{name: BAD_POINT}), *FOUNDERS)
    refused(Reason.COMMAND_INVALID, "unsafe", lambda: Directory.begin(act))


def test_a_participant_is_admitted_once() -> None:
    again = signed(admission("GHA01", Actor("GHA01/ADM")), "ada", "ben", "GHA01/ADM")
    refused(Reason.COMMAND_INVALID, "admitted already", lambda: directory().apply(again))


def test_the_hub_is_not_admitted_and_so_not_replaced() -> None:
    act = admission("HUB", HUB).model_copy(
        update={"actors": (ActorKey(actor=HUB, key=key_text("another hub")),)}
    )
    whole = signed(act, "ada", "ben", "another hub")
    refused(Reason.COMMAND_INVALID, "admitted already", lambda: directory().apply(whole))


@pytest.mark.parametrize("actors", [(GHA,), (FRANCE, GHA), (FRANCE, FRANCE), (REC,)])
def test_a_participant_speaks_for_its_own_distinct_actors(actors: tuple[Actor, ...]) -> None:
    act = signed(admission("FRA01", *actors), "ada", "ben", *set(actors))
    refused(Reason.COMMAND_INVALID, "distinct and its own", lambda: directory().apply(act))


@pytest.mark.parametrize("key", [GHA, "HUB", "cleo", "witness CHE01", "checkpoints"])
def test_an_actor_has_a_key_of_its_own(key: str) -> None:
    taken = (ActorKey(actor=FRANCE, key=key_text(key)),)
    act = admission("FRA01", FRANCE).model_copy(update={"actors": taken})
    refused(
        Reason.COMMAND_INVALID,
        "key of its own",
        lambda: directory().apply(signed(act, "ada", "ben", key)),
    )
    refused(
        Reason.COMMAND_INVALID,
        "used before",
        lambda: directory().apply(signed(rotation(CHE, key), CHE, key)),
    )


@pytest.mark.parametrize("key", [FRANCE, GHA, "cleo", "witness CHE01", "checkpoints"])
def test_a_witness_has_a_key_of_its_own(key: str) -> None:
    act = admission("FRA01", FRANCE, witness_key=key_text(key))
    refused(
        Reason.COMMAND_INVALID,
        "key of its own",
        lambda: directory().apply(signed(act, "ada", "ben", FRANCE)),
    )


def test_two_actors_of_one_newcomer_do_not_share_a_key() -> None:
    pairs = tuple(ActorKey(actor=a, key=key_text("x")) for a in (FRANCE, Actor("FRA01/ADM")))
    act = admission("FRA01", FRANCE).model_copy(update={"actors": pairs})
    refused(
        Reason.COMMAND_INVALID,
        "key of its own",
        lambda: directory().apply(signed(act, "ada", "ben", "x")),
    )


def test_a_status_is_of_an_admitted_participant() -> None:
    refused(
        Reason.PARTICIPANT_UNKNOWN,
        "FRA01 is not admitted",
        lambda: directory().apply(signed(status("FRA01", Status.ACTIVE), "ada", "ben")),
    )


@pytest.mark.parametrize("pair", [(GHA, FRANCE), (GHA, GHA)])
def test_a_profile_joins_two_admitted_actors(pair: tuple[Actor, Actor]) -> None:
    act = signed(profile(*pair, Profile.UNIT), *set(pair))
    refused(Reason.PARTICIPANT_UNKNOWN, "two admitted actors", lambda: directory().apply(act))


# --- keys and sequences -------------------------------------------------------------------------


def key_ids(name: str, *others: str) -> list[str]:
    return [signer(n).public.key_id for n in (name, *others)]


@pytest.mark.parametrize("act", ["rotation", "revocation"])
@pytest.mark.parametrize(
    ("recipient", "sequence", "expected"),
    [
        ("HUB", 1, "old"),
        ("HUB", 10, "old"),
        ("HUB", 11, "new"),
        ("HUB", 10**15, "new"),
        ("REC", 3, "old"),
        ("REC", 4, "new"),
        ("CHE01", 1, "new"),  # a recipient that is not listed
    ],
)
def test_each_sequence_has_one_key(act: str, recipient: str, sequence: int, expected: str) -> None:
    if act == "rotation":
        after = directory().apply(signed(rotation(), GHA, "ghana new"))
    else:
        after = directory().apply(signed(revocation(), "ada", "ben"))
    old, new = key_ids(GHA, "ghana new")
    found = {
        name
        for name, key_id in (("old", old), ("new", new))
        if after.key_for(GHA, key_id, recipient, sequence)
    }
    assert found == {expected}


def test_control_envelopes_are_signed_with_the_current_key() -> None:
    old, new = key_ids(GHA, "ghana new")
    before = directory()
    assert before.key_for(GHA, old, "HUB", None) == signer(GHA).public
    after = before.apply(signed(rotation(), GHA, "ghana new"))
    assert after.key_for(GHA, old, "HUB", None) is None
    assert after.key_for(GHA, new, "HUB", None) == after.current_key(GHA)


def test_a_key_of_another_actor_or_of_nobody_is_no_key() -> None:
    there = directory()
    assert there.key_for(GHA, signer(CHE).public.key_id, "HUB", 1) is None
    assert there.key_for(FRANCE, signer(GHA).public.key_id, "HUB", 1) is None
    assert there.any_key(GHA, signer(CHE).public.key_id) is None
    assert there.current_key(FRANCE) is None


@pytest.mark.requirement(49)
def test_old_signatures_verify_for_ever() -> None:
    after = directory()
    names: list[str] = [GHA]
    for number in range(3):
        names.append(f"ghana {number}")
        act = rotation(
            old=signer(names[-2]).public.key_id, new=names[-1], closes=closes(HUB=10 * number + 10)
        )
        after = after.apply(signed(act, *names[-2:]))
    for name in names:
        key = signer(name).public
        assert after.any_key(GHA, key.key_id) == key
    for sequence, name in ((10, GHA), (11, "ghana 0"), (20, "ghana 0"), (31, "ghana 2")):
        key_id = signer(name).public.key_id
        assert after.key_for(GHA, key_id, "HUB", sequence) == signer(name).public
        others = [n for n in names if n != name]
        assert not any(after.key_for(GHA, k, "HUB", sequence) for k in key_ids(*others))


def test_a_key_withdrawn_for_good_leaves_its_actor_without_one() -> None:
    after = directory().apply(signed(revocation(new=None), "ada", "ben"))
    (old,) = key_ids(GHA)
    assert after.current_key(GHA) is None
    assert after.key_for(GHA, old, "HUB", 10) == signer(GHA).public
    assert after.key_for(GHA, old, "HUB", 11) is None
    assert after.key_for(GHA, old, "HUB", None) is None
    assert after.any_key(GHA, old) == signer(GHA).public


def test_a_stolen_key_that_was_withdrawn_cannot_bring_itself_back() -> None:
    after = directory().apply(signed(revocation(new=None), "ada", "ben"))
    refused(
        Reason.KEY_UNKNOWN,
        "is withdrawn",
        lambda: after.apply(signed(rotation(new="thief"), GHA, "thief")),
    )


def test_administrators_give_an_actor_another_key_and_change_nothing_that_was_closed() -> None:
    after = directory().apply(signed(revocation(new=None), "ada", "ben"))
    again = after.apply(signed(revocation(), "ben", "cleo"))
    assert again.current_key(GHA) == signer("ghana new").public
    old, new = key_ids(GHA, "ghana new")
    assert again.key_for(GHA, old, "HUB", 11) is None
    assert again.key_for(GHA, new, "HUB", 11) is not None
    wider = revocation(closes=closes(HUB=99, REC=3))
    refused(Reason.KEY_UNKNOWN, "is withdrawn", lambda: after.apply(signed(wider, "ada", "ben")))


def test_a_key_that_is_not_the_current_one_is_not_rotated() -> None:
    after = directory().apply(signed(rotation(), GHA, "ghana new"))
    refused(
        Reason.KEY_UNKNOWN,
        "not the current key",
        lambda: after.apply(signed(rotation(new="third"), GHA, "third")),
    )
    refused(
        Reason.KEY_UNKNOWN,
        "not the current key",
        lambda: after.apply(signed(rotation(FRANCE, "third"), FRANCE, "third")),
    )


def test_a_key_is_not_used_again() -> None:
    after = directory().apply(signed(rotation(), GHA, "ghana new"))
    back = rotation(old=signer("ghana new").public.key_id, new=GHA)
    refused(
        Reason.COMMAND_INVALID,
        "used before",
        lambda: after.apply(signed(back, GHA, "ghana new")),
    )


def test_a_recipient_is_closed_at_one_sequence() -> None:
    twice = rotation(closes=(*closes(HUB=10), *closes(HUB=11)))
    refused(
        Reason.COMMAND_INVALID,
        "listed twice",
        lambda: directory().apply(signed(twice, GHA, "ghana new")),
    )


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4), st.integers(1, 40))
def test_no_sequence_ever_has_two_keys(steps: list[tuple[int, int]], sequence: int) -> None:
    """However often an actor rotates, and wherever it closes, forwards or back."""
    after, names = directory(), [str(GHA)]
    for number, (hub, rec) in enumerate(steps):
        names.append(f"key {number}")
        act = rotation(
            old=signer(names[-2]).public.key_id,
            new=names[-1],
            closes=closes(HUB=hub * number, REC=rec),
        )
        after = after.apply(signed(act, *names[-2:]))
    for recipient in ("HUB", "REC", "CHE01"):
        valid = [k for k in key_ids(*names) if after.key_for(GHA, k, recipient, sequence)]
        assert len(valid) <= 1


# --- said again ---------------------------------------------------------------------------------

EARLIER, LATER = (Instant(f"2027-{month}-01T12:00:00.000000Z") for month in ("02", "04"))


@pytest.mark.parametrize("name", NEEDED)
def test_an_act_counts_once(name: str) -> None:
    act, needed, others = NEEDED[name]
    after = directory().apply(signed(act, *needed))
    for again in (signed(act, *needed), signed(act, *others, *needed)):
        refused(
            Reason.COMMAND_INVALID,
            "recorded already",
            lambda again=again: after.apply(again),  # type: ignore[misc]
        )


def dated(act: Any, at: Instant) -> Any:
    return act.model_copy(update={"at": at})


@pytest.mark.parametrize(
    ("newer", "older", "signers"),
    [
        (
            status("GHA01", Status.SUSPENDED),
            status("GHA01", Status.ACTIVE),
            ("ada", "ben"),
        ),
        (profile(GHA, CHE, Profile.VIEW), profile(CHE, GHA, Profile.UNIT), (GHA, CHE)),
    ],
)
def test_what_was_said_before_does_not_undo_what_was_decided_since(
    newer: Any, older: Any, signers: tuple[str, ...]
) -> None:
    after = directory().apply(signed(newer, *signers))
    refused(
        Reason.COMMAND_INVALID,
        "is newer",
        lambda: after.apply(signed(dated(older, EARLIER), *signers)),
    )
    assert after.apply(signed(dated(older, LATER), *signers)) != after


def test_acts_on_other_subjects_need_not_come_in_the_order_of_their_times() -> None:
    after = directory().apply(signed(status("GHA01", Status.SUSPENDED), "ada", "ben"))
    for act, signers in (
        (status("CHE01", Status.SUSPENDED), ("ada", "ben")),
        (profile(GHA, KOR, Profile.UNIT), (GHA, KOR)),
        (rotation(), (GHA, "ghana new")),
    ):
        after = after.apply(signed(dated(act, EARLIER), *signers))
    assert after.status(Participant("CHE01")) is Status.SUSPENDED


def test_an_act_that_did_not_count_may_still_count_later() -> None:
    act, needed, _ = NEEDED["status"]
    before = directory()
    refused(Reason.SIGNATURE_INVALID, "1 of 2", lambda: before.apply(signed(act, needed[0])))
    assert before.apply(signed(act, *needed)).status(Participant("GHA01")) is Status.SUSPENDED


# --- what the acts add up to --------------------------------------------------------------------


@pytest.mark.parametrize("name", [Status.TESTING, Status.SUSPENDED])
def test_a_status_changes_and_changes_back(name: Status) -> None:
    before = directory()
    after = before.apply(signed(status("GHA01", name), "ada", "ben"))
    assert (after.status(Participant("GHA01")), after.status(Participant("CHE01"))) == (
        name,
        Status.ACTIVE,
    )
    assert after.current_key(GHA) == before.current_key(GHA), "it may still talk"
    assert after.apply(signed(status("GHA01", Status.ACTIVE), "ben", "cleo")) == before


def at(minute: int) -> Instant:
    return Instant(f"2027-03-02T12:{minute:02d}:00.000000Z")


def moved(act: Any, minute: int) -> Any:
    return act.model_copy(update={"at": at(minute)})


@pytest.mark.parametrize(
    ("first", "second", "signers"),
    [
        (status("GHA01", Status.ACTIVE), status("GHA01", Status.SUSPENDED), ("ada", "ben")),
        (profile(GHA, CHE, Profile.UNIT), profile(CHE, GHA, Profile.VIEW), (GHA, CHE)),
    ],
    ids=["status", "profile"],
)
def test_an_act_counts_once_and_not_after_a_newer_one_on_its_subject(
    first: Any, second: Any, signers: tuple[str, str]
) -> None:
    """Everybody holds the old acts; saying one again must not undo what was decided since."""
    old, new = signed(moved(first, 1), *signers), signed(moved(second, 2), *signers)
    held_back = signed(moved(first, 1), *reversed(signers))
    after = directory().apply(old).apply(new)
    for said_again in (old, new, held_back):
        refused(Reason.COMMAND_INVALID, "recorded already", partial(after.apply, said_again))
    never_said = signed(moved(first, 0), *signers)
    refused(Reason.COMMAND_INVALID, "is newer", partial(after.apply, never_said))
    assert after.apply(signed(moved(first, 3), *signers)) == directory().apply(old)


def test_a_newcomer_may_begin_in_testing() -> None:
    act = admission("FRA01", FRANCE, status=Status.TESTING)
    after = directory().apply(signed(act, "ada", "ben", FRANCE))
    assert after.status(Participant("FRA01")) is Status.TESTING
    assert directory().status(Participant("FRA01")) is None
    assert directory().status(Participant("HUB")) is None


@pytest.mark.requirement(74)
def test_a_profile_is_of_a_pair_and_view_unless_both_agreed_on_more() -> None:
    there = directory()
    assert there.profile(GHA, CHE) is there.profile(CHE, GHA) is Profile.INFORMATION
    assert there.profile(GHA, KOR) is Profile.VIEW
    assert there.profile(GHA, FRANCE) is Profile.VIEW
    after = there.apply(signed(profile(CHE, GHA, Profile.VIEW), GHA, CHE))
    assert after.profile(GHA, CHE) is Profile.VIEW


def test_a_profile_is_signed_with_the_current_keys() -> None:
    after = directory().apply(signed(rotation(), GHA, "ghana new"))
    act = profile(GHA, CHE, Profile.VIEW)
    refused(
        Reason.SIGNATURE_INVALID, "needed signatures", lambda: after.apply(signed(act, GHA, CHE))
    )
    assert after.apply(signed(act, "ghana new", CHE)).profile(GHA, CHE) is Profile.VIEW


def test_the_actors_are_those_of_registries_sorted() -> None:
    with_service = directory().apply(signed(admission("REC", REC), "ada", "ben", REC))
    assert with_service.actors() == sorted(ACTORS)
    assert with_service.members[Participant("REC")].actors == (REC,)


def test_a_registry_of_many_sections_fits_the_log() -> None:
    sections = tuple(
        Actor(f"UN03/{a}{b}A") for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXY"
    )
    act = signed(admission("UN03", *sections), "ada", "ben", *sections)
    effect = DirectoryEffect(act=act.act, signatures=act.signatures)
    assert len(effect.signatures) == 252
    assert len(directory().apply(act).actors()) == len(ACTORS) + len(sections)


def test_every_act_follows_the_exported_schema() -> None:

    validator = Draft202012Validator(json.loads(documents()["acts.json"]))
    acts: list[Any] = [genesis(), *(act for act, _, _ in NEEDED.values())]
    assert {json.loads(act.model_dump_json())["act"] for act in acts} == {
        "genesis",
        "admission",
        "rotation",
        "revocation",
        "status",
        "profile",
    }
    for act in acts:
        value = json.loads(act.model_dump_json())
        assert validator.is_valid(value)
        assert not validator.is_valid({**value, "act": "expulsion"})
        assert parse_act(act.model_dump_json()) == act


def test_a_signature_is_over_the_digest_of_the_line_and_nothing_else() -> None:
    line = status("GHA01", Status.ACTIVE).model_dump_json()
    token = jws.parse(act_signature(line, signer("ada")))
    assert token.payload == f'{{"act": "{digest(line.encode())}"}}'.encode()
