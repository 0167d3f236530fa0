# SPDX-License-Identifier: Apache-2.0
"""Where a Party's ITMOs are tracked: what binds it, who must sign, what does not count."""

import json
from itertools import combinations

import pytest
from pydantic import ValidationError

from ledger.bindings import Bound
from ledger.directory import Directory
from schemas.directory import (
    Admission,
    BindingChange,
    Rotation,
    Status,
    StatusChange,
    parse_act,
)
from schemas.findings import Reason
from schemas.identifiers import Actor, Instant, Participant, PartyCode
from tests.unit.ledger.acts import (
    DESK,
    GHANA,
    LAOS,
    MINUTES,
    SWISS,
    binding,
    refused,
    revocation,
    shared,
)
from tests.unit.ledger.world import (
    ADM,
    CHE,
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


def status(name: Status, participant: str = "GHA01") -> StatusChange:
    return StatusChange(participant=Participant(participant), status=name, reason="", at=NOON)


def without_key(actor: Actor) -> Directory:
    return shared().apply(signed(revocation(actor), "ada", "ben"))


def in_status(name: Status, participant: str = "GHA01") -> Directory:
    return shared().apply(signed(status(name, participant), "ada", "ben"))


# --- the first binding ----------------------------------------------------------------------------


@pytest.mark.requirement(1)
def test_the_first_section_admitted_binds_its_party_and_a_later_one_binds_nothing() -> None:
    assert directory().bound("GHA") == GHA
    assert shared().bound("GHA") == GHA
    assert shared().bound("CHE") == CHE
    assert shared().bound("LAO") == LAOS, "its only one"
    assert shared().bindings["LAO"] == (Bound(LAOS, MINUTES[0]),), "from the date of the act"


def test_a_party_without_any_section_is_bound_to_none() -> None:
    assert shared().bound("NOR") is None


def test_the_mechanism_registry_the_administrators_and_the_service_bind_nobody() -> None:
    act = admission("REC", Actor("REC"))
    after = shared().apply(signed(act, "ada", "ben", "REC"))
    assert after.bound("MMR") is None
    assert after.bound("ADM") is None
    assert sorted(after.bindings) == ["CHE", "GHA", "KOR", "LAO"]


def test_a_section_of_the_mechanism_registry_that_came_first_leaves_its_party_free() -> None:
    early = directory((ADM, MMR, KOREA64))
    assert early.bound("KOR") == KOR


# --- who must sign --------------------------------------------------------------------------------

# Per act: the directory before it, the fewest who can sign, others who do not make up for theirs.
Signed = tuple[Directory, BindingChange, tuple[str, ...], tuple[str, ...]]


def unbound() -> Directory:
    return shared().apply(signed(binding(None), "ada", "ben", GHA))


SIGNERS: dict[str, Signed] = {
    "a change": (shared(), binding(), ("ada", "ben", GHANA, GHA), ("HUB", CHE, SWISS)),
    "a change by other administrators": (shared(), binding(), ("cleo", "ben", GHANA, GHA), (CHE,)),
    "a change to none": (shared(), binding(None), ("ada", "ben", GHA), ("HUB", GHANA)),
    "a binding after none": (unbound(), binding(minute=2), ("ada", "ben", GHANA), ("HUB", GHA)),
    "a change in testing": (
        in_status(Status.TESTING),
        binding(),
        ("ada", "ben", GHANA, GHA),
        ("cleo",),
    ),
    "a change from a suspended registry": (
        in_status(Status.SUSPENDED),
        binding(),
        ("ada", "ben", GHANA),
        (GHA,),
    ),
    "a change from a section without a key": (
        without_key(GHA),
        binding(),
        ("ada", "ben", GHANA),
        (GHA,),
    ),
    "a change to none from a suspended registry": (
        in_status(Status.SUSPENDED),
        binding(None),
        ("ada", "ben"),
        (GHA, GHANA),
    ),
}


@pytest.mark.requirement(1)
@pytest.mark.parametrize("name", SIGNERS)
def test_a_change_counts_when_those_entitled_signed_it(name: str) -> None:
    before, act, needed, others = SIGNERS[name]
    after = before.apply(signed(act, *needed))
    assert after.bound("GHA") == act.actor
    assert after.bindings["GHA"][-1] == Bound(act.actor, act.at)
    assert after == before.apply(signed(act, *others, *reversed(needed))), "more do no harm"
    assert {**after.bindings, "GHA": ()} == {**before.bindings, "GHA": ()}, "nobody else's"


@pytest.mark.requirement(1)
@pytest.mark.parametrize("name", SIGNERS)
def test_a_change_does_not_count_when_one_of_them_is_missing(name: str) -> None:
    before, act, needed, others = SIGNERS[name]
    for some in combinations(needed, len(needed) - 1):
        administrators = {"ada", "ben", "cleo"}
        rest = [who for who in others if who not in administrators]
        for names in ((*some, *rest), (*some, *some)):
            refused(
                Reason.SIGNATURE_INVALID,
                "needed signatures",
                lambda names=names: before.apply(signed(act, *names)),  # type: ignore[misc]
            )


def test_the_section_that_is_left_signs_with_its_current_key() -> None:
    turned = Rotation(
        actor=GHA, old=signer(GHA).public.key_id, new=key_text("next"), closes=(), at=NOON
    )
    before = shared().apply(signed(turned, GHA, "next"))
    refused(
        Reason.SIGNATURE_INVALID,
        "1 of 2 needed",
        lambda: before.apply(signed(binding(), "ada", "ben", GHANA, GHA)),
    )
    after = before.apply(signed(binding(), "ada", "ben", GHANA, "next"))
    assert after.bound("GHA") == GHANA


# --- what does not count --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "act", "names", "reason", "match"),
    [
        (shared(), binding(GHA), (GHA,), Reason.COMMAND_INVALID, "GHA01/GHA already"),
        (unbound(), binding(None, 2), (GHA,), Reason.COMMAND_INVALID, "no section already"),
        (
            shared(),
            binding(None, party=PartyCode("NOR")),
            (),
            Reason.COMMAND_INVALID,
            "no section already",
        ),
        (
            directory((ADM, MMR, KOREA64)),
            binding(KOREA64, party=PartyCode("KOR")),
            (KOREA64, KOR),
            Reason.COMMAND_INVALID,
            "no Party's ITMOs are tracked in UN01/KOR",
        ),
        (
            shared(),
            binding(Actor("FRA01/GHA")),
            (GHA, "FRA01/GHA"),
            Reason.PARTICIPANT_UNKNOWN,
            "FRA01/GHA is not admitted",
        ),
        (
            without_key(GHANA),
            binding(),
            (GHA, GHANA),
            Reason.PARTICIPANT_UNKNOWN,
            "or has no key",
        ),
    ],
    ids=["same", "none twice", "nobody", "mechanism", "stranger", "keyless"],
)
def test_a_binding_is_of_a_party_to_another_section_that_can_speak(
    before: Directory, act: BindingChange, names: tuple[str, ...], reason: Reason, match: str
) -> None:
    refused(reason, match, lambda: before.apply(signed(act, "ada", "ben", *names)))


@pytest.mark.parametrize("actor", [SWISS, Actor("HUB"), DESK])
def test_a_party_is_bound_to_no_section_of_another(actor: Actor) -> None:
    with pytest.raises(ValidationError, match="no section of GHA"):
        binding(actor)
    text = json.dumps({**json.loads(binding().model_dump_json()), "actor": actor})
    with pytest.raises(ValueError, match="no section of GHA"):
        parse_act(text)


def test_a_binding_says_whether_there_is_a_section() -> None:
    members = json.loads(binding(None).model_dump_json())
    assert parse_act(json.dumps(members)) == binding(None)
    del members["actor"]
    with pytest.raises(ValueError, match="actor"):
        parse_act(json.dumps(members))


@pytest.mark.requirement(1)
def test_a_binding_counts_once_and_not_after_a_newer_one() -> None:
    """Everybody holds the old acts; saying one again must not undo what was decided since."""
    there, names = binding(minute=2), ("ada", "ben", GHA, GHANA)
    back = binding(GHA, 3)
    after = shared().apply(signed(there, *names)).apply(signed(back, *names))
    assert after.bound("GHA") == GHA
    for said_again in (signed(there, *names), signed(there, *reversed(names))):
        refused(
            Reason.COMMAND_INVALID,
            "recorded already",
            lambda said_again=said_again: after.apply(said_again),  # type: ignore[misc]
        )
    never_said = signed(binding(minute=1), *names)
    refused(Reason.COMMAND_INVALID, "is newer", lambda: after.apply(never_said))
    assert after.apply(signed(binding(minute=4), *names)).bound("GHA") == GHANA


def test_a_binding_is_not_older_than_the_admission_that_bound_first() -> None:
    early = Instant("2027-02-28T12:00:00.000000Z")
    act = signed(binding(at=early), "ada", "ben", GHA, GHANA)
    refused(Reason.COMMAND_INVALID, "is newer", lambda: shared().apply(act))


def test_bindings_of_other_parties_need_not_come_in_the_order_of_their_times() -> None:
    after = shared().apply(signed(binding(minute=5), "ada", "ben", GHA, GHANA))
    act = binding(SWISS, 1, party=PartyCode("CHE"))
    assert after.apply(signed(act, "ada", "ben", CHE, SWISS)).bound("CHE") == SWISS


# --- what it adds up to ---------------------------------------------------------------------------


@pytest.mark.requirement(1)
def test_the_directory_tells_where_a_party_was_bound_before_and_until_when() -> None:
    after = shared()
    for act, names in (
        (binding(None, 1), (GHA,)),
        (binding(GHANA, 2), (GHANA,)),
        (binding(GHA, 3), (GHANA, GHA)),
    ):
        after = after.apply(signed(act, "ada", "cleo", *names))
    assert after.bindings["GHA"] == (
        Bound(GHA, NOON),
        Bound(None, MINUTES[1]),
        Bound(GHANA, MINUTES[2]),
        Bound(GHA, MINUTES[3]),
    )


def test_a_section_admitted_after_its_party_was_unbound_binds_nothing() -> None:
    act: Admission = admission("FRA01", Actor("FRA01/GHA"), at=MINUTES[3])
    after = unbound().apply(signed(act, "ada", "ben", "FRA01/GHA"))
    assert after.bound("GHA") is None
