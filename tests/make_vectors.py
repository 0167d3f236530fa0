# SPDX-License-Identifier: Apache-2.0
"""Makes `schemas/vectors/*.json`: examples of the wire, good and bad, for readers in any language.

`python -m tests.make_vectors` writes them; `--check` writes nothing and names what differs. Every
expectation is stated by hand in `tests/vectors`, from the rules and not from what our programs
happen to answer; `tests/unit/schemas/test_vectors.py` holds our programs to them. Nothing depends
on clock or chance: keys come from published seeds, and both algorithms sign deterministically.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.vectors.envelopes import envelopes
from tests.vectors.identifiers import identifiers
from tests.vectors.messages import messages

FOLDER = Path(__file__).parents[1] / "schemas" / "vectors"


def files() -> dict[str, str]:
    made = {
        "identifiers.json": identifiers(),
        "messages.json": messages(),
        "envelopes.json": envelopes(),
    }
    return {
        name: json.dumps(value, ensure_ascii=False, indent=1) + "\n" for name, value in made.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Makes schemas/vectors/*.json")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if files differ")
    check = parser.parse_args(arguments).check
    wanted = files()
    kept = {path.name for path in FOLDER.glob("*.json")}
    differing = [
        name
        for name in sorted(wanted.keys() | kept)
        if name not in kept or (FOLDER / name).read_text(encoding="utf-8") != wanted.get(name)
    ]
    print(*differing, sep="\n", end="\n" if differing else "")
    if check:
        return 1 if differing else 0
    for name in differing:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
