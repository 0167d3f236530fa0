# SPDX-License-Identifier: Apache-2.0
"""The check that a Party acts, and acquires, in the one section in which its ITMOs are tracked.

Units that a Party left behind go to the section that it is bound to, and nowhere else; so a Party
can change its registry. The mechanism registry's sections are asked for no binding: what they hold
before the first transfer is tracked by other rules, and so is the authorization of A6.4ERs.

Elsewhere: who is bound since when (`bindings`), the order in which checks are asked (`checks`).
"""

from ledger.asking import MECHANISM_APPROACH, Ask, Found
from ledger.bindings import may_be_bound
from schemas.findings import Reason, finding
from schemas.identifiers import Actor

__all__ = ["sections_are_bound"]


def sections_are_bound(ask: Ask) -> Found:
    """The proposer and the acquirer are the sections to which their Parties are bound (2/CMA.3
    annex para 29), or the proposer hands over to the one that its Party is bound to.
    """
    author, acquirer, directory = ask.author, ask.proposal.acquirer, ask.facts.directory
    over = acquirer is not None and acquirer == directory.bound(author.section)
    if not over and not _is_the_mechanisms(ask):
        yield from _is_bound(ask, author, None)
    if acquirer is None or acquirer.participant == ask.facts.policy.mechanism:
        return
    if directory.current_key(acquirer) is not None:  # or another check says that it is not admitted
        yield from _is_bound(ask, acquirer, "body/acquirer")


def _is_the_mechanisms(ask: Ask) -> bool:
    """Whether the mechanism registry is concerned alone: what else a Party authorizes is recorded
    where its ITMOs are tracked.
    """
    terms = ask.proposal.terms
    own = terms is None or terms.approach == MECHANISM_APPROACH
    return own and ask.author.participant == ask.facts.policy.mechanism


def _is_bound(ask: Ask, actor: Actor, where: str | None) -> Found:
    """An actor is the section to which its Party is bound."""
    bound = ask.facts.directory.bound(actor.section)
    if bound == actor:
        return
    if not may_be_bound(actor):
        detail = f"no Party's ITMOs are tracked in {actor}"
    else:
        detail = f"{actor.section} is bound to {bound or 'no section'}, not to {actor}"
    yield finding(Reason.NOT_BOUND, detail, field=where)
