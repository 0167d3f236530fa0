# SPDX-License-Identifier: Apache-2.0
"""The process: `python -m reconciliation`."""

from reconciliation.cli import app

if __name__ == "__main__":
    app()
