# SPDX-License-Identifier: Apache-2.0
"""What docs/requirements.md says of tests is true of a run that passed: each was run to its end.

A test with the mark `requirement` that is skipped, or fails as expected, fails. In a whole run, one
that the command line does not narrow, each test and each case that a mark names must be there, or
nothing is run: so none can be left out by a setting, a module that skips itself, or a wrong name.

Hooks for `conftest.py`. Elsewhere: what the marks say (`harness.requirements`).
"""

from collections.abc import Generator, Iterator

import pytest

from harness.requirements import Claim, read_claims

__all__ = ["hold_claims", "pytest_runtest_makereport"]

NARROWING = ("-k", "-m", "--deselect", "--ignore", "--lf", "--last-failed", "--sw", "--stepwise")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.get_closest_marker("requirement"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} shows a requirement, so it is not skipped, and no xfail"
        vars(report).pop("wasxfail", None)  # or it would be counted as none
    return report


def hold_claims(session: pytest.Session) -> None:
    """End a whole run before it begins when a test or case is missing that a mark names."""
    if not is_whole(session.config):
        return
    there = set(collected(session))
    claims = read_claims(session.config.rootpath)
    missing = [claim for claim in claims if claim._replace(number=0) not in there]
    if missing:
        texts = (f"{c.path}::{c.test} {c.case or ''} (row {c.number})" for c in missing)
        raise pytest.UsageError("tests that show requirements are missing: " + "; ".join(texts))


def is_whole(config: pytest.Config) -> bool:
    """Whether everything is to be run: nobody asked for less."""
    words = config.invocation_params.args
    return config.args_source is config.ArgsSource.TESTPATHS and not any(
        str(word).startswith(NARROWING) for word in words
    )


def collected(session: pytest.Session) -> Iterator[Claim]:
    """Each test that will be run, and each case of it, in the form of a claim of row 0."""
    for item in session.items:
        if isinstance(item, pytest.Function):
            path = item.path.relative_to(session.config.rootpath).as_posix()
            yield Claim(0, path, item.originalname)
            if hasattr(item, "callspec"):
                named = [value for value in item.callspec.params.values() if isinstance(value, str)]
                for name in (item.callspec.id, *named):
                    yield Claim(0, path, item.originalname, name)
