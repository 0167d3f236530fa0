# SPDX-License-Identifier: Apache-2.0
"""A CER stays a CER and is counted once (protocol 5.13; 3/CMA.3 annex paras 73-75).

Whatever the auditor predicts of an entry, the log itself must not show a CER that becomes an ITMO,
is authorized or first-transferred, stands in an account for anything else, changes otherwise than
by its use, or is used a second time. Only effects are looked at here.

Elsewhere: whether an entry should have moved or used it (`mechanism_rules`).
"""

from collections.abc import Iterator
from typing import Any

from harness.simulation.model import Place, attributes_text, serials, series_of

__all__ = ["Cers"]

FIRST_AFTER = 2021
"""Units of the mechanism are CERs if they are of before this year, and only then."""

KINDS = {None: {"cer"}, "cer": {"cer", "retirement"}}
"""From which kind of account, or from none, CERs go to which."""


class Cers:
    """The CERs that the log has shown, and those of them that are used."""

    def __init__(self, mechanism: str) -> None:
        self._mechanism = mechanism
        self._there: set[Place] = set()
        self._used: set[Place] = set()

    def look(self, effects: list[dict[str, Any]]) -> list[str]:
        """Take an entry's effects; says what CERs must not do, and what is none and says that it
        is one.
        """
        found: list[str] = []
        used: set[Place] = set()
        retired: set[Place] = set()
        for effect in effects:
            if effect["effect"] not in {"move", "restate"} or not self._is_meant(effect):
                continue
            series = series_of(effect["key"])
            places = {(series, serial) for serial in serials(effect)}
            found += [f"{min(places)}: {wrong}" for wrong in self._wrong(effect, places, used)]
            if effect["effect"] == "restate":
                used |= places
            elif effect["source"] is None:
                self._there |= places
            elif effect["target"]["kind"] == "retirement":
                retired |= places
        if used != retired:
            found.append(f"{min(used ^ retired)}: a CER that is used is retired, and no other")
        self._used |= used
        return found

    def _is_meant(self, effect: dict[str, Any]) -> bool:
        """Whether an effect is about units that are CERs by any of their marks."""
        key = effect["key"]
        told = (effect.get(name) or {} for name in ("attributes", "before", "after"))
        of_mechanism = key["registry"] == self._mechanism
        old = key["vintage"] < FIRST_AFTER or key["layer"] == "underlying"
        return any(one.get("designation") == "CER" for one in told) or (of_mechanism and old)

    def _wrong(
        self, effect: dict[str, Any], places: set[Place], just_used: set[Place]
    ) -> Iterator[str]:
        key, is_use = effect["key"], effect["effect"] == "restate"
        if key["registry"] != self._mechanism or key["layer"] != "underlying":
            yield "CERs are no ITMOs and become none"
        if key["vintage"] >= FIRST_AFTER:
            yield f"no CER is of {key['vintage']}"
        if self._used & places:
            yield "a CER that is used stays as it is"
        before = effect["before"] if is_use else effect["attributes"]
        known = ("mitigation", "use") if places <= just_used else ("mitigation",)
        plain = {name: before[name] for name in known if name in before}
        if attributes_text(before) != attributes_text(plain | {"designation": "CER"}):
            yield "nothing is said of a CER but that it is one"
        if is_use:
            mark = effect["after"].get("use") or {}
            if attributes_text(effect["after"]) != attributes_text({**before, "use": mark}):
                yield "a CER changes by its use alone"
            if mark.get("purpose") != "NDC":
                yield "a CER is used towards an NDC"
            return
        source = effect["source"] and effect["source"]["kind"]
        if effect["target"]["kind"] not in KINDS.get(source, set()):
            yield f"no CER goes from {source or 'nowhere'} to {effect['target']['kind']}"
        if source is None and self._there & places:
            yield "a CER comes into being twice"
