# SPDX-License-Identifier: Apache-2.0
"""The figures of a benchmark: what was measured, and the ratios that follow from it.

A ratio is of two figures of one round, since machines are shared and noisy; the ratio of a whole
run is the median over its rounds.

Elsewhere: measuring (`rounds`), showing (`cli`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

__all__ = ["Killed", "Measured", "Spread", "Taken", "document", "measured", "ratios"]


@dataclass(frozen=True)
class Taken:
    """A phase of a round: so many transfers, so many in flight."""

    transfers: int
    window: int
    seconds: float
    latencies: Sequence[float]
    """Of each transfer, in seconds."""
    cpu: Mapping[str, float]
    """Processor seconds by part: programs, broker, database."""
    durable: int
    """Bytes that the database server has written ahead."""


@dataclass(frozen=True)
class Measured:
    """The figures of a phase. Durations in milliseconds, processor time in microseconds."""

    transfers: int
    window: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    cpu_us_by_part: dict[str, float] = field(default_factory=dict)
    durable_bytes: float = 0.0


def measured(taken: Taken) -> Measured:
    """The figures of a phase, for each transfer where they are of transfers."""
    ordered = sorted(taken.latencies)
    number = taken.transfers
    return Measured(
        transfers=number,
        window=taken.window,
        per_second=number / taken.seconds,
        p50_ms=1000 * quantile(ordered, 0.5),
        p99_ms=1000 * quantile(ordered, 0.99),
        cpu_us=1e6 * sum(taken.cpu.values()) / number,
        cpu_us_by_part={part: 1e6 * used / number for part, used in taken.cpu.items()},
        durable_bytes=taken.durable / number,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed."""
    assert ordered
    at = -(-len(ordered) * share // 1)  # rounded up
    return ordered[max(0, int(at) - 1)]


@dataclass(frozen=True)
class Killed:
    """A round in which every program was killed once, and every transfer finished."""

    transfers: int
    killed: Sequence[str]
    seconds: float


Round = Mapping[str, Mapping[str, Measured]]
"""Phases of each variant: `saturation`, `single`, and `window <n>` for other numbers in flight."""


@dataclass(frozen=True)
class Spread:
    """A figure over all rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of at least one value."""
        found = list(values)
        return cls(median(found), min(found), max(found))

    def asdict(self) -> dict[str, float]:
        """As JSON has it."""
        return asdict(self)


Figure = Callable[[Round], float]

_RATIOS: dict[str, Figure] = {
    "saturation_vs_floor": lambda r: (
        r["ours"]["saturation"].per_second / r["floor"]["saturation"].per_second
    ),
    "saturation_vs_unbundled_floor": lambda r: (
        r["ours"]["saturation"].per_second / r["unbundled-floor"]["saturation"].per_second
    ),
    "saturation_vs_naive": lambda r: (
        r["ours"]["saturation"].per_second / r["naive"]["saturation"].per_second
    ),
    "one_in_flight_p50_vs_floor": lambda r: (
        r["ours"]["single"].p50_ms / r["floor"]["single"].p50_ms
    ),
    "one_in_flight_p99_vs_floor": lambda r: (
        r["ours"]["single"].p99_ms / r["floor"]["single"].p99_ms
    ),
    "cpu_vs_floor": lambda r: r["ours"]["saturation"].cpu_us / r["floor"]["saturation"].cpu_us,
    "cpu_512_vs_1": lambda r: r["ours"]["saturation"].cpu_us / r["ours"]["single"].cpu_us,
}


def ratios(rounds: Sequence[Round]) -> dict[str, Spread]:
    """The ratios by their names, of those whose variants were all run."""
    found: dict[str, Spread] = {}
    for name, figure in _RATIOS.items():
        try:
            found[name] = Spread.of(figure(one) for one in rounds)
        except KeyError:  # a variant was left out
            continue
    return found


def document(
    rounds: Sequence[Round],
    machine: Mapping[str, Any],
    *,
    killed: Killed | None = None,
    layers: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Everything, as the JSON file has it: the ratios' medians first, then each round."""
    spreads = ratios(rounds)
    return {
        "machine": dict(machine),
        "ratios": {name: spread.median for name, spread in spreads.items()},
        "spreads": {name: spread.asdict() for name, spread in spreads.items()},
        "rounds": [
            {
                variant: {phase: asdict(figures) for phase, figures in phases.items()}
                for variant, phases in one.items()
            }
            for one in rounds
        ],
        "killed": asdict(killed) if killed else None,
        "layers_us": dict(layers) if layers else None,
    }
