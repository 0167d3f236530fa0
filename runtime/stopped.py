# SPDX-License-Identifier: Apache-2.0
"""The verb `stopped`: units that stand still since their authorization was revoked.

Units that were first-transferred by terms that let a revocation bind them are neither transferred,
used nor cancelled after one; a counter-entry is all that moves them. The hub knows every version
and every holder. A registry knows the versions that its own actors have recorded and the units that
it holds: of ITMOs elsewhere it shows the units that they represent, locked.

Elsewhere: the check that stops them (`ledger.authorization_checks`), the counter-entry
(`ledger.counter_entry_checks`).
"""

import asyncio
from collections.abc import Iterable

import typer
from sqlalchemy import Table, select

from ledger.asking import Authorization
from ledger.authorization_checks import is_stopped
from ledger.blocks import Block, join
from runtime.listing import Form, FormOption, write_list
from runtime.rows import read_block
from runtime.schema import open_database
from runtime.settings import DaemonSettings, load_settings
from runtime.store import Session
from runtime.tables import blocks
from runtime.verbs import Settings, guarded
from schemas.effects import AuthorizationTerms
from schemas.identifiers import AuthorizationId, PartyCode

__all__ = ["add_stopped_verb", "load_stopped"]

COLUMNS = (
    "account",
    "key",
    "first",
    "last",
    "quantity",
    "authorization",
    "revoked_by_version",
)

Stopped = list[tuple[Block, AuthorizationTerms]]
"""Units, and the version by which their authorization is revoked."""


async def load_stopped(session: Session, book: str, authorizations: Table) -> Stopped:
    """The units of a book that are stopped, by account and serial."""
    known: dict[tuple[str, str], Authorization] = {}
    for row in await session.execute(select(authorizations)):
        one = known.setdefault((row.party, row.id), Authorization())
        one.versions[row.version] = AuthorizationTerms.model_validate_json(row.terms)
    found: Stopped = []
    for (party, id_), one in sorted(known.items()):
        if one.current.revoked:
            rows = await _under(session, book, AuthorizationId(id_))
            units = [r for r in rows if r.key.party == PartyCode(party) and is_stopped(r, one)]
            found += [(block, one.current) for block in join(units)]
    return sorted(found, key=_by_account)


def _by_account(pair: tuple[Block, AuthorizationTerms]) -> tuple[str, str, int]:
    block, _ = pair
    return block.position.account, block.key.text, block.first


async def _under(session: Session, book: str, id_: AuthorizationId) -> Iterable[Block]:
    """The blocks of a book that name an authorization of this id, whoever gave it."""
    named = f'"authorization":{{"id":"{id_}",'
    asked = (
        select(blocks)
        .where(blocks.c.book == book, blocks.c.attributes.contains(named, autoescape=True))
        .order_by(blocks.c.series, blocks.c.first)
    )
    return [read_block(row) for row in (await session.execute(asked)).mappings()]


def add_stopped_verb(
    app: typer.Typer, model: type[DaemonSettings], authorizations: Table, book: str | None = None
) -> None:
    """Add `stopped` to a program's command; without a `book`, that of the participant is read."""

    @app.command("stopped")
    def stopped(settings: Settings, form: FormOption = Form.TEXT) -> None:
        """List the units that a revocation stopped, as it binds what was first-transferred."""

        async def work() -> Stopped:
            loaded = load_settings(model, settings)
            async with open_database(loaded) as store, store.snapshot() as session:
                return await load_stopped(session, book or loaded.participant, authorizations)

        found: Stopped = guarded(lambda: asyncio.run(work()))
        rows = [
            (b.position.account, b.key.text, b.first, b.last, b.quantity, terms.id, terms.version)
            for b, terms in found
        ]
        write_list("stopped", COLUMNS, rows, form)
