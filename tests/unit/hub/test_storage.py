# SPDX-License-Identifier: Apache-2.0
"""The hub's facts in and out of its database, on SQLite and on PostgreSQL.

What a hub keeps in memory after any batch is what it would load after a crash; and what must never
change in the database cannot be changed there by anybody.
"""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from hub import storage, tables
from hub.genesis import begin_log
from hub.guard import Guard
from hub.state import Kept
from ledger import log, note
from runtime.anchor import MemoryAnchor
from runtime.clock import Ids
from runtime.errors import LocalProtocolError
from runtime.program import Heard
from runtime.schema import migrate
from runtime.store import open_store
from schemas.effects import ApprovalEffect, CaseEffect, CaseState, Cause
from schemas.findings import Reason
from schemas.identifiers import Actor, AuthorizationId, CaseId, Digest, Participant, PartyCode
from schemas.messages import (
    Acceptance,
    CaseNotice,
    Delivered,
    Statement,
    Withdrawal,
    parse_message,
)
from tests.cast import (
    CHE,
    GHA,
    HUB,
    LOG,
    REC,
    I,
    U,
    first_transfer,
    genesis,
    issuance,
    keyring,
    signer,
    terms,
)
from tests.unit.hub.alone import NOON, Alone, later

PARTIES = (REC, Participant("GHA01"), Participant("CHE01"))


async def reloaded(alone: Alone) -> Kept:
    async with alone.store.transaction() as session:
        kept = await storage.load_kept(session)
    assert kept is not None
    return kept


async def same_after_a_crash(alone: Alone) -> None:
    """Memory and database agree on everything that the next batch starts from."""
    mine, theirs = alone.hub.kept, await reloaded(alone)
    assert mine.directory == theirs.directory
    assert mine.acts == theirs.acts
    assert (mine.log.size, mine.log.nodes) == (theirs.log.size, theirs.log.nodes)
    assert {a: (g.size, g.root()) for a, g in mine.deliveries.items()} == {
        a: (g.size, g.root()) for a, g in theirs.deliveries.items()
    }
    assert mine.checkpoint_size == theirs.checkpoint_size
    assert {p: mine.shown.get(p, 0) for p in theirs.shown} == theirs.shown
    assert mine.owed <= theirs.owed, "a restart may show somebody one checkpoint more"
    assert mine.last_turn == theirs.last_turn
    assert mine.next_deadline == theirs.next_deadline
    assert mine.overdue == theirs.overdue


async def test_what_is_kept_in_memory_is_what_a_restart_loads(each_url: str) -> None:
    alone = await Alone.begin(each_url)
    await same_after_a_crash(alone)
    await alone.admit(*PARTIES)
    await same_after_a_crash(alone)
    given = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007", quantity=500)}
    await alone.run(
        alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 1000)),
        alone.proposal(GHA, "GHA01-GHA-2", given),
    )
    await same_after_a_crash(alone)
    one = alone.proposal(GHA, "GHA01-GHA-3", first_transfer(1, 100, 1), 60)
    two = alone.proposal(GHA, "GHA01-GHA-4", first_transfer(101, 200, 101), 60)
    late = alone.proposal(GHA, "GHA01-GHA-5", first_transfer(201, 300, 201), 60)
    await alone.run(one, two, late)
    await same_after_a_crash(alone)
    await alone.tick(2)
    await same_after_a_crash(alone)
    await alone.run(
        alone.heard(CHE, "acceptance", "GHA01-GHA-3", Acceptance(), one.digest),
        alone.heard(GHA, "withdrawal", "GHA01-GHA-4", Withdrawal(), two.digest),
    )
    await same_after_a_crash(alone)
    for seconds in range(3, 64, 3):
        await alone.tick(seconds)
        await same_after_a_crash(alone)
    async with alone.store.snapshot() as session:
        ids = ["GHA01-GHA-3", "GHA01-GHA-4", "GHA01-GHA-5", "GHA01-GHA-6"]
        found = await storage.load_transactions(session, ids)
        assert [str(t.state) for t in found.values()] == ["completed", "withdrawn", "expired"]
        assert found[next(iter(found))].line == one.line
        name = (PartyCode("GHA"), AuthorizationId("GH-1"))
        (known,) = (await storage.load_authorizations(session, [name])).values()
        assert (known.used, list(known.versions)) == (100, [1])
    await alone.store.close()


async def test_versions_of_an_authorization_in_one_batch_follow_one_another(
    each_url: str,
) -> None:
    alone = await Alone.begin(each_url)
    await alone.admit(Participant("GHA01"))
    items = [
        alone.proposal(
            GHA,
            f"GHA01-GHA-{number}",
            {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007", version=version)},
        )
        for number, version in ((1, 1), (2, 2), (3, 2), (4, 3))
    ]
    await alone.run(*items)
    async with alone.store.snapshot() as session:
        found = await storage.load_transactions(session, [f"GHA01-GHA-{n}" for n in range(1, 5)])
        states = [str(found[id_].state) for id_ in sorted(found)]
        (known,) = (await storage.load_authorizations(session, [("GHA", "GH-1")])).values()
    assert states == ["completed", "completed", "refused", "completed"]
    assert sorted(known.versions) == [1, 2, 3]
    await same_after_a_crash(alone)
    await alone.store.close()


async def test_the_same_units_in_one_batch_are_given_once(each_url: str) -> None:
    """What an item has reserved or moved, the next one of the batch finds."""
    alone = await Alone.begin(each_url)
    await alone.admit(*PARTIES)
    given = {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007")}
    items = [
        alone.proposal(GHA, "GHA01-GHA-1", issuance(GHA, U, 1, 100)),
        alone.proposal(GHA, "GHA01-GHA-2", issuance(GHA, U, 100, 101)),
        alone.proposal(GHA, "GHA01-GHA-3", given),
        alone.proposal(GHA, "GHA01-GHA-4", first_transfer(1, 60, 1)),
        alone.proposal(GHA, "GHA01-GHA-5", first_transfer(60, 100, 60)),
    ]
    await alone.run(*items)
    async with alone.store.snapshot() as session:
        found = await storage.load_transactions(session, [f"GHA01-GHA-{n}" for n in range(1, 6)])
    states = [str(found[id_].state) for id_ in sorted(found)]
    assert states == ["completed", "refused", "completed", "cleared", "refused"]
    await alone.store.close()


async def test_statements_and_roots_are_found_by_size(each_url: str) -> None:
    alone = await Alone.begin(each_url)
    await alone.admit(*PARTIES)
    await alone.tick(5)
    size = alone.hub.kept.log.size
    async with alone.store.snapshot() as session:
        roots = await storage.load_checkpoint_roots(session, [size, size + 1])
        grown = alone.hub.kept.deliveries[GHA]
        wanted = [(GHA, grown.size), (GHA, grown.size + 1), (GHA, 0), (Actor("HUB"), 1)]
        delivered = await storage.load_delivered_roots(session, wanted)
    assert roots == {size: alone.hub.kept.log.root().hex()}
    assert delivered == {(GHA, grown.size): grown.root()}
    word = Statement(
        size=size,
        root=Digest(roots[size]),
        delivered=Delivered(size=grown.size, root=Digest(grown.root().hex())),
        holdings=Digest("0" * 64),
        sent=(),
        cosignature="none",
    )
    await alone.run(alone.heard(GHA, "statement", "statement", word))
    await alone.run(alone.heard(GHA, "statement", "statement", word))
    async with alone.store.snapshot() as session:
        (row,) = (await storage.load_statements(session, [GHA, CHE])).values()
    assert (row.size, row.delivered, row.at) == (size, grown.size, later(5))
    await alone.store.close()


async def test_the_first_cosignature_of_a_witness_on_a_checkpoint_counts(each_url: str) -> None:
    """Its time is when the witness had seen the checkpoint; it sees the same one again later."""
    alone = await Alone.begin(each_url)
    await alone.admit(*PARTIES)
    await alone.tick(5)
    kept = alone.hub.kept
    size, root, own = kept.log.size, kept.log.root(), kept.deliveries[GHA]
    text_ = note.Checkpoint(LOG, size, root).to_text()

    def stated(seconds: int) -> Heard:
        word = Statement(
            size=size,
            root=Digest(root.hex()),
            delivered=Delivered(size=own.size, root=Digest(own.root().hex())),
            holdings=Digest("0" * 64),
            sent=(),
            cosignature=note.cosign(text_, "GHA01", signer("witness GHA01"), seconds),
        )
        return alone.heard(GHA, "statement", "statement", word)

    first, second, third = (stated(1_800_000_000 + n) for n in range(3))
    await alone.run(first, second)
    await alone.run(third)
    async with alone.store.snapshot() as session:
        rows = [tuple(row) for row in await session.execute(select(tables.cosignatures))]
    assert rows == [(size, "GHA01", first.message.body.cosignature)]
    await alone.store.close()


async def test_a_log_begins_once(each_url: str) -> None:
    alone = await Alone.begin(each_url)
    guard = Guard(MemoryAnchor(), keyring(HUB).checkpoint)
    with pytest.raises(LocalProtocolError, match="begins once"):
        await begin_log(alone.store, genesis(), NOON, Ids(), guard)
    await alone.store.close()


APPEND_ONLY = ("log_entries", "log_nodes", "deliveries", "delivery_nodes", "acts", "checkpoints")


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("how", ["update", "delete"])
async def test_what_was_logged_cannot_be_changed_in_the_database(
    each_url: str, table: str, how: str
) -> None:
    alone = await Alone.begin(each_url)
    await alone.admit(*PARTIES)
    await alone.tick(5)
    column = {"log_entries": "at", "checkpoints": "at", "acts": "act"}.get(table)
    change = f"{column} = 'x'" if column else "position = 7"
    if table.endswith("_nodes"):
        change = "node = 7777"
    sql = f"update {table} set {change}" if how == "update" else f"delete from {table}"
    with pytest.raises(DBAPIError, match="append_only"):
        async with alone.store.transaction() as session:
            await session.execute(text(sql))
    await alone.restart()
    assert alone.hub.kept.log.size > 0
    await alone.store.close()


async def test_every_proof_between_two_sizes_is_made_from_stored_nodes(each_url: str) -> None:
    alone = await Alone.begin(each_url)
    await alone.admit(*PARTIES)
    roots = {}
    for number in range(1, 12):
        await alone.run(
            alone.proposal(GHA, f"GHA01-GHA-{number}", issuance(GHA, U, number, number))
        )
        roots[alone.hub.kept.log.size] = alone.hub.kept.log.root()
    sizes = sorted(roots)
    async with alone.store.snapshot() as session:
        for old in sizes:
            for new in (size for size in sizes if size > old):
                path = log.consistency_path(old, new)
                nodes = await storage.load_nodes(session, None, path)
                proof = log.consistency_proof(old, new, nodes)
                assert log.verify_consistency(old, roots[old], new, roots[new], proof)
    await alone.store.close()


# --- approvals and cases -------------------------------------------------------------------------


def under(approval: str, first: int, last: int, approved: int) -> dict[str, Any]:
    references = {"request": "R", "approval": approval, "approved_quantity": approved}
    return issuance(GHA, U, first, last) | {"references": references}


def about(case: str, cause: Cause, state: CaseState = "open") -> CaseNotice:
    return CaseNotice(
        key=U,
        first=1,
        last=10,
        case=CaseId(case),
        actor=GHA,
        cause=cause,
        state=state,
        freeze=False,
        detail="",
    )


async def approved_and_overdue(alone: Alone) -> None:
    """70 of 100 are issued; one case is open because of no answer, one was, one is of a cause."""
    await alone.admit(*PARTIES)
    await alone.run(
        alone.proposal(GHA, "GHA01-GHA-1", under("A", 1, 40, 100)),
        alone.proposal(GHA, "GHA01-GHA-2", under("A", 41, 70, 100)),
        alone.proposal(GHA, "GHA01-GHA-3", under("B", 101, 110, 10)),
    )
    rec = Actor("REC")
    told: list[tuple[str, Cause, CaseState]] = [
        ("REC-1", "statement-overdue", "open"),
        ("REC-2", "statement-overdue", "open"),
        ("REC-3", "missing", "open"),
        ("REC-1", "statement-overdue", "closed"),
    ]
    for case, cause, state in told:
        await alone.run(alone.heard(rec, "case", case, about(case, cause, state)))


async def both_tables(alone: Alone) -> list[list[tuple[Any, ...]]]:
    async with alone.store.snapshot() as session:
        return [
            sorted(tuple(row) for row in await session.execute(select(table)))
            for table in (tables.approvals, tables.cases)
        ]


async def test_what_is_issued_and_overdue_survives_a_restart(each_url: str) -> None:
    alone = await Alone.begin(each_url)
    await approved_and_overdue(alone)
    assert alone.hub.kept.overdue == {GHA: ("REC-2",)}
    await same_after_a_crash(alone)
    await alone.restart()
    for number, wanted, found in (
        (4, under("A", 201, 231, 100), Reason.APPROVAL_EXCEEDED),
        (5, under("A", 201, 210, 1000), Reason.APPROVAL_DIFFERS),
        (6, first_transfer(1, 10, 1), Reason.ACTOR_SUSPENDED),
    ):
        id_ = f"GHA01-GHA-{number}"
        said = alone.proposal(GHA, id_, wanted)
        await alone.run(said)
        assert alone.facts is not None
        (entry,) = alone.facts.entries
        assert [f.reason for f in entry.message.body.findings] == [found]
    await alone.run(alone.proposal(GHA, "GHA01-GHA-7", under("A", 201, 230, 100)))
    assert (await both_tables(alone))[0][0] == (GHA, "A", 100, 100, None)
    await alone.store.close()


# --- cases ----------------------------------------------------------------------------------------

FITS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str | None]] = {
    "a new one": ([], {}, None),
    "one that is open": ([{}], {}, "REC-7 is open already"),
    "one that was closed": ([{}, {"state": "closed"}], {}, "REC-7 was closed before"),
    "the end of one": ([{}], {"state": "closed"}, None),
    "the end of none": ([], {"state": "closed"}, "REC-7 is not open"),
    "the end of one that was closed": (
        [{}, {"state": "closed"}],
        {"state": "closed"},
        "REC-7 is not open",
    ),
    "the end of more": (
        [{}],
        {"state": "closed", "last": 11},
        f"REC-7 is about {U.text} 1-10 of {GHA}",
    ),
    "the end of less": (
        [{}],
        {"state": "closed", "first": 2},
        f"REC-7 is about {U.text} 1-10 of {GHA}",
    ),
    "the end of another series": (
        [{}],
        {"state": "closed", "key": I},
        f"REC-7 is about {U.text} 1-10 of {GHA}",
    ),
    "an explanation": ([{}], {"state": "explained", "detail": "why"}, None),
    "a second explanation": (
        [{}, {"state": "explained", "detail": "why"}],
        {"state": "explained", "detail": "rather"},
        None,
    ),
    "the end of one that was explained": (
        [{}, {"state": "explained", "detail": "why"}],
        {"state": "closed"},
        None,
    ),
    "one that was explained": (
        [{}, {"state": "explained", "detail": "why"}],
        {},
        "REC-7 is open already",
    ),
    "an explanation of none": ([], {"state": "explained", "detail": "why"}, "REC-7 is not open"),
    "an explanation of more": (
        [{}],
        {"state": "explained", "detail": "why", "last": 11},
        f"REC-7 is about {U.text} 1-10 of {GHA}",
    ),
    "an explanation to others": (
        [{}],
        {"state": "explained", "detail": "why", "concerned": (CHE,)},
        "REC-7 concerns nobody else",
    ),
    "the end to fewer": (
        [{"concerned": (CHE,)}],
        {"state": "closed"},
        "REC-7 concerns CHE01/CHE",
    ),
    "the end of another cause": (
        [{}],
        {"state": "closed", "cause": "surplus"},
        "REC-7 was opened with the cause missing",
    ),
    "the end of another's": (
        [{}],
        {"state": "closed", "actor": CHE},
        f"REC-7 is about {U.text} 1-10 of {GHA}",
    ),
}


def seventh(**changes: Any) -> CaseNotice:
    return about("REC-7", "missing").model_copy(update={"freeze": True, **changes})


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", FITS)
async def test_a_notice_fits_its_case_or_changes_nothing(
    alone: Alone, name: str, *, together: bool
) -> None:
    """Whether what came before is of the same batch or of an older one."""
    before, last, problem = FITS[name]
    await alone.admit(*PARTIES)
    rec = Actor("REC")
    told = [alone.heard(rec, "case", "REC-7", seventh(**changes)) for changes in (*before, last)]
    if together:
        await alone.run(*told)
    else:
        for one in told:
            await alone.restart()
            await alone.run(one)
    assert alone.facts is not None
    found = alone.found[told[-1].name]
    assert [f.detail for f in found] == ([problem] if problem else [])
    assert [(f.reason, f.case) for f in found] == [(Reason.CASE_DIFFERS, "REC-7")] * len(found)
    assert len(alone.facts.entries) == (len(before) if together else 0) + (not problem)


@pytest.mark.requirement(111)
async def test_all_whom_a_case_concerns_are_told_of_each_turn(alone: Alone) -> None:
    await alone.admit(*PARTIES)
    for changes, laid in (
        ({}, ["case", "freeze"]),
        ({"state": "explained", "detail": "a lost backup"}, ["case"]),
        ({"state": "closed", "detail": "over"}, ["case", "unfreeze"]),
    ):
        await alone.restart()
        notice = seventh(concerned=(CHE,), **changes)
        batch = await alone.run(alone.heard(Actor("REC"), "case", "REC-7", notice))
        assert alone.facts is not None
        (new,) = alone.facts.entries
        entry = new.message.body
        assert [one.actor for one in entry.addressed] == [GHA, CHE]
        told = {one.to for one in batch.said if one.message.type == "entry"}
        assert told >= {GHA.participant, CHE.participant}
        assert [effect.effect for effect in entry.effects] == laid
        assert {e.actor for e in entry.effects} == {GHA}, "nothing of the others is frozen"
        (case, *_) = entry.effects
        assert (case.state, case.concerned) == (notice.state, (CHE,))
        assert case.explanation == (notice.detail if notice.state == "explained" else None)


@pytest.mark.requirement(111)
async def test_a_case_does_not_concern_whoever_is_not_admitted(alone: Alone) -> None:
    await alone.admit(*PARTIES)
    strange, far = Actor("FRA01/FRA"), Actor("FRA02/FRA")
    said = alone.heard(Actor("REC"), "case", "REC-7", seventh(concerned=(CHE, strange, far)))
    await alone.run(said)
    assert [(f.reason, f.field) for f in alone.found[said.name]] == [
        (Reason.PARTICIPANT_UNKNOWN, "body/concerned")
    ] * 2
    assert alone.facts is not None
    assert alone.facts.entries == []


async def test_an_explanation_leaves_a_case_as_it_was(alone: Alone) -> None:
    """What a restarted hub knows of it, and that its actor owes an answer."""
    await alone.admit(*PARTIES)
    rec = Actor("REC")
    opened = seventh(cause="statement-overdue", concerned=(CHE,))
    await alone.run(alone.heard(rec, "case", "REC-7", opened))
    before = await both_tables(alone)
    explained = opened.model_copy(update={"state": "explained", "detail": "no power"})
    await alone.run(alone.heard(rec, "case", "REC-7", explained))
    assert await both_tables(alone) == before
    await alone.restart()
    assert alone.hub.kept.overdue == {GHA: ("REC-7",)}


@pytest.mark.parametrize("frozen", [False, True])
async def test_the_end_of_a_case_lifts_what_was_frozen_with_it(
    alone: Alone, *, frozen: bool
) -> None:
    """Whatever the notice says about it; and nothing of another case."""
    await alone.admit(*PARTIES)
    rec, other = Actor("REC"), about("REC-8", "missing")
    other = other.model_copy(update={"first": 5, "last": 15, "freeze": True})
    await alone.run(alone.heard(rec, "case", "REC-8", other))
    await alone.run(alone.heard(rec, "case", "REC-7", seventh(freeze=frozen)))
    await alone.run(alone.heard(rec, "case", "REC-7", seventh(state="closed", freeze=not frozen)))
    assert alone.facts is not None
    (entry,) = alone.facts.entries
    effects = [effect.effect for effect in entry.message.body.effects]
    assert effects == (["case", "unfreeze"] if frozen else ["case"])
    left = list(alone.facts.holdings.overlays())
    assert [(o.reference, o.first, o.last) for o in left] == [("REC-8", 5, 15)]


async def test_two_issuances_in_one_batch_share_an_approval(alone: Alone) -> None:
    await alone.admit(*PARTIES)
    one = alone.proposal(GHA, "GHA01-GHA-1", under("A", 1, 60, 100))
    two = alone.proposal(GHA, "GHA01-GHA-2", under("A", 61, 101, 100))
    await alone.run(one, two)
    assert alone.facts is not None
    assert [new.message.body.state for new in alone.facts.entries] == ["completed", "refused"]


async def test_the_migration_works_out_what_an_older_version_did_not_keep(each_url: str) -> None:
    alone = await Alone.begin(each_url)
    await approved_and_overdue(alone)
    before = await both_tables(alone)
    async with alone.store.transaction() as session:
        for table in ("approvals", "cases"):
            await session.execute(text(f"drop table {table}"))
        manifest = "alter table transactions add column manifest bytea not null default ''"
        await session.execute(text(manifest))
        await session.execute(text("delete from alembic_version"))
        await session.execute(text("insert into alembic_version values ('r0006'), ('h0001')"))
    await alone.store.close()
    await migrate(each_url, alone.hub.packages)
    alone.store = open_store(each_url)
    assert await both_tables(alone) == before
    assert [row[:2] for row in before[0]] == [(GHA, "A"), (GHA, "B")]
    async with alone.store.snapshot() as session:
        row = (await session.execute(text("select * from transactions limit 1"))).mappings().one()
        assert "manifest" not in row
    await alone.store.close()


async def test_cases_of_an_older_version_get_their_units(each_url: str) -> None:
    alone = await Alone.begin(each_url)
    await approved_and_overdue(alone)
    rec = Actor("REC")
    await alone.run(alone.heard(rec, "case", "REC-7", seventh(first=21, last=30)))
    before = await both_tables(alone)
    async with alone.store.transaction() as session:
        for sql in (
            "create table older as select id, actor, cause, open from cases",
            "drop table cases",
            "alter table older rename to cases",
            "delete from alembic_version",
            "insert into alembic_version values ('r0006'), ('h0002')",
        ):
            await session.execute(text(sql))
    await alone.store.close()
    await migrate(each_url, alone.hub.packages)
    alone.store = open_store(each_url)
    assert await both_tables(alone) == before
    await alone.restart()
    end = alone.heard(
        rec, "case", "REC-7", seventh(first=21, last=30, state="closed", freeze=False)
    )
    await alone.run(end)
    assert alone.facts is not None
    (entry,) = alone.facts.entries
    assert [e.effect for e in entry.message.body.effects] == ["case", "unfreeze"]
    await alone.store.close()


async def test_the_log_s_effects_alone_give_what_is_issued_and_what_is_open(alone: Alone) -> None:
    await approved_and_overdue(alone)
    issued: Counter[tuple[str, str]] = Counter()
    opened: dict[str, bool] = {}
    async with alone.store.snapshot() as session:
        for row in await session.execute(
            select(tables.log_entries).order_by(tables.log_entries.c.position)
        ):
            for effect in parse_message(bytes(row.line)).body.effects:
                if isinstance(effect, ApprovalEffect):
                    issued[effect.actor, effect.approval] += effect.quantity
                if isinstance(effect, CaseEffect):
                    opened[effect.case] = effect.open
    approvals, cases = await both_tables(alone)
    assert {(a, r): n for a, r, _, n, _ in approvals} == dict(issued)
    assert {case: bool(is_open) for case, *_, is_open, _ in cases} == opened
