# SPDX-License-Identifier: Apache-2.0
"""The process: `python -m hub`."""

from hub.cli import app

if __name__ == "__main__":
    app()
