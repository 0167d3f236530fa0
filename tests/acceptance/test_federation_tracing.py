# SPDX-License-Identifier: Apache-2.0
"""From an ITMO's printed identifier back to the outcome, at the registries concerned."""

import subprocess
import sys
from pathlib import Path

import pytest

from registry.tracing import trace_unit
from schemas.identifiers import Participant
from schemas.units import ItmoIdentifier
from tests.acceptance.test_federation_evidence_asked import written_settings
from tests.cast import CHE, GHA, I, U, first_transfer, issuance, use
from tests.federation import Federation

GHANA, SWISS = Participant("GHA01"), Participant("CHE01")
ITMO = ItmoIdentifier.parse("CA0007-GHA01-GHA-307-2023")


def shown(federation: Federation, folder: Path, place: Participant, *words: str) -> list[str]:
    """What the verb says at a registry, in a process of its own."""
    file = written_settings(federation, folder, place)
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "from harness.cli import main; main()",
            "party",
            "trace",
            "--settings",
            str(file),
            *words,
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return [str(said.returncode), *said.stdout.splitlines(), *said.stderr.splitlines()]


async def issued_moved_and_used(federation: Federation) -> list[str]:
    """Ghana issues what was monitored in 2023; Switzerland acquires and uses it."""
    references = {
        "request": "R-9",
        "approval": "A-9",
        "approved_quantity": 20,
        "monitoring_from": "2023-01-01",
        "monitoring_to": "2023-12-31",
    }
    made = issuance(GHA, U, 5001, 5020, references=references)
    return [
        await federation.propose(GHA, made),
        await federation.propose(GHA, first_transfer(5001, 5020, 301)),
        await federation.propose(CHE, use(I, 305, 310, CHE)),
    ]


@pytest.mark.requirement(35)
async def test_the_originating_registry_tells_unit_issuance_and_monitoring_period(
    federation: Federation,
) -> None:
    first, moved, used = await issued_moved_and_used(federation)
    await federation.settled()
    async with federation.store(GHANA).snapshot() as session:
        found = await trace_unit(session, GHANA, ITMO)
    assert found.represents == "underlying:CA0007-GHA01-GHA-2023 5007"
    assert found.issued == first
    assert found.references is not None
    assert (found.references.request, found.references.approval) == ("R-9", "A-9")
    assert (found.references.monitoring_from, found.references.monitoring_to) == (
        "2023-01-01",
        "2023-12-31",
    )
    (retired,) = found.held
    assert (retired.position.kind, retired.first <= 5007 <= retired.last) == ("retirement", True)
    done = list(dict.fromkeys((step.action, step.transaction) for step in found.steps))
    assert done == [("issuance", first), ("first-transfer", moved), ("use", used)]


@pytest.mark.requirement(35)
async def test_another_registry_tells_what_it_has_and_whom_to_ask(
    federation: Federation, tmp_path: Path
) -> None:
    _, moved, used = await issued_moved_and_used(federation)
    await federation.settled()
    async with federation.store(SWISS).snapshot() as session:
        found = await trace_unit(session, SWISS, ITMO)
    assert (found.represents, found.issued, found.references) == ("GHA01 5007", None, None)
    assert {step.transaction for step in found.steps} == {moved, used}
    code, *lines = shown(federation, tmp_path, SWISS, str(ITMO))
    assert code == "0"
    assert lines[0] == "CA0007-GHA01-GHA-307-2023"
    assert "  itmo in CHE01-CHE-USE-1-28, NDC by CHE for 2025" in lines
    assert "  its issuance is not known here; ask GHA01" in lines
    code, *lines = shown(federation, tmp_path, GHANA, str(ITMO))
    assert "  monitored from 2023-01-01 to 2023-12-31" in lines
    code, *lines = shown(federation, tmp_path, SWISS, "CA0007-17")
    assert code != "0"
    assert "is not an identifier such as" in " ".join(lines)


async def test_of_a_unit_that_is_no_itmo_yet_nothing_is_told(federation: Federation) -> None:
    unknown = ItmoIdentifier.parse("CA0007-GHA01-GHA-900-2023")
    async with federation.store(GHANA).snapshot() as session:
        found = await trace_unit(session, GHANA, unknown)
    assert (found.held, found.represents, found.issued, found.steps) == ([], None, None, [])
