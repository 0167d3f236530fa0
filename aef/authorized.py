# SPDX-License-Identifier: Apache-2.0
"""What authorizations allow, as several workbooks report them: who takes part in a cooperative
approach (II01), who may use units (II06), in which sectors they came about (II03).

An authorization is known by the Party that gave it and its id. A row names the id alone: it is
looked for in the row's own workbook, and then in that of the first transferring Party.

Elsewhere: rows about the same units (`consistency`).
"""

from collections.abc import Iterator, Sequence

from aef.findings import AefFinding, Code, Unchecked
from aef.lines import Line
from aef.reading import Reading
from aef.tables import ActionRow, AuthorizationRow, EntityRow, HoldingRow

__all__ = ["Authorized"]

ANY = "*"
NEEDING = (
    Code.AUTHORIZATION_UNKNOWN,
    Code.ENTITY_UNKNOWN,
    Code.NOT_TAKING_PART,
    Code.USE_NOT_AUTHORIZED,
)
"""What cannot be checked without the authorization."""


class Authorized:
    """The authorizations of these workbooks."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._of: dict[tuple[str, str], list[AuthorizationRow]] = {}
        self._taking_part: dict[str, set[str]] = {}
        self._reporting: set[str] = set()
        self._entities: dict[str, set[str]] = {}
        for reading in readings:
            party = reading.aef.submission.party or ""
            self._reporting.add(party)
            known = self._entities.setdefault(party, set())
            if not reading.aef.public:  # there table 5 leaves out by what they are known
                known.update(t for row in reading.aef.entities for t in (row.id, row.name) if t)
            for row in reading.aef.authorizations:
                if row.id is not None:
                    self._of.setdefault((party, row.id), []).append(row)
                if row.approach is not None:
                    named = _split(row.parties) or {ANY}
                    self._taking_part.setdefault(row.approach, set()).update({party}, named)

    def find(self, reading: Reading, row: ActionRow | HoldingRow) -> list[AuthorizationRow]:
        """The versions of the authorization that a row names."""
        if row.authorization is None:
            return []
        own = self._of.get((reading.aef.submission.party or "", row.authorization), [])
        if any(one.approach == row.approach for one in own):
            return own
        return self._of.get((row.first_party or "", row.authorization), own)

    def sectors(self, line: Line) -> tuple[str, str] | None:
        """Sectors and activity types of a row's units, in one order; `None` if nobody says."""
        versions = self.find(line.reading, line.row)
        if not versions:
            return None
        latest = max(versions, key=lambda one: one.version or 0)
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
            told: set[tuple[type, str]] = set()
            for table in (ActionRow, HoldingRow):
                for index, row in enumerate(reading.aef.rows(table)):
                    approach = row.approach
                    if approach is None or (table, approach) in told:
                        continue
                    part = self._taking_part.get(approach, set())
                    if not part and row.first_party not in self._reporting:
                        continue  # told as not checked, by `references`
                    if party not in part and ANY not in part:
                        told.add((table, approach))
                        said = f"no authorization under {approach} is by {party} or names it"
                        yield reading.at(Code.NOT_TAKING_PART, table, index, "approach", said)

    def references(self, readings: Sequence[Reading]) -> tuple[list[AefFinding], list[Unchecked]]:
        """Authorizations that rows rely on are reported, and cover who used the units (II06); the
        entities are reported by who authorized them.
        """
        found: list[AefFinding] = []
        missing: dict[tuple[str, str, str], None] = {}
        for reading in readings:
            found += self._strangers(reading)
            for table in (ActionRow, HoldingRow):
                for index, row in enumerate(reading.aef.rows(table)):
                    if row.authorization is None:
                        continue
                    versions = self.find(reading, row)
                    if versions:
                        if table is ActionRow:
                            found += self._use(reading, index, row, versions)
                    elif row.first_party is None or row.first_party in self._reporting:
                        said = f"{row.authorization!r}"
                        code = Code.AUTHORIZATION_UNKNOWN
                        found.append(reading.at(code, table, index, "authorization", said))
                    else:
                        missing[reading.file, row.authorization, row.first_party] = None
        return found, [
            Unchecked(
                code,
                file,
                f"authorization {id_!r} is reported by {party}, whose workbook is not here",
            )
            for file, id_, party in missing
            for code in NEEDING
        ]

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
        self, reading: Reading, index: int, row: ActionRow, versions: Sequence[AuthorizationRow]
    ) -> Iterator[AefFinding]:
        if row.type != "Use":
            return
        authorizer = next(
            (party for (party, id_), rows in self._of.items() if rows is versions), row.first_party
        )
        parties = [_split(one.parties) for one in versions]
        user = row.user_party
        if user is not None and user != authorizer and all(p and user not in p for p in parties):
            said = f"{user} is not authorized by {row.authorization}"
            yield reading.at(Code.USE_NOT_AUTHORIZED, ActionRow, index, "user_party", said)
        entities = [_split(one.entities) for one in versions]
        entity = row.user_entity
        if reading.aef.public or entity is None or not any(entities):
            return
        names = {entity, *_names(reading, entity)}
        if all(listed and not names & listed for listed in entities):
            said = f"{entity!r:.60} is not authorized by {row.authorization}"
            yield reading.at(Code.USE_NOT_AUTHORIZED, ActionRow, index, "user_entity", said)


def _names(reading: Reading, entity: str) -> set[str]:
    """Name and number of an entity in table 5: either may stand in a list."""
    return {
        text
        for row in reading.aef.rows(EntityRow)
        if entity in {row.id, row.name}
        for text in (row.id, row.name)
        if text is not None
    }


def _split(listed: str | None) -> set[str]:
    return {part.strip() for part in (listed or "").split(",") if part.strip()}


def _sorted(listed: str | None) -> str:
    return ", ".join(sorted(_split(listed)))
