# SPDX-License-Identifier: Apache-2.0
"""The process: `python -m mechanism_node`."""

from mechanism_node.cli import app

if __name__ == "__main__":
    app()
