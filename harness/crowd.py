# SPDX-License-Identifier: Apache-2.0
"""Many registries in one process, each with settings, keys, a database and a link of its own.

For fleets in which most participants have nothing to do but to answer the hub. Each runs as its
own daemon would; only the process is shared, since a hundred of them take ten gigabytes.

Elsewhere: a program by itself (`runtime.daemon`), who starts this (`fleet`).
"""

import asyncio
import signal
import sys
from pathlib import Path

from registry.cli import RegistryDaemonSettings, build_registry
from runtime.daemon import build_node, configure_logging, keyring_of
from runtime.node import Node
from runtime.settings import load_settings

__all__ = ["main"]


def main(files: list[Path]) -> None:
    """Run the registries of these settings files until SIGTERM; an error of one ends all."""
    configure_logging("warning")
    asyncio.run(_run([_node(file) for file in files]))


def _node(file: Path) -> Node:
    settings = load_settings(RegistryDaemonSettings, file)
    keyring = keyring_of(settings)
    return build_node(settings, build_registry(settings, keyring), keyring)


async def _run(nodes: list[Node]) -> None:
    def stop() -> None:
        for node in nodes:
            node.stop()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    async with asyncio.TaskGroup() as running:
        for node in nodes:
            running.create_task(node.run())


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
