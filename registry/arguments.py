# SPDX-License-Identifier: Apache-2.0
"""Arguments of commands that are more than text: read so that what is wrong names the argument.

Elsewhere: what a proposal's members are (`schemas.messages`, whose errors name the member), what
each command does (`desk`).
"""

from datetime import timedelta

__all__ = ["WrongArgument", "lifetime", "total"]

SECONDS_MAX = 10**9
"""Past any time that could be meant, and well before the end of the calendar."""


class WrongArgument(ValueError):
    """An argument is of a wrong type or size; `name` says which."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name


def lifetime(seconds: object) -> timedelta:
    """How long a proposal lives; too short or too long a time is for the checks to refuse."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or abs(seconds) > SECONDS_MAX:
        raise WrongArgument("lifetime_seconds", "a whole number of seconds, up to thirty days")
    return timedelta(seconds=seconds)


def total(lines: object) -> int:
    """The units of lines as they were given. What is no line, or has no serials, counts nothing
    here: it is refused as a part of the proposal, by its name.
    """
    if not isinstance(lines, list | tuple):
        return 0
    return max(sum(_units(line) for line in lines), 0)


def _units(line: object) -> int:
    ends = (line.get("first"), line.get("last")) if isinstance(line, dict) else (None, None)
    first, last = ends
    if not isinstance(first, int) or not isinstance(last, int):
        return 0
    return last - first + 1
