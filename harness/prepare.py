# SPDX-License-Identifier: Apache-2.0
"""Preparing a fleet: keys, genesis, signed acts and settings files, in one folder.

Everything here is generated for one demonstration or test and marked as such; nothing is kept for
real use. A deployment makes the same files with `a6hub keygen` and the hub's commands, each at the
place where its keys belong.
"""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.scenario import ProfileModel, Scenario
from ledger.directory import sign_act
from runtime import keys
from runtime.clock import Clock
from runtime.keys import Keyring
from runtime.orders import Operator
from schemas import jws
from schemas.directory import (
    ActorKey,
    Administrator,
    Admission,
    Genesis,
    ProfileChange,
    SignedAct,
    Status,
)
from schemas.identifiers import HUB, HUB_ACTOR, REC, REC_ACTOR, Actor, Participant

__all__ = [
    "Estate",
    "Member",
    "admission_act",
    "genesis_act",
    "make_member",
    "prepare",
    "profile_act",
]

OPERATOR, SECOND = "demonstration", "second"


@dataclass
class Member:
    """One program of the fleet: who it is and where its files are."""

    participant: Participant
    program: str
    actors: list[Actor]
    keyring: Keyring
    accept: bool = True


@dataclass
class Estate:
    """A prepared fleet."""

    folder: Path
    genesis: SignedAct
    members: dict[Participant, Member]
    acts: list[SignedAct] = field(default_factory=list)
    people: dict[str, tuple[Operator, jws.SoftwareSigner]] = field(default_factory=dict)
    """Who may command every program of the fleet, with their keys."""

    @property
    def anchor(self) -> Path:
        """Where the hub's anchor is."""
        return self.folder / f"{HUB}.anchor"

    @property
    def order(self) -> tuple[Operator, jws.SoftwareSigner]:
        """The operator who commands every program of the fleet, and its key."""
        return self.people[OPERATOR]

    @property
    def second(self) -> tuple[Operator, jws.SoftwareSigner]:
        """The operator who confirms what needs a second person, and its key."""
        return self.people[SECOND]

    @property
    def operators(self) -> list[Operator]:
        """Who may command every program."""
        return [operator for operator, _ in self.people.values()]


def prepare(scenario: Scenario, folder: Path, clock: Clock) -> Estate:
    """Make keys, genesis and acts for a scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    members = {
        HUB: make_member(_place(folder, HUB), HUB, "hub", [HUB_ACTOR]),
        REC: make_member(_place(folder, REC), REC, "reconcile", [REC_ACTOR]),
    }
    for registry in scenario.registries:
        members[registry.id] = make_member(
            _place(folder, registry.id),
            registry.id,
            registry.program,
            list(registry.actors),
            accept=registry.accept,
        )
    administrators = [jws.SoftwareSigner(Ed25519PrivateKey.generate()) for _ in range(3)]
    genesis = genesis_act(scenario.log, members[HUB], administrators, clock)
    estate = Estate(folder, genesis, members, people=_people())
    statuses = {registry.id: registry.status for registry in scenario.registries}
    for member in members.values():
        if member.participant != HUB:
            status = statuses.get(member.participant, Status.ACTIVE)
            estate.acts.append(admission_act(member, status, administrators[:2], clock))
    estate.acts += [profile_act(profile, members, clock) for profile in scenario.profiles]
    (folder / "genesis.json").write_text(genesis.model_dump_json() + "\n")
    return estate


def _people() -> dict[str, tuple[Operator, jws.SoftwareSigner]]:
    """Two administrators: one alone issues nothing at the mechanism registry."""
    people = {}
    for name in (OPERATOR, SECOND):
        signer = jws.SoftwareSigner(Ed25519PrivateKey.generate())
        operator = Operator(name=name, role="administrator", key=signer.public.to_text())
        people[name] = (operator, signer)
    return people


def _place(folder: Path, participant: Participant) -> Path:
    """The key folder of a participant, marked as what it is."""
    place = folder / "keys" / str(participant)
    place.mkdir(parents=True, exist_ok=True)
    (place / "DEMONSTRATION").write_text("Generated for a demonstration; never for real use.\n")
    return place


def make_member(
    place: Path,
    participant: Participant,
    program: str,
    actors: list[Actor],
    *,
    accept: bool = True,
) -> Member:
    """A program's member, with new keys in its key folder."""
    for actor in actors:
        keys.save(keys.generate(), place / keys.file_name(actor))
    keys.save(keys.generate(), place / "witness.pem")
    if participant == HUB:
        keys.save(keys.generate(), place / "checkpoint.pem")
    return Member(participant, program, actors, keys.load_keyring(place, actors), accept)


def genesis_act(
    log: str, hub: Member, administrators: list[jws.SoftwareSigner], clock: Clock
) -> SignedAct:
    """The genesis of a log, signed by the hub and every administrator; two of them decide."""
    hub_signer = hub.keyring.actors[HUB_ACTOR][0]
    assert hub.keyring.checkpoint is not None
    genesis = Genesis(
        log=log,
        hub_key=hub_signer.public.to_text(),
        checkpoint_key=hub.keyring.checkpoint.public.to_text(),
        administrators=tuple(
            Administrator(name=f"administrator-{n}", key=signer.public.to_text())
            for n, signer in enumerate(administrators, 1)
        ),
        threshold=2,
        at=clock.now(),
    )
    return sign_act(genesis.model_dump_json(), [hub_signer, *administrators])


def admission_act(
    member: Member, status: Status, administrators: list[jws.SoftwareSigner], clock: Clock
) -> SignedAct:
    """The admission of a participant, signed by these administrators and each of its actors."""
    signers = {actor: member.keyring.actors[actor][0] for actor in member.actors}
    act = Admission(
        participant=member.participant,
        actors=tuple(
            ActorKey(actor=actor, key=signer.public.to_text()) for actor, signer in signers.items()
        ),
        witness_key=member.keyring.witness.public.to_text(),
        status=status,
        at=clock.now(),
    )
    return sign_act(act.model_dump_json(), [*administrators, *signers.values()])


def profile_act(
    profile: ProfileModel, members: dict[Participant, Member], clock: Clock
) -> SignedAct:
    """A profile of two actors, signed by both."""
    act = ProfileChange(actors=tuple(profile.actors), profile=profile.profile, at=clock.now())
    signers = [members[actor.participant].keyring.actors[actor][0] for actor in profile.actors]
    return sign_act(act.model_dump_json(), signers)
