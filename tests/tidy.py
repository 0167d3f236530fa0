# SPDX-License-Identifier: Apache-2.0
"""Reads the source and refuses what the other tools do not see; run by `make check`.

Each rule of the house style that a machine can check and ruff, mypy and import-linter do not is a
function here: it takes a file and yields complaints. Only files that git would commit are read.
What a rule forbids is spelled here in pieces, so that this file passes its own rules.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE_LINES_ADVISED = 300
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
VAGUE_NAMES = {
    "base",
    "common",
    "helper",
    "helpers",
    "manager",
    "managers",
    "misc",
    "util",
    "utils",
}
LICENSE = "# SPDX-License-Identifier: Apache-2.0"
LATER_MARKS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
# A lock or a document that names where its author's packages came from works only there.
INDEX_HOSTS = re.compile(
    "|".join(("py" + r"pi\.(?:org|io)", "python" + r"hosted\.org", "npm" + r"js\.(?:org|com)"))
    + "|--(?:extra-)?index-"
    + r"url[ =]\S*/|--find-"
    + r"links[ =]\S*/"
)


def committed() -> list[Path]:
    """What git has or would take in, without what is deleted in the work tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    paths = (ROOT / name for name in sorted(listed.stdout.decode().split("\0")) if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def license_line(path: Path, text: str) -> Iterator[str]:
    wants_it = path.suffix in {".py", ".sh"} or path.name in {"Makefile", "Dockerfile"}
    wants_it = wants_it or text.startswith("#!")
    if wants_it and LICENSE not in text.splitlines()[:2]:
        yield f"1: the file does not open with `{LICENSE}`"


def later_marks_and_index_hosts(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if mark := LATER_MARKS.search(line):
            yield f"{number}: {mark[0]}: do it, file it, or say why it is not needed"
        if host := INDEX_HOSTS.search(line):
            yield f"{number}: a package index is named: {host[0]}"


def module_shape(path: Path, text: str, tree: ast.Module) -> Iterator[str]:
    docstring = ast.get_docstring(tree)
    if not docstring:
        yield "1: the module has no docstring"
    if path.stem in VAGUE_NAMES:
        yield f"1: {path.stem} says nothing; name what is in it"
    lines = len(text.splitlines())
    if not is_test(path) and lines > MODULE_LINES_MAX and "lines" not in (docstring or ""):
        yield f"1: {lines} lines; split it, or defend its lines in its docstring"


def function_length(path: Path, tree: ast.Module) -> Iterator[str]:
    if is_test(path):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{node.lineno}: {node.name} has {lines} lines, {FUNCTION_LINES_MAX} at most"


def is_test(path: Path) -> bool:
    return path.is_relative_to(ROOT / "tests")


def complaints(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # a picture, a workbook
        return
    yield from license_line(path, text)
    yield from later_marks_and_index_hosts(text)
    if path.suffix == ".py":
        tree = ast.parse(text, filename=str(path))
        yield from module_shape(path, text, tree)
        yield from function_length(path, tree)


def main() -> None:
    paths = committed()
    found = [f"{path.relative_to(ROOT)}:{text}" for path in paths for text in complaints(path)]
    modules = [path for path in paths if path.suffix == ".py" and not is_test(path)]
    long = [path for path in modules if len(path.read_text().splitlines()) > MODULE_LINES_ADVISED]
    print(*found, sep="\n", end="\n" if found else "")
    for path in long:
        print(f"tidy: note: {path.relative_to(ROOT)} has over {MODULE_LINES_ADVISED} lines")
    print(f"tidy: {len(paths)} files read, {len(found)} complaints")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
