# SPDX-License-Identifier: Apache-2.0
"""The course that every round runs: two registries, their units, and the transfers between them.

Ghana has issued units and first-transferred them to Switzerland; Switzerland then hands them on,
`UNITS` at a time, each range once. All of it is an ordinary scenario and ordinary commands.

Elsewhere: giving the commands (`load`), running the programs (`ours`).
"""

from typing import Any

from harness.scenario import Scenario, Step
from schemas.identifiers import Actor, Participant

__all__ = ["ACQUIRER", "MORE_MAX", "SENDER", "UNITS", "course", "others", "transfer"]

SENDER = Actor("CHE01/CHE")
ACQUIRER = Actor("GHA01/GHA")
UNITS = 10
"""Serials in one transfer."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MORE_MAX = len(_LETTERS) ** 2
"""Of `others`: as many as there are codes from XAA to XZZ."""

_APPROACH, _VINTAGE = "CA0007", "2023"


def others(number: int) -> list[Participant]:
    """So many more registries, of Parties whose codes ISO 3166-1 leaves to its users (XAA to XZZ);
    they are admitted, and have nothing to do but to answer the hub.
    """
    assert number <= MORE_MAX
    return [Participant(f"X{a}{b}01") for a in _LETTERS for b in _LETTERS][:number]


def course(transfers: int, more: int = 0) -> Scenario:
    """The scenario that comes before a round of so many transfers, with so many more registries."""
    last = transfers * UNITS
    units = {"first": _identifier(1), "last": _identifier(last), "layer": "underlying"}
    ghana: dict[str, Any] = {"by": str(ACQUIRER)}
    return Scenario.model_validate(
        {
            "title": "Benchmark",
            "log": "a6hub.benchmark",
            "registries": [
                {"id": "GHA01", "program": "party", "name": "Ghana", "actors": ["GHA01/GHA"]},
                {"id": "CHE01", "program": "party", "name": "Switzerland", "actors": ["CHE01/CHE"]},
                *(
                    {"id": one, "program": "party", "name": one, "actors": [f"{one}/{one[:3]}"]}
                    for one in others(more)
                ),
            ],
            "profiles": [{"actors": [str(SENDER), str(ACQUIRER)], "profile": "information"}],
            "accounts": [
                {"account": f"{ACQUIRER}:holding:1"},
                {"account": f"{SENDER}:holding:1"},
            ],
            "steps": [
                {
                    "name": "issuance",
                    "action": "issuance",
                    "units": [{**units, "target": f"{ACQUIRER}:holding:1", "attributes": {}}],
                    "references": {"request": "-", "approval": "-", "approved_quantity": last},
                    **ghana,
                },
                {
                    "name": "authorization",
                    "action": "authorization",
                    "terms": {
                        "id": "GH-CH-1",
                        "version": 1,
                        "approach": _APPROACH,
                        "party": "GHA",
                        "purposes": ["NDC"],
                        "parties": ["CHE"],
                        "quantity": last,
                        "vintage_from": 2021,
                        "vintage_to": 2030,
                    },
                    **ghana,
                },
                {
                    "name": "first-transfer",
                    "action": "first-transfer",
                    "acquirer": str(SENDER),
                    "authorization": {"id": "GH-CH-1", "version": 1},
                    "units": [
                        {
                            **units,
                            "source": f"{ACQUIRER}:holding:1",
                            "target": f"{SENDER}:holding:1",
                            "itmo_first": 1,
                        }
                    ],
                    **ghana,
                },
            ],
            "expect": {"transactions": {}, "units_issued": {}, "settled": True},
        }
    )


def transfer(number: int) -> dict[str, Any]:
    """The arguments of `propose` for the transfer with a number, counted from 0."""
    first = number * UNITS + 1
    scenario = {
        "name": "transfer",
        "by": str(SENDER),
        "action": "transfer",
        "acquirer": str(ACQUIRER),
        "units": [
            {
                "first": _identifier(first),
                "last": _identifier(first + UNITS - 1),
                "source": f"{SENDER}:holding:1",
                "target": f"{ACQUIRER}:holding:1",
            }
        ],
    }
    return Step.model_validate(scenario).arguments()


def _identifier(serial: int) -> str:
    return f"{_APPROACH}-GHA01-GHA-{serial}-{_VINTAGE}"
