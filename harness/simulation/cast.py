# SPDX-License-Identifier: Apache-2.0
"""Who takes part in a simulation, with which keys, and how they are connected.

So many Party registries as asked for, the mechanism registry, the international registry with two
sections, the hub and the reconciliation service; and `ROG01`, admitted like everybody, which runs
no program of ours and is spoken for by hand (`voice`). Keys are made from names, so that they are
the same in every run; they are good for simulations and nothing else.

Elsewhere: the programs (`world`), what is done with all of it (`workload`).
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.simulation.virtual_time import START
from ledger.directory import sign_act
from runtime.keys import Keyring
from schemas import jws
from schemas.directory import (
    ActorKey,
    Administrator,
    Admission,
    BindingChange,
    Genesis,
    Profile,
    ProfileChange,
    SignedAct,
    Status,
    StatusChange,
)
from schemas.identifiers import Actor, Instant, Participant, PartyCode
from schemas.units import Frozen

__all__ = [
    "ADM",
    "HUB",
    "KEYS_MAX",
    "KOR",
    "MMR",
    "OPERATOR",
    "REC",
    "REGISTRIES_MAX",
    "ROG",
    "SECOND",
    "VUT",
    "Cast",
    "public",
    "signer",
]

HUB, REC = Participant("HUB"), Participant("REC")
ROG = Actor("ROG01/ROG")
ADM, MMR = Actor("UN01/ADM"), Actor("UN01/MMR")
KOR, VUT = Actor("UN02/KOR"), Actor("UN02/VUT")
PARTIES = ("GHA", "CHE", "THA", "SGP", "PER", "SWE", "KEN", "JPN")
REGISTRIES_MAX = len(PARTIES)
ADMINISTRATORS = ("ada", "ben", "cleo")
OPERATOR, SECOND = "olga", "otto"
KEYS_MAX = 4
"""Keys that each actor has, one after another."""


@cache
def private(name: str) -> Ed25519PrivateKey:
    """The same key for a name in every run."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"simulated {name}".encode()).digest())


@cache
def signer(name: str) -> jws.SoftwareSigner:
    """The signer that has the key of a name."""
    return jws.SoftwareSigner(private(name))


def public(name: str) -> str:
    """The public half of the key of a name, as the directory writes it."""
    return signer(name).public.to_text()


def key_name(actor: Actor, number: int = 0) -> str:
    """The name of an actor's key; `number` counts its rotations."""
    return f"{actor} {number}"


@dataclass(frozen=True)
class Cast:
    """Everybody, for a number of Party registries."""

    registries: int

    @property
    def parties(self) -> tuple[Actor, ...]:
        """The actors of the Party registries."""
        return tuple(Actor(f"{name}01/{name}") for name in PARTIES[: self.registries])

    @property
    def actors(self) -> dict[Participant, tuple[Actor, ...]]:
        """The actors of each participant, `ROG01` the last."""
        return {
            HUB: (Actor("HUB"),),
            REC: (Actor("REC"),),
            **{actor.participant: (actor,) for actor in self.parties},
            ADM.participant: (ADM, MMR),
            KOR.participant: (KOR, VUT),
            ROG.participant: (ROG,),
        }

    @property
    def programs(self) -> tuple[Participant, ...]:
        """Who runs a program of ours."""
        return tuple(p for p in self.actors if p != ROG.participant)

    @property
    def holders(self) -> tuple[Actor, ...]:
        """Actors that hold units and run a program."""
        return (*self.parties, ADM, MMR, KOR, VUT)

    @property
    def profiles(self) -> list[tuple[Actor, Actor, Profile]]:
        """Who is connected how; pairs that are not listed keep the profile `view`."""
        outer = (*self.parties, ROG)
        pairs = [(a, b) for i, a in enumerate(outer) for b in outer[i + 1 :]]
        found = [(a, b, Profile.INFORMATION) for a, b in pairs]
        found += [(MMR, KOR, Profile.UNIT), (MMR, VUT, Profile.UNIT), (ADM, KOR, Profile.UNIT)]
        return found + [(KOR, party, Profile.UNIT) for party in self.parties]

    def keyring(self, participant: Participant) -> Keyring:
        """A participant's keys, as its key folder would hold them."""
        held: dict[Actor, list[jws.Signer]] = {
            actor: [signer(key_name(actor, number)) for number in range(KEYS_MAX)]
            for actor in self.actors[participant]
        }
        checkpoint = signer("checkpoints") if participant == HUB else None
        return Keyring(held, signer(f"witness {participant}"), checkpoint)

    def genesis(self) -> SignedAct:
        """The act that begins the log."""
        act = Genesis(
            log="simulated.a6hub",
            hub_key=public(key_name(Actor("HUB"))),
            checkpoint_key=public("checkpoints"),
            administrators=tuple(Administrator(name=n, key=public(n)) for n in ADMINISTRATORS),
            threshold=2,
            at=Instant.of(START),
        )
        return _signed(act, key_name(Actor("HUB")), *ADMINISTRATORS)

    def admission(self, participant: Participant, now: Instant) -> SignedAct:
        """A participant joins with its first keys."""
        actors = self.actors[participant]
        act = Admission(
            participant=participant,
            actors=tuple(ActorKey(actor=a, key=public(key_name(a))) for a in actors),
            witness_key=public(f"witness {participant}"),
            at=now,
        )
        return _signed(act, "ada", "ben", *(key_name(a) for a in actors))

    def profile(
        self, pair: tuple[Actor, Actor], name: Profile, keys: tuple[int, int], now: Instant
    ) -> SignedAct:
        """Two actors agree on a profile; `keys` are the numbers of the keys that they sign with."""
        act = ProfileChange(actors=pair, profile=name, at=now)
        return _signed(act, *(key_name(a, k) for a, k in zip(pair, keys, strict=True)))

    def binding(self, actor: Actor, key: int, now: Instant, *, leaves: bool) -> SignedAct:
        """A Party's ITMOs are tracked in a section, or in none any more; `key` is the number of the
        key that the section signs with.
        """
        party, bound = PartyCode(actor.section), None if leaves else actor
        act = BindingChange(party=party, actor=bound, reason="simulated", at=now)
        return _signed(act, "ada", "cleo", key_name(actor, key))

    def status(self, participant: Participant, status: Status, now: Instant) -> SignedAct:
        """Two administrators change a participant's status."""
        act = StatusChange(participant=participant, status=status, reason="simulated", at=now)
        return _signed(act, "ben", "cleo")


def _signed(act: Frozen, *names: str) -> SignedAct:
    return sign_act(act.model_dump_json(), [signer(name) for name in names])
