# SPDX-License-Identifier: Apache-2.0
"""What the buffer against reversals holds, and what reversals took of it."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mechanism_node.buffer import Reversal, reversals
from mechanism_node.cli import app
from mechanism_node.program import MechanismRegistry
from registry.tables import transactions
from runtime.books import save_holdings
from runtime.clock import Ids
from runtime.many import add
from runtime.schema import migrate
from runtime.store import open_store
from schemas.identifiers import Participant
from schemas.messages import Proposal, new_message
from tests.unit.ledger.world import ADM, GOOD, MMR, NOON, replenishment, reversed_by, settled

DONE = [
    (ADM, reversed_by(151, 155)),
    (ADM, reversed_by(156, 157, reversal="RV-2")),
    (MMR, replenishment(141, 143)),
    (MMR, replenishment(144, 144)),
]


@pytest.mark.requirement(96)
def test_what_a_reversal_took_and_nobody_deposited_again_is_missing() -> None:
    world = settled()
    for author, wanted in DONE:
        world.act(author, wanted)
    one, other = reversals(wanted for _, wanted in DONE)
    assert one == Reversal("RV-1", cancelled=5, deposited=4)
    assert (one.missing, other.missing) == (1, 2)
    assert str(one) == "RV-1: 5 cancelled, 4 deposited again, 1 missing"
    over = Reversal("RV-1", 5, 7)
    assert (over.missing, str(over).rpartition(", ")[2]) == (0, "2 more than were cancelled")
    assert reversals(wanted for _, wanted in GOOD.values() if wanted.reversal is None) == ()


async def established(url: str, done: list[tuple[str, str, Proposal]]) -> None:
    await migrate(url, MechanismRegistry.packages)
    store, world = open_store(url), settled()
    async with store.transaction() as session:
        rows = []
        for number, (state, proposer, wanted) in enumerate(done, start=1):
            id_ = f"{proposer.replace('/', '-')}-{number}"
            line = new_message("proposal", Ids().message(NOON), id_, wanted).model_dump_json()
            rows.append(
                {
                    "id": id_,
                    "state": state,
                    "action": wanted.action,
                    "proposer": proposer,
                    "proposal": line.encode(),
                    "findings": "[]",
                    "opened_at": NOON,
                    "changed_at": NOON,
                }
            )
        await add(session, transactions, rows)
        fresh = type(world.holdings)()
        for block in world.holdings.blocks():
            if block.position.actor in {ADM, MMR}:
                fresh.put(block)
        await save_holdings(session, Participant("UN01"), fresh.changes())
    await store.close()


def shown(folder: Path) -> Result:
    (folder / "database").write_text(f"sqlite:///{folder / 'UN01.db'}")
    members = {
        "participant": "UN01",
        "actors": [str(ADM), str(MMR)],
        "database_file": str(folder / "database"),
        "broker_file": "broker",
        "keys": "keys",
    }
    settings = folder / "settings.toml"
    settings.write_text("\n".join(f"{name} = {json.dumps(said)}" for name, said in members.items()))
    return CliRunner().invoke(app, ["buffer", "--settings", str(settings)])


@pytest.mark.requirement(96)
def test_the_verb_tells_what_completed_and_what_the_buffer_holds(tmp_path: Path) -> None:
    done = [("completed", str(author), wanted) for author, wanted in DONE]
    done.append(("refused", str(ADM), reversed_by(158, 160)))
    done.append(("completed", str(ADM), reversed_by(161, 161, reversal="RV-3\x1b[2J\n")))
    asyncio.run(established(f"sqlite:///{tmp_path / 'UN01.db'}", done))
    found = shown(tmp_path)
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines() == [
        "the buffer holds 10",
        "RV-1: 5 cancelled, 4 deposited again, 1 missing",
        "RV-2: 2 cancelled, 0 deposited again, 2 missing",
        "RV-3\\u001b[2J\\u000a: 1 cancelled, 0 deposited again, 1 missing",
    ]


def test_without_a_database_the_verb_says_so_in_one_line(tmp_path: Path) -> None:
    found = shown(tmp_path)
    assert (found.exit_code, found.stdout) == (2, "")
    assert len(found.stderr.splitlines()) == 1
