# SPDX-License-Identifier: Apache-2.0
"""The operator's verbs: bad input is one line on standard error and exit status 2, and queues
nothing; what is not known to be refused is not reported as such.
"""

import asyncio
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from typer.testing import CliRunner, Result

from harness.cli import COMMANDS
from harness.deploy import deploy, load_federation
from party_node.cli import PartyDaemonSettings
from runtime.clock import SystemClock
from runtime.giving import Ending, give_order
from runtime.store import open_store
from runtime.tables import awaited, dead_letters, desk
from schemas.envelope import digest

ROOT = Path(__file__).parents[3]
PROGRAMS = {
    "HUB": "hub",
    "REC": "reconcile",
    "UN01": "mechanism",
    "UN02": "international",
    "GHA01": "party",
    "CHE01": "party",
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment on SQLite, of which every database is made and the log not begun."""
    made = tmp_path_factory.mktemp("verbs") / "deployment"
    deploy(load_federation(ROOT / "harness" / "federation.toml"), made, SystemClock())
    for participant, program in PROGRAMS.items():
        folder = made / "programs" / participant
        settings = folder / "settings.toml"
        settings.write_text(settings.read_text().replace("/etc/a6hub", str(made / "programs")))
        (folder / "database").write_text(f"sqlite:///{folder / 'program.db'}")
        done = run(program, "migrate", settings=settings)
        assert done.exit_code == 0, done.output
    return made


@pytest.fixture
def folder(deployed: Path) -> Iterator[Path]:
    """The deployment with empty desks."""
    yield deployed
    for participant in PROGRAMS:
        execute(deployed, participant, desk.delete())


def run(program: str, *words: str, settings: Path) -> Result:
    """Run a verb in this process."""
    app = importlib.import_module(COMMANDS[program][0]).app
    # A group of verbs has the option at its verbs.
    verbs = 2 if words[0] == "letters" else 1
    given = [*words[:verbs], "--settings", str(settings), *words[verbs:]]
    return CliRunner().invoke(app, given)


def settings_of(folder: Path, participant: str) -> Path:
    return folder / "programs" / participant / "settings.toml"


def key_of(folder: Path, participant: str) -> str:
    return str(folder / "operators" / f"{participant}.pem")


def execute(folder: Path, participant: str, statement: Any) -> list[Any]:
    """Do something in a program's database."""

    async def work() -> list[Any]:
        store = open_store(f"sqlite:///{folder / 'programs' / participant / 'program.db'}")
        async with store.transaction() as session:
            found = await session.execute(statement)
            rows = list(found) if found.returns_rows else []
        await store.close()
        return rows

    return asyncio.run(work())


def refusal(result: Result) -> str:
    """The one line by which bad input is refused."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("a6hub: ")
    return line.removeprefix("a6hub: ")


# --- whose settings -----------------------------------------------------------------------------

OTHERS = [
    (program, participant)
    for program in ("hub", "reconcile", "mechanism", "international", "party")
    for participant, own in PROGRAMS.items()
    if own != program
]


@pytest.mark.parametrize(("program", "participant"), OTHERS)
def test_no_verb_takes_another_programs_settings(
    program: str, participant: str, folder: Path
) -> None:
    settings = settings_of(folder, participant)
    for verb in (["migrate"], ["letters", "list"], ["run"]):
        assert str(settings) in refusal(run(program, *verb, settings=settings))


def test_the_refusal_says_whose_the_settings_are(folder: Path) -> None:
    settings = settings_of(folder, "HUB")
    line = refusal(run("party", "migrate", settings=settings))
    assert line.endswith("participant: HUB is no registry; these settings are another program's")
    line = refusal(run("reconcile", "discrepancies", settings=settings))
    assert line.endswith("the reconciliation service's is REC; these settings are HUB's")


def test_an_actor_of_somebody_else_is_refused(folder: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    text = settings_of(folder, "UN02").read_text().replace('"UN02/', '"UN09/')
    settings.write_text(text)
    assert "is no actor of UN02" in refusal(run("international", "accounts", settings=settings))


@pytest.mark.parametrize(
    ("program", "participant", "verb"),
    [("party", "GHA01", "accounts"), ("reconcile", "REC", "discrepancies")],
)
def test_a_database_that_is_not_migrated_is_named_with_its_remedy(
    program: str, participant: str, verb: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "database").write_text(f"sqlite:///{tmp_path / 'empty.db'}")
    (tmp_path / "empty.db").touch()
    settings = tmp_path / "settings.toml"
    text = settings_of(folder, participant).read_text()
    own = str(folder / "programs" / participant / "database")
    settings.write_text(text.replace(own, str(tmp_path / "database")))
    assert "run its `migrate` command" in refusal(run(program, verb, settings=settings))


# --- evidence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("participant", ["GHA01", "UN01", "UN02"])
def test_evidence_that_is_not_there_is_refused_with_what_to_order(
    participant: str, folder: Path, tmp_path: Path
) -> None:
    settings, output = settings_of(folder, participant), tmp_path / "file.json"
    given = ["export", "GHA01-GHA-1", "--output", str(output)]
    line = refusal(run("evidence", *given, settings=settings))
    assert 'ask the hub for it by `order evidence \'{"transaction": "GHA01-GHA-1"}\'`' in line
    line = refusal(run("evidence", "trust", "--output", str(output), settings=settings))
    assert "no entry of the log came here yet" in line
    assert not output.exists()


def test_evidence_is_of_the_hub_or_a_registry(folder: Path, tmp_path: Path) -> None:
    given = ["trust", "--output", str(tmp_path / "trust.json")]
    line = refusal(run("evidence", *given, settings=settings_of(folder, "HUB")))
    assert "there is no log yet" in line
    assert str(settings_of(folder, "REC")) in refusal(
        run("evidence", *given, settings=settings_of(folder, "REC"))
    )


# --- commands -----------------------------------------------------------------------------------


COMMAND_HEADS = ["number", "submitted_at", "state", "operator", "command", "confirmed_by", "result"]


def order(
    folder: Path, *words: str, name: str = "operator", key: str = "GHA01", wait: str = "0"
) -> Result:
    given = ["order", "--operator", name, "--key", key_of(folder, key), "--wait", wait, *words]
    return run("party", *given, settings=settings_of(folder, "GHA01"))


def test_what_can_be_known_before_is_said_before_anything_is_queued(
    folder: Path, tmp_path: Path
) -> None:
    assert "--operator olga: not an operator" in refusal(order(folder, "status", name="olga"))
    assert "--key" in refusal(order(folder, "status", key="CHE01"))
    assert "one of accept, close-account" in refusal(order(folder, "sell"))
    assert "not JSON" in refusal(order(folder, "status", "{"))
    assert "not a JSON object" in refusal(order(folder, "status", "[]"))
    missing = str(tmp_path / "none.json")
    assert refusal(order(folder, "status", f"@{missing}")) == f"{missing}: no such file"
    assert execute(folder, "GHA01", select(desk)) == []


def test_a_role_that_is_too_low_is_said_before_anything_is_queued(
    folder: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    text = settings_of(folder, "GHA01").read_text()
    settings.write_text(text.replace('role = "administrator"', 'role = "viewer"'))
    key = key_of(folder, "GHA01")
    given = ["order", "--operator", "operator", "--key", key, "--wait", "0", "propose"]
    line = refusal(run("party", *given, settings=settings))
    assert line.startswith("propose needs the role operator; operator is viewer in ")
    assert execute(folder, "GHA01", select(desk)) == []


def test_a_command_that_is_not_answered_in_time_is_no_refusal(folder: Path) -> None:
    result = order(folder, "status", '{"transaction": "GHA01-GHA-1"}')
    assert result.exit_code == 4
    assert "stays queued and will be carried out: do not give it again" in result.stderr
    ((number, state),) = execute(folder, "GHA01", select(desk.c.id, desk.c.state))
    assert state == "open"
    listed = run("party", "commands", settings=settings_of(folder, "GHA01")).stdout
    head, row = listed.splitlines()
    assert head.split() == COMMAND_HEADS
    assert row.split()[0] == str(number)
    assert row.split()[2:] == ["open", "operator", "status", "-", "-"]


def test_a_line_at_the_desk_that_nobody_can_read_is_listed_all_the_same(folder: Path) -> None:
    for number, line in enumerate(("[]", "{}", "no JSON", '{"operator": 7, "command": null}')):
        row = {"submitted_at": "then", "nonce": str(number), "command": line, "signature": ""}
        execute(folder, "GHA01", insert(desk).values(row))
    result = run("party", "commands", "--state", "open", settings=settings_of(folder, "GHA01"))
    assert [line.split()[3:] for line in result.stdout.splitlines()[1:]] == [
        ["7", "None", "-", "-"],
        *[["?", "?", "-", "-"]] * 3,
    ]


async def test_an_interrupted_waiting_leaves_the_command_queued(deployed: Path) -> None:
    settings, key = settings_of(deployed, "CHE01"), Path(key_of(deployed, "CHE01"))
    giving = asyncio.create_task(
        give_order(PartyDaemonSettings, settings, "status", {}, "operator", key, 30.0)
    )
    store = open_store((settings.parent / "database").read_text())
    rows: list[Any] = []
    while not rows:
        await asyncio.sleep(0)
        async with store.snapshot() as session:
            rows = list(await session.execute(select(desk)))
    giving.cancel()
    given = await giving
    assert given.ending is Ending.WAITING
    assert "do not give it again" in given.text
    async with store.transaction() as session:
        await session.execute(desk.delete())
    await store.close()


@pytest.mark.parametrize(("state", "status"), [("done", 0), ("refused", 1)])
def test_a_command_that_is_answered_ends_with_its_answer(
    state: str, status: int, folder: Path
) -> None:
    # The desk's answer is there before the command: the database gives it at once.
    answer = f"create trigger answers after insert on desk begin update desk set state = '{state}'"

    words = "words\x1b[2J\n\u202eand more"
    execute(folder, "GHA01", text(f"{answer}, result = '{words}' where id = new.id; end"))
    try:
        result = order(folder, "status", wait="30")
    finally:
        execute(folder, "GHA01", text("drop trigger answers"))
    said = "words\\u001b[2J\n\\u202eand more\n"
    assert (result.exit_code, result.stdout) == (status, said)


# --- a second person ----------------------------------------------------------------------------

ISSUE = ("issue", '{"party": "MMR"}')


def issue(settings: Path, folder: Path, wait: str = "0") -> Result:
    given = ["order", "--operator", "operator", "--key", key_of(folder, "UN01"), "--wait", wait]
    return run("mechanism", *given, *ISSUE, settings=settings)


@pytest.mark.requirement(26)
def test_what_nobody_else_could_confirm_is_said_before_anything_is_queued(
    folder: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    alone, _, _ = settings_of(folder, "UN01").read_text().rpartition("[[operators]]")
    settings.write_text(alone)
    line = refusal(issue(settings, folder))
    assert line.startswith("issue needs a second person, and nobody else in ")
    assert line.endswith("add an operator with a key of their own and restart the program")
    assert execute(folder, "UN01", select(desk)) == []
    settings.write_text(f"second_person = []\n{alone}")
    assert issue(settings, folder).exit_code == 4


@pytest.mark.requirement(26)
def test_a_command_that_waits_for_a_second_person_ends_with_what_that_one_signs(
    folder: Path,
) -> None:
    answer = "create trigger answers after insert on desk begin update desk set state = 'awaiting'"
    execute(folder, "UN01", text(f"{answer}, result = 'words' where id = new.id; end"))
    try:
        result = issue(settings_of(folder, "UN01"), folder, wait="30")
    finally:
        execute(folder, "UN01", text("drop trigger answers"))
    assert (result.exit_code, result.stdout) == (5, "words\n")


@pytest.mark.requirement(26)
def test_a_command_is_shown_with_both_lines_and_both_signatures(folder: Path) -> None:
    settings = settings_of(folder, "UN01")
    line = '{"operator":"olga","command":"issue"}'
    row = {"submitted_at": "then", "nonce": "1", "command": line, "signature": "signed by olga"}
    row |= {"state": "done", "result": "UN01-ADM-1"}
    answer = {**row, "nonce": "2", "command": "{}", "signature": "signed by otto"}
    waited = {"command": 1, "digest": "d", "author": "olga", "author_key": "k", "since": "then"}
    waited |= {"until": "later", "ending": "confirmed", "ended_at": "now", "answer": 2}
    waited |= {"person": "otto", "person_key": "l"}
    for number, one in enumerate((row, answer), 1):
        execute(folder, "UN01", insert(desk).values({"id": number, **one}))
    execute(folder, "UN01", insert(awaited).values(waited))
    try:
        listed = run("mechanism", "commands", settings=settings).stdout.splitlines()
        json_text = run("mechanism", "commands", "--format", "json", settings=settings).stdout
        written = json.loads(json_text)
        shown = run("mechanism", "command", "1", settings=settings).stdout.splitlines()
        assert refusal(run("mechanism", "command", "3", settings=settings)) == "no command 3"
    finally:
        execute(folder, "UN01", awaited.delete())
    assert listed[0].split() == COMMAND_HEADS
    assert listed[2].split() == ["1", "then", "done", "olga", "issue", "otto", "UN01-ADM-1"]
    assert {name: written[1][name] for name in ("confirmed_by", "confirmed_with")} == {
        "confirmed_by": "otto",
        "confirmed_with": 2,
    }
    assert shown == [
        "command 1  done: UN01-ADM-1",
        line,
        f"digest {digest(line.encode())}",
        "signature signed by olga",
        "given by olga, waits for a second person until later",
        "confirmed by otto with command 2 at now",
        "command 2  done: UN01-ADM-1",
        "{}",
        f"digest {digest(b'{}')}",
        "signature signed by otto",
    ]


def work_on_case(folder: Path, *words: str) -> Result:
    verb, *rest = words
    given = [verb, "--operator", "operator", "--key", key_of(folder, "REC"), *rest]
    return run("reconcile", *given, settings=settings_of(folder, "REC"))


def test_words_about_a_case_are_read_before_they_are_queued(folder: Path) -> None:
    line = refusal(work_on_case(folder, "assign", "REC-1", "--due", "someday"))
    assert line == "due: a date is written as in 2026-12-31"
    assert refusal(work_on_case(folder, "comment", "REC-1", " ")).startswith("text: ")
    assert refusal(work_on_case(folder, "comment", "case 1", "words")).startswith("case: ")
    assert execute(folder, "REC", select(desk)) == []


# --- lists --------------------------------------------------------------------------------------

EMPTY = [
    ("party", "GHA01", ["accounts"]),
    ("party", "GHA01", ["holdings"]),
    ("party", "GHA01", ["transactions", "--waiting"]),
    ("party", "GHA01", ["letters", "list", "--state", "discarded"]),
    ("hub", "HUB", ["transactions", "--state", "cleared"]),
    ("hub", "HUB", ["sequences"]),
    ("hub", "HUB", ["commands", "--state", "refused"]),
    ("reconcile", "REC", ["discrepancies"]),
    ("reconcile", "REC", ["alarms"]),
    ("reconcile", "REC", ["told"]),
    ("party", "GHA01", ["cases", "--open"]),
    ("party", "GHA01", ["entities"]),
    ("party", "GHA01", ["stopped"]),
    ("hub", "HUB", ["stopped"]),
]


@pytest.mark.parametrize(("program", "participant", "words"), EMPTY)
def test_an_empty_list_says_that_it_is_one(
    program: str, participant: str, words: list[str], folder: Path
) -> None:
    settings = settings_of(folder, participant)
    result = run(program, *words, settings=settings)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "none\n")
    result = run(program, *words, "--format", "csv", settings=settings)
    (head,) = result.stdout.splitlines()
    assert (result.exit_code, len(set(head.split(","))) > 2, result.stderr) == (0, True, "")


WRONG = [
    ("party", "GHA01", ["letters", "list", "--state", "bogus"]),
    ("party", "GHA01", ["transactions", "--most", "-1"]),
    ("hub", "HUB", ["transactions", "--state", "bogus"]),
    ("hub", "HUB", ["transactions", "--most", "0"]),
    ("reconcile", "REC", ["totals", "--format", "pdf"]),
]


@pytest.mark.parametrize(("program", "participant", "words"), WRONG)
def test_a_filter_that_nothing_can_pass_is_refused(
    program: str, participant: str, words: list[str], folder: Path
) -> None:
    result = run(program, *words, settings=settings_of(folder, participant))
    assert result.exit_code == 2
    assert words[-2] in result.stderr


def test_a_report_without_rows_has_its_columns(folder: Path) -> None:
    settings = settings_of(folder, "REC")
    result = run("reconcile", "totals", "--format", "csv", settings=settings)
    assert result.stdout.splitlines() == ["participant,actor,key,kind,expected,stated"]
    result = run("reconcile", "totals", "--format", "html", settings=settings)
    assert "<th>expected</th>" in result.stdout
    result = run("reconcile", "totals", "--format", "json", settings=settings)
    assert json.loads(result.stdout) == []


def test_a_letter_is_shown_and_one_that_is_not_there_is_said_so(folder: Path) -> None:
    settings = settings_of(folder, "GHA01")
    assert refusal(run("party", "letters", "show", "77", settings=settings)) == "no letter 77"
    letter = {
        "received_at": "2026-01-01T00:00:00.000000Z",
        "body": b"words",
        "code": 1001,
        "reason": "envelope-invalid",
        "detail": "not JSON",
        "state": "open",
    }
    execute(folder, "GHA01", insert(dead_letters).values(letter))
    (row,) = execute(folder, "GHA01", select(dead_letters))
    listed = run("party", "letters", "list", settings=settings).stdout.splitlines()
    assert [line.split() for line in listed] == [
        ["letter", "received_at", "claimed_sender", "code", "reason"],
        [str(row.id), letter["received_at"], "-", "1001", "envelope-invalid"],
    ]
    result = run("party", "letters", "show", str(row.id), settings=settings)
    assert (result.exit_code, "words" in result.stdout) == (0, True)
    execute(folder, "GHA01", update(dead_letters).values(state="replayed"))
    result = run("party", "letters", "list", settings=settings)
    assert (result.stdout, result.stderr) == ("", "none\n")


def test_what_others_wrote_is_shown_whole_and_obeyed_by_no_terminal(folder: Path) -> None:
    settings = settings_of(folder, "GHA01")
    letter = {
        "received_at": "2026-01-01T00:00:00.000000Z",
        "claimed_sender": "\x1b[2J",
        "body": b'{\n"a": "\x1b]0;title\x07\xff"}',
        "code": 1001,
        "reason": "envelope-invalid",
        "detail": "\u202e",
        "state": "discarded",
    }
    execute(folder, "GHA01", insert(dead_letters).values(letter))
    ((number,),) = execute(
        folder, "GHA01", select(dead_letters.c.id).where(dead_letters.c.state == "discarded")
    )
    row = {"submitted_at": "then", "nonce": "1", "signature": "\x9b", "command": "{\x1b\n}"}
    ((order,),) = execute(folder, "GHA01", insert(desk).values(row).returning(desk.c.id))
    verbs = {
        ("letters", "list", "--state", "discarded"): "\\u001b[2J",
        ("letters", "show", str(number)): '{\n"a": "\\u001b]0;title\\u0007\\xff"}\n',
        ("command", str(order)): "{\\u001b\n}\n",
    }
    for words, told in verbs.items():
        result = run("party", *words, settings=settings)
        assert result.exit_code == 0
        assert told in result.stdout
        assert all(line.isprintable() for line in result.stdout.split("\n"))


def test_a_log_that_is_not_begun_is_said_so(folder: Path) -> None:
    line = refusal(run("hub", "directory", settings=settings_of(folder, "HUB")))
    assert line == "there is no log yet; begin one with `a6hub hub begin`"
