# SPDX-License-Identifier: Apache-2.0
"""Further sections of an admitted participant: who must sign, and what does not count."""

import json
from functools import partial
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ledger.bindings import Bound
from ledger.directory import Directory
from schemas.directory import (
    ActorKey,
    Revocation,
    SectionAdmission,
    Status,
    StatusChange,
    parse_act,
)
from schemas.export import documents
from schemas.findings import Reason
from schemas.identifiers import Actor, Participant
from schemas.limits import ACTORS_MAX
from tests.unit.ledger.acts import DESK, GHANA, MINUTES, binding, refused, revocation, shared
from tests.unit.ledger.world import (
    ADM,
    GHA,
    KOR,
    KOREA64,
    MMR,
    NOON,
    admission,
    directory,
    key_text,
    signed,
    signer,
)

NORWAY, VIET_NAM, SWISS = Actor("UN02/NOR"), Actor("UN02/VNM"), Actor("UN02/CHE")
THAI = Actor("UN03/THA")
"""To be in a registry whose administrators have a section."""


def section(*actors: Actor, **changes: Any) -> SectionAdmission:
    participant = actors[0].participant if actors else KOR.participant
    pairs = tuple(ActorKey(actor=a, key=key_text(a)) for a in actors)
    members = {"participant": participant, "actors": pairs, "at": MINUTES[1]}
    return SectionAdmission(**members | changes)


def with_norway() -> Directory:
    return directory().apply(signed(section(NORWAY), "ada", "ben", KOR, NORWAY))


def keyless(*actors: Actor) -> Directory:
    before = shared()
    for actor in actors:
        before = before.apply(signed(revocation(actor), "ada", "ben"))
    return before


def in_status(name: Status) -> Directory:
    act = StatusChange(participant=KOR.participant, status=name, reason="", at=NOON)
    return directory().apply(signed(act, "ada", "ben"))


# --- what counts ----------------------------------------------------------------------------------


@pytest.mark.requirement(1)
def test_a_participant_gets_a_section_whose_party_had_none_and_is_bound_to_it() -> None:
    before, after = directory(), with_norway()
    assert before.members[KOR.participant].actors == (KOR,)
    assert after.members[KOR.participant].actors == (KOR, NORWAY)
    assert after.members[KOR.participant].witness_key == before.members[KOR.participant].witness_key
    assert after.current_key(NORWAY) == signer(NORWAY).public
    assert after.key_for(NORWAY, signer(NORWAY).public.key_id, "HUB", 1) == signer(NORWAY).public
    assert NORWAY in after.actors()
    assert after.bindings["NOR"] == (Bound(NORWAY, MINUTES[1]),), "from the date of the act"


@pytest.mark.requirement(1)
def test_a_further_section_of_a_bound_party_binds_nothing_until_the_party_changes_to_it() -> None:
    after = directory().apply(signed(section(SWISS, VIET_NAM), "ada", "ben", KOR, SWISS, VIET_NAM))
    assert (after.bound("CHE"), after.bound("VNM")) == (Actor("CHE01/CHE"), VIET_NAM)
    act = binding(SWISS, 2, party="CHE")
    after = after.apply(signed(act, "ada", "ben", SWISS, Actor("CHE01/CHE")))
    assert after.bound("CHE") == SWISS


def test_a_further_section_of_the_mechanism_registry_binds_nobody() -> None:
    after = directory().apply(signed(section(KOREA64), "ada", "ben", ADM, KOREA64))
    assert after.bound("KOR") == KOR


def test_a_participant_in_testing_gets_sections_too() -> None:
    after = in_status(Status.TESTING).apply(signed(section(NORWAY), "ada", "ben", KOR, NORWAY))
    assert after.status(KOR.participant) is Status.TESTING
    assert NORWAY in after.keys


def test_sections_come_one_after_another() -> None:
    after = with_norway().apply(signed(section(VIET_NAM), "ada", "cleo", NORWAY, VIET_NAM))
    assert after.members[KOR.participant].actors == (KOR, NORWAY, VIET_NAM)


def test_of_one_programs_actors_those_admitted_are_known_and_all_while_none_is() -> None:
    assert directory().known_of([KOR, NORWAY]) == (KOR,)
    assert with_norway().known_of([KOR, NORWAY]) == (KOR, NORWAY)
    assert directory().known_of([THAI, GHANA]) == (THAI, GHANA)


def test_the_act_follows_the_exported_schema() -> None:
    validator = Draft202012Validator(json.loads(documents()["acts.json"]))
    for act in (section(NORWAY), section(NORWAY, VIET_NAM, reason="letter")):
        value = json.loads(act.model_dump_json())
        assert validator.is_valid(value)
        assert not validator.is_valid({**value, "actors": []})
        assert parse_act(act.model_dump_json()) == act


# --- who must sign --------------------------------------------------------------------------------

SIGNERS: dict[str, tuple[Directory, SectionAdmission, tuple[str, ...], tuple[str, ...]]] = {
    "a section": (directory(), section(NORWAY), ("ada", "ben", KOR, NORWAY), ("HUB", GHA)),
    "two sections": (
        directory(),
        section(NORWAY, VIET_NAM),
        ("cleo", "ben", KOR, NORWAY, VIET_NAM),
        (GHA,),
    ),
    "where administrators have a section": (
        shared(),
        section(THAI),
        ("ada", "ben", DESK, THAI),
        (GHANA, KOR),
    ),
    "at the mechanism registry": (
        directory(),
        section(KOREA64),
        ("ada", "ben", ADM, KOREA64),
        (MMR, KOR),
    ),
}


@pytest.mark.parametrize("name", SIGNERS)
def test_a_section_counts_when_all_of_these_signed_it_and_not_when_one_is_missing(
    name: str,
) -> None:
    before, act, needed, others = SIGNERS[name]
    assert act.actors[0].actor in before.apply(signed(act, *needed)).keys
    for missing in needed:
        some = [one for one in needed if one != missing]
        refused(
            Reason.SIGNATURE_INVALID,
            "needed signatures",
            partial(before.apply, signed(act, *some, *others)),
        )


def test_any_section_with_a_key_agrees_where_administrators_have_none() -> None:
    before = with_norway().apply(signed(revocation(KOR), "ada", "ben"))
    act = section(VIET_NAM)
    assert VIET_NAM in before.apply(signed(act, "ada", "ben", NORWAY, VIET_NAM)).keys
    again = partial(before.apply, signed(act, "ada", "ben", KOR, VIET_NAM))
    refused(Reason.SIGNATURE_INVALID, "0 of 1 needed", again)


def test_a_new_section_does_not_agree_to_itself() -> None:
    act = section(Actor("UN02/ADM"))
    alone = partial(directory().apply, signed(act, "ada", "ben", "UN02/ADM"))
    refused(Reason.SIGNATURE_INVALID, "0 of 1 needed", alone)


# --- what does not count --------------------------------------------------------------------------

Refused = tuple[Directory, SectionAdmission, tuple[str, ...], Reason, str]
REFUSED: dict[str, Refused] = {
    "of a participant that is not admitted": (
        directory(),
        section(THAI),
        (GHANA, THAI),
        Reason.PARTICIPANT_UNKNOWN,
        "UN03 is not admitted",
    ),
    "of the hub": (
        directory(),
        section(NORWAY, participant=Participant("HUB")),
        ("HUB", NORWAY),
        Reason.COMMAND_INVALID,
        "HUB has no sections",
    ),
    "of the reconciliation service": (
        directory().apply(signed(admission("REC", Actor("REC")), "ada", "ben", "REC")),
        section(NORWAY, participant=Participant("REC")),
        ("REC", NORWAY),
        Reason.COMMAND_INVALID,
        "REC has no sections",
    ),
    "of another participant": (
        directory(),
        section(NORWAY, participant=GHA.participant),
        (GHA, NORWAY),
        Reason.COMMAND_INVALID,
        "distinct and its own",
    ),
    "twice in one act": (
        directory(),
        section(NORWAY, NORWAY),
        (KOR, NORWAY),
        Reason.COMMAND_INVALID,
        "distinct and its own",
    ),
    "that is there": (
        directory(),
        section(NORWAY, KOR),
        (KOR, NORWAY),
        Reason.COMMAND_INVALID,
        "UN02/KOR is admitted already",
    ),
    "with somebody's key": (
        directory(),
        section(actors=(ActorKey(actor=NORWAY, key=key_text(GHA)),)),
        (KOR, GHA),
        Reason.COMMAND_INVALID,
        "a key of its own",
    ),
    "with the registry's witness key": (
        directory(),
        section(actors=(ActorKey(actor=NORWAY, key=key_text("witness UN02")),)),
        (KOR, "witness UN02"),
        Reason.COMMAND_INVALID,
        "a key of its own",
    ),
    "two with one key": (
        directory(),
        section(actors=tuple(ActorKey(actor=a, key=key_text(NORWAY)) for a in (NORWAY, VIET_NAM))),
        (KOR, NORWAY),
        Reason.COMMAND_INVALID,
        "a key of its own",
    ),
    "of a suspended participant": (
        in_status(Status.SUSPENDED),
        section(NORWAY),
        (KOR, NORWAY),
        Reason.PARTICIPANT_SUSPENDED,
        "UN02 is suspended",
    ),
    "of one whose administrators have no key": (
        keyless(DESK),
        section(THAI),
        (GHANA, THAI),
        Reason.KEY_UNKNOWN,
        "UN03/ADM has no key",
    ),
    "of one that has no key at all": (
        directory().apply(signed(revocation(KOR), "ada", "ben")),
        section(NORWAY),
        (KOR, NORWAY),
        Reason.KEY_UNKNOWN,
        "UN02 has no key",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_section_does_not_count(name: str) -> None:
    before, act, names, reason, match = REFUSED[name]
    refused(reason, match, partial(before.apply, signed(act, "ada", "ben", *names)))


def test_a_participant_that_lost_all_keys_gets_one_first() -> None:
    lost = directory().apply(signed(revocation(KOR), "ada", "ben"))
    given = Revocation(
        actor=KOR,
        old=signer(KOR).public.key_id,
        new=key_text("korea new"),
        closes=(),
        reason="found",
        at=NOON,
    )
    act = signed(section(NORWAY), "ada", "ben", "korea new", NORWAY)
    assert NORWAY in lost.apply(signed(given, "ada", "ben")).apply(act).keys


def test_a_section_is_admitted_once() -> None:
    act = signed(section(NORWAY), "ada", "ben", KOR, NORWAY)
    refused(Reason.COMMAND_INVALID, "recorded already", partial(with_norway().apply, act))
    other = signed(section(NORWAY, at=MINUTES[2]), "ada", "ben", KOR, NORWAY)
    refused(Reason.COMMAND_INVALID, "admitted already", partial(with_norway().apply, other))


def test_a_participant_has_so_many_actors_and_no_more() -> None:
    names = [f"{a}{b}A" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    many = [Actor(f"UN02/{name}") for name in names][: ACTORS_MAX - 1]
    act = section(*many)
    full = directory().apply(signed(act, "ada", "ben", KOR, *many))
    assert len(full.members[KOR.participant].actors) == ACTORS_MAX
    one_more = signed(section(NORWAY), "ada", "ben", KOR, NORWAY)
    refused(Reason.COMMAND_INVALID, f"more than {ACTORS_MAX} actors", partial(full.apply, one_more))
