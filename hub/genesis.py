# SPDX-License-Identifier: Apache-2.0
"""Beginning a log: entry 0, made once, by command, from a genesis act that everybody signed.

Elsewhere: the act and its signatures (`schemas.directory`, `ledger.directory`); what follows
(`program`); the anchor (`guard`).
"""

from hub import saving, storage
from hub.entries import Logging
from hub.guard import Guard
from hub.state import HubFacts, Kept
from ledger.asking import Policy
from ledger.directory import Directory
from ledger.holdings import Holdings
from runtime.clock import Ids
from runtime.errors import LocalProtocolError
from runtime.program import Batch
from runtime.store import Store
from schemas.directory import SignedAct
from schemas.effects import DirectoryEffect
from schemas.envelope import digest
from schemas.identifiers import Digest, Instant

__all__ = ["begin_log"]


async def begin_log(
    store: Store, genesis: SignedAct, now: Instant, ids: Ids, guard: Guard
) -> Digest:
    """Write entry 0 into an empty database, and the first anchor; gives the entry's digest, the
    trust root.

    `DirectoryError` when the act is not signed by the hub and every administrator;
    `LocalProtocolError` when there is a log or an anchor already.
    """
    directory = Directory.begin(genesis)
    guard.require_key(directory.genesis)
    async with store.transaction() as session:
        if await storage.load_kept(session) is not None:
            raise LocalProtocolError("this database has a log already; a log begins once")
        guard.require_none()
        batch = Batch(now=now, ids=ids)
        facts = HubFacts(
            directory=directory,
            holdings=Holdings(),
            authorizations={},
            now=now,
            policy=Policy(),
            log_id=directory.genesis.log,
        )
        effect = DirectoryEffect(act=genesis.act, signatures=genesis.signatures)
        Logging(facts, batch).entry("directory", None, addressed=(), effects=[effect])
        await saving.save_facts(session, facts, Kept(directory=directory))
        # Before the commit, this once: if the anchor cannot be written nothing has happened, and
        # nobody has been sent anything of a log that has not begun.
        guard.move(facts.log_id, facts.log)
    return digest(facts.entries[0].line)
