# SPDX-License-Identifier: Apache-2.0
"""The wheel holds our packages and nothing else, and the locks can be trusted by anybody.

The wheel is built offline by the locked hatchling. What an installed wheel does is the acceptance
tests' matter.
"""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"[a-z0-9][a-z0-9-]*(?:\[[a-z,-]+\])?==\S+(?: ; .+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    done = subprocess.run(
        [*command, "--directory", str(folder)], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    (path,) = folder.glob("*.whl")
    return zipfile.Path(path)


def test_the_wheel_holds_exactly_our_packages(wheel: zipfile.Path) -> None:
    version = PROJECT["project"]["version"]
    names = wheel.root.namelist()
    assert {name.split("/")[0] for name in names} == {*PACKAGES, f"a6hub-{version}.dist-info"}
    assert {f"{package}/__init__.py" for package in PACKAGES} <= set(names)
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_the_wheel_cannot_be_uploaded_and_brings_the_command(wheel: zipfile.Path) -> None:
    (folder,) = (path for path in wheel.iterdir() if path.name.endswith(".dist-info"))
    metadata = (folder / "METADATA").read_text()
    assert "\nClassifier: Private :: Do Not Upload\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "a6hub = harness.cli:main" in (folder / "entry_points.txt").read_text()


def test_every_folder_of_code_is_in_the_wheel() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(PACKAGES)


def test_no_other_distribution_owns_one_of_our_names() -> None:
    # Names such as `hub` are taken elsewhere; such a distribution would overwrite our files without
    # a word. An editable install reports nothing for our names, so nobody is as good as us.
    owners = packages_distributions()
    intruders = {name: owners[name] for name in PACKAGES if set(owners.get(name, [])) - {"a6hub"}}
    assert intruders == {}


def test_every_tool_covers_every_package() -> None:
    tool = PROJECT["tool"]
    assert set(tool["mypy"]["files"]) == {*PACKAGES, "interop", "tests"}
    assert set(tool["importlinter"]["root_packages"]) == set(PACKAGES)
    assert set(tool["ruff"]["lint"]["isort"]["known-first-party"]) == {*PACKAGES, "tests"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_index_and_no_folder(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not [line for line in text.splitlines() if line.startswith("-")]
    assert "/" not in "".join(line for line in text.splitlines() if line.startswith("#"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_and_has_hashes(lock: Path) -> None:
    logical = lock.read_text().replace("\\\n", " ").splitlines()
    requirements = [line for line in logical if line.strip() and not line.lstrip().startswith("#")]
    assert requirements
    for line in requirements:
        name, *hashes = re.split(r"\s+(?=--hash=)", line.strip())
        assert PINNED.fullmatch(name), line
        assert hashes, line
        assert all(HASH.fullmatch(text) for text in hashes), line


def test_the_development_lock_contains_the_runtime_lock() -> None:
    assert [lock.name for lock in LOCKS] == ["dev.txt", "runtime.txt"]
    development, runtime = (
        {line for line in lock.read_text().splitlines() if "==" in line} for lock in LOCKS
    )
    assert runtime <= development


def test_every_direct_dependency_is_locked() -> None:
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in wanted}
    locked = {line.split("==")[0] for line in LOCKS[0].read_text().splitlines() if "==" in line}
    assert names <= locked


def test_the_runtime_needs_nothing_that_only_development_has() -> None:
    """What our packages import is in the standard library, in the runtime lock, or ours; but for
    one variant of the benchmark, which says what to do where its library is not installed.
    """
    pins = {line.split("==")[0] for line in LOCKS[1].read_text().splitlines() if "==" in line}
    owners = packages_distributions()
    strangers = set()
    for path in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            else:
                continue
            for top in {module.split(".")[0] for module in modules}:
                distributions = {
                    re.sub(r"[_.]+", "-", name.lower()) for name in owners.get(top, [])
                }
                known = top in sys.stdlib_module_names or top in PACKAGES or distributions & pins
                if not known:
                    strangers.add(f"{path.relative_to(ROOT)}: {top}")
    assert strangers == {"harness/bench/plain_faststream.py: faststream"}
