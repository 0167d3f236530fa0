# SPDX-License-Identifier: Apache-2.0
"""The exceptions of a6hub. Refusals that can be foreseen are values (`Finding`), not these.

    A6HubError
    ├── LocalProtocolError     we were about to break the protocol, or the caller misused us
    ├── RemoteProtocolError    the other side broke it
    └── Unavailable            a store or a broker cannot be had; trying again may help

Each kind says who is at fault, so that a caller can choose what to do without reading the text.
Ports translate what their libraries raise into `Unavailable`; nothing above a port sees a library's
exception. Bugs are `assert`s and are not in this tree.

What a person is told of any of them, or of what a library raised, is `in_one_line`.
"""

from schemas.plain import in_words

__all__ = ["A6HubError", "LocalProtocolError", "RemoteProtocolError", "Unavailable", "in_one_line"]


class A6HubError(Exception):
    """Root of the tree; only its subclasses are raised."""

    def __init__(self, message: str) -> None:
        assert type(self) is not A6HubError, "raise one of its subclasses"
        super().__init__(message)


class LocalProtocolError(A6HubError):
    """We, or our operator, asked for something that the protocol does not allow."""


class RemoteProtocolError(A6HubError):
    """Somebody sent us what the protocol does not allow."""


class Unavailable(A6HubError):
    """A store or a broker cannot be reached, or did not answer in time. Nothing is known of the
    outcome of what was asked.
    """


def in_one_line(error: Exception) -> str:
    """An error as one line for people: the member or the file that it is about, and what is wrong.

    Values that were given are left out: they may be secrets.
    """
    if isinstance(error, OSError) and error.strerror:
        missing = isinstance(error, FileNotFoundError)
        reason = "no such file" if missing else error.strerror[:1].lower() + error.strerror[1:]
        return f"{error.filename}: {reason}" if error.filename else reason
    return in_words(error)
