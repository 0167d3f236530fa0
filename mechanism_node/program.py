# SPDX-License-Identifier: Apache-2.0
"""The mechanism registry: a registry whose administrator issues A6.4ERs.

The command `issue` is worked out into an ordinary proposal (`issuance`), so that everything after
it, checks, entry and rows, is what every registry has.

No administrator acts alone (3/CMA.3 annex para 64): whatever this role alone may command, and all
that its section proposes, waits for a second person unless the settings say otherwise.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from mechanism_node.issuance import Issuance, issuance_proposal
from registry.program import Registry
from registry.state import RegistryFacts
from runtime.desk import OWN_COMMANDS
from runtime.orders import unfit
from runtime.program import Batch, Item, Order
from runtime.store import Session
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import Actor, Instant

__all__ = ["MechanismRegistry"]

ROLES = {**Registry.roles, "issue": "administrator"}

ADMINISTRATORS_COMMANDS = tuple(
    name for name, role in {**ROLES, **OWN_COMMANDS}.items() if role == "administrator"
)
"""What no lower role may command."""


class MechanismRegistry(Registry):
    """A registry with the command `issue`, for its administrator's section alone."""

    roles = ROLES
    second_person = (*ADMINISTRATORS_COMMANDS, "propose ADM")

    def malformed(self, order: Order, now: Instant) -> list[Finding]:
        """What is wrong with a command whatever the facts are."""
        proposed = self._proposal(order)
        if isinstance(proposed, Finding):
            return [proposed]
        return super().malformed(proposed, now)

    async def load(self, session: Session, items: Sequence[Item], batch: Batch) -> RegistryFacts:
        """Every fact that the items need."""
        worked_out = [self._proposal(i) if isinstance(i, Order) else i for i in items]
        known = [i for i in worked_out if not isinstance(i, Finding)]
        return await super().load(session, known, batch)

    def decide(self, facts: RegistryFacts, item: Item, batch: Batch) -> list[Finding]:
        """Carry out one item."""
        if isinstance(item, Order):
            order = self._proposal(item)
            return [order] if isinstance(order, Finding) else super().decide(facts, order, batch)
        return super().decide(facts, item, batch)

    def _proposal(self, order: Order) -> Order | Finding:
        """The order as it is, or an `issue` worked out into a `propose`."""
        if order.command != "issue":
            return order
        administrator = Actor(f"{self.participant}/ADM")
        try:
            issuance = Issuance.model_validate_json(json.dumps(order.arguments))
            arguments = issuance_proposal(issuance, administrator, self._settings.policy)
        except ValidationError as error:
            return unfit(error)
        except ValueError as error:
            return finding(Reason.COMMAND_INVALID, str(error))
        return replace(order, command="propose", arguments=arguments)
