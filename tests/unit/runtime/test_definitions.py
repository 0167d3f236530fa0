# SPDX-License-Identifier: Apache-2.0
"""The broker's definitions: who may do what, and that the document can be applied again.

That RabbitMQ enforces them is in `tests/contract/test_broker.py`.
"""

import base64
import hashlib
import json
import re
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.services import RabbitMQ
from runtime.definitions import (
    Definitions,
    apply_definitions,
    definitions,
    hash_password,
    recipients,
)
from runtime.errors import LocalProtocolError, Unavailable

PARTICIPANTS = ["HUB", "REC", "GHA01", "CHE01", "UN01"]
LINKS = [("GHA01", "CHE01")]


def document(vhost: str = "/") -> Definitions:
    return definitions(PARTICIPANTS, LINKS, {"GHA01": hash_password("p", b"salt")}, vhost=vhost)


def patterns(kind: str, user: str, exchange: str | None = None) -> dict[str, re.Pattern[str]]:
    (found,) = (
        entry
        for entry in document()[kind]
        if entry["user"] == user and entry.get("exchange") == exchange
    )
    return {
        name: re.compile(str(found[name]))
        for name in ("configure", "write", "read")
        if name in found
    }


@pytest.mark.parametrize(
    ("participant", "may_write_to"),
    [
        ("HUB", {"REC", "GHA01", "CHE01", "UN01"}),
        ("REC", {"HUB", "GHA01", "CHE01", "UN01"}),
        ("GHA01", {"HUB", "REC", "CHE01"}),
        ("CHE01", {"HUB", "REC", "GHA01"}),
        ("UN01", {"HUB", "REC"}),
    ],
)
def test_the_routing_keys_of_a_user_are_its_recipients(
    participant: str, may_write_to: set[str]
) -> None:
    assert recipients(PARTICIPANTS, LINKS)[participant] == may_write_to
    allowed = patterns("topic_permissions", participant, "a6hub")["write"]
    assert {name for name in PARTICIPANTS if allowed.search(name)} == may_write_to
    near = ["GHA011", "XGHA01", "GHA01.x", "", "#", "*", "GHA01\n"]
    assert not [key for key in near if re.search(f"(?:{allowed.pattern})(?!\n)", key)]


def test_a_user_creates_nothing_and_reads_only_its_own() -> None:
    may = patterns("permissions", "GHA01")
    names = ["a6hub", "a6hub.dead", "inbox.GHA01", "dead.GHA01", "inbox.HUB", "dead.HUB"]
    names += ["a6hubxdead", "inboxxGHA01", "amq.default", "amq.topic", "inbox.GHA01x"]
    assert not [name for name in names if may["configure"].search(name)]
    assert [name for name in names if may["write"].search(name)] == ["a6hub", "a6hub.dead"]
    assert [name for name in names if may["read"].search(name)] == ["inbox.GHA01", "dead.GHA01"]


def test_a_user_fills_only_its_own_dead_letter_queue() -> None:
    may = patterns("topic_permissions", "GHA01", "a6hub.dead")["write"]
    assert [name for name in PARTICIPANTS if may.search(name)] == ["GHA01"]


def test_every_inbox_is_a_quorum_queue_without_a_limit_that_counts() -> None:
    queues = {str(queue["name"]): queue for queue in document()["queues"]}
    assert sorted(queues) == sorted(
        f"{kind}.{p}" for p in PARTICIPANTS for kind in ("inbox", "dead")
    )
    for queue in queues.values():
        arguments = queue["arguments"]
        assert isinstance(arguments, dict)
        assert queue["durable"] is True
        assert arguments["x-queue-type"] == "quorum"
        assert arguments["x-delivery-limit"] == 2**31 - 1


def test_a_password_is_only_in_it_as_rabbitmqs_salted_hash() -> None:
    users = {str(user["name"]): user for user in document()["users"]}
    decoded = base64.b64decode(str(users["GHA01"]["password_hash"]))
    assert decoded == b"salt" + hashlib.sha256(b"saltp").digest()
    assert users["HUB"]["password_hash"] == ""  # no password: a client certificate, or nothing
    with pytest.raises(ValueError, match="four bytes"):
        hash_password("p", b"toolong")


def test_the_order_of_the_arguments_does_not_matter() -> None:
    turned = definitions(
        PARTICIPANTS[::-1], [("CHE01", "GHA01")], {"GHA01": hash_password("p", b"salt")}
    )
    assert json.dumps(turned) == json.dumps(document())


def test_a_link_with_a_stranger_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="ZZZ99"):
        definitions(PARTICIPANTS, [("GHA01", "ZZZ99")], {})


async def test_applying_again_changes_nothing(rabbitmq: RabbitMQ) -> None:
    vhost = f"test-{secrets.token_hex(6)}"

    def state() -> list[object]:
        kinds = ["permissions", "topic_permissions", "exchanges", "queues", "bindings"]
        exported = rabbitmq.admin("GET", f"/api/definitions/{vhost}")
        assert isinstance(exported, dict)
        return [sorted(map(repr, exported[kind])) for kind in kinds if kind in exported]

    await apply_definitions(rabbitmq.admin_url, document(vhost))
    first = state()
    await apply_definitions(rabbitmq.admin_url, document(vhost))
    assert state() == first
    permissions = rabbitmq.admin("GET", f"/api/vhosts/{vhost}/topic-permissions")
    assert isinstance(permissions, list)
    assert len(permissions) == 2 * len(PARTICIPANTS)
    rabbitmq.admin("DELETE", f"/api/vhosts/{vhost}")


async def test_a_queue_of_another_kind_in_the_way_is_said(rabbitmq: RabbitMQ) -> None:
    vhost = f"test-{secrets.token_hex(6)}"
    rabbitmq.admin("PUT", f"/api/vhosts/{vhost}", {})
    rabbitmq.admin("PUT", f"/api/exchanges/{vhost}/a6hub", {"type": "fanout", "durable": True})
    with pytest.raises(LocalProtocolError, match="a6hub"):
        await apply_definitions(rabbitmq.admin_url, document(vhost))
    rabbitmq.admin("DELETE", f"/api/vhosts/{vhost}")


async def test_an_api_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await apply_definitions("http://guest:guest@127.0.0.1:1", document())


async def test_only_http_addresses_are_taken() -> None:
    with pytest.raises(LocalProtocolError, match="http"):
        await apply_definitions("file:///etc/passwd", document())


@pytest.fixture
def refusing_api() -> Iterator[str]:
    """An API that says no to everybody."""

    class Refusal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b"who are you?")

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Refusal) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://someone:wrong@127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_refusal_is_told_in_the_brokers_words(refusing_api: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"who are you\?"):
        await apply_definitions(refusing_api, document())
