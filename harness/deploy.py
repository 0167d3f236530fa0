# SPDX-License-Identifier: Apache-2.0
"""`a6hub deploy`: write everything that `compose.yaml` needs into one folder, with fresh secrets.

It is for whoever has every program on one machine, to try a federation or to rehearse one. All keys
are then in one hand, which a real federation must not have: there each participant makes its own,
by the same commands (`docs/operating.md`).

    programs/<participant>/    settings.toml, keys/, genesis.json, and the URLs of its database and
                               its broker: all that the program's container sees
    operators/, administrators/    private keys of people; no daemon sees them. The mechanism
                               registry has two operators, since one alone commands nothing there
    setup/                     genesis, acts as arguments of orders, and the scripts that use them
    state/                     which steps of the setup are done
    anchor/                    how far the log has come, as the hub writes it beside its database
    rabbitmq/, postgresql/     what the two servers read when they first start
    compose.env                the variables of compose.yaml; .env.example explains them

Paths in the written files are those inside the containers. Secrets are readable by their owner
alone. The images of RabbitMQ and PostgreSQL read under users of their own, so their files are open
inside a folder that is not; but for PostgreSQL's first password they hold hashes of random ones.
"""

import json
import os
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness import deploy_servers as servers
from harness.loading import load_scenario
from harness.prepare import Member, admission_act, genesis_act, make_member, profile_act
from harness.scenario import ProfileModel, RegistryModel, ScenarioError
from runtime import keys
from runtime.clock import Clock, SystemClock
from runtime.errors import LocalProtocolError
from runtime.verbs import guarded
from schemas import jws
from schemas.directory import SignedAct, Status
from schemas.identifiers import HUB, HUB_ACTOR, REC, REC_ACTOR, Participant
from schemas.plain import mistake_in

__all__ = ["Federation", "app", "deploy", "load_federation"]

PROGRAMS = "/etc/a6hub"
SETUP = "/etc/a6hub-setup"
OPERATORS = "/etc/a6hub-operators"
STATE = "/var/lib/a6hub"
ANCHOR = "/var/lib/a6hub-anchor"
BROKER, DATABASE = "rabbitmq:5672", "postgresql:5432"
HTTP_PORT = 8080
OPERATOR, SECOND = "operator", "second"
IMAGE_USER = 10001
FEDERATION = Path(__file__).resolve().parent / "federation.toml"
ADMISSION_SECONDS = 120

app = typer.Typer()


class Federation(BaseModel):
    """Who takes part: the log's id, the registries with their actors, the profiles of pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log: str
    registries: Annotated[list[RegistryModel], Field(min_length=1)]
    profiles: list[ProfileModel] = []

    def of(self, program: str) -> list[str]:
        """The participants that run a program."""
        return [str(registry.id) for registry in self.registries if registry.program == program]


def load_federation(path: Path) -> Federation:
    """Read a list of participants; a whole scenario will do, of which only they are taken."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        if "expect" in data:
            scenario = load_scenario(path)
            data = {name: getattr(scenario, name) for name in Federation.model_fields}
        return Federation.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(f"{path}: {mistake_in(error)}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from None


@app.command()
def command(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not exist.")],
    participants: Annotated[
        Path, typer.Option(help="Who takes part: a list, or a scenario that has one.")
    ] = FEDERATION,
) -> None:
    """Write keys, acts, settings and credentials for compose.yaml, all fresh."""

    def work() -> None:
        deploy(load_federation(participants), folder, SystemClock())
        typer.echo(f"{folder} is ready. To start everything:")
        typer.echo(f"  docker compose --env-file {folder / 'compose.env'} up --build --detach")

    guarded(work)


@dataclass(frozen=True)
class _Site:
    """A deployment in the making."""

    federation: Federation
    folder: Path
    clock: Clock
    members: dict[Participant, Member]
    statuses: dict[Participant, Status]


def deploy(federation: Federation, folder: Path, clock: Clock) -> None:
    """Write a deployment's folder; `LocalProtocolError` when it exists."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise LocalProtocolError(f"{folder} exists; keys are never overwritten") from None
    programs = {HUB: ("hub", [HUB_ACTOR]), REC: ("reconcile", [REC_ACTOR])}
    programs |= {r.id: (r.program, list(r.actors)) for r in federation.registries}
    accepts = {registry.id: registry.accept for registry in federation.registries}
    place = _folder(folder / "programs")
    members = {
        participant: make_member(
            _folder(_folder(place / participant) / "keys"),
            participant,
            program,
            actors,
            accept=accepts.get(participant, True),
        )
        for participant, (program, actors) in programs.items()
    }
    statuses = {registry.id: registry.status for registry in federation.registries}
    site = _Site(federation, folder, clock, members, statuses)
    genesis = _acts(site)
    operators = _operators(site)
    _programs(site, genesis, operators, _servers(site))
    _scripts(site)
    _compose_env(folder)
    if os.geteuid() == 0:
        _give_away(folder)


# --- acts, people -------------------------------------------------------------------------------


def _acts(site: _Site) -> SignedAct:
    """Genesis, and the orders that admit everybody and agree their profiles; in this order."""
    people = _folder(site.folder / "administrators")
    administrators = []
    for number in range(1, 4):
        key = Ed25519PrivateKey.generate()
        keys.save(key, people / f"administrator-{number}.pem")
        administrators.append(jws.SoftwareSigner(key))
    genesis = genesis_act(site.federation.log, site.members[HUB], administrators, site.clock)
    acts = {
        f"admit-{p}": admission_act(
            member, site.statuses.get(p, Status.ACTIVE), administrators[:2], site.clock
        )
        for p, member in site.members.items()
        if p != HUB
    }
    for profile in site.federation.profiles:
        name = "-".join(actor.replace("/", "-") for actor in profile.actors)
        acts[f"profile-{name}"] = profile_act(profile, site.members, site.clock)
    setup = _folder(site.folder / "setup")
    (setup / "genesis.json").write_text(genesis.model_dump_json() + "\n")
    for number, (name, act) in enumerate(acts.items(), 1):
        order = json.dumps({"act": act.model_dump_json()})
        (setup / f"{number:02}-{name}.json").write_text(order + "\n")
    return genesis


def _operators(site: _Site) -> dict[Participant, dict[str, str]]:
    """The operators of each program: one, and at the mechanism registry, whose administrators
    confirm one another's commands, two. Gives their public keys by name.
    """
    folder = _folder(site.folder / "operators")
    public: dict[Participant, dict[str, str]] = {}
    for participant, member in site.members.items():
        files = {OPERATOR: f"{participant}.pem"}
        if member.program == "mechanism":
            files[SECOND] = f"{participant}-{SECOND}.pem"
        for name, file in files.items():
            key = Ed25519PrivateKey.generate()
            keys.save(key, folder / file)
            public.setdefault(participant, {})[name] = jws.PublicKey.of(key).to_text()
    return public


# --- servers and programs -----------------------------------------------------------------------


def _servers(site: _Site) -> dict[Participant, tuple[str, str]]:
    """The two servers' files; gives each program's password at the broker and at the database."""
    passwords = {p: (secrets.token_hex(24), secrets.token_hex(24)) for p in site.members}
    administrator, superuser = secrets.token_hex(24), secrets.token_hex(24)
    links = servers.links_of([(p.actors[0], p.actors[1]) for p in site.federation.profiles])
    document = servers.broker_definitions(
        {p: broker for p, (broker, _) in passwords.items()}, links, administrator
    )
    broker, database = _folder(site.folder / "rabbitmq"), _folder(site.folder / "postgresql")
    (broker / "a6hub.conf").write_text(servers.rabbitmq_conf())
    (broker / "definitions.json").write_text(json.dumps(document, indent=1) + "\n")
    _secret(broker / "administrator", f"{servers.BROKER_ADMINISTRATOR}:{administrator}")
    (database / "init.sql").write_text(servers.init_sql({p: x for p, (_, x) in passwords.items()}))
    (database / "password").write_text(superuser + "\n")
    for path in (broker / "a6hub.conf", broker / "definitions.json", *database.iterdir()):
        path.chmod(0o644)
    return passwords


def _programs(
    site: _Site,
    genesis: SignedAct,
    operators: dict[Participant, dict[str, str]],
    passwords: dict[Participant, tuple[str, str]],
) -> None:
    """Each program's settings, and the secrets that they name."""
    for participant, member in site.members.items():
        folder = site.folder / "programs" / participant
        broker, database = passwords[participant]
        name = servers.database_name(participant)
        _secret(folder / "broker", f"amqp://{participant}:{broker}@{BROKER}/")
        _secret(folder / "database", f"postgresql+asyncpg://{name}:{database}@{DATABASE}/{name}")
        if participant != HUB:
            (folder / "genesis.json").write_text(genesis.model_dump_json() + "\n")
        text = _settings(site.federation, member, operators[participant])
        (folder / "settings.toml").write_text(text)


def _settings(federation: Federation, member: Member, operators: dict[str, str]) -> str:
    """A program's settings file."""
    place = f"{PROGRAMS}/{member.participant}"
    values: dict[str, Any] = {
        "participant": member.participant,
        "actors": member.actors,
        "database_file": f"{place}/database",
        "broker_file": f"{place}/broker",
        "keys": f"{place}/keys",
    }
    if member.participant == HUB:
        values["anchor_file"] = f"{ANCHOR}/{HUB}"
    else:
        values["genesis"] = f"{place}/genesis.json"
    values |= {"http_host": "0.0.0.0", "http_port": HTTP_PORT}  # noqa: S104 - its container's own
    if member.program != "reconcile":  # the rules' settings, the same at every program
        values["mechanism"] = next(iter(federation.of("mechanism")), "UN01")
        values["international"] = federation.of("international")
    if member.program not in {"hub", "reconcile"}:
        values["accept"] = member.accept
    lines = ["# Written by `a6hub deploy`; docs/operating.md lists every member."]
    lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    for name, key in operators.items():
        lines += [
            "",
            "[[operators]]",
            f'name = "{name}"',
            'role = "administrator"',
            f'key = "{key}"',
        ]
    return "\n".join(lines) + "\n"


def _scripts(site: _Site) -> None:
    """What is run once: before the daemons (setup.sh), and once the hub is ready (admit.sh)."""
    head = ["# Written by `a6hub deploy`. A step that is done is not done again.", "set -eu"]
    hub = f"--settings {PROGRAMS}/HUB/settings.toml"
    prepare = [
        f"a6hub {member.program} migrate --settings {PROGRAMS}/{participant}/settings.toml"
        for participant, member in site.members.items()
    ]
    prepare += _once("begun", f"a6hub hub begin {hub} {SETUP}/genesis.json")
    order = f"a6hub hub order {hub} --operator {OPERATOR} --key {OPERATORS}/HUB.pem"
    admit = []
    setup = site.folder / "setup"
    for path in sorted(setup.glob("[0-9]*.json")):
        admit += _once(path.stem, f"{order} --wait {ADMISSION_SECONDS} act @{SETUP}/{path.name}")
    (setup / "setup.sh").write_text("\n".join(head + prepare) + "\n")
    (setup / "admit.sh").write_text("\n".join(head + admit) + "\n")
    _folder(site.folder / "state")
    _folder(site.folder / "anchor")


def _once(name: str, line: str) -> list[str]:
    return [f"test -e {STATE}/{name} || {line}", f"touch {STATE}/{name}"]


# --- the folder ---------------------------------------------------------------------------------


def _compose_env(folder: Path) -> None:
    """The variables that depend on this folder; the others have their defaults in compose.yaml."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        user = group = IMAGE_USER
    (folder / "compose.env").write_text(
        "# Written by `a6hub deploy`. .env.example lists what else may be set here.\n"
        f"A6HUB_FOLDER={folder.resolve()}\nA6HUB_USER={user}:{group}\n"
    )


def _give_away(folder: Path) -> None:
    """No program runs as root: what root has written is the image's user's."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, IMAGE_USER, IMAGE_USER)


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
