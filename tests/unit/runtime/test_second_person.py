# SPDX-License-Identifier: Apache-2.0
"""Second persons: which commands need one, who may be one, and what settings may say of it.

Elsewhere: what becomes of a command that waits (`tests/contract/test_engine_second_person`).
"""

from pathlib import Path
from typing import Any

import pytest

from hub.program import Hub
from mechanism_node.cli import MechanismDaemonSettings
from mechanism_node.program import MechanismRegistry
from party_node.cli import PartyDaemonSettings
from reconciliation.program import Reconciler
from registry.program import Registry
from runtime.desk import roles_of
from runtime.errors import LocalProtocolError
from runtime.orders import Operator
from runtime.program import Order
from runtime.second_person import SecondPerson, may_confirm, objection
from runtime.settings import load_settings
from tests.cast import ADM, GHA, MMR, account, public

HERE = (ADM, MMR)


def person(name: str, role: str = "administrator", key: str = "") -> Operator:
    members: dict[str, Any] = {"name": name, "role": role, "key": public(key or name)}
    if role == "entity":
        members |= {"entity": "Airline", "accounts": [str(account(GHA))]}
    return Operator.model_validate(members)


WHO = [
    (person("olga"), person("otto"), True),
    (person("olga", "operator"), person("otto"), True),
    (person("olga", "operator"), person("otto", "operator"), True),
    (person("olga"), person("olga"), False),
    (person("olga"), person("olga", key="otto"), False),
    (person("olga"), person("otto", key="olga"), False),
    (person("olga"), person("otto", "operator"), False),
    (person("olga", "operator"), person("otto", "viewer"), False),
    (person("eva", "entity"), person("otto", "operator"), True),
    (person("eva", "entity"), person("otto", "viewer"), False),
    (person("eva", "entity"), person("eve", "entity"), False),
    (person("otto", "operator"), person("eva", "entity"), False),
]


@pytest.mark.requirement(26)
@pytest.mark.parametrize(("author", "second", "may"), WHO)
def test_a_second_person_has_another_name_another_key_and_no_lower_role(
    author: Operator, second: Operator, may: object
) -> None:
    assert may_confirm(author, second, "operator") is may
    found = objection(author, second, "operator")
    if found is not None:
        assert found.code == 2008
        assert any(word in found.detail for word in ("somebody else", "somebody with", "ask some"))


WANTED: list[tuple[str, dict[str, Any], bool]] = [
    ("issue", {}, True),
    ("issue", {"actor": MMR}, True),
    ("propose", {"actor": ADM}, True),
    ("propose", {"actor": MMR}, False),
    ("propose", {}, True),
    ("propose", {"actor": [MMR]}, True),
    ("propose", {"actor": "UN02/MMR"}, True),
    ("withdraw", {"actor": ADM}, False),
]


@pytest.mark.requirement(26)
@pytest.mark.parametrize(("command", "arguments", "waits"), WANTED)
def test_what_does_not_plainly_name_another_section_waits(
    command: str, arguments: dict[str, Any], waits: object
) -> None:
    second = SecondPerson(("issue", "propose ADM"))
    assert second.wanted(Order(1, command, "olga", arguments), HERE) is waits


@pytest.mark.requirement(26)
def test_at_the_mechanism_registry_no_administrator_commands_alone() -> None:
    second = SecondPerson(MechanismRegistry.second_person)
    for command, role in roles_of(MechanismRegistry).items():
        if role == "administrator":
            assert second.wanted(Order(1, command, "olga", {}), HERE), command
    assert second.wanted(Order(1, "propose", "olga", {"actor": ADM}), HERE)
    assert not second.wanted(Order(1, "open-account", "olga", {"actor": ADM}), HERE)
    for program in (Registry, Hub, Reconciler):
        assert program.second_person == ()


# --- settings -----------------------------------------------------------------------------------


def settings(folder: Path, *lines: str, mechanism: object = False, people: str = "") -> Any:
    """The settings of a program, with these lines and people."""
    place = folder / "settings.toml"
    name, actors = ("UN01", HERE) if mechanism else ("GHA01", (GHA,))
    told = [
        f'participant = "{name}"',
        f"actors = {[str(actor) for actor in actors]}",
        *(f'{member} = "x"' for member in ("database_file", "broker_file", "keys", "genesis")),
        *lines,
    ]
    place.write_text("\n".join([*told, people]) + "\n")
    return load_settings(MechanismDaemonSettings if mechanism else PartyDaemonSettings, place)


@pytest.mark.requirement(26)
def test_without_the_setting_the_program_says_what_needs_a_second_person(tmp_path: Path) -> None:
    assert settings(tmp_path).dual_control() == SecondPerson()
    here = settings(tmp_path, mechanism=True).dual_control()
    assert here == SecondPerson(MechanismRegistry.second_person)
    none = settings(tmp_path, "second_person = []", mechanism=True).dual_control()
    assert none.commands == ()
    chosen = settings(tmp_path, 'second_person = ["propose GHA"]', "second_person_seconds = 60")
    assert chosen.dual_control() == SecondPerson(("propose GHA",), 60.0)


WRONG = {
    'second_person = ["isue"]': "second_person: no command isue here; one of accept, ",
    'second_person = ["issue"]': "second_person: no command issue here",
    'second_person = ["confirm"]': "second_person: no command confirm here",
    'second_person = [""]': "second_person: no command  here",
    'second_person = ["propose ADM"]': "second_person: propose ADM: no section ADM here",
    'second_person = ["propose "]': "no section  here",
    "second_person = true": "second_person",
    "second_person_seconds = 59": "second_person_seconds",
}


@pytest.mark.requirement(26)
@pytest.mark.parametrize("line", WRONG)
def test_an_entry_that_would_never_match_is_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        settings(tmp_path, line)
    assert WRONG[line] in str(caught.value)


def people(*persons: tuple[str, str]) -> str:
    return "\n".join(
        f'[[operators]]\nname = "{name}"\nrole = "administrator"\nkey = "{public(key)}"'
        for name, key in persons
    )


@pytest.mark.requirement(26)
@pytest.mark.parametrize("mechanism", [False, True])
@pytest.mark.parametrize(
    ("persons", "why"),
    [
        ([("olga", "olga"), ("otto", "olga")], "olga and otto have one key; make one for each"),
        ([("olga", "olga"), ("olga", "otto")], "one of them stands twice"),
        ([("olga", "olga"), ("olga", "olga")], "one of them stands twice"),
    ],
)
def test_operators_have_a_name_and_a_key_of_their_own_at_every_program(
    persons: list[tuple[str, str]], why: str, mechanism: object, tmp_path: Path
) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        settings(tmp_path, mechanism=mechanism, people=people(*persons))
    assert why in str(caught.value)
    two = people(("olga", "olga"), ("otto", "otto"))
    assert len(settings(tmp_path, mechanism=mechanism, people=two).operators) == 2
