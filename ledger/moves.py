# SPDX-License-Identifier: Apache-2.0
"""The legal moves between kinds of account: one table, for every action in every kind of registry.

A row says: in a registry of this realm, by this action, units leave an account of this kind for one
of those kinds. `None` on the left: they come into being. None on the right: they stay. What stands
in no row is refused, and so final kinds have no row: nothing leaves them (3/CMA.3 annex paras 54,
58-61 and 63).

The realm is that of the registry whose account is left. What goes to another registry arrives in a
holding account there. Units that are locked make no move by a proposal of their own: they follow
the ITMOs that represent them (`FOLLOWING`).

The table is drawn into docs/protocol.md. Elsewhere: whose the accounts must be, and whether the
units are in them (`checks`); which registry may take an action at all (`action_checks`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from schemas.identifiers import Actor
from schemas.units import Kind

__all__ = ["FOLLOWING", "MOVES", "Realm", "Row", "realm_of", "sources", "targets"]


class Realm(StrEnum):
    """Kinds of registry, as far as they have different accounts."""

    MECHANISM = "mechanism"
    PARTY = "Party"
    INTERNATIONAL = "international"


class Row(NamedTuple):
    """By `action`, in a registry of `realm`, units leave `source` for one of `targets`."""

    action: str
    realm: Realm
    source: Kind | None
    targets: frozenset[Kind]


def _row(action: str, realm: Realm, source: Kind | None, *targets: Kind) -> Row:
    return Row(action, realm, source, frozenset(targets))


_M, _P, _I = Realm.MECHANISM, Realm.PARTY, Realm.INTERNATIONAL

MOVES: tuple[Row, ...] = (
    _row("issuance", _M, None, Kind.PENDING, Kind.SHARE_OF_PROCEEDS, Kind.OMGE, Kind.BUFFER),
    _row("issuance", _P, None, Kind.HOLDING),
    _row("designation", _M, Kind.PENDING),
    _row("designation", _M, Kind.HOLDING),
    _row("forwarding", _M, Kind.PENDING, Kind.HOLDING),
    _row("replenishment", _M, Kind.PENDING, Kind.BUFFER),
    _row("replenishment", _M, Kind.HOLDING, Kind.BUFFER),
    _row("administrative-cancellation", _M, Kind.PENDING, Kind.ADMINISTRATIVE),
    _row("administrative-cancellation", _M, Kind.BUFFER, Kind.ADMINISTRATIVE),
    _row("first-transfer", _M, Kind.PENDING, Kind.HOLDING),
    _row("first-transfer", _M, Kind.HOLDING, Kind.HOLDING),
    _row("first-transfer", _P, Kind.HOLDING, Kind.HOLDING),
    _row("first-transfer", _I, Kind.HOLDING, Kind.HOLDING),
    _row("cer-entry", _M, None, Kind.CER),
    _row("cer-transfer", _M, Kind.CER, Kind.CER),
    _row("cer-use", _M, Kind.CER, Kind.RETIREMENT),
    _row("counter-entry", _M, Kind.HOLDING, Kind.HOLDING),
    _row("counter-entry", _P, Kind.HOLDING, Kind.HOLDING),
    _row("counter-entry", _I, Kind.HOLDING, Kind.HOLDING),
    _row("transfer", _M, Kind.HOLDING, Kind.HOLDING),
    _row("transfer", _M, Kind.SHARE_OF_PROCEEDS, Kind.HOLDING),
    _row("transfer", _P, Kind.HOLDING, Kind.HOLDING),
    _row("transfer", _I, Kind.HOLDING, Kind.HOLDING),
    _row("use", _M, Kind.HOLDING, Kind.RETIREMENT),
    _row("use", _P, Kind.HOLDING, Kind.USE),
    _row("use", _I, Kind.HOLDING, Kind.USE),
    _row("cancellation", _M, Kind.PENDING, Kind.CANCELLATION, Kind.OMGE),
    _row("cancellation", _M, Kind.HOLDING, Kind.CANCELLATION, Kind.OMGE),
    _row("cancellation", _P, Kind.HOLDING, Kind.CANCELLATION, Kind.OMGE),
    _row("cancellation", _I, Kind.HOLDING, Kind.CANCELLATION, Kind.OMGE),
)
"""The matrix. An action that a realm has no row for is none that its registries may take."""

FOLLOWING: Mapping[str, tuple[Kind, Kind]] = {
    "first-transfer": (Kind.HOLDING, Kind.LOCKED),
    "use": (Kind.LOCKED, Kind.RETIREMENT),
    "cancellation": (Kind.LOCKED, Kind.CANCELLATION),
}
"""By the action on ITMOs: where the units that they represent go, at their holder."""

_TARGETS: dict[tuple[str, Realm], dict[Kind | None, frozenset[Kind]]] = {}
for _one in MOVES:
    _TARGETS.setdefault((_one.action, _one.realm), {})[_one.source] = _one.targets


def realm_of(actor: Actor, mechanism: str, international: frozenset[str]) -> Realm:
    """The kind of registry that an actor belongs to."""
    if actor.participant == mechanism:
        return Realm.MECHANISM
    return Realm.INTERNATIONAL if actor.participant in international else Realm.PARTY


def sources(action: str, realm: Realm) -> frozenset[Kind | None]:
    """The kinds of account that units leave by an action; none where a realm does not have it."""
    return frozenset(_TARGETS.get((action, realm), {}))


def targets(action: str, realm: Realm, source: Kind | None) -> frozenset[Kind]:
    """The kinds that they may go to from there. From a source that is none, those of every row, so
    that a wrong source does not make the target wrong as well.
    """
    rows = _TARGETS.get((action, realm), {})
    if source in rows:
        return rows[source]
    return frozenset[Kind]().union(*rows.values())
