# SPDX-License-Identifier: Apache-2.0
"""The directory as lines of text for operators."""

from collections.abc import Iterator

from ledger.directory import Directory

__all__ = ["directory_lines"]


def directory_lines(known: Directory) -> Iterator[str]:
    """Who is admitted, with status, actors and the ids of their keys; profiles of pairs; and to
    which section each Party is bound since when, and was before.
    """
    for participant, member in sorted(known.members.items()):
        yield f"{participant}  {member.status}"
        for actor in member.actors:
            newest = known.keys[actor][-1]
            state = "current" if newest.closes is None else "withdrawn"
            yield f"  {actor}  {newest.key.key_id}  {state}"
    for pair, profile in sorted((sorted(p), v) for p, v in known.profiles.items()):
        yield f"{'  '.join(pair)}  {profile}"
    for party, history in sorted(known.bindings.items()):
        ends = [*(f"until {after.since}" for after in history[1:]), "current"]
        for one, end in zip(history, ends, strict=True):
            yield f"{party}  {one.actor or 'no section'}  since {one.since}  {end}"
