# SPDX-License-Identifier: Apache-2.0
"""JSON Schema documents made from the models, for readers who do not run our code.

`python -m schemas.export` writes `schemas/exported/*.json`, draft 2020-12: one document per message
type, `messages.json` for all of them, `manifest.json` for what an envelope's first line says,
`acts.json` for the acts on the directory, `evidence.json`, `misbehaviour.json` and `trust.json` for
files of evidence.
`--check` writes nothing and names the files that differ.

A schema says less than the models. What it cannot see: rules between members (ranges in order, a
finding's code and reason), check digits, days that no calendar has, and whatever strict JSON
refuses before there are members at all (repeated names, `1.0` for 1, depth, bytes).

Elsewhere: examples of what passes and what does not (`schemas/vectors`).
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from schemas.directory import Act
from schemas.envelope import VERSION, Manifest
from schemas.evidence import Bundle, Trust
from schemas.messages import MESSAGE_TYPES, AnyMessage
from schemas.misbehaviour import Misbehaviour

__all__ = ["FOLDER", "documents", "main"]

FOLDER: Final = Path(__file__).parent / "exported"
"""Where the committed documents are."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MAPS = {"properties", "$defs"}
_NOISE = {"title", "discriminator"}
"""`title` repeats the name beside it; `discriminator` is OpenAPI's, and `const` says the same."""


def documents() -> dict[str, str]:
    """Every document by its file name, byte for byte as committed."""
    models: dict[str, Any] = {
        **MESSAGE_TYPES,
        "messages": AnyMessage,
        "manifest": Manifest,
        "acts": Act,
        "evidence": Bundle,
        "misbehaviour": Misbehaviour,
        "trust": Trust,
    }
    return {f"{name}.json": _document(name, models[name]) for name in sorted(models)}


def _document(name: str, model: Any) -> str:
    schema = TypeAdapter(model).json_schema(by_alias=True, mode="validation")
    head = {"$schema": _DIALECT, "$id": f"urn:a6hub:{VERSION}:{name}"}
    return json.dumps(head | _plain(schema), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without noise, and with the members that tell one object from another required.

    pydantic lets a constant be left out, since it has a default; our readers do not.
    """
    plain = {name: _value(name, value) for name, value in schema.items() if name not in _NOISE}
    constant = {name for name, member in plain.get("properties", {}).items() if "const" in member}
    for name in constant:
        plain["properties"][name].pop("default", None)
    if constant or "required" in plain:
        plain["required"] = sorted(constant | set(plain.get("required", ())))
    return plain


def _value(name: str, value: Any) -> Any:
    if name in _MAPS:
        return {member: _plain(schema) for member, schema in value.items()}
    if isinstance(value, dict):
        return _plain(value)
    if isinstance(value, list):
        return [_plain(item) if isinstance(item, dict) else item for item in value]
    return " ".join(value.split()) if name == "description" else value


def _differing(wanted: dict[str, str]) -> Iterable[str]:
    for name in sorted(wanted.keys() | {path.name for path in FOLDER.glob("*")}):
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != wanted.get(name):
            yield name


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents, or with `--check` name those that differ; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m schemas.export", description="JSON Schemas")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if files differ")
    check = parser.parse_args(arguments).check
    wanted = documents()
    differing = list(_differing(wanted))
    sys.stdout.writelines(f"{name}\n" for name in differing)
    if check:
        return 1 if differing else 0
    FOLDER.mkdir(exist_ok=True)
    for name in differing:
        path = FOLDER / name
        if name in wanted:
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
