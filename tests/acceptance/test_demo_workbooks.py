# SPDX-License-Identifier: Apache-2.0
"""The workbooks that a demonstration writes: every Party's, without finding."""

from pathlib import Path

import pytest

from tests.acceptance.test_demo import SMALL, run
from tests.acceptance.workbooks import hold_workbooks


@pytest.mark.requirement(32)
def test_every_party_of_a_demonstration_has_its_workbook(tmp_path: Path) -> None:
    output = tmp_path / "output"
    done = run("--scenario", str(SMALL), "--output", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    assert hold_workbooks(output / "aef") == ["CHE", "THA"]
