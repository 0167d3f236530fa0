# SPDX-License-Identifier: Apache-2.0
"""What must exist at RabbitMQ before anybody can talk: one document, made from the directory.

`definitions` is a pure function from participants, the pairs that may talk and their passwords'
hashes to a document in RabbitMQ's definitions format. The same arguments give the same document.
It is applied with `apply_definitions`, with `rabbitmqctl import_definitions`, or at the broker's
boot (`load_definitions`). Applying it again changes nothing; applying a newer one adds and
overwrites. Nothing is ever removed: whoever is to lose access stays in the list, without its links.

Rules carried out here (docs/protocol.md, AMQP):

- Everybody has the inbox `inbox.<participant>` and the dead-letter queue `dead.<participant>`, and
  a user of its own name who creates nothing, reads these two, and writes to two exchanges.
- On `a6hub` the routing key is the recipient. A topic permission holds each user to the hub, the
  reconciliation service and the participants it is linked with. On `a6hub.dead` it is the user's
  own name: nobody fills another's dead-letter queue.

Deliberately elsewhere: connecting (`runtime/amqp.py` only checks that all this is there), and
the broker's own configuration (TLS, `max_message_size`, cluster), which deploy/ holds.
"""

import asyncio
import base64
import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from runtime.errors import LocalProtocolError, Unavailable

__all__ = [
    "DEAD_EXCHANGE",
    "EXCHANGE",
    "Definitions",
    "apply_definitions",
    "dead_queue",
    "definitions",
    "hash_password",
    "inbox_queue",
    "recipients",
]

EXCHANGE: Final = "a6hub"
DEAD_EXCHANGE: Final = "a6hub.dead"

HUB: Final = "HUB"
REC: Final = "REC"

DELIVERY_LIMIT: Final = 2**31 - 1
"""As good as none. RabbitMQ 4 gives a quorum queue a limit of 20 unless told otherwise, and would
put an envelope aside because its recipient was restarted 20 times; we count attempts ourselves.
Its own word for "none", -1, is refused by RabbitMQ 3."""

INBOX_BYTES_MAX: Final = 4 * 2**30
"""A participant that stays away must not fill the disk of all others. Past it publishing gives
False, and the envelopes wait in their senders' outboxes."""

DEAD_BYTES_MAX: Final = 2**30
"""Past it the oldest goes: what lies there was never authenticated, and anybody linked may send
more of it; stopping instead would let a stranger stop us."""

APPLY_SECONDS_MAX: Final = 60.0
"""For one request; some hundred queues take a few seconds."""

Definitions = dict[str, list[dict[str, object]]]
"""RabbitMQ's definitions document: lists of objects by kind."""


def inbox_queue(participant: str) -> str:
    """The queue that a participant's envelopes wait in."""
    return f"inbox.{participant}"


def dead_queue(participant: str) -> str:
    """The queue that holds what a participant has put aside."""
    return f"dead.{participant}"


def recipients(
    participants: Iterable[str], links: Iterable[tuple[str, str]]
) -> dict[str, frozenset[str]]:
    """Who may write to whom: per participant the recipients, itself never among them.

    Everybody writes to the hub and the reconciliation service, these two to everybody; `links` are
    the pairs, in either order, that have a connection profile. A link with somebody who is not a
    participant raises `LocalProtocolError`.
    """
    everybody = frozenset(participants)
    may = {each: {HUB, REC} & everybody for each in everybody}
    may.update((each, set(everybody)) for each in (HUB, REC) if each in everybody)
    for one, other in links:
        if one not in everybody or other not in everybody:
            raise LocalProtocolError(f"{one} and {other} are linked, but not both are participants")
        may[one].add(other)
        may[other].add(one)
    return {each: frozenset(may[each] - {each}) for each in sorted(everybody)}


def hash_password(password: str, salt: bytes) -> str:
    """RabbitMQ's salted SHA-256: base64 of the four bytes of salt and the digest behind them."""
    if len(salt) != 4:
        raise ValueError("RabbitMQ's salt has four bytes")
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(
    participants: Iterable[str],
    links: Iterable[tuple[str, str]],
    credentials: Mapping[str, str],
    *,
    vhost: str = "/",
) -> Definitions:
    """The document for these participants and pairs.

    `credentials` maps a participant to its password's hash (`hash_password`). One without has no
    password at all and can only log in with a client certificate.
    """
    may = recipients(participants, links)
    document: Definitions = {"vhosts": [{"name": vhost}], "exchanges": _exchanges(vhost)}
    for kind in ("users", "permissions", "topic_permissions", "queues", "bindings"):
        document[kind] = []
    for participant, allowed in may.items():
        document["users"].append(
            {
                "name": participant,
                "password_hash": credentials.get(participant, ""),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "",
            }
        )
        document["permissions"].append(_permission(vhost, participant))
        document["topic_permissions"] += _topic_permissions(vhost, participant, allowed)
        document["queues"] += _queues(vhost, participant)
        document["bindings"] += _bindings(vhost, participant)
    return document


def _exchanges(vhost: str) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "vhost": vhost,
            "type": "topic",  # the one type with permissions per routing key
            "durable": True,
            "auto_delete": False,
            "internal": False,
            "arguments": {},
        }
        for name in (EXCHANGE, DEAD_EXCHANGE)
    ]


def _permission(vhost: str, participant: str) -> dict[str, object]:
    return {
        "user": participant,
        "vhost": vhost,
        "configure": _exactly([]),
        "write": _exactly([EXCHANGE, DEAD_EXCHANGE]),
        "read": _exactly([inbox_queue(participant), dead_queue(participant)]),
    }


def _topic_permissions(
    vhost: str, participant: str, allowed: frozenset[str]
) -> list[dict[str, object]]:
    keys = {EXCHANGE: sorted(allowed), DEAD_EXCHANGE: [participant]}
    return [
        {
            "user": participant,
            "vhost": vhost,
            "exchange": exchange,
            "write": _exactly(names),
            "read": _exactly([]),
        }
        for exchange, names in keys.items()
    ]


def _queues(vhost: str, participant: str) -> list[dict[str, object]]:
    durable = {"vhost": vhost, "durable": True, "auto_delete": False}
    inbox = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        # Two consumers would each get a part, out of order: the second waits for the first.
        "x-single-active-consumer": True,
        "x-max-length-bytes": INBOX_BYTES_MAX,
        "x-overflow": "reject-publish",
        # We reject nothing; should somebody's tool do so, it is kept.
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": participant,
    }
    dead = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-max-length-bytes": DEAD_BYTES_MAX,
        "x-overflow": "drop-head",
    }
    return [
        {"name": inbox_queue(participant), **durable, "arguments": inbox},
        {"name": dead_queue(participant), **durable, "arguments": dead},
    ]


def _bindings(vhost: str, participant: str) -> list[dict[str, object]]:
    pairs = ((EXCHANGE, inbox_queue(participant)), (DEAD_EXCHANGE, dead_queue(participant)))
    return [
        {
            "source": exchange,
            "vhost": vhost,
            "destination": queue,
            "destination_type": "queue",
            "routing_key": participant,
            "arguments": {},
        }
        for exchange, queue in pairs
    ]


def _exactly(names: Iterable[str]) -> str:
    """A pattern for these names and no others; RabbitMQ's patterns match anywhere in a name."""
    pattern = "|".join(re.escape(name) for name in names)
    return f"^({pattern})$" if pattern else "^$"


async def apply_definitions(admin_url: str, document: Definitions) -> None:
    """Has RabbitMQ take over a document through its management API, and looks whether it did.

    `admin_url` is `http://user:password@host:port`; the user is an administrator. Raises
    `Unavailable` when the API cannot be reached or does not answer within a minute, and
    `LocalProtocolError` when it refuses, or when an exchange or queue of that name exists with
    other properties: RabbitMQ leaves those as they are and reports success. Either may leave a
    part applied; applying again is safe.
    """
    await asyncio.to_thread(_apply, admin_url, document)


def _apply(admin_url: str, document: Definitions) -> None:
    _ask(admin_url, json.dumps(document).encode())
    there = json.loads(_ask(admin_url))
    for kind in ("exchanges", "queues", "bindings", "permissions", "topic_permissions"):
        for wanted in document[kind]:
            if not any(wanted.items() <= found.items() for found in there[kind]):
                raise LocalProtocolError(
                    f"RabbitMQ has other {kind} where there should be {wanted}"
                )


def _ask(admin_url: str, body: bytes | None = None) -> bytes:
    """Posts the definitions, or without a body gets those in force."""
    parts = urlsplit(admin_url)
    if parts.scheme not in ("http", "https"):
        raise LocalProtocolError("the address of the management API begins with http or https")
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
    address = (parts.scheme, parts.netloc.rpartition("@")[2], "/api/definitions", "", "")
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        urlunsplit(address),
        data=body,
        method="GET" if body is None else "POST",
        headers={
            "Authorization": "Basic " + base64.b64encode(login).decode(),
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=APPLY_SECONDS_MAX) as answer:  # noqa: S310
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            words = error.read(2000).decode(errors="replace")
        raise LocalProtocolError(f"RabbitMQ refused the definitions: {words}") from error
    except OSError as error:  # URLError is one, and so is a time-out
        raise Unavailable(f"the management API does not answer: {error}") from error
