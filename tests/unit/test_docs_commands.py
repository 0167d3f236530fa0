# SPDX-License-Identifier: Apache-2.0
"""Every command in the documents is one that the programs take; the ceremony's are run.

What a block of code is for stands in a comment before it: `run` (its commands are run, in order),
`file: name` (its text is put there first), `proposal`, `issuance`, `identity` and `act` (it is such
an argument). `<path>` in a block stands for the public key of that private key file.
"""

import importlib
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from typer.testing import CliRunner

from harness.cli import COMMANDS
from hub.cli import HubDaemonSettings
from ledger.directory import Directory
from mechanism_node.issuance import Issuance
from party_node.cli import PartyDaemonSettings
from registry.cli import genesis_of
from registry.identities import Identity
from runtime.settings import load_settings
from schemas.directory import SignedAct, Status, parse_act
from schemas.identifiers import Participant
from schemas.messages import Proposal
from tests.commands import parse

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
INLINE = re.compile(r"`((?:\.venv/bin/)?a6hub [^`]*)`")
KINDS = {"sh", "json", "toml", "text", "sql", "mermaid", ""}
OTHERS = {"curl", "export", "mv", "python3"}
PUBLIC_KEY = re.compile(r"<([\w/.-]+\.pem)>")


class Block(NamedTuple):
    """A block of code in a document."""

    document: Path
    mark: str
    kind: str
    text: str

    def commands(self) -> list[list[str]]:
        """The words of each command line."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.split(line) for line in lines if line.strip() and not line.startswith("#")]


def blocks(*, kind: str | None = None, mark: str | None = None) -> list[Block]:
    """The blocks of all documents, of one kind or with one mark."""
    found = []
    for document in DOCUMENTS:
        for match in BLOCK.finditer(document.read_text(encoding="utf-8")):
            block = Block(document, match["mark"] or "", match["kind"], match["text"])
            if kind in {None, block.kind} and (mark is None or block.mark.startswith(mark)):
                found.append(block)
    return found


def lines() -> Iterator[tuple[str, list[str]]]:
    for block in blocks(kind="sh"):
        for words in block.commands():
            yield f"{block.document.name}: {shlex.join(words)[:90]}", words


LINES = dict(lines())


def test_the_kind_of_every_block_is_known() -> None:
    assert {block.kind for block in blocks()} <= KINDS
    assert len(LINES) > 40


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_is_one_that_the_real_command_takes(line: str) -> None:
    first, *rest = LINES[line]
    if first in {"a6hub", ".venv/bin/a6hub"}:
        parse(rest)
    elif first == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in rest if "=" not in word} <= targets
    elif first == ".venv/bin/python":
        assert rest[0] == "-m"
        assert importlib.util.find_spec(rest[1]) is not None
    elif first == "docker":
        check_compose(rest)
    elif first.endswith("/bin/pip"):
        check_pip(rest)
    else:
        assert first in OTHERS


def check_pip(words: list[str]) -> None:
    """`pip install` of one of our locks by its hashes, or of our wheel without anything else."""
    verb, option, *rest = words
    assert verb == "install"
    if option == "--require-hashes":
        assert rest[0] == "--requirement"
        assert (ROOT / rest[1]).is_file()
    else:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        assert option == "--no-deps"
        assert rest == [f"dist/a6hub-{version}-py3-none-any.whl"]


def check_compose(words: list[str]) -> None:
    """`docker compose --env-file FILE VERB …`; what the service `operator` is given is ours."""
    compose, option, file, verb, *rest = words
    assert (compose, option) == ("compose", "--env-file")
    assert file.endswith("/compose.env")
    assert verb in {"up", "ps", "run"}
    if verb == "run":
        services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
        remove, service, *ours = rest
        assert remove == "--rm"
        assert "command" not in services[service]
        parse(ours)


def test_a_command_in_the_text_exists() -> None:
    for document in DOCUMENTS:
        for text in INLINE.findall(document.read_text(encoding="utf-8")):
            _, *words = text.split()
            names = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
            if "<program>" in words or words[0] in {"demo", "deploy", "keygen", "--help"}:
                continue
            module = importlib.import_module(COMMANDS[names[0]][0])
            verbs = {command.name for command in module.app.registered_commands}
            verbs |= {group.name for group in module.app.registered_groups}
            assert len(names) == 1 or names[1] in verbs, f"{document.name}: {text}"


# --- examples of arguments ----------------------------------------------------------------------


def test_proposals_have_the_form_that_the_desk_takes() -> None:
    found = blocks(mark="proposal")
    assert found
    for block in found:
        values = json.loads(block.text)
        assert {"actor", "lifetime_seconds"} <= set(values)
        del values["actor"], values["lifetime_seconds"]
        values["quantity"] = sum(x["last"] - x["first"] + 1 for x in values["lines"])
        values["expires_at"] = "2026-01-01T00:00:00.000000Z"
        Proposal.model_validate_json(json.dumps(values))


def test_issuances_have_the_form_that_the_desk_takes() -> None:
    found = blocks(mark="issuance")
    assert found
    for block in found:
        Issuance.model_validate_json(block.text)


def test_identities_have_the_form_that_the_desk_takes() -> None:
    found = blocks(mark="identity")
    assert found
    for block in found:
        Identity.model_validate_json(block.text)


def test_acts_have_the_form_that_the_directory_takes() -> None:
    found = [*blocks(mark="act"), *blocks(mark="file: ", kind="json")]
    assert len(found) > 2
    page = " ".join((ROOT / "docs" / "operating.md").read_text(encoding="utf-8").split())
    inline = re.findall(r'`(\{"act": [^`]*\})`', page)
    assert inline
    keys = (f"Ed25519:{number:A>43}" for number in range(100))
    for text in [*inline, *(block.text for block in found)]:
        members = json.loads(PUBLIC_KEY.sub(lambda _: next(keys), text))
        parse_act(json.dumps({"at": "2026-01-01T00:00:00.000000Z", **members}))


# --- the ceremony -------------------------------------------------------------------------------


def test_the_ceremony_of_the_operators_page_begins_a_log_and_admits_a_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    public: dict[str, str] = {}
    printed = ""
    for block in blocks():
        if block.mark.startswith("file: "):
            path = Path(block.mark.removeprefix("file: "))
            path.parent.mkdir(parents=True, exist_ok=True)
            text = block.text
            for name in PUBLIC_KEY.findall(text):
                text = text.replace(f"<{name}>", public[name])
            path.write_text(text)
        elif block.mark == "run":
            for words in block.commands():
                printed = run(words)
                if words[1] == "keygen":
                    rows = (line.split("  ") for line in printed.splitlines())
                    public |= {path: key for _, key, _, path in rows}
    assert Path("HUB/hub.db").is_file()
    load_settings(HubDaemonSettings, Path("HUB/settings.toml"))
    newcomer = load_settings(PartyDaemonSettings, Path("GHA01/settings.toml"))
    assert genesis_of(newcomer).model_dump_json() == Path("genesis.json").read_text().strip()
    directory = Directory.begin(SignedAct.model_validate_json(Path("genesis.json").read_text()))
    order = json.loads(Path("admission.order").read_text())
    directory = directory.apply(SignedAct.model_validate_json(order["act"]))
    assert directory.status(Participant("GHA01")) is Status.TESTING
    # What the page says of the directory, of the broker's users, and of beginning twice.
    assert run(["a6hub", "hub", "directory", "--settings", "HUB/settings.toml"]) == "none\n"
    Path("passwords").mkdir()
    Path("passwords/HUB").write_text("secret\n")
    definitions = ["a6hub", "hub", "definitions", "--settings", "HUB/settings.toml"]
    document = json.loads(run([*definitions, "--passwords", "passwords"]))
    assert [user["name"] for user in document["users"]] == ["HUB"]
    assert json.loads(run(definitions)) == {**document, "users": []}
    Path("passwords/GHA01").write_text("secret\n")
    with pytest.raises(AssertionError, match="GHA01 is not admitted"):
        run([*definitions, "--passwords", "passwords"])
    with pytest.raises(AssertionError, match="a log begins once"):
        run(["a6hub", "hub", "begin", "--settings", "HUB/settings.toml", "genesis.json"])


def run(words: list[str]) -> str:
    """Run a command in this process; gives what it printed."""
    assert words[0] == "a6hub"
    app = importlib.import_module(COMMANDS[words[1]][0]).app
    result = CliRunner().invoke(app, words[2:])
    assert result.exit_code == 0, f"{shlex.join(words)}: {result.output}{result.exception}"
    return result.output
