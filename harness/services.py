# SPDX-License-Identifier: Apache-2.0
"""Private RabbitMQ and PostgreSQL servers, for tests and benchmarks that want the real thing.

Rules this module keeps:

- An instance lives in the folder it is given and on loopback ports of its own. The system's
  services, their data and their ports are never touched.
- Durability is real: fsync and synchronous commits are on, as in deployment.
- Clients see only URLs; whoever has servers already passes theirs (`tests/services.py`).

Deliberately elsewhere: how a process is kept and ended (`server.py`), how missing programs are
found and installed (`install.py`), and what is in the broker and the databases (`runtime`).
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from harness.install import (
    ServiceError,
    install_missing,
    postgres_programs,
    rabbitmq_script,
    what_is_missing,
)
from harness.server import Server, accepts, as_user, folder_for, free_port, speaks_amqp

__all__ = [
    "Postgres",
    "PrivatePostgres",
    "PrivateRabbitMQ",
    "RabbitMQ",
    "ServiceError",
    "install_missing",
    "service_folder",
    "start_postgres",
    "start_rabbitmq",
]


# --- What a client gets -------------------------------------------------------------------------


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server, by the URL of a database whose user may create others."""

    url: str

    def create_database(self, name: str) -> str:
        """Creates an empty database and answers its URL."""
        _execute(self.url, f'create database "{name}" template template0')
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def copy_database(self, source: str, name: str) -> str:
        """Creates a database that equals another one, to which nobody is connected; answers its
        URL.
        """
        _execute(self.url, f'create database "{name}" template "{source}"')
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop_database(self, name: str) -> None:
        """Removes a database and whatever is still connected to it."""
        _execute(self.url, f'drop database if exists "{name}" with (force)')


@dataclass(frozen=True)
class RabbitMQ:
    """A RabbitMQ server: where clients connect, and where its management API answers."""

    amqp_url: str
    admin_url: str
    """With the administrator's user and password, without a path."""
    vhost: str = "/"

    def admin(self, method: str, path: str, body: object = None) -> object:
        """Asks the management API (`/api/...`); answers the JSON or, without one, nothing."""
        parts = urlsplit(self.admin_url)
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
        request = urllib.request.Request(
            urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", "")),
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": "Basic " + base64.b64encode(login).decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = response.read()
        return json.loads(answer) if answer else None


@dataclass(frozen=True)
class PrivatePostgres(Postgres):
    """A PostgreSQL server of our own."""

    _server: Server = field(repr=False)

    @property
    def pid(self) -> int:
        """The process whose descendants are the whole server."""
        return self._server.pid

    def stop(self, *, kill: bool = False) -> None:
        """Stops the server: cleanly, or as a power cut would."""
        self._server.stop(kill=kill)

    def restart(self, *, kill: bool = False) -> None:
        """Stops the server, starts it on the same port and waits until it answers."""
        self._server.stop(kill=kill)
        self._server.start()


@dataclass(frozen=True)
class PrivateRabbitMQ(RabbitMQ):
    """A RabbitMQ server of our own, with the port mapper that Erlang wants beside it."""

    _mapper: Server = field(kw_only=True, repr=False)
    _broker: Server = field(kw_only=True, repr=False)

    @property
    def pid(self) -> int:
        """The process whose descendants are the whole broker."""
        return self._broker.pid

    def stop(self, *, kill: bool = False) -> None:
        """Stops the broker: cleanly, or as a power cut would."""
        self._broker.stop(kill=kill)
        self._mapper.stop(kill=kill)

    def restart(self, *, kill: bool = False) -> None:
        """Stops the broker, starts it on the same ports and waits until it answers.

        A clean stop takes 6 s, 5 of them the management plugin's. A quorum queue that is younger
        than a second when the broker is killed does not come back: it is listed, and consuming from
        it hangs (seen with RabbitMQ 3.10 at 0 and 0.3 s, not at 1 s). Messages in older ones stay.
        """
        self.stop(kill=kill)
        self._mapper.start()
        self._broker.start()

    def wait_until_ready(self) -> None:
        """Returns when AMQP and the management API answer, or raises."""
        self._broker.wait_until_ready()


# --- Starting -----------------------------------------------------------------------------------


def start_postgres(folder: Path) -> PrivatePostgres:
    """Makes a cluster in `folder` (new or empty) and serves it."""
    programs = postgres_programs()
    if programs is None:
        raise ServiceError(what_is_missing(["postgresql"]))
    user = "postgres" if os.geteuid() == 0 else None
    data = folder_for(user, folder, "data")
    password = secrets.token_hex(16)
    secret = data.parent / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if user is not None:
        shutil.chown(secret, user)
    initdb = [str(programs / "initdb"), "--pgdata", str(data), "--username=a6hub"]
    initdb += ["--pwfile", str(secret), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    # Only the making is not synced to disk; the server that follows syncs everything.
    done = subprocess.run(
        [*as_user(user), *initdb, "--no-sync"], cwd=data, capture_output=True, check=False
    )
    secret.unlink()
    if done.returncode != 0:
        raise ServiceError(f"initdb failed: {done.stderr.decode(errors='replace')}")
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "fsync": "on",
        "synchronous_commit": "on",
    }
    command = [str(programs / "postgres"), "-D", str(data)]
    command += [f"--{name}={value}" for name, value in settings.items()]
    state = data / "postmaster.pid"  # its eighth line is what pg_ctl waits for, too
    server = Server(
        command=command,
        folder=data,
        log=folder / "postgres.log",
        user=user,
        stop_signal=signal.SIGINT,  # "fast": ends sessions, then writes everything down
        kill_signal=signal.SIGQUIT,  # "immediate": leaves all to recovery, but ends the children
        ready=lambda: state.read_text().splitlines()[7].strip() == "ready",
    )
    server.start()
    return PrivatePostgres(
        f"postgresql+asyncpg://a6hub:{password}@127.0.0.1:{port}/postgres", server
    )


def start_rabbitmq(
    folder: Path, *, configuration: str = "", login: tuple[str, str] | None = None
) -> PrivateRabbitMQ:
    """Makes a single-node broker with its management API in `folder` and serves it.

    `configuration` is added to its own; where that brings users, `login` is an administrator.
    """
    script, mapper = rabbitmq_script(), shutil.which("epmd")
    if script is None or mapper is None:
        raise ServiceError(what_is_missing(["rabbitmq-server"]))
    home = folder_for(None, folder, "home")
    amqp, admin, distribution, names = (free_port() for _ in range(4))
    user, password = login or ("a6hub", secrets.token_hex(16))
    settings = folder / "rabbitmq.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f"listeners.tcp.1 = 127.0.0.1:{amqp}\n"
        f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {admin}\n"
        f"default_user = {user}\ndefault_pass = {password}\n"
        "default_user_tags.administrator = true\n"
        f"log.console = false\nlog.file = {folder.absolute() / 'rabbitmq.log'}\n"
        f"{configuration}"
    )
    (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
    environment = {
        "HOME": str(home),  # the Erlang cookie is made there
        "RABBITMQ_NODENAME": "a6hub@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(settings),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        # Makes the script become the virtual machine instead of its parent: one process, our child.
        "RUNNING_UNDER_SYSTEMD": "true",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    port_mapper = Server(
        command=[mapper, "-port", str(names), "-address", "127.0.0.1"],
        folder=folder,
        log=folder / "epmd.log",
        ready=lambda: accepts(names),
    )
    url = f"http://{user}:{password}@127.0.0.1:{admin}"
    probe = RabbitMQ("", url)
    broker = Server(
        command=[script],
        folder=folder,
        log=folder / "rabbitmq.log",
        environment=environment,
        ready=lambda: speaks_amqp(amqp) and probe.admin("GET", "/api/overview") is not None,
    )
    port_mapper.start()
    try:
        broker.start()
    except ServiceError:
        port_mapper.stop()
        raise
    return PrivateRabbitMQ(
        f"amqp://{user}:{password}@127.0.0.1:{amqp}/", url, _mapper=port_mapper, _broker=broker
    )


@contextlib.contextmanager
def service_folder() -> Iterator[Path]:
    """A temporary folder for instances, which the user `postgres` can reach."""
    folder = Path(tempfile.mkdtemp(prefix="a6hub-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _execute(url: str, statement: str) -> None:
    """Runs one statement in a thread of its own, so that it may be called inside an event loop."""
    failures: list[BaseException] = []

    async def execute() -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", "", 1))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def run() -> None:
        try:
            asyncio.run(execute())
        except BaseException as failure:  # noqa: BLE001 - handed to the caller's thread
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
