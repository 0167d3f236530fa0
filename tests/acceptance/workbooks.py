# SPDX-License-Identifier: Apache-2.0
"""What is asked of the workbooks that a demonstration wrote."""

import subprocess
import sys
from pathlib import Path

from aef.columns import columns_of
from aef.tables import SHEETS
from tests.unit.aef.books import cells_elsewhere, cells_of

__all__ = ["hold_workbooks"]

CHECK = [sys.executable, "-c", "from harness.cli import main; main()", "aef", "check"]


def hold_workbooks(folder: Path) -> list[str]:
    """Check them, and have another library read them cell by cell; gives whose they are."""
    done = subprocess.run(
        [*CHECK, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "0 error, 0 warning, 0 tolerated, 0 not checked"
    files = sorted(folder.iterdir())
    for file in files:
        data = file.read_bytes()
        ours = cells_of(data)
        assert ours == cells_elsewhere(data)
        for table, sheet in SHEETS.items():
            assert {column.label for column in columns_of(table)} <= set(ours[sheet].values())
    return [file.stem.partition("-")[0] for file in files]
