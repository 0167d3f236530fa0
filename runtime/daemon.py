# SPDX-License-Identifier: Apache-2.0
"""Running a program as a daemon: logging, signals, health and metrics around a node.

SIGTERM and SIGINT drain: the batch under way is finished, what is sealed is sent, the links are
closed. The exit status is 0 after a drain, 1 when starting is impossible, 3 when the program halted
because the hub broke the protocol (it must not be restarted without a look at the proof).
"""

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from runtime import events
from runtime.amqp import AmqpBroker
from runtime.bell import desk_bell
from runtime.broker import BrokerSettings, LinkState
from runtime.clock import SystemClock
from runtime.errors import A6HubError
from runtime.keys import Keyring, load_keyring
from runtime.node import Node, NodeSettings, refuse_optimized
from runtime.program import Program
from runtime.settings import DaemonSettings, secret
from runtime.store import open_store

__all__ = ["build_node", "configure_logging", "keyring_of", "run_daemon"]

HALTED = 3
SAID_BY_LINK_CHANGED = ("aio_pika", "aiormq")
"""Libraries whose every warning is of a link that is lost, which is an event of ours."""
METRICS = CollectorRegistry()
EVENTS = Counter("a6hub_events", "Events logged, by name", ["event"], registry=METRICS)
UP = Gauge("a6hub_link_up", "1 while the link to the broker is up", registry=METRICS)
PENDING = Gauge("a6hub_outbox_pending", "Envelopes not yet confirmed", registry=METRICS)


def configure_logging(level: str) -> None:
    """One JSON object per line on standard error, libraries' words included; each event counts in
    the metrics.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _count,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.captureWarnings(True)
    logging.getLogger().handlers = [_FromLibraries(logging.WARNING)]
    for name in SAID_BY_LINK_CHANGED:
        library = logging.getLogger(name)
        library.handlers, library.propagate = [logging.NullHandler()], False


class _FromLibraries(logging.Handler):
    """What libraries log, as events: left alone, Python writes it to standard error as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; one that cannot be formatted is logged as it came."""
        try:
            text = logging.Formatter().format(record)
        except (TypeError, ValueError):
            text = str(record.msg)
        structlog.get_logger().warning(events.LIBRARY_WARNED, library=record.name, text=text)


def _count(logger: Any, name: str, values: Any) -> Any:
    EVENTS.labels(values["event"]).inc()
    return values


def keyring_of(settings: DaemonSettings) -> Keyring:
    """The private keys that the settings name."""
    password = None
    if settings.key_password_file is not None:
        password = secret(settings.key_password_file).encode()
    return load_keyring(settings.keys, list(settings.actors), password)


def run_daemon(settings: DaemonSettings, build: Callable[[Keyring], Program]) -> int:
    """Run a program until it is told to stop; gives the exit status."""
    configure_logging(settings.log_level)
    log = structlog.get_logger().bind(participant=str(settings.participant))
    try:
        refuse_optimized()
        keyring = keyring_of(settings)
        return asyncio.run(_run(settings, build(keyring), keyring))
    except (
        A6HubError,
        ValueError,
        OSError,
    ) as error:  # OSError: a server or port that is not there
        log.critical(events.SERVICE_FAILED, error=str(error))
        return 1


def _collect_less() -> None:
    """Have Python look for cycles of garbage less often: a batch makes many values, all of which
    are freed without that, and the start's never are.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def build_node(settings: DaemonSettings, program: Program, keyring: Keyring) -> Node:
    """The node of a program, on the database and the broker that the settings name."""
    return Node(
        program,
        open_store(secret(settings.database_file)),
        AmqpBroker(str(settings.participant), BrokerSettings(url=secret(settings.broker_file))),
        SystemClock(),
        keyring,
        operators=settings.operators,
        second=settings.dual_control(),
        settings=NodeSettings(
            batch_max=settings.batch_max,
            bundle_max=settings.bundle_max,
            tick_seconds=settings.tick_seconds,
            sweep_seconds=settings.sweep_seconds,
            hold_seconds=settings.hold_seconds,
            drain_seconds=settings.drain_seconds,
        ),
    )


async def _run(settings: DaemonSettings, program: Program, keyring: Keyring) -> int:
    node = build_node(settings, program, keyring)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    stop = _serve(settings, node) if settings.http_port else None
    _collect_less()
    try:
        async with desk_bell(secret(settings.database_file), node.ring):
            await node.run()
    finally:
        if stop is not None:
            stop()
    return HALTED if node.halted else 0


def _serve(settings: DaemonSettings, node: Node) -> Callable[[], None]:
    """Serve health and metrics from a thread; gives what stops it."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        UP.set(1 if node.broker.state is LinkState.UP else 0)
        PENDING.set(node.relay.pending)
        if path == "/metrics":
            status, body = "200 OK", generate_latest(METRICS)
        elif path == "/healthz":
            status, body = ("200 OK", b"ok\n")
        elif path == "/readyz":
            good = node.ready.is_set() and node.broker.state is LinkState.UP
            status, body = ("200 OK", b"ready\n") if good else ("503 Service Unavailable", b"no\n")
        else:
            status, body = "404 Not Found", b"not found\n"
        start(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [body]

    server = make_server(settings.http_host, settings.http_port, answer, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests for health are not events."""
