# SPDX-License-Identifier: Apache-2.0
"""The federation of the acceptance tests, for evidence that others look at."""

from tests.acceptance.conftest import (
    established,
    federation,
    logs,
    pytest_asyncio_loop_factories,
    settings,
)

__all__ = ["established", "federation", "logs", "pytest_asyncio_loop_factories", "settings"]
