# SPDX-License-Identifier: Apache-2.0
"""What authorizations allow, as several workbooks report them: who takes part in a cooperative
approach (II01), who may use units (II06), in which sectors they came about (II03).

An authorization is known by the Party that gave it and its id. A row names the id alone: it is
looked for in the row's own workbook, and then in that of the first transferring Party. All versions
of an authorization count as one: what any of them allows was allowed.

Lists of Parties and entities stay text and are searched as text: taken apart, those of a hostile
workbook would take many times the memory that the workbook takes.

Elsewhere: rows about the same units (`consistency`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from aef.findings import AefFinding, Code, Unchecked
from aef.lines import Line
from aef.places import Reading
from aef.tables import ActionRow, AuthorizationRow, EntityRow, HoldingRow

__all__ = ["Authorized"]

ALIASES_MAX = 100
"""Names and numbers that are looked for in place of one: no honest table 5 has as many of one."""

NEEDING = (
    Code.AUTHORIZATION_UNKNOWN,
    Code.ENTITY_UNKNOWN,
    Code.NOT_TAKING_PART,
    Code.USE_NOT_AUTHORIZED,
)
"""What cannot be checked without the authorization."""


@dataclass(slots=True)
class Listed:
    """Who is named in a column of several rows. A row that names nobody allows everybody."""

    texts: dict[str, None] = field(default_factory=dict)
    anybody: bool = False

    def take(self, text: str) -> None:
        """The text of one more row, as `Authorized.listing` has it."""
        if text == ",":
            self.anybody = True
        else:
            self.texts[text] = None

    def has(self, names: Iterable[str]) -> bool:
        """Whether any of these is named."""
        wanted = [f",{name}," for name in names if "," not in name]
        return any(one in text for text in self.texts for one in wanted)


@dataclass(slots=True)
class Given:
    """One authorization, over all versions of it that these workbooks have."""

    party: str
    latest: AuthorizationRow
    approaches: set[str | None] = field(default_factory=set)
    parties: Listed = field(default_factory=Listed)
    entities: Listed = field(default_factory=Listed)


class Authorized:
    """The authorizations of these workbooks."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._of: dict[tuple[str, str], Given] = {}
        self._givers: dict[str, set[str]] = {}
        self._named: dict[str, Listed] = {}
        self._reporting: set[str] = set()
        self._entities: dict[str, set[str]] = {}
        self._listings: dict[str, str] = {}
        for reading in readings:
            party = reading.aef.submission.party or ""
            self._reporting.add(party)
            known = self._entities.setdefault(party, set())
            if not reading.aef.public:  # there table 5 leaves out by what they are known
                known.update(t for row in reading.aef.entities for t in (row.id, row.name) if t)
            for row in reading.aef.authorizations:
                self._take(party, row)

    def _take(self, party: str, row: AuthorizationRow) -> None:
        named = self._listing(row.parties)
        if row.approach is not None:
            self._givers.setdefault(row.approach, set()).add(party)
            self._named.setdefault(row.approach, Listed()).take(named)
        if row.id is None:
            return
        given = self._of.setdefault((party, row.id), Given(party, row))
        if (row.version or 0) > (given.latest.version or 0):
            given.latest = row
        given.approaches.add(row.approach)
        given.parties.take(named)
        given.entities.take(self._listing(row.entities))

    def _listing(self, listed: str | None) -> str:
        """A list with a comma around each of its parts, once for all rows that have it."""
        text = listed or ""
        if text not in self._listings:
            parts = ",".join(part.strip() for part in text.split(",") if part.strip())
            self._listings[text] = f",{parts}," if parts else ","
        return self._listings[text]

    def find(self, reading: Reading, row: ActionRow | HoldingRow) -> Given | None:
        """The authorization that a row names."""
        if row.authorization is None:
            return None
        own = self._of.get((reading.aef.submission.party or "", row.authorization))
        if own is not None and row.approach in own.approaches:
            return own
        return self._of.get((row.first_party or "", row.authorization), own)

    def sectors(self, line: Line) -> tuple[str, str] | None:
        """Sectors and activity types of a row's units, in one order; `None` if nobody says."""
        given = self.find(line.reading, line.row)
        if given is None:
            return None
        latest = given.latest
        if latest.sectors is None and latest.activity_types is None:
            return None
        return _sorted(latest.sectors), _sorted(latest.activity_types)

    def not_taking_part(self, readings: Sequence[Reading]) -> Iterator[AefFinding]:
        """II01: a Party reports on cooperative approaches that it takes part in. Somebody's
        authorization has to say so: where none names the approach, nobody does.
        """
        for reading in readings:
            party = reading.aef.submission.party
            if party is None:
                continue
            asked: set[tuple[type, str]] = set()
            for table in (ActionRow, HoldingRow):
                for index, row in enumerate(reading.aef.rows(table)):
                    approach = row.approach
                    if approach is None or (table, approach) in asked:
                        continue
                    if approach not in self._named and row.first_party not in self._reporting:
                        continue  # told as not checked, by `references`
                    asked.add((table, approach))
                    if not self._takes_part(party, approach):
                        said = f"no authorization under {approach} is by {party} or names it"
                        yield reading.at(Code.NOT_TAKING_PART, table, index, "approach", said)

    def _takes_part(self, party: str, approach: str) -> bool:
        named = self._named.get(approach, Listed())
        return party in self._givers.get(approach, ()) or named.anybody or named.has([party])

    def references(self, readings: Sequence[Reading]) -> Iterator[AefFinding | Unchecked]:
        """Authorizations that rows rely on are reported, and cover who used the units (II06); the
        entities are reported by who authorized them.
        """
        missing: dict[tuple[str, str, str], None] = {}
        for reading in readings:
            yield from self._strangers(reading)
            aliases = _aliases(reading)
            for table in (ActionRow, HoldingRow):
                for index, row in enumerate(reading.aef.rows(table)):
                    if row.authorization is None:
                        continue
                    given = self.find(reading, row)
                    if given is not None:
                        if table is ActionRow and row.type == "Use":
                            yield from _use(reading, index, row, given, aliases)
                    elif row.first_party is None or row.first_party in self._reporting:
                        said, code = f"{row.authorization!r}", Code.AUTHORIZATION_UNKNOWN
                        yield reading.at(code, table, index, "authorization", said)
                    else:
                        missing[reading.file, row.authorization, row.first_party] = None
        for file, id_, party in missing:
            said = f"authorization {id_!r} is reported by {party}, whose workbook is not here"
            for code in NEEDING:
                yield Unchecked(code, file, said)

    def _strangers(self, reading: Reading) -> Iterator[AefFinding]:
        """Entities that used units stand in table 5, of their Party or of the first transferring
        one. Where that one's workbook is not here, its authorization is told as not checked.
        """
        own = self._entities.get(reading.aef.submission.party or "", set())
        for index, row in enumerate(reading.aef.actions):
            entity, first = row.user_entity, row.first_party or ""
            if entity is None or reading.aef.public or entity in own:
                continue
            if first in self._reporting and entity not in self._entities[first]:
                said = f"{entity!r:.60}"
                yield reading.at(Code.ENTITY_UNKNOWN, ActionRow, index, "user_entity", said)


def _use(
    reading: Reading, index: int, row: ActionRow, given: Given, aliases: dict[str, list[str]]
) -> Iterator[AefFinding]:
    user, entity = row.user_party, row.user_entity
    parties = given.parties
    if user not in {None, given.party} and not parties.anybody and not parties.has([str(user)]):
        said = f"{user} is not authorized by {row.authorization}"
        yield reading.at(Code.USE_NOT_AUTHORIZED, ActionRow, index, "user_party", said)
    if reading.aef.public or entity is None or given.entities.anybody:
        return
    if not given.entities.has([entity, *aliases.get(entity, ())]):
        said = f"{entity!r:.60} is not authorized by {row.authorization}"
        yield reading.at(Code.USE_NOT_AUTHORIZED, ActionRow, index, "user_entity", said)


def _aliases(reading: Reading) -> dict[str, list[str]]:
    """Names and numbers of entities in table 5, each by the other: either may stand in a list."""
    found: dict[str, list[str]] = {}
    for row in reading.aef.rows(EntityRow):
        for one, other in ((row.id, row.name), (row.name, row.id)):
            if one is not None and other is not None:
                known = found.setdefault(one, [])
                if len(known) < ALIASES_MAX:
                    known.append(other)
    return found


@lru_cache(maxsize=1024)
def _sorted(listed: str | None) -> str:
    return ", ".join(sorted(part.strip() for part in (listed or "").split(",") if part.strip()))
