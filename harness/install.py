# SPDX-License-Identifier: Apache-2.0
"""Finds the programs of RabbitMQ and PostgreSQL, and installs them where they are missing.

Run as `python -m harness.install`, which is what `make test` does first: on Debian and its kin, as
root, apt gets the two packages; anywhere else the message says what to install or which variables
to set. `python -m harness.install interop` does the same for Node and OpenSSL, by which evidence is
looked at from outside. Rules this module keeps:

- No service of the system is started by an installation, and what it had to forbid that is put
  back; an interrupted run is tidied by the next.
- It may run in several processes at once.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

INSTALL_SECONDS_MAX = 900
RABBITMQ_SCRIPTS = (
    # The scripts themselves: Debian's wrapper on PATH changes the folder and the user.
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "/usr/local/sbin/rabbitmq-server",
    "/opt/homebrew/sbin/rabbitmq-server",
)
VARIABLES = ("A6HUB_TEST_DATABASE_URL", "A6HUB_TEST_AMQP_URL", "A6HUB_TEST_RABBITMQ_ADMIN_URL")


class ServiceError(Exception):
    """A server could not be found, installed or started; the text says what to do about it."""


Missing = Callable[[], list[str]]


def missing_packages() -> list[str]:
    """The Debian packages whose programs are not on this machine."""
    found = {
        "postgresql": postgres_programs() is not None,
        "rabbitmq-server": rabbitmq_script() is not None and shutil.which("epmd") is not None,
    }
    return [package for package, there in found.items() if not there]


def missing_for_interop() -> list[str]:
    """The same for what looks at evidence from outside."""
    programs = {"nodejs": "node", "npm": "npm", "openssl": "openssl"}
    return [package for package, name in programs.items() if shutil.which(name) is None]


def install_missing(missing: Missing = missing_packages) -> None:
    """Installs what `missing` names with apt, starting none of the system's services.

    Safe to call from several processes at once; does nothing when nothing is missing.
    """
    if not missing():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServiceError(_what_is_missing(missing))
    with (Path(tempfile.gettempdir()) / "a6hub-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = missing()  # whoever held the lock may have done it
        if not packages:
            return
        print(f"a6hub: installing {' and '.join(packages)}; no service is started", flush=True)
        with _no_service_starts():
            install = ["install", "--yes", "--no-install-recommends", *packages]
            if not _apt_get(install):  # the package lists may be absent or old
                _apt_get(["update"])
                if not _apt_get(install):
                    raise ServiceError(_what_is_missing(missing))
    if missing():
        raise ServiceError(_what_is_missing(missing))


def _apt_get(arguments: Sequence[str]) -> bool:
    command = ["apt-get", "--quiet=2", "--option=DPkg::Lock::Timeout=300", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=INSTALL_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout.decode(errors="replace")[-2000:], file=sys.stderr)
    return done.returncode == 0


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian asks /usr/sbin/policy-rc.d before a package starts its service; 101 forbids it."""
    policy = Path("/usr/sbin/policy-rc.d")
    kept = policy.with_name("policy-rc.d.a6hub-kept")
    mark = "# Put here by a6hub while it installs packages; remove it if a6hub is gone.\n"
    ours_left_over = policy.exists() and mark in policy.read_text(errors="replace")
    if policy.exists() and not ours_left_over:
        policy.rename(kept)
    policy.write_text(f"#!/bin/sh\n{mark}exit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)
        if kept.exists():
            kept.rename(policy)


def _what_is_missing(missing: Missing) -> str:
    packages = missing()
    if missing is missing_packages:
        return what_is_missing(packages)
    return (
        f"missing: {' and '.join(packages)}. As root, on Debian or Ubuntu: "
        f"apt-get install {' '.join(packages)}"
    )


def what_is_missing(packages: Sequence[str]) -> str:
    return (
        f"missing: {' and '.join(packages)}. As root, on Debian or Ubuntu: "
        f"apt-get install {' '.join(packages)} (the system's own service may stay stopped). "
        f"Or set {', '.join(VARIABLES)} to servers that tests may write to."
    )


def postgres_programs() -> Path | None:
    """The folder of `initdb` and `postgres`: the newest of Debian's, or the one on PATH."""
    by_version = sorted(
        (tuple(map(int, folder.parent.name.split("."))), folder)
        for folder in Path("/usr/lib/postgresql").glob("[1-9]*/bin")
    )
    on_path = shutil.which("initdb")
    folders = [folder for _, folder in reversed(by_version)]
    folders += [Path(on_path).parent] if on_path is not None else []
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


def rabbitmq_script() -> str | None:
    return next((name for name in RABBITMQ_SCRIPTS if Path(name).exists()), None)


def main(arguments: Sequence[str] = ()) -> None:
    """Installs what the tests will need and the environment does not name."""
    if "interop" in arguments:
        try:
            install_missing(missing_for_interop)
        except ServiceError as error:
            sys.exit(f"a6hub: {error}")
        return
    database, *broker = (bool(os.environ.get(name)) for name in VARIABLES)
    given = {"postgresql": database, "rabbitmq-server": all(broker)}
    try:
        if not all(given[package] for package in missing_packages()):
            install_missing()
    except ServiceError as error:
        sys.exit(f"a6hub: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
