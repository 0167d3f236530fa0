# SPDX-License-Identifier: Apache-2.0
"""The directory as lists for operators: who is admitted, profiles of pairs, bindings of Parties."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from ledger.directory import Directory

__all__ = ["KINDS", "ListedActor", "ListedBinding", "ListedProfile", "Of", "listed"]


class Of(StrEnum):
    """What of the directory is listed."""

    ACTORS = "actors"
    PROFILES = "profiles"
    BINDINGS = "bindings"


class ListedActor(NamedTuple):
    """An actor with the status of its participant, and its newest key: `current` or `withdrawn`."""

    participant: str
    status: str
    actor: str
    key: str
    key_state: str


class ListedProfile(NamedTuple):
    """What two actors may do with one another, where that was said."""

    actor: str
    other: str
    profile: str


class ListedBinding(NamedTuple):
    """To which section a Party was bound, to none where `section` is empty, from when and, if that
    is over, until when.
    """

    party: str
    section: str | None
    since: str
    until: str | None


def listed(known: Directory, of: Of) -> Sequence[tuple[object, ...]]:
    """The rows of a list, sorted; its columns are the fields of `KINDS[of]`."""
    return _LISTS[of](known)


def _actors(known: Directory) -> list[ListedActor]:
    rows = []
    for participant, member in sorted(known.members.items()):
        for actor in member.actors:
            newest = known.keys[actor][-1]
            state = "current" if newest.closes is None else "withdrawn"
            rows.append(ListedActor(participant, member.status, actor, newest.key.key_id, state))
    return rows


def _profiles(known: Directory) -> list[ListedProfile]:
    pairs = sorted((sorted(pair), profile) for pair, profile in known.profiles.items())
    return [ListedProfile(pair[0], pair[-1], profile) for pair, profile in pairs]


def _bindings(known: Directory) -> list[ListedBinding]:
    rows = []
    for party, history in sorted(known.bindings.items()):
        ends = [*(after.since for after in history[1:]), None]
        for one, end in zip(history, ends, strict=True):
            rows.append(ListedBinding(party, one.actor, one.since, end))
    return rows


KINDS: dict[Of, type[NamedTuple]] = {
    Of.ACTORS: ListedActor,
    Of.PROFILES: ListedProfile,
    Of.BINDINGS: ListedBinding,
}
_LISTS: dict[Of, Callable[[Directory], Sequence[tuple[object, ...]]]] = {
    Of.ACTORS: _actors,
    Of.PROFILES: _profiles,
    Of.BINDINGS: _bindings,
}
