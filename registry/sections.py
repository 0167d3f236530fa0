# SPDX-License-Identifier: Apache-2.0
"""Whether a Party has a section in a registry, asked by the verbs to which a Party is named, and
whether an actor that a command names is one of it.

Elsewhere: the setting `actors`, which is all that is asked.
"""

from collections.abc import Iterable, Sequence

from runtime.errors import LocalProtocolError
from schemas.identifiers import ADMINISTRATOR, Actor, Participant

__all__ = ["check_section", "own"]


def check_section(participant: Participant, actors: Iterable[Actor], party: str) -> None:
    """`LocalProtocolError`, with those that are there, unless the Party has a section here."""
    there = sorted(actor.section for actor in actors if actor.section != ADMINISTRATOR)
    if party not in there:
        raise LocalProtocolError(
            f"{party} has no section in {participant}; there are {', '.join(there) or 'none'}"
        )


def own(actor: object, mine: Sequence[Actor]) -> Actor:
    """An argument as an actor of this registry; `ValueError` when it is none."""
    if actor not in mine:
        raise ValueError(f"{actor} is not an actor of this registry ({', '.join(mine)})")
    return Actor(str(actor))
