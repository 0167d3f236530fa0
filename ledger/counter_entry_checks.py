# SPDX-License-Identifier: Apache-2.0
"""The checks on a counter-entry, by which a first transfer is taken back.

A revocation is nothing to units that were first-transferred, unless the terms that they are under
say that it binds them (4/CMA.6). Where they do, the units stop, and holder and first transferring
Party can agree to take the first transfer back:

* The proposal names the version that revokes the authorization, and this version is current.
* Each unit is first-transferred under that authorization, under a version that lets a revocation
  bind it. Units that were used or cancelled are final, and are refused before this is asked.
* The units go back to whoever holds the units that they represent, locked, or else to the section
  of their Party in the registry where they came into being: it is there that their first transfer
  was counted. Who acquired them in between has no part in it.

Elsewhere: what stops after a revocation (`authorization_checks`), closed years, which are known to
the Party's registry alone (`registry.adjustments`), what a counter-entry does (`actions`).
"""

from ledger.actions import pledged
from ledger.asking import Ask, Authorization, Found
from ledger.authorization_checks import is_all_known
from ledger.blocks import Block
from schemas.findings import Reason, finding
from schemas.identifiers import ADMINISTRATOR, Actor
from schemas.messages import Line
from schemas.units import AuthorizationRef, Key

__all__ = ["counter_entry_fits"]


def counter_entry_fits(ask: Ask) -> Found:
    """What is taken back is a first transfer that a revocation binds, and it goes back home."""
    ref = ask.proposal.authorization
    if ask.proposal.action != "counter-entry" or ref is None:
        return
    for party in sorted({line.key.party for line in ask.proposal.lines}):
        known = ask.facts.authorizations.get((party, ref.id))
        if known is not None and ref.version in known.versions:
            yield from _is_revoked_by(known, ref)
        elif is_all_known(ask, party):
            detail = f"{party} {ref.id} version {ref.version}"
            yield finding(Reason.AUTHORIZATION_MISSING, detail, field="body/authorization")
    for i, line in enumerate(ask.proposal.lines):
        for row in ask.facts.holdings.find(line.key.series, line.first, line.last):
            yield from _is_bound(ask, ref, row, f"body/lines/{i}")
        yield from _goes_back(ask, line)


def _is_revoked_by(known: Authorization, ref: AuthorizationRef) -> Found:
    current = known.current
    if not current.revoked or current.version != ref.version:
        which = f"version {current.version} of {ref.id} is current"
        detail = f"{which}, and " + ("revokes it; name that" if current.revoked else "valid")
        yield finding(Reason.FIRST_TRANSFER_STANDS, detail, field="body/authorization")


def _is_bound(ask: Ask, ref: AuthorizationRef, row: Block, where: str) -> Found:
    under, units = row.attributes.authorization, (row.key, row.first, row.last)
    if not row.attributes.first_transferred:
        yield finding(Reason.NOT_FIRST_TRANSFERRED, field=where, units=units)
        return
    if under is None or under.id != ref.id:
        detail = f"they are under {under.id if under else 'no authorization'}, not {ref.id}"
        yield finding(Reason.FIRST_TRANSFER_STANDS, detail, field=where, units=units)
        return
    known = ask.facts.authorizations.get((row.key.party, ref.id))
    terms = known.versions.get(under.version) if known else None
    if terms is not None and not terms.binds_first_transferred:
        detail = f"by version {under.version} of {ref.id} a revocation does not bind them"
        yield finding(Reason.FIRST_TRANSFER_STANDS, detail, field=where, units=units)


def _goes_back(ask: Ask, line: Line) -> Found:
    """To whom ITMOs go back. A registry sees the locked units of its own actors alone; where it
    sees none, the Party's section and the administrator could both hold them.
    """
    home = {overlay.actor for _, overlay in pledged(line, ask.facts.holdings)}
    if not home:
        home = {_at_home(line.key, line.key.party)}
        if not ask.facts.whole:
            home.add(_at_home(line.key, ADMINISTRATOR))
    to = ask.proposal.acquirer or ask.author
    if (ask.facts.whole and home != {to}) or to not in home:
        detail = f"{to}; these units go back to {' and '.join(sorted(home))}"
        units = (line.key, line.first, line.last)
        yield finding(Reason.ACQUIRER_WRONG, detail, field="body/acquirer", units=units)


def _at_home(key: Key, section: str) -> Actor:
    """A section of the registry where units of this key came into being."""
    return Actor(f"{key.registry}/{section}")
