# SPDX-License-Identifier: Apache-2.0
"""A flaw in evidence: why a file does not prove what it should. See `verifying`."""

__all__ = ["Flaw", "must"]


class Flaw(ValueError):
    """Why a file does not prove what it should."""


def must(holds: object, otherwise: str) -> None:
    """`Flaw` with this reason unless something holds."""
    if not holds:
        raise Flaw(otherwise)
