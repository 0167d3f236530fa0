# SPDX-License-Identifier: Apache-2.0
"""The process: `python -m party_node`."""

from party_node.cli import app

if __name__ == "__main__":
    app()
