# SPDX-License-Identifier: Apache-2.0
"""Processor time and memory as Linux counts them: of a process, its children, and those gone."""

import os
import subprocess
import sys
import time

import pytest

from harness.bench.usage import cpu_seconds, memory_bytes

BUSY = "import time\nwhile time.process_time() < 0.2: pass"
CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', '''{BUSY}'''])"


def test_what_a_process_uses_is_counted() -> None:
    before = cpu_seconds({"us": os.getpid()})["us"]
    spent = time.process_time()
    while time.process_time() < spent + 0.2:
        pass
    assert cpu_seconds({"us": os.getpid()})["us"] - before > 0.1


@pytest.mark.parametrize("program", [BUSY, CHILD], ids=["child", "grandchild"])
def test_what_a_descendant_has_used_is_counted_when_it_is_gone(program: str) -> None:
    before = cpu_seconds({"us": os.getpid()})["us"]
    subprocess.run([sys.executable, "-c", program], check=True)
    assert cpu_seconds({"us": os.getpid()})["us"] - before > 0.1


def test_a_descendant_that_runs_is_counted() -> None:
    program = BUSY + "\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = cpu_seconds({"us": os.getpid(), "child": child.pid})
        child.kill()
    assert found["child"] > 0.1
    assert found["us"] >= found["child"]


def test_a_process_that_is_gone_is_named() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with pytest.raises(ProcessLookupError, match="the broker"):
        cpu_seconds({"the broker": child.pid})


def test_memory_is_in_bytes() -> None:
    assert 5 * 2**20 < memory_bytes(os.getpid()) < 20 * 2**30
