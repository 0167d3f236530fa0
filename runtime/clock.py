# SPDX-License-Identifier: Apache-2.0
"""The clock and the source of randomness: the two ports by which the outside enters a decision.

Everything else takes instants and ids as arguments. A simulation gives its own of both.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from schemas.identifiers import Instant, MessageId, message_id

__all__ = ["Clock", "Entropy", "Ids", "SystemClock", "system_entropy"]

Entropy = Callable[[int], bytes]
"""So many unpredictable bytes."""


class Clock(Protocol):
    """What time it is, in UTC; may step back, and callers cope."""

    def now(self) -> Instant:
        """The instant, to the microsecond."""
        ...


class SystemClock:
    """The operating system's clock, kept in step by NTP or PTP."""

    def now(self) -> Instant:
        return Instant.of(datetime.now(UTC))


def system_entropy(size: int) -> bytes:
    """Bytes of the operating system's generator."""
    return os.urandom(size)


class Ids:
    """Message ids and nonces from a clock's instants and a source of randomness."""

    def __init__(self, entropy: Entropy = system_entropy) -> None:
        self._entropy = entropy

    def message(self, now: Instant) -> MessageId:
        """A new UUIDv7."""
        return message_id(int(now.moment().timestamp() * 1000), self._entropy(10))

    def nonce(self) -> str:
        """Sixteen random bytes in hexadecimal."""
        return self._entropy(16).hex()
