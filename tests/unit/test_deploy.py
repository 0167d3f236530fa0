# SPDX-License-Identifier: Apache-2.0
"""compose.yaml, the Dockerfile and what `a6hub deploy` writes are held to the programs.

No container engine is needed: every command is parsed by the real one, every settings file is read
by the program's own model, and every path that a container sees leads to a file that was written.
That the same commands do their work is in `tests/acceptance/test_deploy.py`.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.deploy import Federation, deploy, load_federation
from harness.deploy_servers import scram_verifier
from harness.scenario import ScenarioError
from hub.cli import HubDaemonSettings
from international_node.cli import InternationalDaemonSettings
from ledger.directory import Directory
from mechanism_node.cli import MechanismDaemonSettings
from party_node.cli import PartyDaemonSettings
from reconciliation.cli import ReconcileDaemonSettings
from runtime.clock import SystemClock
from runtime.daemon import keyring_of
from runtime.definitions import recipients
from runtime.errors import LocalProtocolError
from runtime.keys import load_private
from runtime.settings import DaemonSettings, load_settings, secret
from schemas import jws
from schemas.directory import SignedAct
from schemas.identifiers import Participant
from tests.commands import parse

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DEFAULT = ROOT / "harness" / "federation.toml"
FEDERATION = load_federation(DEFAULT)
MODELS: dict[str, type[DaemonSettings]] = {
    "hub": HubDaemonSettings,
    "reconcile": ReconcileDaemonSettings,
    "party": PartyDaemonSettings,
    "international": InternationalDaemonSettings,
    "mechanism": MechanismDaemonSettings,
}
SERVERS = {"rabbitmq", "postgresql"}
WRITTEN = ("/state", "/anchor")
"""What containers write to."""
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::([-?])([^}]*))?\}")


def ours() -> Iterator[tuple[str, dict[str, Any]]]:
    """The services that run our image."""
    return ((name, service) for name, service in SERVICES.items() if name not in SERVERS)


def daemons() -> dict[str, dict[str, Any]]:
    """The services that run a program for good."""
    return {n: s for n, s in ours() if "command" in s}


def mounts(service: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Container path to the path in a deployment's folder that is mounted there."""
    found = {}
    for volume in service["volumes"]:
        source, target, *mode = re.sub(r"\$\{A6HUB_FOLDER[^}]*\}", str(folder), volume).split(":")
        if source.startswith(str(folder)):
            found[target] = Path(source)
            assert mode == ([] if source.endswith(WRITTEN) else ["ro"]), volume
    return found


def outside(path: str, mounted: dict[str, Path]) -> Path:
    """The file that a container sees under a path."""
    for target, source in mounted.items():
        if path == target or path.startswith(f"{target}/"):
            return Path(f"{source}{path.removeprefix(target)}")
    raise AssertionError(f"{path} is not mounted")


def defaults(text: str) -> str:
    """A value of compose.yaml as it is when no variable is set."""
    return VARIABLE.sub(lambda found: found[3] or "", text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("deploy") / "deployment"
    deploy(FEDERATION, made, SystemClock())
    return made


# --- compose.yaml and the programs --------------------------------------------------------------


def test_there_is_a_daemon_for_every_participant_of_the_default_federation() -> None:
    expected = {"HUB": "hub", "REC": "reconcile"}
    expected |= {str(r.id): r.program for r in FEDERATION.registries}
    found = {}
    for service in daemons().values():
        parsed = parse(service["command"])
        assert parsed.verbs == ["run"]
        found[parsed.values["settings"].parent.name] = parsed.program
    assert found == expected


@pytest.mark.parametrize("name", daemons())
def test_a_daemons_settings_are_read_by_its_own_model(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = daemons()[name]
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, defaults(value))
    parsed = parse(service["command"])
    mounted = mounts(service, folder)
    text = outside(str(parsed.values["settings"]), mounted).read_text()
    # What the program's container sees is one folder, and at the hub that of its anchor, which is
    # not written yet; nothing in the settings leads out of them.
    assert len(mounted) == (2 if parsed.program == "hub" else 1)
    for path in re.findall(r'"(/[^"]*)"', text):
        found = outside(path, mounted)
        assert found.parent.is_dir() if found.parent.name == "anchor" else found.exists()
    inside = tmp_path / "settings.toml"
    for target, source in mounted.items():
        text = text.replace(f'"{target}/', f'"{source}/')
    inside.write_text(text)
    settings = load_settings(MODELS[parsed.program], inside)
    assert settings.log_level == "info"
    keyring = keyring_of(settings)
    assert list(keyring.actors) == settings.actors
    assert (keyring.checkpoint is not None) == (parsed.program == "hub")
    if settings.genesis is not None:
        Directory.begin(SignedAct.model_validate_json(settings.genesis.read_text()))
    people = {one.name: one.key for one in settings.operators}
    program = settings.participant
    files = {"operator": f"{program}.pem", "second": f"{program}-second.pem"}
    if parsed.program != "mechanism":  # there no administrator acts alone
        del files["second"]
    assert people == {
        name: jws.PublicKey.of(load_private(folder / "operators" / file)).to_text()
        for name, file in files.items()
    }


def test_programs_agree_on_the_rules_settings(folder: Path) -> None:
    for member in ("mechanism", "international"):
        values = {
            json.dumps(settings[member])
            for path in folder.glob("programs/*/settings.toml")
            if member in (settings := tomllib.loads(path.read_text()))
        }
        assert len(values) == 1


def test_a_health_check_asks_the_port_that_the_settings_name(folder: Path) -> None:
    for name, service in daemons().items():
        (url,) = re.findall(r"http://[^\"]+", " ".join(service["healthcheck"]["test"]))
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/readyz", url), name
        program = parse(service["command"]).values["settings"].parent.name
        settings = tomllib.loads((folder / "programs" / program / "settings.toml").read_text())
        assert f":{settings['http_port']}/" in url
        assert settings["http_host"] == "0.0.0.0"  # noqa: S104 - its container's own
        compile(service["healthcheck"]["test"][3], name, "exec")


def test_a_daemon_is_given_time_to_drain() -> None:
    for service in daemons().values():
        seconds = DaemonSettings.model_fields["drain_seconds"].default
        assert int(service["stop_grace_period"].removesuffix("s")) > seconds


def test_every_variable_in_a_programs_environment_is_a_member_of_its_settings() -> None:
    for service in daemons().values():
        members = MODELS[parse(service["command"]).program].model_fields
        for variable in service.get("environment", {}):
            assert variable.removeprefix("A6HUB_").lower() in members


@pytest.mark.parametrize("name", ["setup", "admit"])
def test_every_line_of_a_script_is_a_real_command_on_files_that_are_there(
    name: str, folder: Path
) -> None:
    service = SERVICES[name]
    mounted = mounts(service, folder)
    shell, script = service["entrypoint"]
    assert shell == "sh"
    lines = outside(script, mounted).read_text().splitlines()
    commands = [line for line in lines if line.partition("|| ")[2] or line.startswith("a6hub ")]
    assert commands
    for line in commands:
        words = shlex.split(line.partition("|| ")[2] or line)
        assert words[0] == "a6hub"
        parse(words[1:])
        for word in words:
            if word.lstrip("@").startswith("/"):
                assert outside(word.lstrip("@"), mounted).is_file(), word
    marks = {word for line in lines for word in line.split() if word.startswith("/var/lib/")}
    for mark in marks:
        assert outside(mark, mounted).parent.is_dir()


def test_the_setup_migrates_every_database_and_begins_the_log(folder: Path) -> None:
    text = (folder / "setup" / "setup.sh").read_text()
    migrated = set(
        re.findall(r"^a6hub \w+ migrate --settings \S+/(\w+)/settings", text, re.MULTILINE)
    )
    assert migrated == {path.name for path in (folder / "programs").iterdir()}
    assert text.count(" begin ") == 1


def test_the_acts_admit_everybody_in_the_order_given(folder: Path) -> None:
    genesis = SignedAct.model_validate_json((folder / "setup" / "genesis.json").read_text())
    directory = Directory.begin(genesis)
    orders = re.findall(r"act @\S+/(\S+\.json)", (folder / "setup" / "admit.sh").read_text())
    assert len(orders) == len(list((folder / "setup").glob("[0-9]*.json")))
    for name in orders:
        order = json.loads((folder / "setup" / name).read_text())
        directory = directory.apply(SignedAct.model_validate_json(order["act"]))
    programs = {path.name for path in (folder / "programs").iterdir()}
    assert {str(p) for p in directory.members} == programs - {"HUB"}
    for profile in FEDERATION.profiles:
        assert directory.profile(profile.actors[0], profile.actors[1]) is profile.profile


# --- compose.yaml by itself ---------------------------------------------------------------------


def test_every_dependency_names_a_service_that_can_fulfil_its_condition() -> None:
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            condition = wanted["condition"]
            if condition == "service_healthy":
                assert "healthcheck" in SERVICES[other], name
            else:
                assert condition == "service_completed_successfully", name
                assert SERVICES[other]["restart"] == "no", name


def test_every_image_has_a_tag() -> None:
    for service in SERVICES.values():
        assert re.fullmatch(r"[a-z0-9/-]+:[\w.-]+", defaults(service["image"]))
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    arguments = {defaults(s["build"]["args"]["PYTHON_IMAGE"]) for _, s in ours()}
    assert arguments == {base[1]}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {defaults(s["image"]) for _, s in ours()} == {f"a6hub:{version}"}


def test_volumes_are_declared_or_in_the_folder(folder: Path) -> None:
    for service in SERVICES.values():
        for source in mounts(service, folder).values():
            assert source.exists(), source
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source.startswith("${A6HUB_FOLDER") or source in COMPOSE["volumes"]


def test_the_programs_run_as_an_ordinary_user_on_a_file_system_that_they_cannot_write() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for _, service in ours():
        user = defaults(service["user"])
        assert user != "0:0"
        assert f"USER {user}\n" in dockerfile
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_every_variable_is_explained_and_has_the_default_that_is_told() -> None:
    example = (ROOT / ".env.example").read_text()
    told = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", example, re.MULTILINE))
    used: dict[str, str | None] = {}
    for name, how, value in VARIABLE.findall((ROOT / "compose.yaml").read_text()):
        if how == "-":
            assert used.setdefault(name, value) == value
        else:
            used.setdefault(name, None)
    assert set(told) == set(used)
    for name, value in used.items():
        if value is not None:
            assert told[name] == value
    for name in told:  # each has a sentence above it
        assert re.search(rf"^#.*\n{name}=", example, re.MULTILINE), name


def test_the_folder_sets_variables_that_exist(folder: Path) -> None:
    written = dict(re.findall(r"^(\w+)=(.*)$", (folder / "compose.env").read_text(), re.MULTILINE))
    assert set(written) == {"A6HUB_FOLDER", "A6HUB_USER"}
    assert written["A6HUB_FOLDER"] == str(folder)
    assert not written["A6HUB_USER"].startswith("0:")


def test_the_image_is_built_from_the_packages_and_the_hashed_locks() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert len(re.findall(r"pip install .*--require-hashes", dockerfile)) == 2
    for name in re.findall(r"requirements/\S+\.txt", dockerfile):
        assert (ROOT / name).is_file()
    admitted = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert admitted == {*packages, "pyproject.toml", "requirements", "LICENSE"}
    (command,) = project["project"]["scripts"]
    assert f'ENTRYPOINT ["{command}"]' in dockerfile


# --- the folder ---------------------------------------------------------------------------------


def test_private_keys_and_urls_are_readable_by_their_owner_alone(folder: Path) -> None:
    private = [*folder.rglob("*.pem"), *folder.glob("programs/*/broker")]
    private += [*folder.glob("programs/*/database"), folder / "rabbitmq" / "administrator"]
    assert len(private) > 20
    for path in private:
        assert path.stat().st_mode & 0o777 == 0o600, path
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_the_servers_read_holds_no_password_of_a_program(folder: Path) -> None:
    passwords = [
        secret(path).split("@")[0].rpartition(":")[2]
        for path in [*folder.glob("programs/*/broker"), *folder.glob("programs/*/database")]
    ]
    assert len(set(passwords)) == len(passwords) == 2 * len(list((folder / "programs").iterdir()))
    read = [folder / "rabbitmq" / "definitions.json", folder / "postgresql" / "init.sql"]
    for path in read:
        assert not [word for word in passwords if word in path.read_text()]
        assert path.stat().st_mode & 0o777 == 0o644


def test_the_broker_lets_talk_whom_a_profile_connects(folder: Path) -> None:
    document = json.loads((folder / "rabbitmq" / "definitions.json").read_text())
    users = {user["name"]: user for user in document["users"]}
    programs = {path.name for path in (folder / "programs").iterdir()}
    assert set(users) == programs | {"administrator"}
    assert all(user["password_hash"] for user in users.values())
    allowed = recipients(programs, [("GHA01", "CHE01"), ("UN01", "UN02")])
    for permission in document["topic_permissions"]:
        if permission["exchange"] == "a6hub":
            names = permission["write"].removeprefix("^(").removesuffix(")$").split("|")
            assert set(names) == allowed[permission["user"]]


def test_two_deployments_share_no_secret(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    deploy(FEDERATION, other, SystemClock())
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077 == 0:
            assert path.read_bytes() != (other / path.relative_to(folder)).read_bytes(), path


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="exists"):
        deploy(FEDERATION, tmp_path, SystemClock())
    assert list(tmp_path.iterdir()) == []


def test_what_root_writes_belongs_to_the_images_user(folder: Path) -> None:
    owner = 10001 if os.geteuid() == 0 else os.geteuid()
    assert {path.stat().st_uid for path in folder.rglob("*")} == {owner}


# --- who takes part -----------------------------------------------------------------------------


def test_a_scenario_is_a_list_of_participants_too(tmp_path: Path) -> None:
    federation = load_federation(ROOT / "scenarios" / "small.toml")
    assert [str(registry.id) for registry in federation.registries] == ["THA01", "CHE01"]
    deploy(federation, tmp_path / "small", SystemClock())
    assert (tmp_path / "small" / "programs" / "THA01" / "settings.toml").is_file()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("log = 'a6hub.trial'\nregistries = []\n", "registries"),
        ("bogus = 1\n", "log"),
        (DEFAULT.read_text() + "\n[other]\n", "other"),
        ("log =", "Invalid value"),
    ],
)
def test_a_list_that_is_wrong_is_named(text: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "participants.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=where):
        load_federation(path)


def test_participants_by_program() -> None:
    assert isinstance(FEDERATION, Federation)
    assert FEDERATION.of("mechanism") == [Participant("UN01")]
    assert FEDERATION.of("party") == ["GHA01", "CHE01"]


def test_a_scram_verifier_proves_the_exchange_of_the_rfc() -> None:
    # RFC 7677, section 3: the password `pencil`, and the messages and signatures given there.
    first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    said = f"n=user,r=rOprNGfwEbeRWgbNEkqO,{first},s={salt},i=4096,c=biws,{first}".encode()
    mechanism, rounds, keys = scram_verifier("pencil", base64.b64decode(salt)).split("$")
    stored, server = map(base64.b64decode, keys.split(":"))
    assert (mechanism, rounds) == ("SCRAM-SHA-256", f"4096:{salt}")
    signature = base64.b64encode(hmac.digest(server, said, "sha256"))
    assert signature == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    ours = hmac.digest(stored, said, "sha256")
    client = bytes(a ^ b for a, b in zip(proof, ours, strict=True))
    assert hashlib.sha256(client).digest() == stored
