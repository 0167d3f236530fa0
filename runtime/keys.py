# SPDX-License-Identifier: Apache-2.0
"""Private keys: made, kept in PEM files, and used through the `schemas.jws.Signer` port.

A program's key folder holds one file per actor (`GHA01-GHA.pem`) and one for its witness key
(`witness.pem`); files are PKCS#8 and readable by their owner only. An actor whose key is being
changed has the following one beside it (`GHA01-GHA.1.pem`, then `.2.pem`).

Elsewhere: public keys and who they belong to (`ledger.directory`).
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from runtime.errors import LocalProtocolError, in_one_line
from schemas import jws
from schemas.identifiers import Actor

__all__ = ["Keyring", "PrivateKey", "file_name", "generate", "load_keyring", "load_private", "save"]

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey


@dataclass
class Keyring:
    """The signers of a program's actors, and those of its notes: its witness's, and the hub's of
    checkpoints.

    An actor's signers stand in the order in which they come into use; `used` says which one seals
    now. It moves on by a rotation of our own, or when the directory names a later one as current.
    """

    actors: dict[Actor, list[jws.Signer]]
    witness: jws.Signer
    checkpoint: jws.Signer | None = None
    used: dict[Actor, int] = field(default_factory=dict)

    def signer(self, actor: Actor, current: jws.PublicKey | None) -> jws.Signer:
        """The signer that seals for an actor; `current` is its key in the directory, if known."""
        held, number = self.actors.get(actor, []), self.used.get(actor, 0)
        for later in range(number + 1, len(held)):
            if held[later].public == current:
                self.used[actor] = number = later
        if number >= len(held):
            raise LocalProtocolError(f"no private key of {actor} is held here")
        return held[number]

    def following(self, actor: Actor, current: jws.PublicKey | None) -> jws.Signer | None:
        """The signer that comes into use after the one that seals now, if it has been made."""
        self.signer(actor, current)
        held, number = self.actors[actor], self.used.get(actor, 0) + 1
        return held[number] if number < len(held) else None

    def is_shared(self, key: jws.PublicKey) -> bool:
        """Whether more than one signer here has this key."""
        held = [signer.public for signers in self.actors.values() for signer in signers]
        return held.count(key) > 1

    def add(self, actor: Actor, signer: jws.Signer) -> None:
        """Hold one more key for an actor."""
        self.actors.setdefault(actor, []).append(signer)


def generate(algorithm: jws.Algorithm = jws.Algorithm.ED25519) -> PrivateKey:
    """A new private key."""
    if algorithm is jws.Algorithm.ED25519:
        return Ed25519PrivateKey.generate()
    return generate_private_key(SECP256R1())


def file_name(actor: Actor) -> str:
    """The name of an actor's key file."""
    return f"{actor.replace('/', '-')}.pem"


def save(key: PrivateKey, path: Path, password: bytes | None = None) -> None:
    """Write a key as PKCS#8 PEM, readable by its owner only; never over an existing file."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise LocalProtocolError(f"{path} exists; keys are never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def load_private(path: Path, password: bytes | None = None) -> PrivateKey:
    """Read a key; `LocalProtocolError` says what is wrong with the file."""
    try:
        key = load_pem_private_key(path.read_bytes(), password)
    except OSError as error:
        raise LocalProtocolError(in_one_line(error)) from None
    except (ValueError, TypeError) as error:
        raise LocalProtocolError(f"{path}: {in_one_line(error)}") from None
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise LocalProtocolError(f"{path}: neither an Ed25519 nor an EC key")
    return key


def load_keyring(folder: Path, actors: list[Actor], password: bytes | None = None) -> Keyring:
    """The keys of a program's actors from its key folder, older and next ones included."""
    witness = load_private(folder / "witness.pem", password)
    if not isinstance(witness, Ed25519PrivateKey):
        raise LocalProtocolError(f"{folder / 'witness.pem'}: a witness key is Ed25519")
    ring = Keyring(actors={}, witness=jws.SoftwareSigner(witness))
    for actor in actors:
        stem = file_name(actor).removesuffix(".pem")
        following = sorted(folder.glob(f"{stem}.*.pem"), key=lambda p: int(p.suffixes[0][1:]))
        paths = [folder / f"{stem}.pem", *following]
        for path in paths:
            ring.add(actor, jws.SoftwareSigner(load_private(path, password)))
    checkpoint = folder / "checkpoint.pem"
    if checkpoint.exists():
        key = load_private(checkpoint, password)
        if not isinstance(key, Ed25519PrivateKey):
            raise LocalProtocolError(f"{checkpoint}: a checkpoint key is Ed25519")
        ring.checkpoint = jws.SoftwareSigner(key)
    return ring
