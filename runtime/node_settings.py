# SPDX-License-Identifier: Apache-2.0
"""How a node runs: its pace and its bounds.

Elsewhere: what an operator sets in a file (`settings`), limits of the wire (`schemas.limits`).
"""

from dataclasses import dataclass

from schemas.limits import MESSAGES_MAX

__all__ = ["NodeSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How a node runs; durations in seconds."""

    batch_max: int = 200
    """Envelopes in one batch: beyond some 250 nothing is gained."""
    bundle_max: int = MESSAGES_MAX
    """Messages in one envelope of ours."""
    tick_seconds: float = 0.25
    """How often deadlines, checkpoints and the desk are looked at."""
    greet_seconds: float = 2.0
    """How often an unanswered hello is repeated."""
    sweep_seconds: float = 5.0
    """How often the outbox is swept, and from what age on an envelope is sent again."""
    hold_seconds: float = 10.0
    """How long an envelope of an unknown sender or key waits for the directory."""
    held_max: int = 100
    """How many such envelopes wait at a time."""
    held_of_one_max: int = 25
    """How many of them one participant is said to have sent."""
    gap_seconds: float = 1.0
    """How soon a missing envelope is asked for again; ever more rarely while nothing comes."""
    drain_seconds: float = 10.0
    """How long a stopping node tries to send what it has sealed."""
    retry_seconds: float = 1.0
    """How long to wait for a store that is unavailable."""
