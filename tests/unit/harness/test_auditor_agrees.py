# SPDX-License-Identifier: Apache-2.0
"""The auditor and the hub's own rules agree on whatever is proposed, under many seeds.

A hub of a few lines takes proposals made up at random, most of them nearly right, decides them with
`ledger.checks` and `ledger.actions`, and writes what it did as entries; the auditor reads those.
"""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from harness.simulation.auditor import Auditor, Observed
from ledger import actions
from ledger.approvals import count_approval
from ledger.asking import Approval, Ask, Authorization, Facts, Policy, levy
from ledger.blocks import Block
from ledger.checks import examine
from ledger.directory import Directory
from ledger.effects import Everybody, apply
from ledger.first_transfer import counted
from ledger.holdings import Holdings, Overlay, OverlayKind
from schemas.directory import Profile, Status
from schemas.effects import (
    ApprovalEffect,
    ApprovalRecordEffect,
    AuthorizationEffect,
    CaseEffect,
    Effect,
    Freeze,
    Unfreeze,
)
from schemas.envelope import digest
from schemas.identifiers import Actor, CaseId, Instant, TransactionId, account_number
from schemas.messages import Proposal
from schemas.units import Frozen, Key, Kind, Layer
from tests.cast import (
    ADM,
    CHE,
    GHA,
    KOR,
    MMR,
    ROG,
    VUT,
    A,
    I,
    R,
    U,
    approval,
    asked,
    first_transfer,
    instruction,
    issuance,
    terms,
    transfer,
    use,
)

SWISS = Actor("UN02/CHE")
"""A second section of Switzerland's."""
ACTORS = (GHA, CHE, ROG, ADM, MMR, KOR, VUT, SWISS)
B = Key.parse("itmo:CA0001-UN01-MMR-2024:B0001")
CER = Key.parse("underlying:CA0001-UN01-MMR-2015:CDM1")
OLD = Key.parse("underlying:CA0007-GHA01-GHA-2019")
KEYS = (U, I, A, B, R, OLD, CER, Key.parse("underlying:CA0007-UN02-KOR-2023"))
CODES = ("PEN", "HLD", "LCK", "USE", "CAN", "OMG", "SOP", "RET", "ADC", "BUF", "CER")
START = datetime.fromisoformat("2027-03-01T12:00:00+00:00")


@dataclass
class SmallHub:
    """Decides and writes; a directory without keys."""

    chance: random.Random
    auditor: Auditor = field(default_factory=lambda: Auditor("UN01", frozenset({"UN02"}), 50, 20))
    holdings: Holdings = field(default_factory=Holdings)
    authorizations: dict[Any, Authorization] = field(default_factory=dict)
    approvals: dict[tuple[Actor, str], Approval] = field(default_factory=dict)
    open: dict[str, tuple[Actor, Proposal, str]] = field(default_factory=dict)
    cases: dict[int, CaseEffect] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    profiles: dict[frozenset[str], Profile] = field(default_factory=dict)
    bound: dict[str, Actor | None] = field(default_factory=dict)
    delivered: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    size: int = 0
    number: int = 0
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.act([], act="genesis", log="small")
        everybody: list[Actor] = []
        for participant in sorted({actor.participant for actor in ACTORS}):
            own = [actor for actor in ACTORS if actor.participant == participant]
            everybody += own
            self.statuses[participant] = Status.ACTIVE
            if participant != "UN01":
                self.bound |= {one.section: one for one in own if one.section not in self.bound}
            keys = [{"actor": actor, "key": "k"} for actor in own]
            self.act(everybody, act="admission", participant=participant, actors=keys)
        self.everybody = everybody
        for a, b, name in (
            (GHA, CHE, "information"),
            (GHA, KOR, "information"),
            (ADM, KOR, "unit"),
            (MMR, KOR, "unit"),
            (KOR, CHE, "unit"),
            (CHE, SWISS, "information"),
            (GHA, SWISS, "information"),
        ):
            self.connect(a, b, name)

    @property
    def now(self) -> Instant:
        return Instant.of(START + timedelta(seconds=self.size))

    def facts(self) -> Facts:
        directory = SimpleNamespace(
            status=self.statuses.get,
            current_key=lambda actor: actor if actor in {*ACTORS, "HUB"} else None,
            bound=self.bound.get,
            profile=lambda a, b: self.profiles.get(frozenset((a, b)), Profile.VIEW),
        )
        overdue: dict[Actor, tuple[CaseId, ...]] = {}
        for effect in self.cases.values():
            if effect.cause == "statement-overdue":
                overdue[effect.actor] = (*overdue.get(effect.actor, ()), effect.case)
        return Facts(
            cast("Directory", directory),
            self.holdings,
            self.authorizations,
            self.now,
            Policy(),
            approvals=self.approvals,
            overdue=overdue,
        )

    # --- writing ----------------------------------------------------------------------------------

    def write(
        self,
        conversation: str,
        addressed: list[Any],
        effects: list[Any],
        about: tuple[Actor, Proposal] | None = None,
        **body: Any,
    ) -> None:
        answers = body.pop("answers", None)
        entry = {
            "log": "small",
            "position": self.size,
            "at": self.now,
            "manifest": None,
            "state": None,
            "action": about[1].action if about else None,
            "findings": [],
            "consents": [],
            "addressed": [
                {"actor": actor, "index": self.delivered[actor]}
                for actor in dict.fromkeys(addressed)
            ],
            "effects": [
                one.model_dump(mode="json") if isinstance(one, Frozen) else one for one in effects
            ],
            **body,
        }
        self.delivered.update(dict.fromkeys(addressed, 1))
        self.size += 1
        for one in effects:
            if isinstance(one, Frozen):
                assert apply(self.holdings, cast("Effect", one), Everybody()) == []
            if isinstance(one, AuthorizationEffect):
                known = self.authorizations.setdefault(
                    (one.terms.party, one.terms.id), Authorization()
                )
                known.versions[one.terms.version] = one.terms
        message = {"type": "entry", "conversation": conversation, "answers": answers}
        told = json.loads(json.dumps({**message, "body": entry}))
        proposal = json.loads(about[1].model_dump_json()) if about else None
        found = self.auditor.observe(Observed(told, proposal, about[0] if about else None))
        self.said += [f"{conversation} {entry['state']}: {text}; {proposal}" for text in found]

    def act(self, addressed: list[Any], **act: Any) -> None:
        line = json.dumps(act)
        self.write("directory", addressed, [{"effect": "directory", "act": line, "signatures": []}])

    def connect(self, a: Actor, b: Actor, name: str) -> None:
        self.profiles[frozenset((a, b))] = Profile(name)
        self.act(self.everybody, act="profile", actors=[a, b], profile=name)

    # --- deciding ---------------------------------------------------------------------------------

    def propose(self, author: Actor, proposal: Proposal) -> None:
        self.number += 1
        name = f"{author.replace('/', '-')}-{self.number}"
        message = digest(name.encode())
        found = examine(Ask(TransactionId(name), author, proposal, self.facts()))
        about = (author, proposal)
        if found:
            self.refuse(name, about, [author], [], message, found)
        elif proposal.acquirer is not None:
            reserved = actions.reserve(proposal, author, TransactionId(name))
            concerned = [author, proposal.acquirer]
            self.write(name, concerned, reserved, about, state="cleared", answers=message)
            self.open[name] = (author, proposal, message)
        else:
            self.complete(name, author, proposal, message, None)

    def refuse(
        self,
        name: str,
        about: tuple[Actor, Proposal],
        concerned: list[Any],
        effects: list[Any],
        answers: str,
        found: list[Any],
    ) -> None:
        findings = [one.model_dump(mode="json") for one in found]
        self.seen.update(one["reason"] for one in findings)
        members = {"state": "refused", "answers": answers, "findings": findings}
        self.write(name, concerned, effects, about, **members)

    def complete(
        self, name: str, author: Actor, proposal: Proposal, message: Any, acceptance: Any
    ) -> None:
        bound = actions.release(proposal, author, TransactionId(name)) if acceptance else []
        effects = [*bound, *actions.completion(proposal, author, self.holdings, message)]
        consents = actions.consents(proposal, author, self.holdings, message, acceptance)
        concerned: list[Any] = [author, proposal.acquirer] if proposal.acquirer else [author]
        for authorized, quantity in counted(proposal).items():
            self.authorizations[authorized].used += quantity
        for effect in effects:
            if isinstance(effect, ApprovalEffect | ApprovalRecordEffect):
                count_approval(self.approvals, effect)
        self.seen[proposal.action] += 1
        self.write(
            name,
            [*concerned, *(one.actor for one in consents)],
            effects,
            (author, proposal),
            state="completed",
            answers=acceptance or message,
            consents=[one.model_dump(mode="json") for one in consents],
        )

    def answer(self) -> None:
        """Something comes to a cleared transaction."""
        if not self.open:
            return
        name = self.chance.choice(sorted(self.open))
        author, proposal, message = self.open.pop(name)
        answer, about = digest(f"{name} answered".encode()), (author, proposal)
        concerned = [author, proposal.acquirer]
        release = actions.release(proposal, author, TransactionId(name))
        if self.chance.random() < 0.25:
            self.seen["withdrawn"] += 1
            self.write(name, concerned, release, about, state="withdrawn", answers=answer)
            return
        asked = Ask(TransactionId(name), author, proposal, self.facts(), first=False)
        found = examine(asked)
        if found:
            self.refuse(name, about, concerned, list(release), answer, found)
        else:
            self.complete(name, author, proposal, message, answer)

    def case(self) -> None:
        """A case is opened or closed."""
        if self.cases and self.chance.random() < 0.6:
            number = self.chance.choice(sorted(self.cases))
            effect = self.cases.pop(number).model_copy(update={"state": "closed"})
        else:
            number = self.size
            first = self.chance.randint(1, 80)
            values = {"first": first, "last": first + 3, "case": f"REC-{number}", "state": "open"}
            who, key = self.chance.choice(ACTORS), self.chance.choice(KEYS)
            cause = self.chance.choice(["missing"] * 5 + ["statement-overdue"])
            effect = CaseEffect.model_validate_json(
                json.dumps({**values, "actor": who, "cause": cause, "key": key.model_dump()})
            )
            self.cases[number] = effect
        mark = Freeze if effect.open else Unfreeze
        members = {
            name: getattr(effect, name) for name in ("key", "first", "last", "actor", "case")
        }
        self.write(str(effect.case), [effect.actor], [effect, mark(**members)])

    def status(self) -> None:
        participant = self.chance.choice(sorted(self.statuses))
        status = self.chance.choice(["active"] * 8 + ["testing", "suspended"])
        self.statuses[participant] = Status(status)
        self.act(self.everybody, act="status", participant=participant, status=status)

    def bind(self) -> None:
        """Now and then a Party changes its registry, or has none for a while."""
        for party, home, others in (("CHE", CHE, (SWISS, SWISS, None)), ("GHA", GHA, (None,))):
            away = self.bound[party] != home
            if self.chance.random() < (0.1 if away else 0.01):
                to = home if away else self.chance.choice(others)
                self.bound[party] = to
                act = {"party": party, "actor": to, "reason": "letter", "at": self.now}
                self.act(self.everybody, act="binding", **act)


# --- what is proposed -----------------------------------------------------------------------------


@dataclass
class Proposer:
    """Makes proposals up, most of them nearly right."""

    hub: SmallHub

    @property
    def chance(self) -> random.Random:
        return self.hub.chance

    def one(self) -> tuple[Actor, dict[str, Any]]:
        action = self.chance.choice(
            ["issuance", "authorization", "cancellation", "forwarding", "approval", "designation"]
            + ["replenishment", "administrative-cancellation"]
            + ["cer-entry", "cer-transfer", "cer-use", "counter-entry", "counter-entry"]
            + ["first-transfer", "use", "transfer"] * 3
        )
        made: tuple[Actor, dict[str, Any]] = getattr(self, action.replace("-", "_"))()
        return made

    def found(self, layer: Layer | None = None, *kinds: Kind, ready: bool = False) -> Block | None:
        """Some units, of which `ready` ones were mostly first-transferred."""
        gone = ready and self.chance.random() < 0.9
        rows = [
            row
            for row in self.hub.holdings.blocks()
            if layer in {None, row.key.layer}
            and (not kinds or row.position.kind in kinds)
            and (row.attributes.first_transferred or not gone)
        ]
        if not rows:
            return None
        row = self.chance.choice(sorted(rows, key=lambda x: (x.key.text, x.first)))
        first = self.chance.randint(row.first, row.last)
        return row._replace(first=first, last=min(row.last, first + self.chance.randint(0, 9)))

    def line(self, row: Block, target: str, **members: Any) -> dict[str, Any]:
        key = row.key.model_dump()
        span = {"key": key, "first": row.first, "last": row.last, "source": row.position.account}
        return {**span, "target": target, **members}

    def issuance(self) -> tuple[Actor, dict[str, Any]]:
        author, key = self.chance.choice([(GHA, U), (GHA, U), (ROG, R), (ADM, A), (ADM, B)])
        used = [row.last for row in self.hub.holdings.blocks() if row.key.series == key.series]
        first, quantity = max(used, default=0) + 1, self.chance.randint(1, 60)
        if author != ADM:
            parts: list[tuple[str, int, dict[str, Any]]] = [("HLD", quantity, self.marks({}))]
        else:
            sop, omge = levy(quantity, 50), levy(quantity, 20)
            letters = self.chance.choice(["N", "NIO", "I", "MCU", None])
            free = self.marks({"designation": letters})
            gone = self.marks({"designation": "MCU", "first_transferred": True})
            parts = [("PEN", quantity - sop - omge, free), ("SOP", sop, gone), ("OMG", omge, gone)]
            deposit = levy(quantity, 100)
            if self.chance.random() < 0.4 and parts[0][1] > deposit:
                parts[0] = ("PEN", parts[0][1] - deposit, free)
                parts.append(("BUF", deposit, free))
        lines = []
        for code, number, attributes in parts:
            if number > 0:
                span = {"key": key.model_dump(), "first": first, "last": first + number - 1}
                target = account_number(author, code, 1)
                lines.append({**span, "target": target, "attributes": attributes})
                first += number
        approval = self.chance.choice(["A", f"B{first}", f"B{first}"])
        approved = max(quantity, 3)
        if author == ADM and self.chance.random() < 0.9:
            approval, approved = self.chance.choice(["C1", "C2", "C3"]), 400
        references = {"request": "R", "approval": approval, "approved_quantity": approved}
        return author, {"action": "issuance", "lines": lines, "references": references}

    def marks(self, given: dict[str, Any]) -> dict[str, Any]:
        """What stands on new units; now and then what they cannot have yet."""
        name, chance = self.chance.choice(["X", "Y"]), self.chance.random()
        known = self.hub.authorizations.get(("MMR", name))
        if chance < 0.3 and (known or chance < 0.03):
            newest = max(known.versions) if known else 1
            version = max(1, newest - (self.chance.random() < 0.2))
            return {**given, "authorization": {"id": name, "version": version}}
        if chance > 0.9:
            return given | self.chance.choice(
                [
                    {"first_transferred": True},
                    {"first_transferred": False},
                    {"use": {"purpose": "OP", "user": "Nobody"}},
                    {"underlying_registry": "GHA01", "underlying_offset": 0},
                    {"underlying_registry": "ART", "underlying_offset": 0},
                ]
            )
        return given

    def approval(self) -> tuple[Actor, dict[str, Any]]:
        name = self.chance.choice(["A", "C1", "C2", "C3", "C3", "CDM"])
        key = CER if name == "CDM" else self.chance.choice([A, A, B])
        made = approval(name, key, self.chance.choice([400, 400, 90]))
        if self.chance.random() < 0.1:
            made["approval"] |= {"request": "Other"}
        made["approval"]["buffer_permille"] = 100 if name == "C2" else 0
        return ADM, made

    def cer_entry(self) -> tuple[Actor, dict[str, Any]]:
        used = [row.last for row in self.hub.holdings.blocks() if row.key.series == CER.series]
        first = max(used, default=0) + 1
        said = self.chance.choice([{"designation": "CER"}] * 4 + [{}, {"designation": "MCU"}])
        span = {"key": CER.model_dump(), "first": first, "last": first + 9}
        line = {**span, "target": account_number(ADM, "CER", 1), "attributes": said}
        references = {"request": "R", "approval": "CDM", "approved_quantity": 400}
        made = {"action": "cer-entry", "lines": [line], "references": references}
        return ADM, made | self.chance.choice([{}, {}, {}, {"unit": "MWh"}])

    def cer_transfer(self) -> tuple[Actor, dict[str, Any]]:
        row = self.found(None, Kind.CER)
        if row is None:
            return self.cer_entry()
        to = MMR if row.position.actor == ADM else ADM
        lines = [self.line(row, account_number(to, "CER", 1))]
        return row.position.actor, {"action": "cer-transfer", "lines": lines, "acquirer": to}

    def cer_use(self) -> tuple[Actor, dict[str, Any]]:
        row = self.found(None, Kind.CER)
        if row is None:
            return self.cer_transfer()
        who = row.position.actor
        mark = self.chance.choice(
            [{"purpose": "NDC", "user": who.section, "year": year} for year in (2025, 2030, 2031)]
            + [{"purpose": "NDC", "user": "KOR", "year": 2025}, {"purpose": "OP", "user": "X"}]
        )
        lines = [self.line(row, account_number(who, "RET", 1))]
        return who, {"action": "cer-use", "lines": lines, "use": mark}

    def replenishment(self) -> tuple[Actor, dict[str, Any]]:
        row = self.found(Layer.ITMO, Kind.PENDING, Kind.HOLDING)
        if row is None:
            return self.issuance()
        lines = [self.line(row, account_number(ADM, "BUF", 1))]
        made: dict[str, Any] = {"action": "replenishment", "lines": lines, "reversal": "RV"}
        if row.position.actor != ADM:
            made["acquirer"] = ADM
        return row.position.actor, made

    def administrative_cancellation(self) -> tuple[Actor, dict[str, Any]]:
        row = self.found(Layer.ITMO, Kind.BUFFER, Kind.PENDING)
        if row is None:
            return self.replenishment()
        lines = [self.line(row, account_number(ADM, "ADC", 1))]
        mark = self.chance.choice(
            [{"user": "X", "cancellation": "other"}] * 4 + [{"user": "X", "purpose": "OP"}]
        )
        made = {"action": "administrative-cancellation", "lines": lines, "use": mark}
        return ADM, made | ({"reversal": "RV"} if self.chance.random() < 0.8 else {})

    def designation(self) -> tuple[Actor, dict[str, Any]]:
        row = self.found(Layer.ITMO, Kind.PENDING, Kind.HOLDING)
        if row is None:
            return self.issuance()
        made = self.line(row, "")
        del made["target"]
        ref = {"id": self.chance.choice(["X", "Y"]), "version": self.chance.choice([1, 1, 2])}
        letters = self.chance.choice(["N", "N", "I", "NO"])
        rest = {"authorization": ref, "designation": letters}
        return row.position.actor, {"action": "designation", "lines": [made], **rest}

    def instructed(self, made: dict[str, Any]) -> None:
        """Pending units mostly have an instruction, others mostly none."""
        lines = made.get("lines") or [{}]
        pending = "-PEN-" in (lines[0].get("source") or "")
        alone = {"designation", "administrative-cancellation"}
        if made.get("action") not in alone and pending == (self.chance.random() < 0.95):
            name = self.chance.choice(["C1", "C2", "C3"])
            who = self.chance.choice(["Developer"] * 5 + ["Nobody"])
            made["instruction"] = instruction(name, who)

    def authorization(self) -> tuple[Actor, dict[str, Any]]:
        author, approach = self.chance.choice([(GHA, "CA0007"), (MMR, "CA0001"), (ROG, "CA0009")])
        name = self.chance.choice(["X", "X", "Y"])
        known = self.hub.authorizations.get((author.section, name))
        terms = {
            "id": name,
            "version": len(known.versions) + 1 if known else 1,
            "approach": approach,
            "party": author.section,
            "purposes": self.chance.choice([["NDC"], ["NDC", "IMP"], ["NDC", "OP"]]),
            "parties": self.chance.choice([[], [], ["CHE", "KOR"]]),
            "entities": self.chance.choice([[], ["Airline"]]),
            "quantity": self.chance.choice([None, 60, 120]),
            "vintage_from": self.chance.choice([2021, 2021, 2024]),
            "use_to": self.chance.choice([2200, 2200, 2024]),
            "revoked": self.chance.random() < 0.15,
            "binds_first_transferred": self.chance.random() < 0.5,
        }
        if terms["purposes"] != ["NDC"]:
            terms["first_transfer"] = "authorization"
        return author, {"action": "authorization", "terms": terms}

    def use(self) -> tuple[Actor, dict[str, Any]]:
        return self.marked("use", "USE", self.found(Layer.ITMO, Kind.HOLDING, ready=True))

    def cancellation(self) -> tuple[Actor, dict[str, Any]]:
        return self.marked("cancellation", "CAN", self.found(None, Kind.HOLDING, Kind.PENDING))

    def marked(self, action: str, code: str, row: Block | None) -> tuple[Actor, dict[str, Any]]:
        if row is None:
            return self.issuance()
        who = row.position.actor
        mark = self.chance.choice(
            [
                {"purpose": "NDC", "user": who.section, "year": 2025},
                {"purpose": "NDC", "user": who.section, "year": 2024},
                {"purpose": "IMP", "user": "Airline"},
                {"purpose": "OP", "user": "Nobody"},
            ]
        )
        lines = [self.line(row, account_number(who, code, 1))]
        return who, {"action": action, "lines": lines, "use": mark}

    def moved(self, action: str, row: Block | None, to: Actor) -> tuple[Actor, dict[str, Any]]:
        if row is None:
            return self.issuance()
        lines = [self.line(row, account_number(to, "HLD", 1))]
        return row.position.actor, {"action": action, "lines": lines, "acquirer": to}

    def transfer(self) -> tuple[Actor, dict[str, Any]]:
        row = self.found(Layer.ITMO, Kind.HOLDING, Kind.SHARE_OF_PROCEEDS, ready=True)
        return self.moved("transfer", row, self.chance.choice([CHE, SWISS, GHA, KOR, VUT, MMR]))

    def forwarding(self) -> tuple[Actor, dict[str, Any]]:
        return self.moved("forwarding", self.found(Layer.ITMO, Kind.PENDING), MMR)

    def counter_entry(self) -> tuple[Actor, dict[str, Any]]:
        """Units go back, mostly such as a revocation binds, and mostly to where they came from."""
        row = self.found(Layer.ITMO, Kind.HOLDING, ready=True)
        to = row and self.chance.choice(
            [GHA, GHA, CHE, Actor(f"{row.key.registry}/{row.key.party}")]
        )
        author, made = self.moved("counter-entry", row, to or GHA)
        if row is None:
            return author, made
        if author == made["acquirer"]:
            del made["acquirer"]
        under = row.attributes.authorization
        name = under.id if under and self.chance.random() < 0.9 else "X"
        known = self.hub.authorizations.get((row.key.party, name))
        newest = max(known.versions) if known else 1
        version = max(1, newest - (self.chance.random() < 0.1))
        return author, {**made, "authorization": {"id": name, "version": version}}

    def first_transfer(self) -> tuple[Actor, dict[str, Any]]:
        row = self.found(None, Kind.HOLDING, Kind.PENDING)
        to = self.chance.choice([CHE, CHE, KOR, GHA])
        author, made = self.moved("first-transfer", row, to)
        if row is None:
            return author, made
        name = self.chance.choice(["X", "X", "Y"])
        known = self.hub.authorizations.get((row.key.party, name))
        made["authorization"] = {"id": name, "version": len(known.versions) if known else 1}
        if row.key.layer is Layer.UNDERLYING:
            made["lines"][0]["itmo_first"] = row.first + self.chance.choice([0, 0, 0, 5, 100])
        if self.chance.random() < 0.2:
            made["lines"][0]["target"] = account_number(author, "HLD", 2)
            del made["acquirer"]
        return author, made

    def spoil(self, author: Actor, made: dict[str, Any]) -> Actor:
        """One thing is otherwise."""
        lines = made.get("lines") or [{}]
        one, other = self.chance.choice(lines), self.chance.choice(ACTORS)
        what = self.chance.randrange(13)
        if what == 0:
            return other
        if what == 1:
            one["key"] = self.chance.choice(KEYS).model_dump()
        elif what == 2:
            one["first"] = max(1, one.get("first", 1) + self.chance.randint(-8, 8))
        elif what == 3:
            one["last"] = max(1, one.get("last", 1) + self.chance.randint(-4, 30))
        elif what == 4:
            one["target"] = account_number(other, self.chance.choice(CODES), 1)
        elif what == 5:
            one["source"] = account_number(author, self.chance.choice(CODES), 1)
        elif what == 6:
            made["acquirer"] = self.chance.choice([*ACTORS, None, "FRA01/FRA", "HUB"])
        elif what == 7:
            made["lines"] = [*lines, {**one}]
        elif what == 8:
            made["use"] = {"purpose": "NDC", "user": "CHE", "year": 2025}
        elif what == 9:
            made["action"] = self.chance.choice(["use", "transfer", "first-transfer", "issuance"])
        elif what == 10:
            made.pop(self.chance.choice(sorted(made)), None)
        elif what == 11:
            made["unit"] = self.chance.choice(["MWh", "GJ"])
        else:
            one["itmo_first"] = self.chance.randint(1, 50)
        return author

    def proposal(self) -> tuple[Actor, Proposal]:
        """The next one that is a proposal at all."""
        while True:
            author, made = self.one()
            self.instructed(made)
            if self.chance.random() < 0.35:
                author = self.spoil(author, made)
            total = sum(x.get("last", 0) - x.get("first", 0) + 1 for x in made.get("lines", []))
            wrong = 1 if self.chance.random() < 0.03 else 0
            late = self.chance.choice([3600] * 40 + [-1, 10**7])
            rest = {
                "quantity": max(0, total) + wrong,
                "expires_at": Instant.of(self.hub.now.moment() + timedelta(seconds=late)),
            }
            try:
                return author, Proposal.model_validate_json(json.dumps({**made, **rest}))
            except ValidationError:
                continue


@pytest.mark.parametrize("seed", range(12))
def test_auditor_and_hub_agree_on_whatever_is_proposed(seed: int) -> None:
    hub = SmallHub(random.Random(seed))
    proposer = Proposer(hub)
    for _ in range(300):
        author, proposal = proposer.proposal()
        hub.propose(author, proposal)
        if hub.chance.random() < 0.7:
            hub.answer()
        if hub.chance.random() < 0.05:
            hub.case()
        if hub.chance.random() < 0.04:
            hub.status()
        hub.bind()
        assert hub.said == []
    for overlay in hub.holdings.overlays():
        assert isinstance(overlay, Overlay)
    bound = [o for o in hub.holdings.overlays() if o.kind is OverlayKind.RESERVED]
    units = sum(o.last - o.first + 1 for o in bound)
    assert units == sum(last - first + 1 for _, _, first, last, _ in hub.auditor.reserved())
    held = {
        (key, serial, account, text)
        for actor in ACTORS
        for key, ranges in hub.auditor.units(actor).items()
        for first, last, account, text in ranges
        for serial in range(first, last + 1)
    }
    assert held == {
        (row.key.text, serial, row.position.account, row.attributes.text)
        for row in hub.holdings.blocks()
        for serial in range(row.first, row.last + 1)
    }


class Willing(random.Random):
    """Acquirers accept."""

    def random(self) -> float:
        return 0.99


@pytest.mark.requirement(1)
def test_both_let_a_party_take_its_units_to_the_section_that_it_is_bound_to_now() -> None:
    hub = SmallHub(Willing())

    def transact(author: Actor, wanted: dict[str, Any]) -> None:
        quantity = sum(one.last - one.first + 1 for one in wanted.get("lines", ()))
        until = Instant.of(hub.now.moment() + timedelta(hours=1))
        made = {**asked(wanted), "quantity": quantity, "expires_at": until}
        hub.propose(author, Proposal.model_validate_json(json.dumps(made)))
        hub.answer()

    def bind(actor: Actor) -> None:
        hub.bound["CHE"] = actor
        act = {"party": "CHE", "actor": actor, "reason": "letter", "at": hub.now}
        hub.act(hub.everybody, act="binding", **act)

    transact(GHA, issuance(GHA, U, 1, 100))
    transact(GHA, {"action": "authorization", "terms": terms("GH-1", GHA, "CA0007")})
    transact(GHA, first_transfer(1, 50, 1))
    transact(CHE, transfer(I, 1, 10, CHE, SWISS))
    assert hub.seen["not-bound"] == 1
    bind(SWISS)
    transact(CHE, transfer(I, 1, 40, CHE, GHA))
    assert hub.seen["not-bound"] == 2
    transact(CHE, transfer(I, 1, 40, CHE, SWISS))
    transact(SWISS, use(I, 1, 5, SWISS))
    assert hub.said == []
    assert hub.seen["transfer"] == hub.seen["use"] == 1
    assert [row.position.actor for row in hub.holdings.find(I.series, 1, 40)] == [SWISS, SWISS]


def accept_all(hub: SmallHub) -> None:
    """Whatever is cleared is accepted."""
    for name in sorted(hub.open):
        author, proposal, message = hub.open.pop(name)
        hub.complete(name, author, proposal, message, digest(f"{name} answered".encode()))


@pytest.mark.requirement(88)
def test_auditor_and_hub_agree_on_a_first_transfer_that_is_taken_back() -> None:
    """Of 40 units, 10 are used and 12 taken back; the same again is refused, and so is too much."""
    hub = SmallHub(random.Random(0))
    name = {"id": "X", "version": 1}
    terms = {**name, "approach": "CA0007", "party": "GHA", "purposes": ["NDC"], "quantity": 40}
    bound = {**terms, "binds_first_transferred": True}
    references = {"request": "R", "approval": "A", "approved_quantity": 100}
    there = {actor: account_number(actor, "HLD", 1) for actor in (GHA, CHE)}
    used = {"purpose": "NDC", "user": "CHE", "year": 2025}
    revoked = {"authorization": name | {"version": 2}}

    def span(key: Key, first: int, last: int, **members: Any) -> dict[str, Any]:
        return {"lines": [{"key": key.model_dump(), "first": first, "last": last, **members}]}

    def back(first: int, last: int) -> dict[str, Any]:
        units = span(I, first, last, source=there[CHE], target=there[GHA])
        return {"action": "counter-entry", "acquirer": GHA, **units, **revoked}

    new = span(U, 1, 100, target=there[GHA], attributes={})
    gone = span(U, 1, 40, source=there[GHA], target=there[CHE], itmo_first=1)
    spent = span(I, 1, 10, source=there[CHE], target=account_number(CHE, "USE", 1))
    first_transfer = {"action": "first-transfer", "acquirer": CHE, "authorization": name}
    steps: list[tuple[Actor, dict[str, Any]]] = [
        (GHA, {"action": "issuance", "references": references, **new}),
        (GHA, {"action": "authorization", "terms": bound}),
        (GHA, first_transfer | gone),
        (CHE, {"action": "use", "use": used, **spent}),
        (GHA, {"action": "authorization", "terms": bound | {"version": 2, "revoked": True}}),
        (CHE, back(11, 22)),
        (CHE, back(11, 22)),
        (CHE, back(1, 15)),
        (CHE, back(23, 40) | {"authorization": name}),
        (CHE, back(23, 41)),
    ]
    for author, made in steps:
        total = sum(one["last"] - one["first"] + 1 for one in made.get("lines", ()))
        rest = {"quantity": total, "expires_at": Instant.of(START + timedelta(hours=1))}
        hub.propose(author, Proposal.model_validate_json(json.dumps({**made, **rest})))
        accept_all(hub)
        assert hub.said == []
    assert hub.seen["counter-entry"] == 1
    assert hub.seen["units-not-held"] == 3, "again; 11-15, which went back; 41, which never was"
    assert hub.seen["units-final"] == 1
    assert hub.seen["first-transfer-stands"] == 1
    assert hub.authorizations["GHA", "X"].used == 28
    assert [(first, last) for first, last, _, _ in hub.auditor.units(GHA)[I.text]] == [(11, 22)]
