# SPDX-License-Identifier: Apache-2.0
"""Whose the keys in an act and under it are, as far as that can be told without a hub.

A genesis and a rotation name every key that signs them. The administrators, who sign admissions,
revocations, changes of status and bindings, are named by the genesis act; the actors of a profile
and of a binding, and whoever agrees to further sections for a participant, are known to the hub's
directory alone.

Elsewhere: who must sign, and whether they did (`ledger.directory`), the command (`acts`).
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from runtime.errors import LocalProtocolError
from schemas import jws
from schemas.directory import (
    Act,
    Admission,
    BindingChange,
    Genesis,
    ProfileChange,
    Revocation,
    Rotation,
    SectionAdmission,
    SignedAct,
)
from schemas.envelope import digest

__all__ = ["NamedKey", "keys_in", "signatures_on", "signers", "whose"]


class NamedKey(NamedTuple):
    """A key with a name for people; `signs` says whether it is one of those that sign the act."""

    name: str
    id: str
    key: jws.PublicKey | None
    signs: bool = True


def keys_in(act: Act) -> list[NamedKey]:
    """Every key in an act, in its order."""
    if isinstance(act, Genesis):
        administrators = [_named(each.name, each.key) for each in act.administrators]
        checkpoint = _named("checkpoint", act.checkpoint_key, signs=False)
        return [_named("HUB", act.hub_key), checkpoint, *administrators]
    if isinstance(act, Admission):
        witness = _named("witness", act.witness_key, signs=False)
        return [*(_named(pair.actor, pair.key) for pair in act.actors), witness]
    if isinstance(act, SectionAdmission):
        return [_named(pair.actor, pair.key) for pair in act.actors]
    if isinstance(act, Rotation):
        return [NamedKey(f"{act.actor} old", act.old, None), _named(f"{act.actor} new", act.new)]
    if isinstance(act, Revocation):
        old = NamedKey(f"{act.actor} old", act.old, None, signs=False)
        return [old, *([_named(f"{act.actor} new", act.new, signs=False)] if act.new else [])]
    return []


def signers(act: Act, genesis: Genesis | None) -> tuple[list[NamedKey], bool]:
    """The keys that may sign, and whether these are all."""
    known = [key for key in keys_in(act) if key.signs]
    if isinstance(act, Genesis | Rotation):
        return known, True
    if genesis is None or isinstance(act, ProfileChange):
        return known, False
    administrators = [_named(each.name, each.key) for each in genesis.administrators]
    return [*known, *administrators], not isinstance(act, BindingChange | SectionAdmission)


def whose(act: Act, genesis: Genesis | None, key_id: str) -> str:
    """The name of who signs with a key; `LocalProtocolError` for one who does not sign the act."""
    known, whole = signers(act, genesis)
    for each in known:
        if each.id == key_id:
            return each.name
    other = next((each.name for each in keys_in(act) if each.id == key_id), None)
    if other is not None:
        raise LocalProtocolError(f"{key_id} is the key {other}, which does not sign this act")
    if whole:
        names = ", ".join(each.name for each in known)
        raise LocalProtocolError(f"{key_id} is a stranger's key; this act is signed by {names}")
    return "(not in the act)"


def signatures_on(
    signed: SignedAct, act: Act, genesis: Genesis | None
) -> Iterator[tuple[str, str]]:
    """Whose each signature is, with the key's id; `LocalProtocolError` for one that is wrong."""
    known = {each.id: each.key for each in signers(act, genesis)[0]}
    expected = {"act": digest(signed.act.encode())}
    for text in signed.signatures:
        token = jws.parse(text)
        name = whose(act, genesis, token.kid)
        if json.loads(token.payload) != expected:
            raise LocalProtocolError(f"the signature of {name} is over another act")
        key = known.get(token.kid)
        if key is not None:
            jws.verify(token, key)
        yield name, token.kid


def _named(name: str, text: str, *, signs: bool = True) -> NamedKey:
    key = jws.PublicKey.from_text(text)
    return NamedKey(name, key.key_id, key, signs)
