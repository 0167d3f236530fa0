# SPDX-License-Identifier: Apache-2.0
"""`a6hub keygen`: make private keys where they belong, and print what may be shown to others.

All names and files are looked at before any key is made: either every key is made, or none.
"""

import re
from pathlib import Path
from typing import Annotated

import typer

from runtime import keys
from runtime.errors import LocalProtocolError
from runtime.settings import secret
from runtime.verbs import guarded
from schemas import jws
from schemas.identifiers import Actor

__all__ = ["app"]

NAME = re.compile(r"[a-z0-9-]+")
PLAIN = {"witness", "checkpoint"}
"""Keys for notes and cosignatures, which know Ed25519 alone."""

HEAD = "name  public key  id  file"

app = typer.Typer()


@app.command()
def keygen(
    folder: Annotated[Path, typer.Argument(help="The key folder.")],
    actor: Annotated[list[str] | None, typer.Option(help="An actor, such as GHA01/GHA.")] = None,
    name: Annotated[list[str] | None, typer.Option(help="Another key: witness, operator.")] = None,
    following: Annotated[
        bool, typer.Option("--next", help="Make the key that the actor changes to next.")
    ] = False,
    algorithm: Annotated[
        jws.Algorithm, typer.Option(help="Of the keys; witness and checkpoint are Ed25519.")
    ] = jws.Algorithm.ED25519,
    password_file: Annotated[Path | None, typer.Option(help="Encrypts the keys.")] = None,
) -> None:
    """Make private keys (PKCS#8 PEM, readable by their owner) and print the public ones."""

    def work() -> None:
        paths = _paths(folder, actor or [], name or [], algorithm, following=following)
        password = secret(password_file).encode() if password_file else None
        if password == b"":
            raise LocalProtocolError(f"--password-file {password_file}: there is no password in it")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        typer.echo(HEAD)
        for path, text in paths.items():
            key = keys.generate(algorithm)
            keys.save(key, path, password)
            public = jws.PublicKey.of(key)
            typer.echo(f"{text}  {public.to_text()}  {public.key_id}  {path}")

    guarded(work)


def _paths(
    folder: Path,
    actors: list[str],
    names: list[str],
    algorithm: jws.Algorithm,
    *,
    following: bool,
) -> dict[Path, str]:
    """Where each key goes; `LocalProtocolError` unless all of them can be made."""
    named = [(text, _path(folder, _actor(text), following=following)) for text in actors]
    for text in names:
        if NAME.fullmatch(text) is None:
            raise LocalProtocolError(
                f"--name {text}: lower-case letters, digits and hyphens; an actor goes with --actor"
            )
        if text in PLAIN and algorithm is not jws.Algorithm.ED25519:
            raise LocalProtocolError(
                f"--name {text}: such a key is always Ed25519; make it without --algorithm"
            )
        named.append((text, folder / f"{text}.pem"))
    if not named:
        raise LocalProtocolError("name at least one --actor or --name")
    paths: dict[Path, str] = {}
    for text, path in named:
        if path in paths:
            raise LocalProtocolError(f"{text}: named twice")
        if path.exists():
            raise LocalProtocolError(f"{path} exists; keys are never overwritten")
        paths[path] = text
    return paths


def _actor(text: str) -> Actor:
    try:
        return Actor(text)
    except ValueError as error:
        raise LocalProtocolError(f"--actor {error}") from None


def _path(folder: Path, actor: Actor, *, following: bool) -> Path:
    first = folder / keys.file_name(actor)
    if not following:
        return first
    number = 1
    while (path := first.with_suffix(f".{number}.pem")).exists():
        number += 1
    return path
