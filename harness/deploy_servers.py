# SPDX-License-Identifier: Apache-2.0
"""What the broker and the database server of a deployment read when they first start.

Both are given hashes of passwords, never passwords: RabbitMQ's salted SHA-256, PostgreSQL's
SCRAM-SHA-256 verifiers. Each program has a database, a role and a broker user of its own.

Elsewhere: the broker's queues and permissions (`runtime.definitions`), the folder (`deploy`).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping

from runtime.definitions import Definitions, definitions, hash_password
from schemas.identifiers import Actor, Participant
from schemas.limits import ENVELOPE_BYTES_MAX

__all__ = [
    "BROKER_ADMINISTRATOR",
    "DEFINITIONS_PATH",
    "broker_definitions",
    "database_name",
    "init_sql",
    "rabbitmq_conf",
    "scram_verifier",
]

BROKER_ADMINISTRATOR = "administrator"
"""The broker's user for people: the management pages, and the definitions of newcomers."""

DEFINITIONS_PATH = "/etc/rabbitmq/a6hub-definitions.json"
SCRAM_ROUNDS = 4096  # PostgreSQL's own number; the passwords are random


def rabbitmq_conf() -> str:
    """The broker's configuration, beside what its image brings."""
    return f"""\
# Written by `a6hub deploy`; mounted into /etc/rabbitmq/conf.d.
# Users, exchanges, queues and permissions; with these, no default user is made.
load_definitions = {DEFINITIONS_PATH}
# Twice the largest envelope, so that its headers and a dead letter's reason fit.
max_message_size = {2 * ENVELOPE_BYTES_MAX}
# Below this much free disk nobody can publish, and everything waits in the senders' outboxes.
disk_free_limit.absolute = 1GB
"""


def broker_definitions(
    passwords: Mapping[Participant, str],
    links: list[tuple[str, str]],
    administrator: str,
) -> Definitions:
    """Users, exchanges, queues and permissions, and the broker's administrator."""
    hashes = {str(p): hash_password(w, secrets.token_bytes(4)) for p, w in passwords.items()}
    document = definitions(sorted(hashes), links, hashes)
    document["users"].append(
        {
            "name": BROKER_ADMINISTRATOR,
            "password_hash": hash_password(administrator, secrets.token_bytes(4)),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "administrator",
        }
    )
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    document["permissions"].append({"user": BROKER_ADMINISTRATOR, "vhost": "/", **everything})
    return document


def database_name(participant: Participant) -> str:
    """The name of a program's database, and of its role."""
    return f"a6hub_{participant.lower()}"


def init_sql(passwords: Mapping[Participant, str]) -> str:
    """What `psql` is given by a superuser, once: a role and a database for each program.

    `btree_gist` is made here, so that `migrate` finds it and needs no right to make it.
    """
    parts = ["-- Written by `a6hub deploy`; run by the image when the server is new.\n"]
    for participant, password in sorted(passwords.items()):
        name = database_name(participant)
        verifier = scram_verifier(password, secrets.token_bytes(16))
        parts.append(
            f"create role {name} login password '{verifier}';\n"
            f"create database {name} owner {name} template template0 encoding 'UTF8';\n"
            f"revoke all on database {name} from public;\n"
            f"\\connect {name}\n"
            "create extension btree_gist;\n"
        )
    return "\n".join(parts)


def scram_verifier(password: str, salt: bytes, rounds: int = SCRAM_ROUNDS) -> str:
    """PostgreSQL's stored form of a password (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return "SCRAM-SHA-256${}:{}${}:{}".format(
        rounds, *(base64.b64encode(value).decode() for value in (salt, stored, server))
    )


def links_of(pairs: list[tuple[Actor, Actor]]) -> list[tuple[str, str]]:
    """The pairs of different participants whose actors have a profile."""
    found = {tuple(sorted({str(a.participant), str(b.participant)})) for a, b in pairs}
    return sorted((pair[0], pair[1]) for pair in found if len(pair) == 2)
