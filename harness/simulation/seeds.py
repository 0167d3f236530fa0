# SPDX-License-Identifier: Apache-2.0
"""Seed files: runs that once failed, kept to be run again, as TOML.

    [[run]]
    seed = 17
    steps = 80
    faults = "crash,loss"
    registries = 2
    why = "a withdrawal and an acceptance crossed"

Elsewhere: running them (`cli`), the seeds that this project keeps (`tests/simulation/seeds.toml`).
"""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from harness.simulation.cast import REGISTRIES_MAX
from harness.simulation.chances import FaultListError, parse_kinds
from harness.simulation.run import STEPS_MAX, Plan
from schemas.plain import mistake_in
from schemas.units import Frozen

__all__ = ["KeptRun", "SeedFileError", "read_seeds"]


class SeedFileError(ValueError):
    """A seed file that cannot be used; the message names the member and the remedy."""


class KeptRun(Frozen):
    """One run in a seed file."""

    seed: Annotated[int, Field(ge=0)]
    steps: Annotated[int, Field(ge=1, le=STEPS_MAX)]
    faults: str = "all"
    registries: Annotated[int, Field(ge=1, le=REGISTRIES_MAX)] = 2
    why: Annotated[str, Field(max_length=400)] = ""

    @property
    def plan(self) -> Plan:
        """What is to be run."""
        return Plan(self.seed, self.steps, parse_kinds(self.faults), self.registries)


class _File(Frozen):
    run: Annotated[list[KeptRun], Field(min_length=1)]


def read_seeds(path: Path) -> list[KeptRun]:
    """The runs of a seed file; `SeedFileError` says what is wrong with it and where."""
    try:
        members = tomllib.loads(path.read_text(encoding="utf-8"))
        runs = _File.model_validate(members).run
        for one in runs:
            parse_kinds(one.faults)
    except OSError as error:
        raise SeedFileError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SeedFileError(f"{path} is not TOML: {error}") from None
    except FaultListError as error:
        raise SeedFileError(f"{path}: faults: {error}") from None
    except ValidationError as error:
        known = ", ".join(KeptRun.model_fields)
        raise SeedFileError(f"{path}: {mistake_in(error)} (members: {known})") from None
    return runs
