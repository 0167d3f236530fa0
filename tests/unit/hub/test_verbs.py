# SPDX-License-Identifier: Apache-2.0
"""The hub's verbs about its anchor, and how its daemon refuses to start."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text
from typer.testing import CliRunner, Result

from harness.deploy import deploy, load_federation
from hub.cli import HubDaemonSettings, app
from hub.guard import Refusal
from hub.program import Hub
from runtime.anchor import FileAnchor
from runtime.clock import SystemClock
from runtime.daemon import run_daemon
from runtime.settings import load_settings
from runtime.store import open_store

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hub on SQLite whose log has begun."""
    made = tmp_path / "deployment"
    deploy(load_federation(ROOT / "harness" / "federation.toml"), made, SystemClock())
    settings = made / "programs" / "HUB" / "settings.toml"
    written = settings.read_text().replace("/etc/a6hub/", f"{made / 'programs'}/")
    written = written.replace("/var/lib/a6hub-anchor", str(made / "anchor"))
    settings.write_text(written.replace("http_port = 8080", "http_port = 0"))
    (settings.parent / "database").write_text(f"sqlite:///{made / 'hub.db'}")
    assert verb(made, "migrate").exit_code == 0
    begun = verb(made, "begin", str(made / "setup" / "genesis.json"))
    assert begun.exit_code == 0, begun.output
    return made


def verb(folder: Path, name: str, *words: str) -> Result:
    settings = folder / "programs" / "HUB" / "settings.toml"
    return CliRunner().invoke(app, [name, "--settings", str(settings), *words])


def refusal(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.removeprefix("a6hub: ")


def test_the_anchor_is_shown_beside_the_log(folder: Path) -> None:
    shown = verb(folder, "anchor")
    assert shown.exit_code == 0, shown.output
    assert re.fullmatch(r"anchor  1  ([0-9a-f]{64})\nlog  1  \1\n", shown.stdout)


def test_a_lost_anchor_is_laid_anew_with_size_and_root(folder: Path) -> None:
    _, size, root = verb(folder, "anchor").stdout.splitlines()[0].split("  ")
    before = (folder / "anchor" / "HUB").read_text()
    given = ("--size", size, "--root", root)
    assert refusal(verb(folder, "anchor", *given)).startswith(f"{Refusal.THERE}: ")
    (folder / "anchor" / "HUB").unlink()
    assert refusal(verb(folder, "anchor")).startswith(f"{Refusal.MISSING}: ")
    assert "go together" in refusal(verb(folder, "anchor", *given[:2]))
    wrong = refusal(verb(folder, "anchor", "--size", size, "--root", "00" * 32))
    assert wrong.startswith(f"{Refusal.FORKED}: ")
    assert "hexadecimal" in refusal(verb(folder, "anchor", "--size", size, "--root", "root"))
    laid = verb(folder, "anchor", *given)
    assert (laid.exit_code, laid.stdout) == (0, f"anchor  {size}  {root}\n")
    assert (folder / "anchor" / "HUB").read_text() == before


def test_a_recovery_is_begun_by_a_verb_that_shows_log_and_anchor(folder: Path) -> None:
    shown = verb(folder, "anchor").stdout
    begun = verb(folder, "recover")
    assert (begun.exit_code, begun.stdout) == (0, shown)
    assert verb(folder, "recover").stdout == shown, "it may be given again"
    (folder / "anchor" / "HUB").unlink()
    assert refusal(verb(folder, "recover")).startswith(f"{Refusal.MISSING}: ")


def test_a_log_begins_neither_twice_nor_beside_an_anchor(folder: Path) -> None:
    genesis = str(folder / "setup" / "genesis.json")
    assert "begins once" in refusal(verb(folder, "begin", genesis))
    (folder / "hub.db").unlink()
    assert verb(folder, "migrate").exit_code == 0
    assert refusal(verb(folder, "begin", genesis)).startswith(f"{Refusal.THERE}: ")
    assert refusal(verb(folder, "anchor")).startswith("there is no log yet")


def test_the_operators_page_explains_every_word() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    section = page.partition("\n### Restoring the hub\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE)) == set(Refusal)


# --- the daemon ---------------------------------------------------------------------------------


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    """A daemon says where all logs of its process go; here there are others."""
    loggers = [logging.getLogger(name) for name in ("", "aio_pika", "aiormq")]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    for logger, handlers, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate


@pytest.mark.usefixtures("_logs_as_before")
@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("unlink", Refusal.MISSING),
        ("torn", Refusal.DAMAGED),
        ("rows", Refusal.FORKED),
    ],
)
def test_a_daemon_that_must_not_run_ends_with_one_line_and_status_1(
    folder: Path, capsys: pytest.CaptureFixture[str], edit: str, why: Refusal
) -> None:
    anchor = folder / "anchor" / "HUB"
    if edit == "unlink":
        anchor.unlink()
    elif edit == "torn":
        anchor.write_text(anchor.read_text()[:-9])
    else:
        asyncio.run(change(folder))
    settings = load_settings(HubDaemonSettings, folder / "programs" / "HUB" / "settings.toml")
    assert run_daemon(settings, lambda ring: Hub(ring, FileAnchor(settings.anchor_file))) == 1
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (said,) = (line for line in lines if line["event"] == "service_failed")
    assert str(said["error"]).startswith(f"{why}: ")


async def change(folder: Path) -> None:
    """The hub's log is another one."""
    store = open_store(f"sqlite:///{folder / 'hub.db'}")
    async with store.transaction() as session:
        found = await session.execute(text("select name from sqlite_master where type = 'trigger'"))
        for row in list(found):
            await session.execute(text(f"drop trigger {row.name}"))
        await session.execute(text("update log_nodes set hash = zeroblob(32)"))
    await store.close()
