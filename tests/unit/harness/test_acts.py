# SPDX-License-Identifier: Apache-2.0
"""`a6hub act`: whose keys are in an act and under it; what is wrong with one is one line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.acts import app
from runtime import keys
from schemas import jws
from schemas.directory import SignedAct

NAMES = ("hub", "checkpoint", "anna", "berta", "ghana", "witness", "stranger")


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, jws.PublicKey]:
    """A folder with keys of everybody, and what is public of them."""
    monkeypatch.chdir(tmp_path)
    made = {}
    for name in NAMES:
        key = keys.generate()
        keys.save(key, Path(f"{name}.pem"))
        made[name] = jws.PublicKey.of(key)
    return made


def act(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def refusal(*words: str) -> str:
    """The one line by which bad input is refused."""
    result = act(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "input_value" not in line
    assert "https" not in line
    return line


def genesis(public: dict[str, jws.PublicKey]) -> str:
    text = {name: key.to_text() for name, key in public.items()}
    return json.dumps(
        {
            "act": "genesis",
            "log": "a6hub.example",
            "hub_key": text["hub"],
            "checkpoint_key": text["checkpoint"],
            "administrators": [{"name": n, "key": text[n]} for n in ("anna", "berta")],
            "threshold": 2,
        }
    )


def admission(public: dict[str, jws.PublicKey]) -> str:
    return json.dumps(
        {
            "act": "admission",
            "participant": "GHA01",
            "actors": [{"actor": "GHA01/GHA", "key": public["ghana"].to_text()}],
            "witness_key": public["witness"].to_text(),
        }
    )


def begun(public: dict[str, jws.PublicKey]) -> None:
    """A genesis that everybody has signed."""
    assert act("new", "genesis.json", genesis(public)).exit_code == 0
    for name in ("hub", "anna", "berta"):
        assert act("sign", "genesis.json", "--key", f"{name}.pem").exit_code == 0


def test_each_key_is_shown_by_name_and_id_and_each_signature_by_whose_it_is(
    public: dict[str, jws.PublicKey],
) -> None:
    printed = act("new", "genesis.json", genesis(public)).stdout
    for name, shown in (("hub", "HUB"), ("anna", "anna"), ("checkpoint", "checkpoint")):
        assert f"  {shown}  {public[name].key_id}\n" in printed
    assert printed.endswith("signed by:\n  nobody\n")
    printed = act("sign", "genesis.json", "--key", "hub.pem").stdout
    assert printed.endswith(f"signed by:\n  HUB  {public['hub'].key_id}\n")
    assert act("show", "genesis.json").stdout == printed


def test_a_key_that_does_not_sign_the_act_is_refused(public: dict[str, jws.PublicKey]) -> None:
    act("new", "genesis.json", genesis(public))
    before = Path("genesis.json").read_text()
    line = refusal("sign", "genesis.json", "--key", "stranger.pem")
    assert line.endswith("is a stranger's key; this act is signed by HUB, anna, berta")
    line = refusal("sign", "genesis.json", "--key", "checkpoint.pem")
    assert line.endswith("is the key checkpoint, which does not sign this act")
    assert Path("genesis.json").read_text() == before
    act("sign", "genesis.json", "--key", "hub.pem")
    assert "HUB has signed already" in refusal("sign", "genesis.json", "--key", "hub.pem")


def test_administrators_of_an_admission_are_known_by_the_genesis(
    public: dict[str, jws.PublicKey],
) -> None:
    begun(public)
    act("new", "admission.json", admission(public))
    with_genesis = ("sign", "admission.json", "--genesis", "genesis.json", "--key")
    assert "stranger's key" in refusal(*with_genesis, "stranger.pem")
    assert "anna  " in act(*with_genesis, "anna.pem").stdout
    printed = act("sign", "admission.json", "--key", "ghana.pem").stdout
    assert f"  GHA01/GHA  {public['ghana'].key_id}\n" in printed.split("signed by:")[1]
    assert f"  (not in the act)  {public['anna'].key_id}\n" in printed


def test_a_binding_is_signed_by_administrators_and_by_whom_the_directory_alone_knows(
    public: dict[str, jws.PublicKey],
) -> None:
    begun(public)
    members = {"act": "binding", "party": "GHA", "actor": "GHA01/GHA", "reason": "letter"}
    assert act("new", "binding.json", json.dumps(members)).exit_code == 0
    with_genesis = ("sign", "binding.json", "--genesis", "genesis.json", "--key")
    assert f"  anna  {public['anna'].key_id}\n" in act(*with_genesis, "anna.pem").stdout
    printed = act(*with_genesis, "ghana.pem").stdout
    assert f"  (not in the act)  {public['ghana'].key_id}\n" in printed
    line = refusal("new", "other.json", json.dumps({**members, "party": "CHE"}))
    assert "GHA01/GHA is no section of CHE" in line


@pytest.mark.requirement(1)
def test_a_section_is_signed_by_its_key_administrators_and_one_whom_the_directory_knows(
    public: dict[str, jws.PublicKey],
) -> None:
    begun(public)
    pair = {"actor": "UN02/GHA", "key": public["ghana"].to_text()}
    members = {"act": "section", "participant": "UN02", "actors": [pair]}
    printed = act("new", "section.json", json.dumps(members)).stdout
    assert f"  UN02/GHA  {public['ghana'].key_id}\n" in printed
    with_genesis = ("sign", "section.json", "--genesis", "genesis.json", "--key")
    assert f"  anna  {public['anna'].key_id}\n" in act(*with_genesis, "anna.pem").stdout
    signed_by = act(*with_genesis, "ghana.pem").stdout.split("signed by:")[1]
    assert f"  UN02/GHA  {public['ghana'].key_id}\n" in signed_by
    printed = act(*with_genesis, "stranger.pem").stdout
    assert f"  (not in the act)  {public['stranger'].key_id}\n" in printed
    line = refusal("new", "other.json", json.dumps({**members, "actors": []}))
    assert "section/actors" in line


def test_a_signature_that_is_not_over_the_act_is_refused(
    public: dict[str, jws.PublicKey],
) -> None:
    begun(public)
    signed = SignedAct.model_validate_json(Path("genesis.json").read_text())
    other = signed.model_copy(update={"act": signed.act.replace("a6hub.example", "a6hub.other")})
    Path("other.json").write_text(other.model_dump_json())
    assert refusal("show", "other.json").endswith("the signature of HUB is over another act")


def test_an_act_that_was_signed_is_not_written_over(public: dict[str, jws.PublicKey]) -> None:
    begun(public)
    before = Path("genesis.json").read_text()
    line = refusal("new", "genesis.json", genesis(public))
    assert line == "a6hub: genesis.json exists; an act is written once: name another file"
    assert Path("genesis.json").read_text() == before


def test_what_is_wrong_is_one_line(public: dict[str, jws.PublicKey]) -> None:
    assert "the members: not a JSON object" in refusal("new", "x.json", "[]")
    assert "the members: not JSON" in refusal("new", "x.json", "{")
    assert refusal("new", "x.json", "@none.members") == "a6hub: none.members: no such file"
    assert refusal("new", "x.json", '{"act": "status"}').startswith("a6hub: status/participant: ")
    left = genesis(public).replace(public["anna"].to_text(), "<anna/anna.pem>")
    line = refusal("new", "x.json", left)
    assert line.endswith('"<anna/anna.pem>": put the public key there that it names')
    assert not Path("x.json").exists()
    assert refusal("show", "none.json") == "a6hub: none.json: no such file"
    Path("wrong.json").write_text("[]")
    assert refusal("order", "wrong.json", "y.json").startswith("a6hub: wrong.json: no act with")
    act("new", "genesis.json", genesis(public))
    assert "none.pem: no such file" in refusal("sign", "genesis.json", "--key", "none.pem")
