# SPDX-License-Identifier: Apache-2.0
"""What the auditor believes: one record per unit, and plain dictionaries for everything else.

Nothing is clever here. A series is a dictionary from serial to unit; a unit knows its key, actor,
account, attributes, and what lies on it; ranges appear only where somebody asks for them. Values
are read as they stand in the JSON of messages, and texts of keys and attributes are made as
protocol 1.5 to 1.9 say. Simulations hold a few thousand units; `UNITS_MAX` keeps a mad proposal
from filling the memory.

Nothing of `schemas`, `ledger`, `hub` or `registry` is used, so that a fault there is not here.

Elsewhere: why a proposal is refused (`refusals`), what follows from one (`consequences`), holding
the hub's entries to both (`auditor`).
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

__all__ = [
    "KINDS",
    "UNITS_MAX",
    "Approval",
    "Case",
    "Model",
    "Place",
    "Transaction",
    "Unit",
    "account_beside",
    "actor_of",
    "attributes_of",
    "attributes_text",
    "key_on",
    "key_text",
    "kind_of",
    "locked_below",
    "represented",
    "serials",
    "series_of",
]

UNITS_MAX = 200_000
"""Units in one range past which the model does not follow."""

MARKS = ("purpose", "user", "year", "cancellation", "oimp")
"""What a use mark has, in this order (1.9)."""

KINDS = {
    "PEN": "pending",
    "HLD": "holding",
    "LCK": "locked",
    "USE": "use",
    "CAN": "cancellation",
    "OMG": "omge",
    "SOP": "share-of-proceeds",
    "RET": "retirement",
    "ADC": "administrative",
    "BUF": "buffer",
    "CER": "cer",
}
"""Protocol 1.8."""


# --- texts ----------------------------------------------------------------------------------------


def series_of(key: dict[str, Any]) -> str:
    """Where serials are unique: the key without its activity (1.6)."""
    return "{layer}:{approach}-{registry}-{party}-{vintage:04d}".format(**key)


def key_text(key: dict[str, Any]) -> str:
    """The key's text (1.5)."""
    activity = key.get("activity")
    return f"{series_of(key)}:{activity}" if activity else series_of(key)


def key_on(text: str, layer: str) -> str:
    """The text of the same key on a layer."""
    return f"{layer}:{text.partition(':')[2]}"


def attributes_text(given: dict[str, Any]) -> str:
    """The canonical text (1.9), with what was left out."""
    reference, mark = given.get("authorization"), given.get("use")
    whole = {
        "metric": given.get("metric", "GHG"),
        "unit": given.get("unit"),
        "mitigation": given.get("mitigation", "Emission reductions"),
        "designation": given.get("designation"),
        "authorization": reference and {name: reference[name] for name in ("id", "version")},
        "first_transferred": given.get("first_transferred", False),
        "underlying_registry": given.get("underlying_registry"),
        "underlying_offset": given.get("underlying_offset"),
        "use": mark and {name: mark.get(name) for name in MARKS},
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


@cache
def attributes_of(text: str) -> dict[str, Any]:
    """The attributes of a text; to be read, not to be changed."""
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def actor_of(account: str) -> str:
    """The owner that an account number names (1.8)."""
    registry, section, *_ = account.split("-")
    return f"{registry}/{section}"


@cache
def kind_of(account: str) -> str:
    """The kind that an account number names, or nothing."""
    return KINDS.get(account.split("-")[2], "")


def account_beside(account: str, code: str) -> str:
    """The account with the same owner and number and another kind; ISO 7064 MOD 97-10."""
    registry, section, _, number, _ = account.split("-")
    stem = f"{registry}-{section}-{code}-{number}"
    digits = "".join(str(int(letter, 36)) for letter in stem if letter != "-")
    return f"{stem}-{98 - int(digits) * 100 % 97:02d}"


def serials(line: dict[str, Any]) -> range:
    """The serials of a line or an effect, cut off where the model does not follow."""
    return range(line["first"], min(line["last"], line["first"] + UNITS_MAX - 1) + 1)


# --- records --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """One unit: what it is, where it is, and by which proposal it was pledged."""

    key: str
    account: str
    attributes: str
    pledge: str | None = None

    @property
    def actor(self) -> str:
        return actor_of(self.account)

    @property
    def kind(self) -> str:
        return kind_of(self.account)

    @property
    def is_itmo(self) -> bool:
        return self.key.startswith("itmo:")

    @property
    def said(self) -> dict[str, Any]:
        """Its attributes."""
        return attributes_of(self.attributes)

    def but(self, account: str | None = None, **attributes: Any) -> "Unit":
        """The unit in another account, or with some attributes changed."""
        text = attributes_text({**self.said, **attributes}) if attributes else self.attributes
        return replace(self, account=account or self.account, attributes=text)


@dataclass
class Transaction:
    """A proposal, the digest of its line, and what became of it."""

    id: str
    proposer: str
    proposal: dict[str, Any]
    digest: str
    state: str = "proposed"


@dataclass
class Case:
    """A case about a range of an actor's units."""

    actor: str
    concerned: list[str]
    cause: str
    key: str
    first: int
    last: int
    frozen: bool


@dataclass
class Approval:
    """What was said to be approved under a reference, the units issued under it, and the record."""

    approved: int
    issued: int = 0
    record: dict[str, Any] | None = None


Place = tuple[str, int]
"""A series and a serial."""


@dataclass
class Model:
    """Everything believed. Settings first."""

    mechanism: str
    international: frozenset[str]
    share_of_proceeds_permille: int
    omge_permille: int

    log: str = ""
    series: dict[str, dict[int, Unit]] = field(default_factory=dict)
    reserved: dict[Place, str] = field(default_factory=dict)
    issued: dict[str, int] = field(default_factory=dict)
    sums: dict[str, Counter[str]] = field(default_factory=dict)
    """Units of each actor, by key."""
    transactions: dict[str, Transaction] = field(default_factory=dict)
    authorizations: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    """Units first-transferred, by Party and authorization."""
    approvals: dict[tuple[str, str], Approval] = field(default_factory=dict)
    """By the actor that issues, and the reference."""
    cases: dict[str, Case] = field(default_factory=dict)
    case_names: set[str] = field(default_factory=set)
    """Of all cases that ever were opened."""
    heard_of: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    """By actor and key, the serials that entries addressed to it have moved."""
    status: dict[str, str] = field(default_factory=dict)
    actors: set[str] = field(default_factory=set)
    keyless: set[str] = field(default_factory=set)
    """Actors whose key was revoked without another one."""
    profiles: dict[frozenset[str], str] = field(default_factory=dict)
    bound: dict[str, str | None] = field(default_factory=dict)
    """In which section each Party's ITMOs are tracked; in none after an act that says so."""

    def unit(self, place: Place) -> Unit | None:
        """The unit at a place, if there is one."""
        return self.series.get(place[0], {}).get(place[1])

    def put(self, place: Place, unit: Unit) -> None:
        """Set a unit where there was one or none."""
        units = self.series.setdefault(place[0], {})
        before = units.get(place[1])
        if before is None:
            self.issued[unit.key] = self.issued.get(unit.key, 0) + 1
        else:
            self.sums[before.actor][before.key] -= 1
        self.sums.setdefault(unit.actor, Counter())[unit.key] += 1
        units[place[1]] = unit

    def held(self) -> Iterator[tuple[Place, Unit]]:
        """All units there are, in order."""
        for series in sorted(self.series):
            for serial in sorted(self.series[series]):
                yield (series, serial), self.series[series][serial]

    def ranges(self, actor: str) -> dict[str, list[tuple[int, int, str, str]]]:
        """By key, what an actor holds: first, last, account, attributes; joined where alike."""
        found: dict[str, list[tuple[int, int, str, str]]] = {}
        for (_, serial), unit in self.held():
            if unit.actor != actor:
                continue
            ranges, labels = found.setdefault(unit.key, []), (unit.account, unit.attributes)
            if ranges and ranges[-1][1:] == (serial - 1, *labels):
                ranges[-1] = (ranges[-1][0], serial, *labels)
            else:
                ranges.append((serial, serial, *labels))
        return found

    def bound_ranges(self) -> set[tuple[str, str, int, int, str]]:
        """Actor, key, first, last and transaction of what is reserved; joined where alike."""
        found: list[tuple[str, str, int, int, str]] = []
        for (series, serial), transaction in sorted(self.reserved.items()):
            unit = self.unit((series, serial))
            actor = self.transactions[transaction].proposer
            key = unit.key if unit is not None else series
            last = found[-1] if found else None
            if last and (*last[:2], *last[3:]) == (actor, key, serial - 1, transaction):
                found[-1] = (actor, key, last[2], serial, transaction)
            else:
                found.append((actor, key, serial, serial, transaction))
        return set(found)

    def freezes(self, actor: str, key: str, first: int, last: int) -> list[str]:
        """The cases by which units of an actor in a range are frozen."""
        return [
            name
            for name, case in self.cases.items()
            if case.frozen
            and case.actor == actor
            and case.key == key
            and case.first <= last
            and first <= case.last
        ]

    def profile(self, a: str, b: str) -> str:
        """What two actors have agreed on (4.7)."""
        return self.profiles.get(frozenset((a, b)), "view")


# --- what an ITMO represents ----------------------------------------------------------------------


def represented(model: Model, place: Place, unit: Unit) -> Place | None:
    """Where the locked unit is that an ITMO represents, if it represents one."""
    offset = unit.said["underlying_offset"]
    if offset is None or not unit.is_itmo:
        return None
    below = (key_on(place[0], "underlying"), place[1] + offset)
    found = model.unit(below)
    return below if found is not None and found.kind == "locked" else None


def locked_below(model: Model, place: Place, unit: Unit) -> Unit | None:
    """The locked unit that an ITMO represents, if it represents one."""
    below = represented(model, place, unit)
    return None if below is None else model.unit(below)
