# SPDX-License-Identifier: Apache-2.0
"""What became of everything that was said: at rest nothing has come to nothing without a word.

What the hub has heard and must answer has an entry, or its author was told something about it. What
could not be taken as an envelope is a dead letter, for the reason that it gave; an envelope of
somebody honest is one only for a fault that befell its sender.

Elsewhere: that envelopes arrive at all (`invariants`).
"""

import json
from collections.abc import Iterator
from typing import Any

from harness.simulation.cast import HUB, ROG
from harness.simulation.causes import messages_in
from harness.simulation.disturb import Disturber
from harness.simulation.voice import BROKEN, Voice
from harness.simulation.world import World
from schemas.identifiers import Actor

__all__ = ["letters_amiss", "without_outcome"]

ANSWERED = {
    "proposal",
    "acceptance",
    "rejection",
    "withdrawal",
    "status-request",
    "rotation",
    "case",
}
"""Messages to the hub that never pass without an entry, an answer or a notice (2.14 to 2.16)."""

_TOLD = (
    "select o.recipient, o.body from outbox o where exists (select 1 from messages m "
    "where m.author = o.sender and m.recipient = o.recipient and m.sequence = o.sequence "
    "and m.type in ('notice', 'status'))"
)


async def without_outcome(world: World) -> list[str]:
    """What the hub has heard and neither logged nor answered. The same line of the same author
    once more has the outcome that it had the first time.
    """
    inbox = await world.rows(HUB, "select body from inbox where applied = 1 order by sequence")
    heard = [one for row in inbox for one in messages_in(bytes(row.body))]
    log = await world.rows(HUB, "select line from log_entries")
    entries = [json.loads(bytes(row.line)) for row in log]
    places = {(entry["answers"], entry["body"]["manifest"]) for entry in entries}
    logged = {(one.author, one.digest) for one in heard if (one.digest, one.manifest) in places}
    told = {
        (row.recipient, one.message["answers"])
        for row in await world.rows(HUB, _TOLD)
        for one in messages_in(bytes(row.body))
        if one.type in {"notice", "status"}
    }
    return [
        f"{one.type} of {one.author} about {one.about}"
        for one in heard
        if one.type in ANSWERED
        and (one.author, one.digest) not in logged
        and (one.author.partition("/")[0], one.digest) not in told
    ]


async def letters_amiss(world: World, voice: Voice, disturber: Disturber) -> list[str]:
    """Dead letters without a cause, and what should be a dead letter and is none."""
    wrong: list[str] = []
    buried: set[bytes] = set()
    for participant in world.cast.programs:
        rows = await world.rows(
            participant, "select claimed_sender, reason, detail, body from dead_letters"
        )
        buried |= {bytes(row.body) for row in rows}
        wrong += [
            f"{participant} put aside {row.claimed_sender}: {row.reason} {row.detail}"
            for row in rows
            if row.reason not in _reasons(row, voice, disturber)
        ]
    taken = {bytes(row.body) for row in await world.rows(HUB, "select body from inbox")}
    missing = voice.arrived - buried - taken - disturber.forgotten
    return wrong + [
        f"no letter of what was {how}" for how in sorted(voice.broken[m] for m in missing)
    ]


def _reasons(row: Any, voice: Voice, disturber: Disturber) -> Iterator[str]:
    """For what an envelope may have been put aside."""
    body, sender = bytes(row.body), str(row.claimed_sender)
    if body in voice.broken:
        yield BROKEN[voice.broken[body]]
    elif sender == ROG:
        if any(voice.sent.get((HUB, number)) == body for number in voice.contradictions):
            yield "sequence-equivocation"
    elif "/" in sender:
        if sender in disturber.rotated:
            yield "key-unknown"
        if Actor(sender).participant in disturber.restored:
            yield "sequence-equivocation"
