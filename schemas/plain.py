# SPDX-License-Identifier: Apache-2.0
"""Text of whatever origin, and what is wrong with values, made fit to be read by people. Pure.

Elsewhere: what a picture or a report page does with it, where an escape would be noise
(`harness.pictures`).
"""

from typing import NamedTuple

from pydantic import ValidationError

__all__ = ["Mistake", "in_words", "mistake_in", "printable"]

MISTAKE_MAX = 300
"""Characters of what is said about one mistake: a finding's detail has place for it."""

PREFIXES = ("Value error, ", "Assertion failed, ")
"""What pydantic puts before the words of our own validators."""


class Mistake(NamedTuple):
    """A member that is wrong, by its place (empty: the whole), what is wrong with it, and what
    pydantic calls that.
    """

    place: tuple[int | str, ...]
    words: str
    kind: str

    @property
    def path(self) -> str:
        """The place with `/` between the names."""
        return "/".join(map(str, self.place))

    def __str__(self) -> str:
        return f"{self.path}: {self.words}" if self.place else self.words


def mistake_in(error: ValidationError) -> Mistake:
    """The first mistake that pydantic has found.

    It is said without the value that was given, which may be a secret, and without pydantic's own
    words about itself: kinds of errors, addresses of its documentation.
    """
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    words = first["msg"]
    for prefix in PREFIXES:
        words = words.removeprefix(prefix)
    words = " ".join(words.splitlines()) or "it does not fit"
    if len(words) > MISTAKE_MAX:
        words = f"{words[: MISTAKE_MAX - 1]}…"
    return Mistake(first["loc"], words, first["type"])


def in_words(error: Exception) -> str:
    """An error as one line for people; of what pydantic found, its first mistake."""
    if isinstance(error, ValidationError):
        return str(mistake_in(error))
    return " ".join(str(error).split())


def printable(text: str) -> str:
    r"""Text that any terminal, JSON reader and database takes: others' bytes may be quoted in it.

    What does not print, line breaks included, stands as an escape, as `\u001b`: it cannot move a
    cursor, turn the direction of reading or begin a line. Everything else stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
