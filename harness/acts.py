# SPDX-License-Identifier: Apache-2.0
"""`a6hub act`: write acts on the directory, sign them where each key is, and join the signatures.

An act is one line of JSON. It is written once (`new`), carried to everybody who must sign it
(`sign` adds a signature to the file), and given to the hub by its administrator:
`a6hub hub order --operator … --key … act @order.json`, or `a6hub hub begin` for a genesis.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from ledger.directory import act_signature
from runtime.clock import SystemClock
from runtime.keys import load_private
from runtime.settings import secret
from runtime.verbs import guarded
from schemas import jws
from schemas.directory import SignedAct, parse_act

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

ActFile = Annotated[Path, typer.Argument(help="The act's file.")]


@app.command("new")
def new(
    output: Annotated[Path, typer.Argument(help="The file to write.")],
    members: Annotated[str, typer.Argument(help="The act's members as JSON, or @file.")],
) -> None:
    """Write an unsigned act: genesis, admission, rotation, revocation, status or profile."""

    def work() -> None:
        text = Path(members[1:]).read_text("utf-8") if members.startswith("@") else members
        values = {"at": str(SystemClock().now()), **json.loads(text)}
        line = parse_act(json.dumps(values)).model_dump_json()
        output.write_text(SignedAct(act=line, signatures=()).model_dump_json() + "\n")
        typer.echo(line)

    guarded(work)


@app.command("sign")
def sign(
    act: ActFile,
    key: Annotated[Path, typer.Option(help="The private key to sign with.")],
    password_file: Annotated[Path | None, typer.Option(help="The key's password.")] = None,
) -> None:
    """Add a signature to an act; shows what is signed."""

    def work() -> None:
        signed = SignedAct.model_validate_json(act.read_text("utf-8"))
        password = secret(password_file).encode() if password_file else None
        signer = jws.SoftwareSigner(load_private(key, password))
        parse_act(signed.act)
        added = (*signed.signatures, act_signature(signed.act, signer))
        act.write_text(SignedAct(act=signed.act, signatures=added).model_dump_json() + "\n")
        typer.echo(f"{signed.act}\nsigned with {signer.public.key_id}; {len(added)} signatures")

    guarded(work)


@app.command("order")
def order(act: ActFile, output: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the arguments by which the hub's administrator gives the act to the hub."""

    def work() -> None:
        text = SignedAct.model_validate_json(act.read_text("utf-8")).model_dump_json()
        output.write_text(json.dumps({"act": text}) + "\n")

    guarded(work)
