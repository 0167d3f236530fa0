# SPDX-License-Identifier: Apache-2.0
"""The checks on units of the clean development mechanism (CERs) in the mechanism registry.

CERs of activities that have moved over may be taken into the mechanism registry. They are of before
2021 and are labelled so, are used towards a first NDC and for nothing else, pay no levies and cause
no corresponding adjustment (3/CMA.3 annex paras 73-75). So they have actions of their own, and keys
on which no other action works: of the mechanism registry on the layer `underlying`. They are no
ITMOs and never become any.

Elsewhere: approvals (`approvals`), the accounts that they may stand in (`moves`).
"""

from collections.abc import Iterator

from ledger.approvals import approval_covers
from ledger.asking import Ask, Found
from schemas.findings import Reason, finding
from schemas.identifiers import ADMINISTRATOR
from schemas.units import Attributes, Key, Layer, Purpose

__all__ = ["CER_ACTIONS", "cer_key_problem", "cers_fit"]

CER_ACTIONS = frozenset({"cer-entry", "cer-transfer", "cer-use"})
LABEL = "CER"


def cer_key_problem(ask: Ask, key: Key) -> str | None:
    """What is wrong with a key for an action on CERs."""
    policy = ask.facts.policy
    if str(key.registry) != policy.mechanism or key.layer is not Layer.UNDERLYING:
        return "CERs are of the mechanism registry, on the layer underlying"
    if key.activity is None or key.vintage >= policy.vintage_from:
        return f"CERs are of an activity, and of before {policy.vintage_from}"
    return None


def cers_fit(ask: Ask) -> Found:
    """What is taken in is approved and labelled; what is used is used towards a first NDC."""
    action = ask.proposal.action
    if action not in CER_ACTIONS:
        return
    if action == "cer-entry":
        yield from approval_covers(ask)
        yield from _labelled(ask)
    acquirer = ask.proposal.acquirer
    if acquirer is not None and acquirer.participant != ask.author.participant:
        detail = f"{acquirer} is of another registry; CERs stay in the mechanism registry"
        yield finding(Reason.ACQUIRER_WRONG, detail, field="body/acquirer")
    if action == "cer-use":
        yield from _towards_a_first_ndc(ask)


def _labelled(ask: Ask) -> Found:
    for i, line in enumerate(ask.proposal.lines):
        assert line.attributes is not None
        for name in _unlike_new(line.attributes):
            detail = f"CERs are taken in labelled {LABEL}, and as they were issued"
            where = f"body/lines/{i}/attributes/{name}"
            yield finding(Reason.DESIGNATION_WRONG, detail, field=where)


def _unlike_new(said: Attributes) -> Iterator[str]:
    wanted = Attributes(designation=LABEL, mitigation=said.mitigation)
    for name in Attributes.model_fields:
        if getattr(said, name) != getattr(wanted, name):
            yield name


def _towards_a_first_ndc(ask: Ask) -> Found:
    use, last = ask.proposal.use, ask.facts.policy.first_ndc_last_year
    if use is None:
        return
    if use.purpose is not Purpose.NDC or use.year is None:
        detail = f"{use.purpose or use.cancellation}; CERs are used towards a first NDC"
        yield finding(Reason.FIRST_NDC_ONLY, detail, field="body/use/purpose")
        return
    if use.year > last:
        detail = f"{use.year}; first NDCs end with {last}"
        yield finding(Reason.FIRST_NDC_ONLY, detail, field="body/use/year")
    section = ask.author.section
    if use.user != section or section == ADMINISTRATOR:
        detail = f"{use.user}; CERs are used by the Party that holds them, and {ask.author} is "
        detail += "an administrator" if section == ADMINISTRATOR else f"{section}'s"
        yield finding(Reason.AUTHOR_NOT_ACTING, detail, field="body/use/user")
