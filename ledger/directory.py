# SPDX-License-Identifier: Apache-2.0
"""The directory: who is admitted, with which keys, connected how, and in which section a Party's
ITMOs are tracked; built from signed acts alone.

It starts from the genesis act and grows act by act. An act counts when those entitled signed it:
genesis by the hub and all administrators; an admission by the threshold of administrators and by
each new actor; further sections by these and by the participant; a rotation by the old and the new
key; a revocation or a change of status by the threshold of administrators (two at least); a profile
by both actors; a change of binding by the threshold of administrators, the section that is bound,
and the one bound before while it can sign.

An act counts once, and not after a newer one on the same subject: what everybody holds and could
say again must not undo what was decided since.

Keys are valid for sequences: a rotation or revocation says, per recipient, the last sequence that
the old key is good for. What lies above never authenticated. Old signatures verify for ever.

Elsewhere: the acts themselves (`schemas.directory`), who is bound since when (`bindings`), the log
that carries them (`hub`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ledger.bindings import Bindings, Bound, unfit_binding, with_admitted
from schemas import jws
from schemas.directory import (
    Act,
    Admission,
    BindingChange,
    Genesis,
    Profile,
    ProfileChange,
    Revocation,
    Rotation,
    SectionAdmission,
    SignedAct,
    Status,
    StatusChange,
    parse_act,
)
from schemas.envelope import digest
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import (
    ADMINISTRATOR,
    HUB,
    REC,
    Actor,
    Instant,
    Participant,
    PartyCode,
)
from schemas.limits import ACTORS_MAX
from schemas.plain import in_words

__all__ = ["Directory", "DirectoryError", "KeyRecord", "Member", "act_signature", "sign_act"]


class DirectoryError(ValueError):
    """An act that does not count; `finding` says why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.finding: Finding = finding(reason, detail)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key of an actor. `opens` and `closes` are sequences per recipient: the last one before it
    became valid, and the last one for which it was; `closes` is absent while it is current.
    """

    key: jws.PublicKey
    opens: Mapping[str, int] = field(default_factory=dict)
    closes: Mapping[str, int] | None = None

    def covers(self, recipient: str, sequence: int) -> bool:
        """Whether an envelope of this sequence to this recipient may be signed with the key."""
        if self.closes is not None and sequence > self.closes.get(recipient, 0):
            return False
        return sequence > self.opens.get(recipient, 0)


@dataclass(frozen=True, slots=True)
class Member:
    """An admitted participant."""

    participant: Participant
    status: Status
    witness_key: jws.PublicKey
    actors: tuple[Actor, ...]


@dataclass(frozen=True)
class Directory:
    """What the acts so far add up to; every change gives a new value."""

    genesis: Genesis
    members: Mapping[Participant, Member] = field(default_factory=dict)
    keys: Mapping[Actor, tuple[KeyRecord, ...]] = field(default_factory=dict)
    profiles: Mapping[frozenset[Actor], Profile] = field(default_factory=dict)
    bindings: Bindings = field(default_factory=dict)
    """Where each Party's ITMOs are tracked and were before, oldest first."""
    recorded: frozenset[str] = field(default=frozenset(), compare=False)
    newest: Mapping[frozenset[str], Instant] = field(default_factory=dict, compare=False)

    @classmethod
    def begin(cls, signed: SignedAct) -> "Directory":
        """The directory of a genesis act; `DirectoryError` when it is not signed by all."""
        genesis = _parse(signed)
        if not isinstance(genesis, Genesis):
            raise DirectoryError(Reason.COMMAND_INVALID, "a log begins with a genesis act")
        hub, _ = _key(genesis.hub_key), _key(genesis.checkpoint_key)
        needed = [hub, *(_key(a.key) for a in genesis.administrators)]
        _require(signed, needed, len(needed))
        return cls(genesis=genesis, keys={Actor("HUB"): (KeyRecord(hub),)})

    def apply(self, signed: SignedAct) -> "Directory":
        """The directory after an act; `DirectoryError` when the act does not count."""
        act, line = _parse(signed), digest(signed.act.encode())
        if line in self.recorded:
            raise DirectoryError(Reason.COMMAND_INVALID, "this act is recorded already")
        subject = _subject(act)
        if subject and act.at < self.newest.get(subject, act.at):
            detail = f"an act of {self.newest[subject]} on the same subject is newer"
            raise DirectoryError(Reason.COMMAND_INVALID, detail)
        newest = {**self.newest, subject: act.at} if subject else self.newest
        return replace(self._after(act, signed), recorded=self.recorded | {line}, newest=newest)

    def _after(self, act: Act, signed: SignedAct) -> "Directory":
        if isinstance(act, Admission):
            return self._admit(act, signed)
        if isinstance(act, SectionAdmission):
            return self._extend(act, signed)
        if isinstance(act, Rotation | Revocation):
            return self._change_key(act, signed)
        if isinstance(act, StatusChange):
            self._administrators_signed(signed)
            member = self.members.get(act.participant)
            if member is None:
                raise DirectoryError(
                    Reason.PARTICIPANT_UNKNOWN, f"{act.participant} is not admitted"
                )
            changed = replace(member, status=act.status)
            return replace(self, members={**self.members, act.participant: changed})
        if isinstance(act, ProfileChange):
            return self._set_profile(act, signed)
        if isinstance(act, BindingChange):
            return self._bind(act, signed)
        raise DirectoryError(Reason.COMMAND_INVALID, "a log has one genesis")

    def _admit(self, act: Admission, signed: SignedAct) -> "Directory":
        if act.participant in self.members or act.participant == "HUB":
            raise DirectoryError(Reason.COMMAND_INVALID, f"{act.participant} is admitted already")
        witness = _key(act.witness_key)
        member = Member(act.participant, act.status, witness, ())
        return self._with_actors(member, act, signed, witness)

    def _extend(self, act: SectionAdmission, signed: SignedAct) -> "Directory":
        """A participant's further sections. Who speaks for it: its administrators' section if there
        is one, so that no Party's section decides about another's; else any section that it has.
        """
        if act.participant in {HUB, REC}:
            raise DirectoryError(Reason.COMMAND_INVALID, f"{act.participant} has no sections")
        member = self.members.get(act.participant)
        if member is None:
            raise DirectoryError(Reason.PARTICIPANT_UNKNOWN, f"{act.participant} is not admitted")
        if member.status is Status.SUSPENDED:
            detail = f"{act.participant} is suspended, and begins nothing"
            raise DirectoryError(Reason.PARTICIPANT_SUSPENDED, detail)
        if len(member.actors) + len(act.actors) > ACTORS_MAX:
            detail = f"{act.participant} would have more than {ACTORS_MAX} actors"
            raise DirectoryError(Reason.COMMAND_INVALID, detail)
        desk = [actor for actor in member.actors if actor.section == ADMINISTRATOR]
        keys = [key for actor in desk or member.actors if (key := self.current_key(actor))]
        if not keys:
            detail = f"{' '.join(desk) or act.participant} has no key to agree with; give it one"
            raise DirectoryError(Reason.KEY_UNKNOWN, detail)
        _require(signed, keys, 1)
        return self._with_actors(member, act, signed)

    def _with_actors(
        self,
        member: Member,
        act: Admission | SectionAdmission,
        signed: SignedAct,
        *others: jws.PublicKey,
    ) -> "Directory":
        """With the new actors of a participant, each with a key that is nobody's and none of the
        `others` of the act; signed by the administrators and by each new actor.
        """
        actors = tuple(pair.actor for pair in act.actors)
        if any(a.participant != act.participant for a in actors) or len(set(actors)) != len(actors):
            raise DirectoryError(Reason.COMMAND_INVALID, "actors must be distinct and its own")
        there = [actor for actor in actors if actor in self.keys]
        if there:
            raise DirectoryError(Reason.COMMAND_INVALID, f"{there[0]} is admitted already")
        self._administrators_signed(signed)
        keys = {pair.actor: _key(pair.key) for pair in act.actors}
        new = {*keys.values(), *others}
        if len(new) != len(keys) + len(others) or any(map(self.is_taken, new)):
            detail = "every actor, and the witness, needs a key of its own"
            raise DirectoryError(Reason.COMMAND_INVALID, detail)
        _require(signed, keys.values(), len(keys))
        member = replace(member, actors=(*member.actors, *actors))
        records = {actor: (KeyRecord(key),) for actor, key in keys.items()}
        return replace(
            self,
            members={**self.members, act.participant: member},
            keys={**self.keys, **records},
            bindings=with_admitted(self.bindings, actors, act.at),
        )

    def _change_key(self, act: Rotation | Revocation, signed: SignedAct) -> "Directory":
        records = self.keys.get(act.actor)
        if not records or records[-1].key.key_id != act.old:
            raise DirectoryError(Reason.KEY_UNKNOWN, f"{act.old} is not the current key")
        closes = {str(pair.to): pair.last for pair in act.closes}
        if len(closes) != len(act.closes):
            raise DirectoryError(Reason.COMMAND_INVALID, "a recipient is listed twice")
        ended = records[-1].closes
        if ended is not None and (isinstance(act, Rotation) or closes != ended):
            # A stolen key must not bring itself back; administrators may give the actor another.
            raise DirectoryError(Reason.KEY_UNKNOWN, f"{act.old} is withdrawn, as it was")
        closed = replace(records[-1], closes=closes)
        after = (*records[:-1], closed)
        if act.new is not None:
            new = _key(act.new)
            if self.is_taken(new):
                raise DirectoryError(Reason.COMMAND_INVALID, "the new key was used before")
            # A key opens no earlier than the one before: no sequence ever has two.
            before = records[-1].opens
            opens = {to: max(closes.get(to, 0), before.get(to, 0)) for to in {*closes, *before}}
            after = (*after, KeyRecord(new, opens=opens))
        if isinstance(act, Rotation):
            _require(signed, [records[-1].key, _key(act.new)], 2)
        else:
            self._administrators_signed(signed)
        return replace(self, keys={**self.keys, act.actor: after})

    def _set_profile(self, act: ProfileChange, signed: SignedAct) -> "Directory":
        pair = frozenset(act.actors)
        if len(pair) != 2 or any(self.current_key(actor) is None for actor in pair):
            raise DirectoryError(Reason.PARTICIPANT_UNKNOWN, "a profile joins two admitted actors")
        _require(signed, [key for actor in pair if (key := self.current_key(actor))], 2)
        return replace(self, profiles={**self.profiles, pair: act.profile})

    def _bind(self, act: BindingChange, signed: SignedAct) -> "Directory":
        history, new = self.bindings.get(act.party, ()), act.actor
        problem = unfit_binding(act, history)
        if problem is not None:
            raise DirectoryError(Reason.COMMAND_INVALID, problem)
        taking, leaving = self.current_key(new) if new else None, self._leaves(act.party)
        if new is not None and taking is None:
            raise DirectoryError(
                Reason.PARTICIPANT_UNKNOWN, f"{new} is not admitted, or has no key"
            )
        self._administrators_signed(signed)
        keys = [key for key in (taking, leaving) if key is not None]
        _require(signed, keys, len(keys))
        bound = (*history, Bound(new, act.at))
        return replace(self, bindings={**self.bindings, act.party: bound})

    def _leaves(self, party: PartyCode) -> jws.PublicKey | None:
        """The key by which a Party agrees to leave the section that it is bound to; None when that
        cannot say so, because it has no key or its participant is suspended.
        """
        before = self.bound(party)
        if before is None or self.status(before.participant) is Status.SUSPENDED:
            return None
        return self.current_key(before)

    def _administrators_signed(self, signed: SignedAct) -> None:
        keys = [_key(a.key) for a in self.genesis.administrators]
        _require(signed, keys, self.genesis.threshold)

    def current_key(self, actor: Actor) -> jws.PublicKey | None:
        """The key that the actor signs with now, or None."""
        records = self.keys.get(actor)
        return records[-1].key if records and records[-1].closes is None else None

    def key_for(
        self, actor: Actor, key_id: str, recipient: str, sequence: int | None
    ) -> jws.PublicKey | None:
        """The key by that id, if valid for the sequence (None: a control envelope, current key)."""
        for record in self.keys.get(actor, ()):
            if record.key.key_id != key_id:
                continue
            if sequence is None:
                return record.key if record.closes is None else None
            return record.key if record.covers(recipient, sequence) else None
        return None

    def any_key(self, actor: Actor, key_id: str) -> jws.PublicKey | None:
        """The key by that id, current or not: whether the actor ever had it. For which sequences it
        is valid `key_for` knows.
        """
        return next((r.key for r in self.keys.get(actor, ()) if r.key.key_id == key_id), None)

    def is_taken(self, key: jws.PublicKey) -> bool:
        """Whether any actor has or had this key, or it signs as something else: a signature must
        not mean two things.
        """
        others = (a.key for a in self.genesis.administrators)
        return (
            any(record.key == key for records in self.keys.values() for record in records)
            or any(member.witness_key == key for member in self.members.values())
            or any(_key(text) == key for text in (self.genesis.checkpoint_key, *others))
        )

    def status(self, participant: Participant) -> Status | None:
        """The participant's status; None when it is not admitted."""
        member = self.members.get(participant)
        return member.status if member else None

    def profile(self, a: Actor, b: Actor) -> Profile:
        """What may pass between two actors; `view` unless both agreed on more."""
        return self.profiles.get(frozenset({a, b}), Profile.VIEW)

    def bound(self, party: str) -> Actor | None:
        """The section in which a Party's ITMOs are tracked; None when it is bound to none."""
        history = self.bindings.get(party, ())
        return history[-1].actor if history else None

    def known_of(self, actors: Sequence[Actor]) -> tuple[Actor, ...]:
        """Those of one program's actors that are admitted; all of them while none is, since the
        acts may not have come yet.
        """
        return tuple(actor for actor in actors if actor in self.keys) or tuple(actors)

    def actors(self) -> list[Actor]:
        """Every admitted registry actor, sorted."""
        return sorted(a for m in self.members.values() for a in m.actors if a != Actor("REC"))


def sign_act(line: str, signers: Iterable[jws.Signer]) -> SignedAct:
    """An act's line with the signatures of those who hold the signers."""
    return SignedAct(act=line, signatures=tuple(act_signature(line, s) for s in signers))


def act_signature(line: str, signer: jws.Signer) -> str:
    """One JWS over `{"act": "<sha-256 of the line>"}`."""
    return jws.sign(json.dumps({"act": digest(line.encode())}).encode(), signer)


def _parse(signed: SignedAct) -> Act:
    try:
        return parse_act(signed.act)
    except ValueError as error:
        raise DirectoryError(Reason.COMMAND_INVALID, f"not an act: {in_words(error)}") from None


def _subject(act: Act) -> frozenset[str]:
    """What an act decides about anew, and another one may decide later; empty where a key or an
    admission shows by itself that it is not said twice.
    """
    if isinstance(act, StatusChange):
        return frozenset({act.participant})
    return frozenset(act.actors) if isinstance(act, ProfileChange) else frozenset()


def _key(text: str) -> jws.PublicKey:
    try:
        return jws.PublicKey.from_text(text)
    except jws.JWSError as error:
        raise DirectoryError(Reason.COMMAND_INVALID, f"{text!r:.60}: {error}") from None


def _require(signed: SignedAct, keys: Iterable[jws.PublicKey], number: int) -> None:
    """`DirectoryError` unless at least `number` of the keys signed the act."""
    wanted = {key.key_id: key for key in keys}
    expected = json.dumps({"act": digest(signed.act.encode())}).encode()
    found: set[str] = set()
    for text in signed.signatures:
        try:
            token = jws.parse(text)
            if token.kid in wanted and token.payload == expected:
                _verified(text, wanted[token.kid].to_text())
                found.add(token.kid)
        except jws.JWSError as error:
            raise DirectoryError(Reason.SIGNATURE_INVALID, str(error)) from None
    if len(found) < number:
        raise DirectoryError(
            Reason.SIGNATURE_INVALID, f"{len(found)} of {number} needed signatures on the act"
        )


@lru_cache(maxsize=8192)
def _verified(text: str, key: str) -> None:
    """Verify a signature on an act once: a directory is built anew whenever a program starts or
    has lost a commit, from the same acts. What does not verify is not remembered.
    """
    jws.verify(jws.parse(text), jws.PublicKey.from_text(key))
