# SPDX-License-Identifier: Apache-2.0
"""The tally: which units a Party has first-transferred, and which it has used, as effects say it.

Corresponding adjustments are counted from the log's effects alone (2/CMA.3 annex paras 8 and 9), so
neither which action had them nor the definition of first transfer that applied matters here:

* A unit is *first-transferred* by the Party in its key, once it says so: by a `Restate`, or because
  it comes into being that way. It counts in the calendar year of its vintage.
* An ITMO is *used* by the Party in whose section it stands, when it gets a use mark towards an NDC.
  It counts in the year of that mark. Acquiring units counts nowhere, and so does what others use.
* An ITMO that represents a unit of the same registry is that unit: the event counts once, whichever
  of the two says it first, and however the range was cut (a split part is counted as itself).
* Each event has one home: the registry where the unit stood, and for an ITMO that represents a unit
  of the registry in its key, that one. A tally of one registry counts what is at home there, so
  tallies of several registries may be added up; one of the whole log counts everything.
* What is levied at an issuance is first-transferred by it (3/CMA.3 annex paras 58 and 59), whatever
  its designation; a Party may leave out levies that are mitigation contributions.
* Other mitigation contributions are never first-transferred, and outcomes before 2021 (CERs) are no
  ITMOs: neither has a corresponding adjustment. What is left out is told apart.
* Each metric that is not a greenhouse gas is an account of its own.

A unit that by a later entry is no longer first-transferred, or used, is taken out again.

Elsewhere: what the sums mean for a year (`adjustments`), which entries there are (the caller).
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from ledger.ranges import Ranges
from schemas.effects import Effect, Move, Restate
from schemas.identifiers import Actor, Participant, PartyCode
from schemas.units import Attributes, Key, Layer, Purpose

__all__ = [
    "FIRST_VINTAGE",
    "Account",
    "Counted",
    "Sum",
    "Tally",
    "changes",
    "difference",
]

FIRST_VINTAGE: Final = 2021
"""Outcomes before this year cannot be ITMOs (2/CMA.3 annex para 1(e))."""

Counted = Literal["first-transferred", "used", "contribution", "cer"]
"""What units are counted as: of the last two no corresponding adjustment is made."""


class Account(NamedTuple):
    """A metric and a calendar year; `unit` is None for greenhouse gases in t CO2 equivalent."""

    unit: str | None
    year: int


class Sum(NamedTuple):
    """Units of one account: first-transferred of its vintage, and used for its year."""

    first_transferred: int = 0
    used: int = 0


class Tally:
    """What entries say of one Party, at one registry or (None) anywhere. Of the vintages in
    `left_out` no mitigation contributions count that are first-transferred, as levies are.
    """

    def __init__(
        self,
        party: PartyCode,
        registry: Participant | None = None,
        left_out: Container[int] = (),
    ) -> None:
        self.party = party
        self._registry = registry
        self._left_out = left_out
        self._counted: defaultdict[tuple[Counted, Account], defaultdict[str, Ranges]] = defaultdict(
            lambda: defaultdict(Ranges)
        )

    def take(self, effects: Iterable[Effect]) -> None:
        """Count what an entry does; entries come in the order of the log."""
        for effect in effects:
            if isinstance(effect, Restate):
                self._step(effect, effect.position.actor, effect.before, effect.after)
            elif isinstance(effect, Move) and effect.source is None:
                self._step(effect, effect.target.actor, None, effect.attributes)

    def sums(self) -> dict[Account, Sum]:
        """Per account what was first-transferred and used; accounts without units are left out."""
        found: dict[Account, Sum] = {}
        for (what, account), series in self._counted.items():
            units = sum(ranges.quantity for ranges in series.values())
            if units and what in {"first-transferred", "used"}:
                name = what.replace("-", "_")
                found[account] = found.get(account, Sum())._replace(**{name: units})
        return found

    def apart(self, what: Counted, year: int) -> int:
        """Units of a year that are counted as something, of all metrics."""
        return sum(
            ranges.quantity
            for (kind, account), series in self._counted.items()
            for ranges in series.values()
            if kind == what and account.year == year
        )

    def units(self, what: Counted, account: Account) -> Iterator[tuple[str, int, int]]:
        """The units behind a sum: series, first and last serial."""
        for series, ranges in sorted(self._counted[what, account].items()):
            for first, last in ranges:
                yield series, first, last

    def _step(
        self, units: Move | Restate, actor: Actor, before: Attributes | None, after: Attributes
    ) -> None:
        was = set(self._counts(units, actor, before)) if before is not None else set()
        now = set(self._counts(units, actor, after))
        for name, (series, first, last) in was - now:
            self._counted[name][series].remove(first, last)
        for name, (series, first, last) in now - was:
            self._counted[name][series].add(first, last)

    def _counts(
        self, units: Move | Restate, actor: Actor, said: Attributes
    ) -> Iterator[tuple[tuple[Counted, Account], tuple[str, int, int]]]:
        """As what units with these attributes are counted, under which name."""
        key, mark = units.key, said.use
        cer = key.vintage < FIRST_VINTAGE
        contribution = said.designation == "MCU"
        home, original = _original(units, actor, said)
        if key.party == self.party and said.first_transferred and not cer and self._is_here(home):
            apart = contribution and key.vintage in self._left_out
            what: Counted = "contribution" if apart else "first-transferred"
            yield (what, Account(said.unit, key.vintage)), original
        itmo = key.layer is Layer.ITMO and said.first_transferred and not contribution
        if mark is None or mark.purpose is not Purpose.NDC or not (itmo or cer):
            return
        here = actor.section == self.party and self._is_here(actor.participant)
        if here and mark.year is not None:
            what = "cer" if cer else "used"
            yield (what, Account(said.unit, mark.year)), (key.series, units.first, units.last)

    def _is_here(self, home: str) -> bool:
        return self._registry is None or home == self._registry


def _original(
    units: Move | Restate, actor: Actor, said: Attributes
) -> tuple[str, tuple[str, int, int]]:
    """The units that these represent in the registry where they came into being, or themselves; and
    before them the home of what happens to them.
    """
    key, offset = units.key, said.underlying_offset
    represents = key.layer is Layer.ITMO and said.underlying_registry == str(key.registry)
    if represents and offset is not None:
        below = key.on(Layer.UNDERLYING).series, units.first + offset, units.last + offset
        return str(key.registry), below
    return actor.participant, (key.series, units.first, units.last)


def changes(
    effects: Iterable[Effect],
    party: PartyCode,
    registry: Participant | None = None,
    left_out: Container[int] = (),
) -> dict[Account, Sum]:
    """What one entry changes of a Party's sums, without the entries before it: what its units were
    before is told by the effects themselves.
    """
    effects = list(effects)
    tally = Tally(party, registry, left_out)
    tally.take(_as_it_was(effects))
    before = tally.sums()
    tally.take(effects)
    return difference(before, tally.sums())


def difference(old: Mapping[Account, Sum], new: Mapping[Account, Sum]) -> dict[Account, Sum]:
    """What has been added per account; what is equal is left out."""
    found = {}
    for account in sorted(old.keys() | new.keys(), key=lambda a: (a.unit or "", a.year)):
        a, b = old.get(account, Sum()), new.get(account, Sum())
        if a != b:
            found[account] = Sum(b.first_transferred - a.first_transferred, b.used - a.used)
    return found


def _as_it_was(effects: list[Effect]) -> Iterator[Effect]:
    """The units of an entry as they came into being before it, for all that it tells of them."""
    restated: defaultdict[Key, Ranges] = defaultdict(Ranges)
    for effect in effects:
        if isinstance(effect, Restate):
            for first, last in restated[effect.key].add(effect.first, effect.last):
                yield _issued(effect, first, last, effect.before)
    for effect in effects:
        if isinstance(effect, Move) and effect.source is not None:
            for first, last in restated[effect.key].add(effect.first, effect.last):
                yield _issued(effect, first, last, effect.attributes)


def _issued(effect: Move | Restate, first: int, last: int, said: Attributes) -> Move:
    place = effect.position if isinstance(effect, Restate) else effect.source
    assert place is not None
    return Move(key=effect.key, first=first, last=last, attributes=said, source=None, target=place)
