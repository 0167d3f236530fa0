# SPDX-License-Identifier: Apache-2.0
"""The evidence of a run: a file for each transaction, each verified where there is nothing else.

The files are taken from the hub's database once the witnesses have caught up. They are then
verified by `a6hub verify` in a process that is given them and the trust root, and nothing besides.

Elsewhere: what goes into a file (`hub.evidence`), what it proves (`ledger.verifying`).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.remote import Overdue, Remote, wait_for
from hub.evidence import collect, trust_root
from ledger.transactions import FINAL
from ledger.verifying import verify
from runtime.errors import LocalProtocolError
from schemas.evidence import Bundle, Trust, write_bundle, write_trust
from schemas.identifiers import HUB, TransactionId

__all__ = ["verified_elsewhere", "write_evidence"]

WITNESSED_SECONDS = 30.0
VERIFIED_SECONDS_MAX = 300.0


async def write_evidence(remote: Remote, output: Path) -> list[str]:
    """Write `evidence/<transaction>.json` and `trust.json`; gives what could not be written, as
    lines for people.
    """
    folder, failed = output / "evidence", []
    folder.mkdir(parents=True, exist_ok=True)
    async with remote.stores[HUB].snapshot() as session:
        trust = await trust_root(session)
    (output / "trust.json").write_bytes(write_trust(trust))
    for row in await remote.rows(HUB, "select id, state from transactions order by id"):
        if row.state not in FINAL:
            continue
        try:
            bundle = await _witnessed(remote, TransactionId(row.id), trust)
        except (Overdue, LocalProtocolError) as error:
            failed.append(f"no evidence of {row.id}: {error}")
        else:
            (folder / f"{row.id}.json").write_bytes(write_bundle(bundle))
    return failed


async def _witnessed(remote: Remote, transaction: TransactionId, trust: Trust) -> Bundle:
    """The evidence of a transaction, as soon as enough witnesses have seen it."""
    why = ""

    async def whole() -> Bundle | None:
        nonlocal why
        try:
            async with remote.stores[HUB].snapshot() as session:
                bundle = await collect(session, transaction)
        except LocalProtocolError as error:
            why = str(error)
            return None
        verdict = verify(bundle, trust)
        why = verdict.reason or ""
        return bundle if verdict.valid else None

    try:
        return await wait_for(whole, WITNESSED_SECONDS, "evidence that verifies")
    except Overdue as error:
        raise Overdue(f"{error}: {why}") from None


def verified_elsewhere(output: Path) -> list[dict[str, Any]]:
    """The verdicts of `a6hub verify` on all files, in a process of its own."""
    files = sorted(str(path.relative_to(output)) for path in (output / "evidence").iterdir())
    if not files:
        return []
    command = [sys.executable, "-c", "from harness.cli import main; main()"]
    command += ["verify", *files, "--trust", "trust.json", "--json"]
    done = subprocess.run(  # noqa: S603 - our own
        command,
        cwd=output,
        env={"PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=VERIFIED_SECONDS_MAX,
    )
    if len(done.stdout.splitlines()) != len(files):
        raise RuntimeError(f"a6hub verify ended with {done.returncode}: {done.stderr[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]
