# SPDX-License-Identifier: Apache-2.0
"""One server process as our child: started, waited for, stopped, and never left behind.

Rules this module keeps:

- A server runs in the foreground as our child. It ends by `stop`, at the interpreter's exit, and,
  where `setpriv` exists (any Linux), by the kernel when the thread that started it dies, by SIGKILL
  too. Hence: start servers from a thread that lives as long as they are needed.
- PostgreSQL refuses to run as root, so a server may run as another user; nothing else here does.

Which servers there are, and how they are set up, is in `services.py`.
"""

import atexit
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.install import ServiceError

START_SECONDS_MAX = 120  # RabbitMQ takes 6 s on an idle machine; a loaded one gets its time
STOP_SECONDS_MAX = 60
POLL_SECONDS = 0.05
# Below Linux's ephemeral range: no outgoing connection can take a port while its server restarts.
PORTS = range(20_000, 32_000)


@dataclass
class Server:
    """One server process: our child, in the foreground, started and stopped any number of times."""

    command: list[str]
    folder: Path
    log: Path
    ready: Callable[[], bool]
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    kill_signal: signal.Signals = signal.SIGKILL
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int:
        """The number of the running process."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self) -> None:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*as_user(self.user, dies_by=self.kill_signal), *self.command],
                cwd=self.folder,
                env={**environment, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for us, who then stop it
            )
        atexit.register(self.stop)
        try:
            self.wait_until_ready()
        except ServiceError:
            self.stop(kill=True)
            raise

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            # Not there yet shows in many ways: no file, half a file, no port, no user.
            with contextlib.suppress(OSError, IndexError):
                if self.ready():
                    return
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                lines = self.log.read_text(errors="replace").splitlines()[-20:]
                how = "ended while starting" if ended else "did not answer in time"
                raise ServiceError(f"{self.command[0]} {how}:\n" + "\n".join(lines))
            time.sleep(POLL_SECONDS)

    def stop(self, *, kill: bool = False) -> None:
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None:
            return
        process.send_signal(self.kill_signal if kill else self.stop_signal)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def as_user(user: str | None, *, dies_by: signal.Signals | None = None) -> list[str]:
    """The words before a command that make it run as `user` and die with us."""
    words: list[str] = []
    if dies_by is not None:
        words += ["--pdeathsig", dies_by.name.removeprefix("SIG")]
    if user is not None:
        words += ["--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--init-groups"]
    program = shutil.which("setpriv")
    if program is None and user is not None:
        raise ServiceError("setpriv (package util-linux) is needed to run PostgreSQL as root")
    return [program, *words, "--"] if program is not None and words else []


def folder_for(user: str | None, folder: Path, name: str) -> Path:
    """Makes an inner folder that `user` owns, and sees that the way to it is open."""
    inner = folder.absolute() / name
    inner.mkdir(mode=0o700, parents=True)
    if user is not None:
        shutil.chown(inner, user)
        seen = [*as_user(user), "test", "-w", str(inner)]
        if subprocess.run(seen, check=False).returncode != 0:
            raise ServiceError(f"user {user} cannot reach {inner}; take a `service_folder()`")
    return inner


_given_ports: set[int] = set()


def free_port() -> int:
    """A loopback port that nobody listens on and that this process has not given out before."""
    for _ in range(1000):
        port = secrets.choice(PORTS)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                trial.bind(("127.0.0.1", port))
                if port not in _given_ports:
                    _given_ports.add(port)
                    return port
    raise ServiceError("no free loopback port was found")


def accepts(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True


def speaks_amqp(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        return connection.recv(1) == b"\x01"  # the method frame Connection.Start
