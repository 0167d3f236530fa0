# SPDX-License-Identifier: Apache-2.0
"""`a6hub keygen`: make private keys where they belong, and print what may be shown to others."""

from pathlib import Path
from typing import Annotated

import typer

from runtime import keys
from runtime.settings import secret
from runtime.verbs import guarded
from schemas import jws
from schemas.identifiers import Actor

__all__ = ["app"]

app = typer.Typer()


@app.command()
def keygen(
    folder: Annotated[Path, typer.Argument(help="The key folder.")],
    actor: Annotated[list[str] | None, typer.Option(help="An actor, such as GHA01/GHA.")] = None,
    name: Annotated[list[str] | None, typer.Option(help="Another key: witness, operator.")] = None,
    following: Annotated[
        bool, typer.Option("--next", help="Make the key that the actor changes to next.")
    ] = False,
    algorithm: Annotated[str, typer.Option(help="Ed25519 or ES256.")] = "Ed25519",
    password_file: Annotated[Path | None, typer.Option(help="Encrypts the keys.")] = None,
) -> None:
    """Make private keys (PKCS#8 PEM, readable by their owner) and print the public ones."""

    def work() -> None:
        password = secret(password_file).encode() if password_file else None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        paths = [(text, _path(folder, Actor(text), following=following)) for text in actor or []]
        paths += [(text, folder / f"{text}.pem") for text in name or []]
        if not paths:
            raise ValueError("name at least one --actor or --name")
        for text, path in paths:
            plain = text in {"witness", "checkpoint"}
            key = keys.generate(jws.Algorithm.ED25519 if plain else jws.Algorithm(algorithm))
            keys.save(key, path, password)
            public = jws.PublicKey.of(key)
            typer.echo(f"{text}  {public.to_text()}  {public.key_id}  {path}")

    guarded(work)


def _path(folder: Path, actor: Actor, *, following: bool) -> Path:
    first = folder / keys.file_name(actor)
    if not following:
        return first
    number = 1
    while (path := first.with_suffix(f".{number}.pem")).exists():
        number += 1
    return path
