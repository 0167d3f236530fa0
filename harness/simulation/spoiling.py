# SPDX-License-Identifier: Apache-2.0
"""Spoiling what an operator would propose: one thing in it is wrong, as people and programs get
things wrong.

Elsewhere: what is plausible (`workload`).
"""

import json
import random
from collections.abc import Callable
from typing import Any

from harness.simulation.cast import KOR
from schemas.identifiers import Actor, account_number

__all__ = ["spoil"]


def spoil(given: dict[str, Any], actor: Actor, dice: random.Random) -> dict[str, Any]:
    """The arguments of a command with something wrong in them."""
    arguments: dict[str, Any] = json.loads(json.dumps(given))
    lines = arguments.get("lines") or []
    ways: list[Callable[[], None]] = [
        lambda: arguments.__setitem__("quantity", dice.randint(1, 10**6)),
        lambda: arguments.pop("acquirer", None),
        lambda: arguments.__setitem__("unit", dice.choice((None, "MWh", "GJ"))),
        lambda: arguments.__setitem__("acquirer", dice.choice(("ZZZ01/ZZZ", "UN02/VUT"))),
        lambda: arguments.__setitem__("authorization", {"id": "NO-9", "version": 1}),
        lambda: arguments.__setitem__("lifetime_seconds", dice.choice((0, 10**7))),
    ]
    if lines:
        line = lines[0]
        ways += [
            lambda: line.__setitem__("last", max(1, line["first"] - 1)),
            lambda: line.__setitem__("last", line["last"] + dice.randint(1, 500)),
            lambda: line.__setitem__("first", max(1, line["first"] - dice.randint(1, 50))),
            lambda: line.__setitem__("source", account_number(KOR, "HLD", 1)),
            lambda: line.__setitem__(
                "target", account_number(actor, dice.choice(("HLD", "CAN", "OMG")), 1)
            ),
            lambda: line.__setitem__("last", 2**44 - 2),
            lambda: lines.append(dict(line)),
            lambda: line["key"].__setitem__("vintage", 2019),
            lambda: line["key"].__setitem__("party", "ZZZ"),
            lambda: line.pop("itmo_first", None),
        ]
    if "use" in arguments:
        ways.append(lambda: arguments["use"].__setitem__("user", "Somebody"))
        ways.append(lambda: arguments.pop("authorization", None))
    if "terms" in arguments:
        ways.append(lambda: arguments["terms"].__setitem__("version", 7))
    if "references" in arguments:
        ways.append(lambda: arguments["references"].__setitem__("approved_quantity", 1))
    if "approval" in arguments:
        ways.append(lambda: arguments["approval"].__setitem__("id", "first"))
    dice.choice(ways)()
    return arguments
