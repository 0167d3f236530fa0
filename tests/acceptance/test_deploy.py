# SPDX-License-Identifier: Apache-2.0
"""What compose.yaml starts, started here: the folder of `a6hub deploy`, a broker that boots with
its configuration, a database server that ran its SQL, both scripts, all six daemons by their own
commands and health checks, a transfer by operators' commands, and SIGTERM.

Only what a container engine would do is done here: container paths lead into the folder, host names
to loopback, and each program has a port of its own. What the engine itself reads is in
`tests/unit/test_deploy.py`.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
import yaml

from harness.deploy import deploy, load_federation
from harness.deploy_servers import DEFINITIONS_PATH, database_name
from harness.expected import read_account
from harness.install import postgres_programs
from harness.server import free_port
from harness.services import PrivatePostgres, PrivateRabbitMQ, start_rabbitmq
from runtime.clock import SystemClock
from runtime.settings import secret
from schemas.identifiers import Participant
from tests.cast import A, approval, asked

ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
DAEMONS = ("hub", "reconcile", "mechanism", "international", "gha01", "che01")
PATIENCE_SECONDS = 90.0  # a loaded machine gets its time
T = TypeVar("T")


class Site:
    """A deployment's folder, with processes for containers."""

    def __init__(self, folder: Path, broker: str, database: str) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in DAEMONS}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for path in [*folder.glob("programs/*/*"), *folder.glob("setup/*.sh")]:
            if path.is_file():
                text = path.read_text()
                text = text.replace("@rabbitmq:5672", f"@{broker}")
                text = text.replace("@postgresql:5432", f"@{database}")
                path.write_text(self.outside(text))

    def outside(self, text: str) -> str:
        """A text with the container's paths replaced by the folder's."""
        for inside, name in (
            ("/etc/a6hub-setup", "setup"),
            ("/etc/a6hub-operators", "operators"),
            ("/etc/a6hub", "programs"),
            ("/var/lib/a6hub", "state"),
            ("/var/lib/a6hub-anchor", "anchor"),
        ):
            text = re.sub(rf"(?<![\w/]){inside}(?=/)", str(self.folder / name), text)
        return text

    def environment(self, **more: str) -> dict[str, str]:
        """The container's environment: nothing of ours but where the command is."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "LANG": "C.UTF-8", **more}

    def run(self, *words: str, status: int = 0) -> str:
        """Run a command to its end; gives what it printed."""
        done = subprocess.run(
            [self.outside(word) for word in words],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == status, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str) -> None:
        """Start a service as compose.yaml says."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                ["a6hub", *(self.outside(word) for word in SERVICES[name]["command"])],
                env=self.environment(
                    A6HUB_LOG_LEVEL="info",
                    A6HUB_HTTP_HOST="127.0.0.1",
                    A6HUB_HTTP_PORT=str(self.ports[name]),
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def is_healthy(self, name: str) -> bool:
        """Whether the service's own health check passes."""
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        words = [word.replace(":8080/", f":{self.ports[name]}/") for word in words]
        done = subprocess.run(words, env=self.environment(), capture_output=True, check=False)
        return done.returncode == 0

    def order(
        self,
        program: str,
        participant: str,
        command: str,
        arguments: Any,
        by: str = "operator",
        status: int = 0,
    ) -> str:
        """An operator's command; gives its result."""
        key = participant if by == "operator" else f"{participant}-{by}"
        return self.run(
            *("a6hub", program, "order"),
            *("--settings", f"/etc/a6hub/{participant}/settings.toml"),
            *("--operator", by, "--key", f"/etc/a6hub-operators/{key}.pem"),
            *(command, json.dumps(arguments)),
            status=status,
        ).strip()

    def look(self, program: str, participant: str, *verb: str) -> str:
        """What a program's verb shows."""
        settings = f"/etc/a6hub/{participant}/settings.toml"
        return self.run("a6hub", program, *verb, "--settings", settings)

    def stop(self) -> dict[str, int]:
        """SIGTERM to everybody; gives the exit statuses."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(60) for name, process in self.processes.items()}


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """Look again and again until there is something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "deployment"
    deploy(load_federation(ROOT / "harness" / "federation.toml"), made, SystemClock())
    return made


@pytest.fixture
def rabbitmq(services_folder: Path, folder: Path) -> Iterator[PrivateRabbitMQ]:
    """A broker that has booted with the deployment's configuration and definitions."""
    conf = (folder / "rabbitmq" / "a6hub.conf").read_text()
    assert f"load_definitions = {DEFINITIONS_PATH}\n" in conf
    user, password = secret(folder / "rabbitmq" / "administrator").split(":")
    broker = start_rabbitmq(
        services_folder / "deployed-rabbitmq",
        configuration=conf.replace(DEFINITIONS_PATH, str(folder / "rabbitmq" / "definitions.json")),
        login=(user, password),
    )
    yield broker
    broker.stop(kill=True)


@pytest.fixture
def database(restartable_postgres: PrivatePostgres, folder: Path) -> Iterator[str]:
    """The address of a database server that has run the deployment's SQL, as its image would."""
    programs, parts = postgres_programs(), urlsplit(restartable_postgres.url)
    assert programs is not None
    words = [str(programs / "psql"), "--no-psqlrc", "--no-password", "--quiet"]
    words += ["--variable", "ON_ERROR_STOP=1", "--file", str(folder / "postgresql" / "init.sql")]
    words += ["--host", "127.0.0.1", "--port", str(parts.port), "--username", str(parts.username)]
    done = subprocess.run(
        [*words, "postgres"],
        env={"PATH": os.environ["PATH"], "PGPASSWORD": str(parts.password)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield f"127.0.0.1:{parts.port}"
    for path in (folder / "programs").iterdir():
        restartable_postgres.drop_database(database_name(Participant(path.name)))


@pytest.fixture
def site(folder: Path, rabbitmq: PrivateRabbitMQ, database: str) -> Iterator[Site]:
    made = Site(folder, f"127.0.0.1:{urlsplit(rabbitmq.amqp_url).port}", database)
    yield made
    for process in made.processes.values():
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_deployment_sets_itself_up_transfers_units_and_stops_cleanly(
    site: Site, rabbitmq: PrivateRabbitMQ
) -> None:
    assert_the_definitions_are_in_force(rabbitmq)
    site.run(*SERVICES["setup"]["entrypoint"])
    for name in DAEMONS:
        site.start(name)
    wait_for(lambda: site.is_healthy("hub"), "the hub is not ready")
    assert not site.is_healthy("gha01")  # it is not admitted
    site.run(*SERVICES["admit"]["entrypoint"])
    for name in DAEMONS:
        wait_for(lambda name=name: site.is_healthy(name), f"{name} is not ready")  # type: ignore[misc]
    # `docker compose up` runs both again; they find that everything is done. (That a database is
    # up to date takes seconds to say, six times; only the rest is run.)
    again = (site.folder / "setup" / "setup.sh").read_text()
    again = "".join(x for x in again.splitlines(keepends=True) if " migrate " not in x)
    assert site.run("sh", "-c", again) == ""
    assert site.run(*SERVICES["admit"]["entrypoint"]) == ""
    admitted = site.look("hub", "HUB", "directory")
    assert set(re.findall(r"^(\w+) +active ", admitted, re.MULTILINE)) == {
        *("REC", "UN01", "UN02", "GHA01", "CHE01")
    }
    profiles = site.look("hub", "HUB", "directory", "--of", "profiles")
    assert "CHE01/CHE  GHA01/GHA  information" in profiles
    assert_the_hub_would_make_the_same_definitions(site)

    transfer(site)
    approve(site)

    everybody_agrees = wait_for(lambda: settled(site), "not everybody agrees with the log")
    assert len(everybody_agrees) == 7  # one actor of each Party, two and three sections
    assert site.look("reconcile", "REC", "discrepancies") == ""
    assert re.search(r"^GHA01/GHA +HUB ", site.look("hub", "HUB", "sequences"), re.MULTILINE)
    _, head = site.look("reconcile", "REC", "head").splitlines()
    size, root = head.split()
    head = f"{size}  {root}"
    assert site.look("hub", "HUB", "anchor") == f"anchor  {head}\nlog  {head}\n"
    assert site.look("party", "GHA01", "letters", "list") == ""
    assert_metrics_are_served(site)
    assert site.stop() == dict.fromkeys(DAEMONS, 0)


def approve(site: Site) -> None:
    """One of the mechanism registry's administrators records an approval, once another agrees."""
    record = {"actor": "UN01/ADM", **asked(approval("A", A, 10))}
    waits = site.order("mechanism", "UN01", "propose", record, status=5)
    number = json.loads(waits[waits.index("{") : waits.index("}") + 1])
    site.order("mechanism", "UN01", "confirm", number, status=1)
    id_ = site.order("mechanism", "UN01", "confirm", number, by="second")
    done = re.compile(rf"{id_} +completed")
    wait_for(lambda: done.search(site.look("hub", "HUB", "transactions")), "no approval")
    listed = site.look("mechanism", "UN01", "commands")
    told = r"^ *1 .* done +operator +propose +second +UN01-ADM-1$"
    assert re.search(told, listed, re.MULTILINE), listed
    both = site.run(
        *("a6hub", "mechanism", "command", "--settings", "/etc/a6hub/UN01/settings.toml", "1")
    )
    assert [both.count(f'"operator":"{who}"') for who in ("operator", "second")] == [1, 1]


def transfer(site: Site) -> None:
    """The Party registries' operators issue, authorize, propose and accept."""
    source, target = read_account("GHA01/GHA:holding:1"), read_account("CHE01/CHE:holding:1")
    for participant, number in (("GHA01", source), ("CHE01", target)):
        account = {"actor": f"{participant}/{participant[:3]}", "kind": "holding"}
        assert site.order("party", participant, "open-account", account) == number
    key = {"layer": "underlying", "approach": "CA0007", "registry": "GHA01", "party": "GHA"}
    line = {"key": {**key, "vintage": 2023}, "first": 1, "last": 1000}
    ghana = {"actor": "GHA01/GHA"}
    references = {"request": "Trial", "approval": "Trial", "approved_quantity": 1000}
    terms = {"id": "GH-CH-1", "version": 1, "approach": "CA0007", "party": "GHA"}
    terms |= {"purposes": ["NDC"], "parties": ["CHE"], "quantity": 1000}
    proposals: list[dict[str, Any]] = [
        {
            "action": "issuance",
            "lines": [{**line, "target": source, "attributes": {}}],
            "references": references,
        },
        {"action": "authorization", "lines": [], "terms": terms},
        {
            "action": "first-transfer",
            "acquirer": "CHE01/CHE",
            "authorization": {"id": "GH-CH-1", "version": 1},
            "lines": [{**line, "source": source, "target": target, "itmo_first": 1}],
        },
    ]
    ids = []
    for proposal in proposals:
        ids.append(site.order("party", "GHA01", "propose", {**ghana, **proposal}))
        wait_for(lambda: stepped(site, "GHA01", ids[-1]), f"{ids[-1]} is not settled")
    waiting = wait_for(
        lambda: site.look("party", "CHE01", "transactions", "--waiting"), "nothing waits"
    )
    assert ids[-1] in waiting
    accepted = site.order("party", "CHE01", "accept", {"transaction": ids[-1]})
    assert accepted == f"{ids[-1]} accepted"
    held = wait_for(lambda: site.look("party", "CHE01", "holdings"), "the units did not come")
    assert held.splitlines()[1].split() == [
        *(target, "itmo:CA0007-GHA01-GHA-2023", "1", "1000", "1000", "-")
    ]
    log = site.look("hub", "HUB", "transactions")
    assert [line.split()[1:3] for line in reversed(log.splitlines()[1:])] == [
        [id_, "completed"] for id_ in ids
    ]


def stepped(site: Site, participant: str, transaction: str) -> bool:
    """Whether a registry knows what became of its proposal."""
    shown = site.look("party", participant, "transactions")
    return bool(re.search(rf"{transaction} +(?:completed|cleared)", shown))


def settled(site: Site) -> list[dict[str, Any]]:
    """Every registry actor's position, once all have applied everything and agree with the log."""
    positions = json.loads(site.look("reconcile", "REC", "positions", "--format", "json"))
    actors = [p for p in positions if p["actor"] != "REC"]
    return actors if all(p["equal"] is True and p["lag"] == 0 for p in actors) else []


def assert_the_definitions_are_in_force(broker: PrivateRabbitMQ) -> None:
    users = broker.admin("GET", "/api/users")
    assert isinstance(users, list)
    names = {"administrator", "HUB", "REC", "UN01", "UN02", "GHA01", "CHE01"}
    assert {user["name"] for user in users} == names
    queues = broker.admin("GET", "/api/queues")
    assert isinstance(queues, list)
    assert {queue["name"] for queue in queues} == {
        f"{kind}.{name}" for kind in ("inbox", "dead") for name in names - {"administrator"}
    }


def assert_the_hub_would_make_the_same_definitions(site: Site) -> None:
    """Those made from the directory are those that the broker has booted with, but for users."""
    made = json.loads(site.look("hub", "HUB", "definitions"))
    booted = json.loads((site.folder / "rabbitmq" / "definitions.json").read_text())
    booted["users"] = []
    booted["permissions"] = [p for p in booted["permissions"] if p["user"] != "administrator"]
    assert made == booted


def assert_metrics_are_served(site: Site) -> None:
    for name, port in site.ports.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert "a6hub_link_up 1.0" in text, name
        assert 'a6hub_events_total{event="node_started"} 1.0' in text, name
