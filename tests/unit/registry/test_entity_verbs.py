# SPDX-License-Identifier: Apache-2.0
"""The verbs that say whose an account is: `entities`, `accounts`, `holdings`."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli import COMMANDS
from ledger.blocks import Block
from ledger.holdings import Holdings
from registry.program import Registry
from runtime.books import save_holdings
from runtime.program import Order
from schemas.units import Attributes, Position
from tests.cast import GHA, U, account, genesis, keyring
from tests.unit.registry.bench import NOON, bench_of

HERE = GHA.participant
IDENTITY: dict[str, Any] = {
    "actor": GHA,
    "name": "Gold Coast Cookstoves Ltd",
    "document": {
        "type": "certificate",
        "reference": "CS04",
        "authority": "Registrar",
        "country": "GHA",
        "date": "2024-02-11",
    },
    "authorized_by": {"letter": "2026/12"},
}
OPENING = {"actor": GHA, "kind": "holding"}
STOVES = account(GHA, "HLD", 2)
LISTED = f"""\
actor      entity      accounts                 standing
GHA01/GHA  Airline     -                        stands
GHA01/GHA  Cookstoves  {STOVES} open  Cookstoves is not identified for GHA any more, \
since {NOON[:10]}
"""
RECORDS = f"""\
actor     GHA01/GHA
entity    Airline
accounts  -
standing  stands
records   1: {NOON} by olga: Gold Coast Cookstoves Ltd, by certificate CS04 of Registrar (GHA), \
2024-02-11; letter 2026/12; contact the office

actor     GHA01/GHA
entity    Cookstoves
accounts  {STOVES} open
standing  Cookstoves is not identified for GHA any more, since {NOON[:10]}
records   1: {NOON} by olga: Gold Coast Cookstoves Ltd, by certificate CS04 of Registrar (GHA), \
2024-02-11; letter 2026/12
          2: {NOON} by olga: ended: dissolved
"""


@pytest.fixture
async def settings(tmp_path: Path) -> Path:
    """The settings of a registry with accounts of its Party's and of an entity's."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    registry = Registry(HERE, [GHA], genesis(), keyring(HERE))
    async with bench_of(registry, url) as bench:
        given = [
            ("open-account", {**OPENING, "name": "The Party's"}),
            ("identify", {**IDENTITY, "entity": "Cookstoves"}),
            ("identify", {**IDENTITY, "entity": "Airline", "contact": "the office"}),
            ("open-account", {**OPENING, "entity": "Cookstoves", "name": "Stoves"}),
            (
                "end-identification",
                {"actor": GHA, "entity": "Cookstoves", "reason": "dissolved"},
            ),
        ]
        orders = [Order(n, command, "olga", more) for n, (command, more) in enumerate(given)]
        assert await bench.run(*orders) == [[]] * len(orders)
        holdings = Holdings()
        for number in (1, 2):
            position = Position.of(account(GHA, "HLD", number))
            holdings.put(Block(U, 10 * number, 10 * number + 4, Attributes(), position))
        async with bench.store.transaction() as session:
            await save_holdings(session, HERE, holdings.changes())
    (tmp_path / "database").write_text(url)
    members = {
        "participant": HERE,
        "actors": [GHA],
        "database_file": str(tmp_path / "database"),
        "broker_file": "broker",
        "keys": "keys",
    }
    path = tmp_path / "settings.toml"
    path.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in members.items()))
    return path


def shown(settings: Path, *words: str) -> str:
    app = importlib.import_module(COMMANDS["party"][0]).app
    done = CliRunner().invoke(app, [*words, "--settings", str(settings)])
    assert done.exit_code == 0, done.output
    return done.stdout


VERBS = {
    "entities": LISTED,
    "entities --format record": RECORDS,
    "accounts": f"""\
{"account":{len(STOVES)}}  state  entity      name
{account(GHA)}  open   -           The Party's
{STOVES}  open   Cookstoves  Stoves
""",
    "holdings": f"""\
{"account":{len(STOVES)}}  {"key":{len(U.text)}}  first  last  quantity  entity
{account(GHA)}  {U.text}     10    14         5  -
{STOVES}  {U.text}     20    24         5  Cookstoves
""",
}


@pytest.mark.requirement(24)
@pytest.mark.parametrize("verb", VERBS)
def test_whose_an_account_is_can_be_seen(settings: Path, verb: str) -> None:
    assert shown(settings, *verb.split()) == VERBS[verb]
