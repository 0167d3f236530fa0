# SPDX-License-Identifier: Apache-2.0
"""`a6hub act`: write acts on the directory, sign them where each key is, and join the signatures.

An act is one line of JSON. It is written once (`new`), carried to everybody who must sign it
(`sign` adds a signature to the file; `show` tells whose they are), and given to the hub by its
administrator: `a6hub hub order --operator … --key … act @order.json`, or `a6hub hub begin` for a
genesis.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from harness.act_keys import keys_in, signatures_on, whose
from ledger.directory import Directory, act_signature
from runtime.clock import SystemClock
from runtime.errors import LocalProtocolError, in_one_line
from runtime.exporting import FileKind, check_folder, export_file
from runtime.keys import load_private
from runtime.settings import secret
from runtime.verbs import guarded
from schemas import jws
from schemas.directory import Genesis, SignedAct, parse_act

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

ActFile = Annotated[Path, typer.Argument(help="The act's file.")]
GenesisFile = Annotated[
    Path | None, typer.Option("--genesis", help="The genesis act: it names the administrators.")
]
UNRESOLVED = re.compile(r'"<[^<>"]*>"')
"""A name that stands in a document for a key."""


@app.command("new")
def new(
    output: Annotated[Path, typer.Argument(help="The file to write.")],
    members: Annotated[str, typer.Argument(help="The act's members as JSON, or @file.")],
) -> None:
    """Write an unsigned act: genesis, admission, section, rotation, revocation, status, profile,
    binding.
    """

    def work() -> None:
        check_folder(output)
        if output.exists():
            raise LocalProtocolError(f"{output} exists; an act is written once: name another file")
        where = members if members.startswith("@") else "the members"
        text = Path(members[1:]).read_text("utf-8") if members.startswith("@") else members
        left = UNRESOLVED.search(text)
        if left is not None:
            raise LocalProtocolError(f"{where}: {left[0]}: put the public key there that it names")
        try:
            values = json.loads(text)
        except ValueError as error:
            hint = "" if where.startswith("@") else "; a file is named as @file"
            raise LocalProtocolError(f"{where}: not JSON: {error}{hint}") from None
        if not isinstance(values, dict):
            raise LocalProtocolError(f'{where}: not a JSON object, such as {{"act": "status", …}}')
        line = parse_act(json.dumps({"at": str(SystemClock().now()), **values})).model_dump_json()
        signed = SignedAct(act=line, signatures=())
        output.write_text(signed.model_dump_json() + "\n")
        _show(signed, None)

    guarded(work)


@app.command("sign")
def sign(
    act: ActFile,
    key: Annotated[Path, typer.Option(help="The private key to sign with.")],
    password_file: Annotated[Path | None, typer.Option(help="The key's password.")] = None,
    genesis: GenesisFile = None,
) -> None:
    """Add a signature to an act; shows what is signed, and whose the keys are."""

    def work() -> None:
        signed, first = _read(act), _read_genesis(genesis)
        password = secret(password_file).encode() if password_file else None
        signer = jws.SoftwareSigner(load_private(key, password))
        parsed, key_id = parse_act(signed.act), signer.public.key_id
        try:
            name = whose(parsed, first, key_id)
        except LocalProtocolError as error:
            raise LocalProtocolError(f"--key {key}: {error}") from None
        if key_id in [there for _, there in signatures_on(signed, parsed, first)]:
            raise LocalProtocolError(f"--key {key}: {name} has signed already")
        added = (*signed.signatures, act_signature(signed.act, signer))
        signed = SignedAct(act=signed.act, signatures=added)
        act.write_text(signed.model_dump_json() + "\n")
        _show(signed, first)

    guarded(work)


@app.command("show")
def show(act: ActFile, genesis: GenesisFile = None) -> None:
    """Show an act: its line, the id of each key in it, and whose each signature is."""
    guarded(lambda: _show(_read(act), _read_genesis(genesis)))


@app.command("order")
def order(act: ActFile, output: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the arguments by which the hub's administrator gives the act to the hub."""

    def work() -> bytes:
        text = _read(act).model_dump_json()
        return f"{json.dumps({'act': text})}\n".encode()

    guarded(lambda: export_file(output, ORDER, work))


def _is_order(path: Path) -> bool:
    try:
        members = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(members, dict) and members.keys() == {"act"}


ORDER = FileKind("order with an act", _is_order)


def _read(path: Path) -> SignedAct:
    try:
        return SignedAct.model_validate_json(path.read_text("utf-8"))
    except ValueError as error:
        raise LocalProtocolError(f"{path}: no act with signatures: {in_one_line(error)}") from None


def _read_genesis(path: Path | None) -> Genesis | None:
    """The genesis act, its signatures checked."""
    return None if path is None else Directory.begin(_read(path)).genesis


def _show(signed: SignedAct, genesis: Genesis | None) -> None:
    act = parse_act(signed.act)
    lines = [signed.act, "", "keys in the act:"]
    lines += [f"  {each.name}  {each.id}" for each in keys_in(act)] or ["  none"]
    lines.append("signed by:")
    lines += [f"  {name}  {id_}" for name, id_ in signatures_on(signed, act, genesis)] or [
        "  nobody"
    ]
    typer.echo("\n".join(lines))
