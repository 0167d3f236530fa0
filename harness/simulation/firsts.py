# SPDX-License-Identifier: Apache-2.0
"""Each ITMO is first-transferred once, and stays so but for a counter-entry (protocol 5.20, 5.25).

Whatever the auditor predicts of an entry, the log itself must not show a second first transfer of a
unit, nor take one away by another action than that. Only effects are looked at here.

Elsewhere: whether an entry should have made one (`authorized`).
"""

from typing import Any

from harness.simulation.model import Place, serials, series_of

__all__ = ["Firsts"]


class Firsts:
    """The ITMOs whose first transfer the log has shown."""

    def __init__(self) -> None:
        self._shown: set[Place] = set()

    def look(self, effects: list[dict[str, Any]], action: str | None = None) -> list[str]:
        """Take an entry's effects; says what is shown twice, or taken away. What a counter-entry
        has taken back is not shown again either.
        """
        found: list[str] = []
        for effect in effects:
            if effect["effect"] == "restate":
                was, marked = (
                    bool(effect[x].get("first_transferred")) for x in ("before", "after")
                )
            elif effect["effect"] == "move" and effect["source"] is None:
                was, marked = False, bool(effect["attributes"].get("first_transferred"))
            else:
                continue
            if was and not marked and action == "counter-entry":
                continue
            if effect["key"]["layer"] == "itmo":
                found += self._step(effect, was=was, marked=marked)
        return found

    def _step(self, effect: dict[str, Any], *, was: bool, marked: bool) -> list[str]:
        series = series_of(effect["key"])
        places = {(series, serial) for serial in serials(effect)}
        if was and not marked:
            return [f"{min(places)}: its first transfer is taken away"]
        twice = places & self._shown if marked and not was else set()
        self._shown |= places if marked else set()
        return [f"{min(twice)}: first-transferred a second time"] if twice else []
