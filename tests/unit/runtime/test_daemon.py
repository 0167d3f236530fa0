# SPDX-License-Identifier: Apache-2.0
"""What stops a daemon from starting is one line of its log and exit status 1, never a traceback."""

import json
import logging
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from harness.deploy import deploy, load_federation
from reconciliation.cli import ReconcileDaemonSettings
from reconciliation.program import Reconciler
from runtime.clock import SystemClock
from runtime.daemon import configure_logging, run_daemon
from runtime.settings import load_settings
from schemas.directory import SignedAct

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A daemon says where all logs of its process go; here there are others."""
    loggers = [logging.getLogger(name) for name in ("", "aio_pika", "aiormq")]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    for logger, handlers, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a program that is ready but for what a test takes away."""
    made = tmp_path / "deployment"
    deploy(load_federation(ROOT / "harness" / "federation.toml"), made, SystemClock())
    settings = made / "programs" / "REC" / "settings.toml"
    text = settings.read_text().replace("/etc/a6hub", str(made / "programs"))
    settings.write_text(text.replace("http_port = 8080", "http_port = 0"))
    (settings.parent / "database").write_text(f"sqlite:///{tmp_path / 'new.db'}")
    return settings.parent


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is taken, by nobody who answers."""
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))  # noqa: S104 - what the settings ask for
        yield server.getsockname()[1]


def failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the daemon; gives what it says is wrong."""
    settings = load_settings(ReconcileDaemonSettings, folder / "settings.toml")
    genesis = SignedAct.model_validate_json((folder / "genesis.json").read_text())
    assert run_daemon(settings, lambda keyring: Reconciler(genesis, keyring)) == 1
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (said,) = (line for line in lines if line["event"] == "service_failed")
    return str(said["error"])


def test_a_database_that_does_not_answer_is_named(
    folder: Path, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql+asyncpg://a:b@127.0.0.1:{taken}/c"
    (folder / "database").write_text(url)
    assert str(taken) in failure(folder, capsys)


def test_a_database_that_is_missing_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "make it with the `migrate` command" in failure(folder, capsys)


def test_a_database_without_tables_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = (folder / "database").read_text().strip()
    Path(url.removeprefix("sqlite:///")).touch()  # an empty file is a database without tables
    assert "run its `migrate` command" in failure(folder, capsys)


def test_a_key_that_is_missing_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "keys" / "witness.pem").unlink()
    assert "witness.pem" in failure(folder, capsys)


def test_a_port_that_is_taken_is_named(
    folder: Path, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = folder / "settings.toml"
    settings.write_text(settings.read_text().replace("http_port = 0", f"http_port = {taken}"))
    assert "in use" in failure(folder, capsys)


def test_what_libraries_log_is_json_and_what_the_link_says_is_not_said_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    logging.getLogger("aiormq.connection").warning("cannot connect")
    logging.getLogger("aio_pika.robust_connection").error("cannot connect")
    logging.getLogger("asyncio").error("task %s was never retrieved", 7)
    logging.getLogger("asyncio").error("task %d was never retrieved", "seven")
    logging.getLogger("asyncio").info("nothing of note")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second, third = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"]) == ("library_warned", "warning")
    assert (first["library"], first["text"]) == ("asyncio", "task 7 was never retrieved")
    assert second["text"] == "task %d was never retrieved"
    assert "DeprecationWarning: old" in third["text"]
