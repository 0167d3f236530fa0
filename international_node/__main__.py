# SPDX-License-Identifier: Apache-2.0
"""The process: `python -m international_node`."""

from international_node.cli import app

if __name__ == "__main__":
    app()
