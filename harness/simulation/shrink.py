# SPDX-License-Identifier: Apache-2.0
"""Making a run that failed shorter: the least of it that still breaks the same invariant.

A run of fewer steps does the same as the beginning of a longer one and then comes to rest, so the
shortest prefix that fails is looked for by halving. Then kinds of fault are left out, those that
never came at once and the others one after another, for as long as the failure stays; what is left
says what it takes. Leaving a kind out may move what follows, so the prefix is looked for once more.
"""

from collections.abc import Callable
from dataclasses import replace

from harness.simulation.run import Plan, Result

__all__ = ["shrunk"]

Run = Callable[[Plan], Result]
TRIES_MAX = 60


def shrunk(failed: Result, run: Run, progress: Callable[[str], None]) -> Result:
    """The smallest run found that breaks the invariant that a failed one broke; a run that was cut
    off has nothing to go by.
    """
    assert failed.failure is not None
    if failed.failure.step == 0:
        return failed
    left = TRIES_MAX

    def fails(plan: Plan) -> Result | None:
        nonlocal left
        if left == 0:
            return None
        left -= 1
        progress(f"{plan.steps} steps, {len(plan.kinds)} kinds of fault")
        result = run(plan)
        same = result.failure and result.failure.invariant == invariant
        return result if same else None

    invariant = failed.failure.invariant
    best = _shorter(failed, fails)
    unseen = {kind for kind in best.plan.kinds if not best.coverage.faults[kind]}
    if unseen:
        best = fails(replace(best.plan, kinds=best.plan.kinds - unseen)) or best
    for kind in sorted(best.plan.kinds - unseen):
        best = fails(replace(best.plan, kinds=best.plan.kinds - {kind})) or best
    return _shorter(best, fails)


def _shorter(best: Result, fails: Callable[[Plan], Result | None]) -> Result:
    """Halve the number of steps between what is known to pass and what is known to fail."""
    assert best.failure is not None
    if best.failure.step < best.plan.steps:
        best = fails(replace(best.plan, steps=max(best.failure.step, 1))) or best
    passes = 0
    while best.plan.steps - passes > 1:
        middle = (passes + best.plan.steps) // 2
        found = fails(replace(best.plan, steps=middle))
        if found is None:
            passes = middle
        else:
            best = found
    return best
