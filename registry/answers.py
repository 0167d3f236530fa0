# SPDX-License-Identifier: Apache-2.0
"""Answers to the reconciliation service: what the rows hold, from one database snapshot.

Every answer says how far deliveries were applied and what the rows digest to, so the other side can
bring its own copy to the same point. A question about an actor of somebody else's is refused.
"""

from ledger.growth import Growth
from ledger.tree import goes_on
from registry import storage
from registry.state import Inquired, RegistryFacts
from runtime import books
from runtime.program import Batch
from runtime.rows import labelled
from runtime.store import Session
from schemas.identifiers import REC, Actor, Digest
from schemas.limits import ANSWER_LINES_MAX
from schemas.messages import Answer, AuditLine, Delivered, Inquiry, Total
from schemas.nodes import Children
from schemas.units import Frozen, Key

__all__ = ["answer_inquiry", "answer_to"]


async def answer_inquiry(
    session: Session, facts: RegistryFacts, inquired: Inquired, batch: Batch
) -> None:
    """Say the answer to one inquiry."""
    actor = inquired.inquiry.actor
    answer = await answer_to(session, inquired.inquiry, facts.deliveries.get(actor, Growth()))
    batch.say(actor, REC, "answer", inquired.conversation, answer, answers=inquired.digest)


async def answer_to(session: Session, inquiry: Inquiry, own: Growth) -> Answer:
    """What the rows hold, when so much was delivered to the actor."""
    actor = inquiry.actor
    root = await books.holdings_root(session, actor)
    return Answer.model_validate(
        {
            "question": inquiry.question,
            "actor": actor,
            "delivered": Delivered(size=own.size, root=Digest(own.root().hex())),
            "holdings": Digest(root.hex()),
            "level": inquiry.level,
            **await _contents(session, inquiry, actor),
        }
    )


async def _contents(
    session: Session, inquiry: Inquiry, actor: Actor
) -> dict[str, tuple[Frozen, ...]]:
    """The members of the answer that the question asks for."""
    if inquiry.question == "children":
        return {"children": tuple(await _children(session, inquiry, actor))}
    if inquiry.question == "points":
        points = await books.load_tree_points(session, actor, inquiry.nodes)
        return labelled(books.buckets_of(points))
    if inquiry.question == "totals":
        sums = await books.totals(session, actor, inquiry.nodes)
        told = sums[:ANSWER_LINES_MAX]
        return {"totals": tuple(Total(key=k, kind=n, quantity=q) for k, n, q in told)}
    return {"trail": tuple(await _trail(session, inquiry, actor))}


async def _children(session: Session, inquiry: Inquiry, actor: Actor) -> list[Children]:
    """The children asked for; where no node has two, theirs in their place (7.16)."""
    level, nodes = inquiry.level, set(inquiry.nodes)
    while True:
        found = await books.children_of(session, actor, ((level, node) for node in nodes))
        level, nodes = level + 1, {child for below in found.values() for child in below}
        if inquiry.one_level or not goes_on(level, found.values()):
            return [Children.of(*at, below) for at, below in found.items() if below]


async def _trail(session: Session, inquiry: Inquiry, actor: Actor) -> list[AuditLine]:
    rows = await storage.overlapping_movements(session, actor, inquiry.ranges, ANSWER_LINES_MAX)
    return [
        AuditLine(
            key=Key.parse(row.key),
            first=row.first,
            last=row.last,
            delivery=row.number,
            position=row.position,
            entry=Digest(row.entry),
        )
        for row in rows
    ]
