# SPDX-License-Identifier: Apache-2.0
"""Common nomenclatures of a date: which values a column may have, exact on writing, tolerant on
reading.

They are data (`nomenclatures/*.toml`), since they change and records of a year keep theirs
(6/CMA.4 annex I para 3). Another file of the same form can be loaded in place of the newest.

Elsewhere: which column is held to which list (`tables`).
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

__all__ = ["NEWEST", "Nomenclature", "NomenclatureError", "dates", "folded", "load", "parse"]

NEWEST = "2026-02-17"
"""The date of the newest nomenclatures that come with this version."""

LISTS = (
    "metrics",
    "sectors",
    "purposes",
    "first_transfer_definitions",
    "action_types",
    "action_subtypes",
    "unit_registries",
    "mitigation_types",
    "activity_types",
    "approaches",
)
"""The lists that columns are held to; a file must have them all."""


class NomenclatureError(ValueError):
    """A file of nomenclatures is not of the form that is needed."""


FOLDED_MAX = 200
"""No label and no value of a list is as long."""


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """A text without what spelling varies in: case, spaces, dashes, accents, -isation. Of a text
    too long for a label, nothing.
    """
    if len(text) > FOLDED_MAX:
        return ""
    plain = unicodedata.normalize("NFKD", text).casefold().replace("isation", "ization")
    return "".join(c for c in plain if c.isalnum())


@dataclass(frozen=True)
class Nomenclature:
    """The value lists of one date."""

    date: str
    lists: Mapping[str, Sequence[str]]
    subtypes: Mapping[str, Sequence[str]]
    variants: Mapping[str, Mapping[str, str]]
    unit_ids: Mapping[str, re.Pattern[str]]

    @cached_property
    def _known(self) -> dict[str, dict[str, str]]:
        known: dict[str, dict[str, str]] = {}
        for name, values in self.lists.items():
            known[name] = {folded(value): value for value in values}
            for variant, value in self.variants.get(name, {}).items():
                known[name].setdefault(folded(variant), value)
        return known

    def exact(self, listed: str, value: str) -> bool:
        """Whether a list has this very spelling."""
        return value in self.lists[listed]

    def read(self, listed: str, text: str) -> str | None:
        """The value that a text means, in the list's own spelling; `None` when it means none."""
        plain = folded(text)
        return self._known[listed].get(plain) if plain else None

    def values(self, listed: str) -> str:
        """A list for people."""
        return ", ".join(self.lists[listed])


@lru_cache(maxsize=8)
def load(date: str = NEWEST) -> Nomenclature:
    """The nomenclatures of a date that come with this version."""
    name = f"{date}.toml"
    if date not in dates():
        raise NomenclatureError(f"no nomenclatures of {date} here, only of {', '.join(dates())}")
    return parse((files("aef") / "nomenclatures" / name).read_text(encoding="utf-8"))


def dates() -> list[str]:
    """The dates whose nomenclatures come with this version."""
    folder = files("aef") / "nomenclatures"
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith("toml"))


def parse(text: str) -> Nomenclature:
    """Nomenclatures out of the text of a file; `NomenclatureError` says what it lacks."""
    try:
        members = tomllib.loads(text)
        lists = {name: _texts(values, name) for name, values in members["lists"].items()}
        found = Nomenclature(
            date=str(members["date"]),
            lists=lists,
            subtypes={n: _texts(v, n) for n, v in members.get("subtypes", {}).items()},
            variants={n: _pairs(v, n) for n, v in members.get("variants", {}).items()},
            unit_ids={n: _form(v, n) for n, v in members.get("unit_ids", {}).items()},
        )
    except KeyError as error:
        raise NomenclatureError(f"the member {error} is missing") from None
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise NomenclatureError(f"not a file of nomenclatures: {error}") from None
    missing = [name for name in LISTS if name not in lists]
    if missing:
        raise NomenclatureError(f"lists are missing: {', '.join(missing)}")
    return found


def _texts(values: Any, name: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise NomenclatureError(f"{name} is not a list of texts")
    return tuple(values)


def _pairs(values: Any, name: str) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise NomenclatureError(f"the variants of {name} are not texts")
    return dict(values)


def _form(value: Any, name: str) -> re.Pattern[str]:
    try:
        form = re.compile(value)
    except (TypeError, re.error) as error:
        raise NomenclatureError(f"unit_ids of {name}: {error}") from None
    if "serial" not in form.groupindex:
        raise NomenclatureError(f"unit_ids of {name}: the group `serial` is missing")
    if "(?P<serial>[0-9]+)" not in form.pattern:
        raise NomenclatureError(f"unit_ids of {name}: write the serial as (?P<serial>[0-9]+)")
    return form
